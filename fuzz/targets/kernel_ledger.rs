//! Ledgers of kernels: any bytes are read as far as the chain holds, and of a changed ledger only what stood before the change.
//!
//! The first byte of an input chooses: `c` changes to a true ledger, everything else bytes as they are.
#![no_main]

use assay_kernel::ledger::{Entry, Ledger, Row, Signer};
use assay_kernel::verdict::Class;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;

/// Rows of the ledger that is changed, the last of them a signature.
const ROWS: usize = 4;

/// A row.
const ROW: &str = r#"{"v":1,"ts":"2026-01-01T00:00:00Z","task_id":"rmsnorm_bf16","task_sha":"aa","candidate_sha":"1",
"library_sha":"cc","baseline_sha":"bb","baseline_commit":"67b2a9e","form":"c_dltensor","verdict":"reject",
"code":"WRONG_VALUE","gate":"values","message":"3 elements are wrong","findings":[{"gate":"values",
"code":"WRONG_VALUE","message":"wrong","evidence":{"axes":{"R":4}}}],"device":{"name":"cpu"},"host":"here",
"flags":["-O3"],"seeds":{"commitment":"c","secret":"s"},"cases":{"run":12,"failed":1},"err":{"max_u":0.5},
"timing":null,"aa":null,"roofline":null,"sign_off":false,"func":{},"sanitizer":{"tools":[]},"e2e":null,
"parent":null,"artifacts":[]}"#;

struct Bench {
    file: PathBuf,
    whole: Vec<u8>,
    rows: Vec<Entry>,
}

thread_local! {
    static BENCH: Bench = Bench::new();
}

impl Bench {
    fn new() -> Self {
        // A fuzzer never ends in order, so who starts it makes and removes the folder.
        let root = std::env::var_os("ASSAY_FUZZ_ROOT").map_or_else(std::env::temp_dir, PathBuf::from);
        let file = root.join(format!("ledger-{}.jsonl", std::process::id()));
        let _ = fs::remove_file(&file);
        let row: Row = serde_json::from_str(ROW).expect("a row");
        for number in 0..ROWS - 1 {
            // The first is signed below.
            let verdict = if number == 0 { Class::Accept } else { row.verdict };
            let row =
                Row { candidate_sha: number.to_string(), sign_off: number == 0, verdict, ..row.clone() };
            Ledger::new(&file).append(&row).expect("added");
        }
        let by = Signer { user: "ada".to_owned(), uid: 1, pid: 2, terminal: true, parent: "sh".to_owned() };
        Ledger::new(&file).sign(1, by, "read").expect("signed");
        let rows = Ledger::new(&file).read().expect("read").entries;
        Self { whole: fs::read(&file).expect("a ledger"), file, rows }
    }

    fn read(&self, bytes: &[u8]) -> Vec<Entry> {
        fs::write(&self.file, bytes).expect("a file");
        let ledger = Ledger::new(&self.file);
        let Ok(read) = ledger.read() else { return Vec::new() };
        let verified = ledger.verify().expect("what can be read can be verified");
        assert_eq!((verified.rows, &verified.broken), (read.entries.len(), &read.broken));
        read.entries
    }

    /// Each three bytes are a place and what is put there.
    fn changed(&self, edits: &[u8]) {
        let mut bytes = self.whole.clone();
        for edit in edits.chunks_exact(3) {
            let at = (usize::from(edit[0]) << 8 | usize::from(edit[1])) % bytes.len();
            bytes[at] = edit[2];
        }
        let same = bytes.iter().zip(&self.whole).take_while(|(now, then)| now == then).count();
        let untouched = self.whole[..same].iter().filter(|byte| **byte == b'\n').count();
        let rows = self.read(&bytes);
        assert!(rows.len() <= ROWS && rows[..] == self.rows[..rows.len()], "a changed row was believed");
        assert!(rows.len() >= untouched, "{} of {untouched} rows before the change", rows.len());
        assert!(bytes == self.whole || rows.len() < ROWS, "a change was not seen");
    }
}

fuzz_target!(|input: &[u8]| {
    BENCH.with(|bench| match input.split_first() {
        Some((b'c', edits)) => bench.changed(edits),
        _ => drop(bench.read(input)),
    });
});
