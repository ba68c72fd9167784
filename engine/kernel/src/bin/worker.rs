//! The worker as a program of its own: what tests start, and what has nothing else in it.

fn main() {
    std::process::exit(assay_kernel::worker::main());
}
