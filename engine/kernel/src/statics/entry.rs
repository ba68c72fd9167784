//! The entry is there, and is a function in the library's code.

use super::{Context, Image, finding, listed};
use crate::verdict::{Code, Finding};
use serde_json::json;

pub(super) fn check(image: &Image<'_>, context: &Context<'_>, findings: &mut Vec<Finding>) {
    let offered: Vec<_> = image.symbols.iter().filter(|symbol| symbol.defined && symbol.visible).collect();
    if let Some(entry) = offered.iter().find(|symbol| context.is_entry(&symbol.name)) {
        let inside =
            |at: u64| image.code.iter().any(|code| (code.address..code.address + code.size).contains(&at));
        if !entry.resolver && (!entry.function || !inside(entry.address)) {
            findings.push(finding(
                Code::AbiSymbolMissing,
                format!("`{}` is no function of the library", entry.name),
                json!({ "symbol": entry.name, "address": entry.address }),
            ));
        }
        return;
    }
    let names: Vec<String> = offered.iter().map(|symbol| symbol.name.clone()).collect();
    let instead = if names.is_empty() {
        "the library offers no names (is it `static`, or hidden by `-fvisibility`?)".to_owned()
    } else {
        format!("the library offers {}", listed(&names))
    };
    findings.push(finding(
        Code::AbiSymbolMissing,
        format!("there is no function `{}`; {instead}", context.symbol),
        json!({ "symbol": context.symbol, "exports": names }),
    ));
}
