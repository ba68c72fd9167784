//! The house under `kill -9`: whichever part dies, nothing below is left a second later.
//!
//! This program plays both roles. Called as `crash probe <mode>` it builds a house and runs steps in it; without arguments
//! it runs the tests, which start it again as a probe. It needs a `main` of its own because a house can only be built
//! while a process has one thread.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stdout, reason = "it is its own test harness")]

mod cases;
mod probe;

use std::panic::catch_unwind;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "probe") {
        return ExitCode::from(probe::main(&arguments[1]));
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in cases::ALL {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = cases::ALL.iter().filter(|(name, _)| filter.is_none_or(|part| name.contains(part.as_str())));
    let mut failed = 0;
    for (name, case) in chosen {
        let passed = catch_unwind(case).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u8::from(!passed);
    }
    ExitCode::from(failed)
}
