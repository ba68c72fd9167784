//! What PTX may hold: the entry, kernels that the task names, no clocks, no functions of others, arithmetic as exact as the baseline's.

use crate::ptx::{self, Function, Module};
use crate::task::Task;
use crate::verdict::{Code, Finding, Gate};
use regex::Regex;
use serde_json::{Value, json};

/// Functions of the device's own library that a kernel may call without defining them: what `assert` is made of.
const EXTERNS: [&str; 1] = ["__assertfail"];

fn found(code: Code, message: String, evidence: Value) -> Finding {
    Finding::new(Gate::Static, code, message, evidence)
}

/// Everything against a module. `baseline` are the baseline's functions; `compiled` says that the module was made here, with the
/// locked flags.
pub fn all(task: &Task, module: &Module, baseline: Option<&[Function]>, compiled: bool) -> Vec<Finding> {
    let kernels = module.functions.iter().filter(|function| function.kernel);
    let kernels: Vec<String> = kernels.map(|function| function.name.clone()).collect();
    let mut findings = names(task, &kernels);
    let foreign = |name: &&String| !EXTERNS.contains(&name.as_str()) && !task.allow.imports.contains(name);
    let externs: Vec<String> = module.externs.iter().filter(foreign).cloned().collect();
    if !externs.is_empty() {
        let message = format!("it calls {}, which it does not define", listed(&externs));
        findings.push(found(Code::ForbiddenImport, message, json!({ "imports": externs })));
    }
    if let Some(clock) = module.clocks.first() {
        let message = format!("it reads `{clock}`: results or work could depend on the time");
        findings.push(found(Code::ForbiddenInstruction, message, json!({ "registers": module.clocks })));
    }
    if let Some(baseline) = baseline {
        let written = ptx::written_refusal(&ptx::written(&module.functions, baseline));
        let novel = || ptx::written_refusal(&ptx::novel(&module.functions, baseline, compiled));
        findings.extend(written.or_else(novel));
    }
    findings
}

/// The entry is there, and every kernel beside it is one that the task allows.
pub fn names(task: &Task, kernels: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let symbol = &task.abi.symbol;
    if !kernels.contains(symbol) {
        let has = if kernels.is_empty() { "none".to_owned() } else { listed(kernels) };
        let message = format!("there is no kernel `{symbol}`; it has {has}");
        findings.push(found(Code::AbiSymbolMissing, message, json!({ "kernels": kernels })));
    }
    // The task's own check refuses what is no expression.
    let allowed: Vec<Regex> = task.allow.kernels.iter().filter_map(|text| Regex::new(text).ok()).collect();
    let foreign = |name: &&String| *name != symbol && !allowed.iter().any(|one| one.is_match(name));
    let foreign: Vec<String> = kernels.iter().filter(foreign).cloned().collect();
    if !allowed.is_empty() && !foreign.is_empty() {
        let names = listed(&foreign);
        let message = format!("it brings kernels that `allow.kernels` of the task does not name: {names}");
        findings.push(found(Code::ForeignKernel, message, json!({ "kernels": foreign })));
    }
    findings
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
