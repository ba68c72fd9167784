//! Recorded traces and their facts, which lie beside the project and are no part of it.

use std::path::{Path, PathBuf};

/// The folder `shared/data/traces` beside the crate or beside any folder above it: a worktree may lie deeper than a
/// checkout. Without it a test says that it skips, and fails where `ASSAY_REQUIRE_SHARED=1` asks for it.
#[expect(clippy::print_stdout, reason = "a test that skips says so")]
pub fn shared() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = above.map(|folder| folder.join("shared/data/traces")).find(|folder| folder.is_dir());
    if found.is_none() {
        assert!(std::env::var_os("ASSAY_REQUIRE_SHARED").is_none(), "`shared/data/traces` is absent");
        println!("skipped: `shared/data/traces` is absent");
    }
    found
}
