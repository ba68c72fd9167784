//! The crash matrix: the house is killed at boundaries of the journal, and resumed.
//!
//! This program plays two roles. Called as `crash step <folder> <what>` it is a step of the workflows under test and writes
//! down what it does; else it is the test, and starts the built `assay` with `ASSAY_FAULT`. It needs a `main` of its own
//! because steps must start in a millisecond and take arguments.
//!
//! By default a tenth of all points and ten random ones are visited (`ASSAY_TEST_SEED` repeats those); with `--full`
//! (`cargo test --features fault --test crash -- --full`) or `ASSAY_TEST_FULL=1` all of them, which takes about seven minutes.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests, and their own harness")]

mod cases;
mod effects;
mod matrix;
mod point;
mod step;
#[path = "../support/mod.rs"]
mod support;
mod workflow;

use std::process::ExitCode;

/// Every test by name.
const TESTS: &[(&str, fn())] = &[
    ("killed_at_journal_boundaries", matrix::killed_at_journal_boundaries),
    ("killed_again_while_resuming", matrix::killed_again_while_resuming),
    ("resumed_ten_times", matrix::resumed_ten_times),
    ("killed_before_the_first_record", cases::killed_before_the_first_record),
    ("an_open_question_stays_open", cases::an_open_question_stays_open),
    ("a_failed_gate_stays_failed", cases::a_failed_gate_stays_failed),
    ("a_failed_child_is_tried_again", cases::a_failed_child_is_tried_again),
    ("a_failed_reader_gets_its_server_again", cases::a_failed_reader_gets_its_server_again),
    ("a_server_that_finally_needs_starts_again", cases::a_server_that_finally_needs_starts_again),
    ("a_server_that_nobody_needs_stays_down", cases::a_server_that_nobody_needs_stays_down),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "step") {
        return ExitCode::from(step::main(&arguments[1..]));
    }
    if arguments.iter().any(|argument| argument == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut failed = 0;
    for (name, test) in
        TESTS.iter().filter(|(name, _)| filter.is_none_or(|part| name.contains(part.as_str())))
    {
        let passed = std::panic::catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u8::from(!passed);
    }
    ExitCode::from(failed)
}
