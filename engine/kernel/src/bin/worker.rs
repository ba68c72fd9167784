//! The worker as a program of its own: what tests start, and what has nothing else in it.

use assay_kernel::build::child;
use assay_kernel::worker;

fn main() {
    let compiles = std::env::args_os().next_back().is_some_and(|word| word == child::WORD);
    std::process::exit(if compiles { child::main() } else { worker::main() });
}
