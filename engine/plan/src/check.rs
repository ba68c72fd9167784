//! References: does everything that a manifest names exist, and can it be read where it is read?

use crate::edges::{visit_deliver, visit_gate, visit_output, visit_step};
use crate::node::ManifestPlan;
use assay_diagnostics::{Diagnostic, Span, did_you_mean};
use assay_manifest::expr::{Reference, Segment};
use assay_manifest::{
    COMMON_OUTPUTS, Config, ConfigKind, Effects, Manifest, OnFail, Step, StepCatalog, Uses,
};
use std::collections::HashSet;

/// What may be read at a place.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The step it belongs to, if it is one.
    step: Option<&'a Step>,
    /// Whether `outputs` is in scope (deliveries).
    outputs: bool,
    /// Whether `steps` and `gates` are in scope.
    results: bool,
}

const ROOTS: &[&str] =
    &["inputs", "steps", "gates", "outputs", "each", "self", "step", "run", "skill", "facts", "env"];

pub(crate) fn check_references(plan: &ManifestPlan, catalog: &StepCatalog, findings: &mut Vec<Diagnostic>) {
    let manifest = &plan.manifest;
    let mut checker = Checker { plan, catalog, findings, seen: HashSet::new() };
    let before = Place { step: None, outputs: false, results: false };
    for check in &manifest.preflight {
        check.with.visit_refs(&mut |reference, span| checker.reference(reference, span, before));
        if let Some(when) = &check.when {
            when.expr.refs().iter().for_each(|reference| checker.reference(reference, when.span, before));
        }
        if check.on_fail == OnFail::Exclude && manifest.kind == assay_manifest::ManifestKind::Workflow {
            checker.exclude_outside_branch(check.id.span);
        }
    }
    for text in manifest.env.values().chain(&manifest.slug) {
        text.template.refs().iter().for_each(|reference| checker.reference(reference, text.span, before));
    }
    for step in manifest.steps.iter().chain(&manifest.finally) {
        let place = Place { step: Some(step), outputs: false, results: true };
        visit_step(step, &mut |reference, span| checker.reference(reference, span, place));
        checker.call(step);
        checker.variables(step);
    }
    let after = Place { step: None, outputs: false, results: true };
    for gate in &manifest.gates {
        visit_gate(gate, &mut |reference, span| checker.reference(reference, span, after));
    }
    for output in &manifest.outputs {
        visit_output(output, &mut |reference, span| checker.reference(reference, span, after));
    }
    for deliver in &manifest.deliver {
        let place = Place { outputs: true, ..after };
        visit_deliver(deliver, manifest, &mut |reference, span| checker.reference(reference, span, place));
        if let assay_manifest::DeliverFrom::Value(expr) = &deliver.from {
            let outputs = expr.expr.refs().iter().filter(|reference| reference.root == "outputs");
            outputs.for_each(|reference| checker.reference(reference, expr.span, place));
        }
    }
}

struct Checker<'a, 'f> {
    plan: &'a ManifestPlan,
    catalog: &'a StepCatalog,
    findings: &'f mut Vec<Diagnostic>,
    /// Places already reported, so that an output read by three deliveries is reported once.
    seen: HashSet<(Span, String)>,
}

