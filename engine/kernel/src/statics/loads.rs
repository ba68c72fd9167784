//! Entries that make the loader look elsewhere or load more: search paths, filters, auditors.

use super::{Context, Image, finding, listed};
use crate::verdict::{Code, Finding};
use object::elf::{DT_AUDIT, DT_AUXILIARY, DT_DEPAUDIT, DT_FILTER, DT_RPATH, DT_RUNPATH, DynamicTag};
use serde_json::json;

const ENTRIES: &[(DynamicTag, &str)] = &[
    (DT_RPATH, "RPATH"),
    (DT_RUNPATH, "RUNPATH"),
    (DT_AUDIT, "AUDIT"),
    (DT_DEPAUDIT, "DEPAUDIT"),
    (DT_FILTER, "FILTER"),
    (DT_AUXILIARY, "AUXILIARY"),
];

pub(super) fn check(image: &Image<'_>, _: &Context<'_>, findings: &mut Vec<Finding>) {
    for (tag, name) in ENTRIES {
        let texts = image.texts(*tag);
        if !texts.is_empty() {
            findings.push(finding(
                Code::ForbiddenImport,
                format!("its `{name}` makes the loader look at {}; link without it", listed(&texts)),
                json!({ "entry": name, "values": texts }),
            ));
        }
    }
}
