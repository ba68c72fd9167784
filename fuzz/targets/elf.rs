//! Libraries of kernels: whatever bytes are handed in, they are read or refused, and what is said of them can be recorded.
#![no_main]

use assay_kernel::statics::inspect_bytes;
use assay_kernel::task::Allow;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let first = inspect_bytes(bytes, "kv_entry", &Allow::default());
    let again = inspect_bytes(bytes, "kv_entry", &Allow::default());
    match (first, again) {
        (Ok(first), Ok(again)) => {
            assert_eq!(first, again, "the same library, another answer");
            for finding in &first {
                assert!(!finding.message.is_empty(), "a finding without words: {finding:?}");
                serde_json::to_string(finding).expect("a finding is JSON");
            }
        }
        (Err(first), Err(again)) => assert_eq!(first.to_string(), again.to_string()),
        (first, again) => panic!("{first:?} and {again:?}"),
    }
});
