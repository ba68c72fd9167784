//! Memory that is written and executed: code could be made or changed at run time, and nobody could read it before.

use super::{Context, Image, finding};
use crate::verdict::{Code, Finding};
use serde_json::json;

pub(super) fn check(image: &Image<'_>, _: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut add = |message: &str, evidence| {
        findings.push(finding(Code::ForbiddenInstruction, message.to_owned(), evidence));
    };
    if let Some(segment) = image.segments.iter().find(|segment| segment.write && segment.execute) {
        add(
            "a segment is both writable and executable, so its code may change",
            json!({ "segment": segment.address }),
        );
    }
    if image.stack {
        add(
            "it asks for an executable stack; link with `-z noexecstack` (assembler sources need a `.note.GNU-stack`)",
            json!({ "executable_stack": true }),
        );
    }
    if image.text_relocations() {
        add(
            "its code is changed when it is loaded (`TEXTREL`); build with `-fPIC`",
            json!({ "textrel": true }),
        );
    }
}
