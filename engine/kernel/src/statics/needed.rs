//! The libraries that come with it.

use super::{Context, Image, finding, listed};
use crate::verdict::{Code, Finding};
use object::elf::DT_NEEDED;
use serde_json::json;

/// The loader itself, which is there anyway; libraries with thread-local storage name it.
const LOADER: &str = "ld-linux-x86-64.so.2";

pub(super) fn check(image: &Image<'_>, context: &Context<'_>, findings: &mut Vec<Finding>) {
    let needed = image.texts(DT_NEEDED).into_iter();
    let names: Vec<String> =
        needed.filter(|name| name != LOADER && !context.allow.needed.contains(name)).collect();
    if !names.is_empty() {
        findings.push(finding(
            Code::ForbiddenImport,
            format!("it needs {}; `allow.needed` of the task says which libraries may be", listed(&names)),
            json!({ "needed": names }),
        ));
    }
}
