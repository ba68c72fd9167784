//! The worker as a program of its own: what tests start, and what has nothing else in it.

#![expect(clippy::exit, reason = "the whole program is one call")]

fn main() {
    std::process::exit(assay_kernel::worker::main());
}
