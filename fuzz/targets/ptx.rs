//! PTX: any text is read or refused, and nothing differs from itself.
#![no_main]

use assay_kernel::ptx::{functions, loosened, written};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match functions(text) {
        Ok(found) => {
            assert_eq!(loosened(&found, &found), [], "it is looser than itself");
            assert_eq!(written(&found, &found), [], "it has more of its own than itself");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
