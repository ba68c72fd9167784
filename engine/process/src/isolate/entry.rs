//! The started binary's side: gives up its rights, then becomes the program. Leaves nothing of itself: descriptors,
//! environment, signals and working directory are those that the program was given.

use super::start::{NAME, ORDER_FD, REPORT_FD, report};
use super::{IsolationError, Order, rules};
use crate::sys;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;

/// The exit code that a shell gives for a program that could not be started. Nobody reads it: the report says more.
const NOT_STARTED: u8 = 126;

/// To be called first in `main`, with `argv[0]`. `None`: this process was started as itself. Otherwise it was started to
/// become an isolated program, which failed, and must end with this code at once.
pub fn enter_isolation(first: Option<OsString>) -> Option<u8> {
    if first.is_none_or(|first| first != NAME) {
        return None;
    }
    let (Some(order), Some(tell)) = (sys::take_inherited(ORDER_FD), sys::take_inherited(REPORT_FD)) else {
        return Some(NOT_STARTED);
    };
    let said = match read_order(order.into()) {
        Some(order) => become_program(&order),
        None => said(&IsolationError::Failed { what: "its order is incomplete".to_owned() }),
    };
    // Who does not listen any more does not need to know.
    let _ = File::from(tell).write_all(&said);
    Some(NOT_STARTED)
}

fn read_order(mut file: File) -> Option<Order> {
    let mut bytes = Vec::new();
    file.rewind().ok()?;
    file.read_to_end(&mut bytes).ok()?;
    Order::decode(&bytes)
}

/// Returns only what went wrong.
fn become_program(order: &Order) -> Vec<u8> {
    if let Err(error) = rules::restrict(&order.isolation) {
        return said(&error);
    }
    let text = |text: &std::ffi::OsStr| CString::new(text.as_bytes()).ok();
    let program = text(order.program.as_os_str());
    let argv: Option<Vec<CString>> = order.argv.iter().map(|argument| text(argument)).collect();
    let (Some(program), Some(argv)) = (program, argv) else {
        return said(&IsolationError::Failed { what: "its order holds a NUL byte".to_owned() });
    };
    // Rust ignores SIGPIPE before `main`, and what is ignored stays so through an exec.
    sys::restore_default(libc::SIGPIPE);
    let error = sys::execute(&program, &argv).raw_os_error().unwrap_or(libc::EIO);
    [&[report::EXEC][..], &error.to_le_bytes()].concat()
}

fn said(error: &IsolationError) -> Vec<u8> {
    let (kind, what) = match error {
        IsolationError::Unsupported { what } => (report::UNSUPPORTED, what),
        IsolationError::Failed { what } => (report::FAILED, what),
    };
    [&[kind], what.as_bytes()].concat()
}