impl<'a> Checker<'a, '_> {
    fn manifest(&self) -> &'a Manifest {
        &self.plan.manifest
    }

    fn push(&mut self, finding: Diagnostic) {
        let Some(span) = finding.primary() else { return self.findings.push(finding) };
        if self.seen.insert((span, finding.message.clone())) {
            self.findings.push(finding);
        }
    }

    fn unknown(&mut self, message: String, span: Span, wrong: &str, known: &[&str], otherwise: &str) {
        let mut finding = Diagnostic::error("unknown-reference", message).at(span, "does not exist");
        finding = match did_you_mean(wrong, known.iter().copied()) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => finding.help(otherwise.to_owned()),
            None => finding.help(format!("{otherwise}: {}", list(known))),
        };
        self.push(finding);
    }

    fn reference(&mut self, reference: &Reference, span: Span, place: Place<'a>) {
        let first = match reference.path.first() {
            Some(Segment::Name(name)) => Some(name.as_str()),
            _ => None,
        };
        match reference.root.as_str() {
            "inputs" => {
                let inputs = &self.manifest().inputs;
                if let Some(name) = first.filter(|name| !inputs.contains_key(*name)) {
                    let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
                    let otherwise = if known.is_empty() { "this manifest has no inputs" } else { "inputs" };
                    self.unknown(format!("there is no input `{name}`"), span, name, &known, otherwise);
                }
            }
            "steps" | "gates" if !place.results => self.push(
                Diagnostic::error("not-in-scope", format!("`{}` cannot be read here", reference.root))
                    .at(span, "nothing has run yet")
                    .help("preflight, `env` and `slug` may read `inputs`, `facts`, `env`, `run` and `skill`"),
            ),
            "steps" => self.step_reference(reference, first, span),
            "gates" => self.gate_reference(first, span),
            "outputs" if place.outputs => {
                let known: Vec<&str> =
                    self.manifest().outputs.iter().map(|output| output.name.value.as_str()).collect();
                if let Some(name) = first.filter(|name| !known.contains(name)) {
                    self.unknown(format!("there is no output `{name}`"), span, name, &known, "outputs");
                }
            }
            "outputs" => self.push(
                Diagnostic::error("not-in-scope", "`outputs` can be read in `deliver` only")
                    .at(span, "not in scope here")
                    .help("read the step's own output: `steps.<id>.<output>`"),
            ),
            "each" => self.each_reference(first, span, place.step),
            "run" => self.fixed(first, span, "run", &["id", "dir", "scratch", "date", "gpus"]),
            "skill" => self.fixed(first, span, "skill", &["dir"]),
            "step" => self.fixed(first, span, "step", &["dir"]),
            "env" => self.env_reference(first, span, place.step),
            "self" | "facts" => {}
            other => self.unknown(
                format!("there is no `{other}` in scope"),
                span,
                other,
                ROOTS,
                "a text needs quotes; in scope are",
            ),
        }
    }

    fn fixed(&mut self, first: Option<&str>, span: Span, root: &str, known: &[&str]) {
        if let Some(name) = first.filter(|name| !known.contains(name)) {
            self.unknown(format!("`{root}` has no `{name}`"), span, name, known, "it has");
        }
    }

    fn each_reference(&mut self, first: Option<&str>, span: Span, step: Option<&'a Step>) {
        let Some(foreach) = step.and_then(|step| step.foreach.as_ref()) else {
            self.push(
                Diagnostic::error("not-in-scope", "`each` is known only inside a step with `foreach`")
                    .at(span, "nothing is looped over here")
                    .help("add `foreach: {name: [...]}` to the step"),
            );
            return;
        };
        let known: Vec<&str> = foreach.lists.iter().map(|(name, _)| name.value.as_str()).collect();
        if let Some(name) = first.filter(|name| !known.contains(name)) {
            self.unknown(format!("`foreach` names no `{name}`"), span, name, &known, "it names");
        }
    }

    fn env_reference(&mut self, first: Option<&str>, span: Span, step: Option<&'a Step>) {
        let Some(name) = first else { return };
        if self.manifest().secrets.iter().any(|secret| secret.value == name) {
            self.push(
                Diagnostic::error(
                    "secret-in-scope",
                    format!("`{name}` is a secret and cannot be read by expressions"),
                )
                .at(span, "would reach argv, the plan and the journal")
                .help(format!("list it in `pass_env` of the step; the program reads `${name}` itself")),
            );
            return;
        }
        let passed = self.manifest().pass_env.iter().chain(step.into_iter().flat_map(|step| &step.pass_env));
        let known: Vec<&str> = passed.map(|name| name.value.as_str()).collect();
        if !known.contains(&name) {
            self.push(
                Diagnostic::error(
                    "unknown-reference",
                    format!("`{name}` is not passed from the environment"),
                )
                .at(span, "not listed in `pass_env`")
                .help(format!("add `pass_env: [{name}]`")),
            );
        }
    }

    fn gate_reference(&mut self, first: Option<&str>, span: Span) {
        let Some(name) = first else { return };
        let known: Vec<&str> = self.manifest().gates.iter().map(|gate| gate.id.value.as_str()).collect();
        if !known.contains(&name) {
            self.unknown(format!("there is no gate `{name}`"), span, name, &known, "gates");
        }
    }

    fn step_reference(&mut self, reference: &Reference, first: Option<&str>, span: Span) {
        let Some(id) = first else {
            let finding =
                Diagnostic::error("steps-without-id", "`steps` must be followed by the id of a step")
                    .at(span, "which step?")
                    .help("write `steps.<id>`: a computed id would hide an edge of the DAG");
            return self.push(finding);
        };
        let Some(step) = self.manifest().step(id) else {
            let steps = self.manifest().steps.iter().chain(&self.manifest().finally);
            let known: Vec<&str> = steps.map(|step| step.id.value.as_str()).collect();
            let mut message = format!("there is no step `{id}`");
            if self.manifest().gates.iter().any(|gate| gate.id.value == id) {
                message = format!("`{id}` is a gate: read `gates.{id}.outcome`");
            }
            return self.unknown(message, span, id, &known, "steps");
        };
        let at = if step.foreach.is_some() { 2 } else { 1 };
        if at == 2
            && let Some(Segment::Name(name)) = reference.path.get(1)
            && self.outputs_of(step).is_some_and(|known| known.contains(&name.as_str()))
            && !self.is_key(step, name)
        {
            self.push(
                Diagnostic::error("foreach-list", format!("`steps.{id}` is a list, one entry per instance"))
                    .at(span, format!("`{name}` is an output of an instance"))
                    .help(format!(
                        "name the instance: `steps.{id}['<key>'].{name}` or `steps.{id}[0].{name}`"
                    )),
            );
            return;
        }
        let Some(Segment::Name(name)) = reference.path.get(at) else { return };
        if let Some(known) = self.outputs_of(step).filter(|known| !known.contains(&name.as_str()))
            && !(at == 2 && matches!(name.as_str(), "key" | "each"))
        {
            self.unknown(
                format!("step `{id}` (`uses: {}`) has no output `{name}`", step.uses.value.word()),
                span,
                name,
                &known,
                "its outputs",
            );
        } else if name == "result" && !self.has_result(step) {
            self.push(
                Diagnostic::error("no-result", format!("step `{id}` has no `parse`, so it has no `result`"))
                    .at(span, "nothing fills it")
                    .also(step.id.span, "the step")
                    .help("add `parse: {as: json, from: stdout, schema: {...}}` to its `with`"),
            );
        }
    }

    fn is_key(&self, step: &Step, name: &str) -> bool {
        let lists = step.foreach.iter().flat_map(|foreach| &foreach.lists);
        lists
            .filter_map(|(_, list)| list.literal())
            .filter_map(|value| value.as_array())
            .any(|items| items.iter().any(|item| item.as_str() == Some(name)))
    }

    fn has_result(&self, step: &Step) -> bool {
        match &step.uses.value {
            Uses::Kind(kind) if kind == "command" => step.with.get("parse").is_some(),
            _ => true,
        }
    }

    /// Outputs of a step, or `None` if they are not known (a callee with errors of its own).
    fn outputs_of(&self, step: &Step) -> Option<Vec<&'a str>> {
        let mut names: Vec<&str> = COMMON_OUTPUTS.iter().map(|output| output.name).collect();
        match &step.uses.value {
            Uses::Kind(kind) => {
                let kind = self.catalog.steps.get(kind.as_str())?;
                names.extend(kind.outputs.iter().map(|output| output.name));
            }
            Uses::Call(name) => {
                let callee = self.plan.callees.get(name)?;
                names.extend(callee.manifest.outputs.iter().map(|output| output.name.value.as_str()));
                names.push("gates");
            }
        }
        Some(names)
    }

    /// A call's inputs: known names, none missing, literals of the right type.
    fn call(&mut self, step: &'a Step) {
        let Uses::Call(name) = &step.uses.value else {
            if step.on_fail == OnFail::Exclude
                && self.manifest().kind == assay_manifest::ManifestKind::Workflow
            {
                self.exclude_outside_branch(step.id.span);
            }
            return;
        };
        let Some(callee) = self.plan.callees.get(name) else { return };
        let ConfigKind::Map(given) = &step.with.kind else { return };
        let inputs = &callee.manifest.inputs;
        for (key, value) in given {
            let Some(input) = inputs.get(&**key) else {
                let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
                self.unknown(format!("`{name}` has no input `{key}`"), value.span, key, &known, "its inputs");
                continue;
            };
            if let Some(literal) = value.literal()
                && let Err(error) =
                    assay_manifest::input::convert(input, literal, &self.manifest().origin.dir)
            {
                self.push(
                    Diagnostic::error(
                        "bad-input",
                        format!("input `{key}` of `{name}` does not fit: {error}"),
                    )
                    .at(value.span, "this value")
                    .also(input.span, "the input is declared here"),
                );
            }
        }
        for (key, input) in inputs {
            if input.default.is_none() && !given.iter().any(|(name, _)| **name == *key) {
                let mut finding =
                    Diagnostic::error("missing-input", format!("`{name}` needs the input `{key}`"))
                        .at(step.id.span, "this call does not give it")
                        .also(input.span, "declared here, without a default");
                if let Some(description) = &input.description {
                    finding = finding.help(format!("`{key}`: {description}"));
                }
                self.push(finding);
            }
        }
    }

    fn exclude_outside_branch(&mut self, span: Span) {
        self.push(
            Diagnostic::error(
                "exclude-outside-branch",
                "`on_fail: exclude` removes a branch, and this is none",
            )
            .at(span, "not inside a branch")
            .help("put the chain into a skill and call it with `uses: skill:<name>` and `foreach`"),
        );
    }

    fn variables(&mut self, step: &'a Step) {
        let kind = match &step.uses.value {
            Uses::Kind(kind) => self.catalog.steps.get(kind.as_str()),
            Uses::Call(_) => None,
        };
        let is_server = kind.is_some_and(|kind| kind.effects == Effects::Server);
        if step.detach && !is_server {
            self.push(
                Diagnostic::error("wrong-field", "`detach` has a meaning for servers only")
                    .at(step.id.span, "this step ends by itself")
                    .help("remove `detach`"),
            );
        } else if step.detach {
            let way_out = "remove `detach`: the server then ends with its run, and starts again on resume";
            self.not_available_yet(step, "detach", way_out);
        }
        if step.isolate {
            let way_out = "remove `isolate`: a change to the run's records is still found, at every gate";
            self.not_available_yet(step, "isolate", way_out);
        }
        if kind.is_some()
            && let Some(template) = shell_without_quotes(&step.with)
        {
            self.push(
                Diagnostic::error(
                    "unquoted-shell-value",
                    "a value is put into `shell` without the `q` filter",
                )
                .at(template, "the shell would split or run what it holds")
                .help("write `{{ value | q }}`, or use `argv`"),
            );
        }
    }

    /// A field of the language that this build does not carry out is refused, never ignored.
    fn not_available_yet(&mut self, step: &Step, field: &str, way_out: &str) {
        self.push(
            Diagnostic::error("not-available-yet", format!("`{field}: true` is not available in this build"))
                .at(step.id.span, format!("this step asks for `{field}`"))
                .help(way_out),
        );
    }
}

fn shell_without_quotes(with: &Config) -> Option<Span> {
    let shell = with.get("shell")?;
    match &shell.kind {
        ConfigKind::Template(template) if !template.unquoted_outputs().is_empty() => Some(shell.span),
        _ => None,
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
