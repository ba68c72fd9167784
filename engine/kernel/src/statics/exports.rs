//! What others could bind to.

use super::{Context, Image, finding, imports, listed};
use crate::verdict::{Code, Finding};
use serde_json::json;

/// What linkers export by themselves.
const LINKER: &[&str] = &["_init", "_fini", "_edata", "_end", "__bss_start"];

/// Inline functions and templates of C++ are weak and mangled. Those that everybody calls (`operator new`) are not.
fn is_vague(name: &str) -> bool {
    name.starts_with("_Z") && !imports::always(name)
}

pub(super) fn check(image: &Image<'_>, context: &Context<'_>, findings: &mut Vec<Finding>) {
    let offered = image.symbols.iter().filter(|symbol| symbol.defined && symbol.visible);
    let odd = offered.filter(|symbol| {
        let name = symbol.name.as_str();
        !(context.is_entry(name) || LINKER.contains(&name) || symbol.vague && is_vague(name))
    });
    let mut names: Vec<String> = odd.map(|symbol| symbol.name.clone()).collect();
    names.sort_unstable();
    if !names.is_empty() {
        // Mangled names as a rule come from a library that is linked in, where nobody can write `static`.
        let way_out = if names.iter().any(|name| name.starts_with("_Z")) {
            "; make them `static`, or link with `-Wl,--exclude-libs,ALL` where they come with `-static-libstdc++`, or with a version script"
        } else {
            "; make them `static`"
        };
        findings.push(finding(
            Code::ForbiddenExport,
            format!("beside `{}` it exports {}{way_out}", context.symbol, listed(&names)),
            json!({ "exports": names }),
        ));
    }
}
