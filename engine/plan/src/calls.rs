//! Calls: known inputs, none missing, literals of the right type.

use crate::check::Checker;
use assay_diagnostics::Diagnostic;
use assay_manifest::{ConfigKind, Step, Uses, input};

pub(crate) fn check_call(checker: &mut Checker<'_, '_>, step: &Step) {
    let Uses::Call(name) = &step.uses.value else { return };
    let plan = checker.plan;
    let Some(callee) = plan.callees.get(name) else { return };
    let inputs = &callee.manifest.inputs;
    let given: &[(Box<str>, _)] = match &step.with.kind {
        ConfigKind::Map(given) => given,
        _ => return,
    };
    for (key, value) in given {
        let Some(input) = inputs.get(&**key) else {
            let span = step.given.iter().find(|at| at.value == **key).map_or(value.span, |at| at.span);
            let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
            let otherwise = if known.is_empty() { "it takes no inputs" } else { "its inputs" };
            checker.unknown(format!("`{name}` has no input `{key}`"), span, key, &known, otherwise);
            continue;
        };
        if let Some(literal) = value.literal()
            && let Err(error) = input::convert(input, literal, &checker.manifest().origin.dir)
        {
            checker.push(
                Diagnostic::error("bad-input", format!("input `{key}` of `{name}` does not fit: {error}"))
                    .at(value.span, "this value")
                    .also(input.span, "the input is declared here"),
            );
        }
    }
    for (key, input) in inputs {
        if input.default.is_none() && !given.iter().any(|(name, _)| **name == *key) {
            let finding = Diagnostic::error("missing-input", format!("`{name}` needs the input `{key}`"))
                .at(step.uses.span, "this call does not give it")
                .also(input.span, "declared here, without a default");
            checker.push(match &input.description {
                Some(description) => finding.help(format!("add it to `with`; `{key}`: {description}")),
                None => finding.help(format!("add `with: {{{key}: ...}}`")),
            });
        }
    }
}
