//! Calls: known inputs, none missing, literals of the right type.

use crate::check::Checker;
use assay_diagnostics::Diagnostic;
use assay_manifest::{ConfigKind, Step, Unit, Uses, input};
use assay_protocol::Value;

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
        // A number in the text has no unit; one that an expression gives has it already.
        let unit = input.format().and_then(Unit::of_format);
        let fits = match (value.literal(), unit) {
            (Some(Value::Number(number)), Some(unit)) => {
                unit.parse(&number.to_string()).map(|_| ()).map_err(|e| format!("{e}; {}", e.way_out()))
            }
            (Some(literal), _) => input::convert(input, literal, &checker.manifest().origin.dir)
                .map(|_| ())
                .map_err(|error| error.to_string()),
            (None, _) => Ok(()),
        };
        if let Err(error) = fits {
            checker.push(
                Diagnostic::error("bad-input", format!("input `{key}` of `{name}` does not fit: {error}"))
                    .at(value.span, "this value")
                    .also(input.span, "the input is declared here")
                    .help(match &input.description {
                        Some(description) => format!("`{key}`: {description}"),
                        None => "give a value that fits the declaration".to_owned(),
                    }),
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
