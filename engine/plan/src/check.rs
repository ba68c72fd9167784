//! References: does everything that a manifest names exist, and can it be read where it is read?

use crate::calls;
use crate::edges::{visit_deliver, visit_gate, visit_output, visit_step};
use crate::node::ManifestPlan;
use assay_diagnostics::{Diagnostic, Edit, Fix, Span, did_you_mean, is_worth_suggesting};
use assay_manifest::expr::{Reference, Segment};
use assay_manifest::{
    At, COMMON_OUTPUTS, Config, ConfigKind, Demand, Effects, ExprUse, Gate, Manifest, Step, StepCatalog,
    Uses, instance_key,
};
use indexmap::IndexSet;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

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

/// Names that a message lists.
const MOST_NAMED: usize = 40;

/// What can be read of a gate.
const GATE_FIELDS: &[&str] = &["outcome", "passed", "wanted", "measured", "reason"];

pub(crate) fn check_references<'a>(
    plan: &'a ManifestPlan,
    catalog: &'a StepCatalog,
    findings: &mut Vec<Diagnostic>,
) {
    let manifest = &plan.manifest;
    let names = |list: &'a [At<String>]| list.iter().map(|name| name.value.as_str()).collect();
    let (secrets, passed) = (names(&manifest.secrets), names(&manifest.pass_env));
    let gates = manifest.gates.iter().map(|gate| gate.id.value.as_str()).collect();
    let mut checker = Checker {
        plan,
        catalog,
        gates,
        secrets,
        passed,
        keys: HashMap::new(),
        findings,
        seen: HashSet::new(),
        current: None,
    };
    let before = Place { step: None, outputs: false, results: false };
    for check in &manifest.preflight {
        check.with.visit_refs(&mut |reference, span| checker.reference(reference, span, before));
        if let Some(when) = &check.when {
            when.expr
                .refs()
                .iter()
                .for_each(|reference| checker.reference(reference, reference.place_in(when.span), before));
        }
    }
    for text in manifest.env.values().chain(&manifest.slug) {
        text.template
            .refs()
            .iter()
            .for_each(|reference| checker.reference(reference, reference.place_in(text.span), before));
    }
    for step in manifest.steps.iter().chain(&manifest.finally) {
        let place = Place { step: Some(step), outputs: false, results: true };
        visit_step(step, &mut |reference, span| checker.reference(reference, span, place));
        calls::check_call(&mut checker, step);
    }
    let after = Place { step: None, outputs: false, results: true };
    for gate in &manifest.gates {
        visit_gate(gate, &mut |reference, span| checker.reference(reference, span, after));
        checker.verdict(gate);
    }
    for output in &manifest.outputs {
        visit_output(output, &mut |reference, span| checker.reference(reference, span, after));
    }
    for deliver in &manifest.deliver {
        let place = Place { outputs: true, ..after };
        visit_deliver(deliver, &mut |reference, span| checker.reference(reference, span, place));
        if let assay_manifest::DeliverFrom::Value(expr) = &deliver.from {
            let outputs = expr.expr.refs().iter().filter(|reference| reference.root == "outputs");
            outputs.for_each(|reference| checker.reference(reference, reference.place_in(expr.span), place));
        }
    }
}

pub(crate) struct Checker<'a, 'f> {
    pub plan: &'a ManifestPlan,
    catalog: &'a StepCatalog,
    gates: HashSet<&'a str>,
    /// `secrets` and the common `pass_env`.
    secrets: HashSet<&'a str>,
    passed: HashSet<&'a str>,
    /// Keys of instances by step, once they were asked for.
    keys: HashMap<&'a str, Option<Rc<IndexSet<String>>>>,
    findings: &'f mut Vec<Diagnostic>,
    /// Places already reported, so that an output read by three deliveries is reported once.
    seen: HashSet<(Span, String)>,
    /// The reference that is looked at, for the place of a name in it.
    current: Option<&'a Reference>,
}

impl<'a> Checker<'a, '_> {
    pub(crate) fn manifest(&self) -> &'a Manifest {
        &self.plan.manifest
    }

    pub(crate) fn push(&mut self, finding: Diagnostic) {
        let Some(span) = finding.primary() else { return self.findings.push(finding) };
        if self.seen.insert((span, finding.message.clone())) {
            self.findings.push(finding);
        }
    }

    pub(crate) fn unknown(
        &mut self,
        message: String,
        span: Span,
        wrong: &str,
        known: &[&str],
        otherwise: &str,
    ) {
        let mut finding = Diagnostic::error("unknown-reference", message).at(span, "does not exist");
        let worth = is_worth_suggesting(self.findings.len(), known.len());
        let near = if worth { did_you_mean(wrong, known.iter().copied()) } else { None };
        finding = match near {
            Some(near) => {
                let finding = finding.help(format!("did you mean `{near}`?"));
                match self.place_of(wrong, span) {
                    Some(place) => finding.fix(instead(place, near)),
                    None => finding,
                }
            }
            None if known.is_empty() => finding.help(otherwise.to_owned()),
            None => finding.help(format!("{otherwise}: {}", list(known))),
        };
        self.push(finding);
    }

    fn keys_of(&mut self, step: &'a Step) -> Option<Rc<IndexSet<String>>> {
        self.keys.entry(&step.id.value).or_insert_with(|| instance_keys(step).map(Rc::new)).clone()
    }

    /// Where a name stands in the text: all of `span`, or a part of the reference there if that is written with dots alone.
    fn place_of(&self, name: &str, span: Span) -> Option<Span> {
        let length = (span.end - span.start) as usize;
        if length == name.len() {
            return Some(span);
        }
        let reference = self.current?;
        let names: Option<Vec<&str>> = std::iter::once(Some(reference.root.as_str()))
            .chain(reference.path.iter().map(|segment| match segment {
                Segment::Name(name) => Some(name.as_str()),
                _ => None,
            }))
            .collect();
        let names = names?;
        if names.join(".").len() != length {
            return None;
        }
        let at = names.iter().position(|one| *one == name)?;
        let start = span.start + names[..at].iter().map(|name| name.len() as u32 + 1).sum::<u32>();
        Some(Span { start, end: start + name.len() as u32, ..span })
    }

    fn reference(&mut self, reference: &'a Reference, span: Span, place: Place<'a>) {
        self.current = Some(reference);
        self.look_at(reference, span, place);
        self.current = None;
    }

    fn look_at(&mut self, reference: &Reference, span: Span, place: Place<'a>) {
        let first = match reference.path.first() {
            Some(Segment::Name(name)) => Some(name.as_str()),
            _ => None,
        };
        // What was declared with errors was reported there.
        if first.is_some_and(|name| self.manifest().is_broken(&reference.root, name)) {
            return;
        }
        match reference.root.as_str() {
            "inputs" => {
                let inputs = &self.manifest().inputs;
                if let Some(name) = first.filter(|name| !inputs.contains_key(*name)) {
                    let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
                    let otherwise = if known.is_empty() { "declare it under `inputs`" } else { "inputs" };
                    self.unknown(format!("there is no input `{name}`"), span, name, &known, otherwise);
                }
            }
            "steps" | "gates" if !place.results => self.push(
                Diagnostic::error("not-in-scope", format!("`{}` cannot be read here", reference.root))
                    .at(span, "nothing has run yet")
                    .help("preflight, `env` and `slug` may read `inputs`, `facts`, `env`, `run` and `skill`"),
            ),
            "steps" => self.step_reference(reference, first, span),
            "gates" => self.gate_reference(reference, first, span),
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
            "run" => self.fixed(first, span, "run", &["id", "dir", "scratch", "date", "gpus", "rehearsal"]),
            "skill" => self.fixed(first, span, "skill", &["dir"]),
            "step" => match first.filter(|name| *name != "dir" && self.manifest().step(name).is_some()) {
                Some(id) => self.push(
                    Diagnostic::error("unknown-reference", format!("`step` has no `{id}`"))
                        .at(span, "does not exist")
                        .help(format!("did you mean `steps.{id}`?")),
                ),
                None => self.fixed(first, span, "step", &["dir"]),
            },
            "env" => self.env_reference(first, span, place.step),
            "self" => self.self_reference(span, place.step),
            "facts" => {}
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
        // A `foreach` without names is an error of its own.
        if let Some(name) = first.filter(|name| !known.is_empty() && !known.contains(name)) {
            self.unknown(format!("`foreach` names no `{name}`"), span, name, &known, "it names");
        }
    }

    fn env_reference(&mut self, first: Option<&str>, span: Span, step: Option<&'a Step>) {
        let Some(name) = first else { return };
        if self.secrets.contains(name) {
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
        let mut own = step.into_iter().flat_map(|step| &step.pass_env);
        if !self.passed.contains(name) && !own.any(|own| own.value == name) {
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

    fn self_reference(&mut self, span: Span, step: Option<&'a Step>) {
        let is_server = |step: &Step| match &step.uses.value {
            Uses::Kind(kind) => {
                self.catalog.steps.get(kind.as_str()).is_some_and(|kind| kind.effects == Effects::Server)
            }
            Uses::Call(_) => false,
        };
        // An expression that the step evaluates itself, such as `poll.until`, sees what the step puts there.
        let is_own = |step: &Step| evaluated_by_the_step(&step.with, span);
        if !step.is_some_and(|step| is_server(step) || is_own(step)) {
            self.push(
                Diagnostic::error("not-in-scope", "`self` is known only inside a server")
                    .at(span, "not in scope here")
                    .help("read another step's output: `steps.<id>.<output>`"),
            );
        }
    }

    fn gate_reference(&mut self, reference: &Reference, first: Option<&str>, span: Span) {
        let Some(name) = first else { return };
        if !self.gates.contains(name) {
            if self.manifest().step(name).is_some() {
                let finding =
                    Diagnostic::error("unknown-reference", format!("`{name}` is a step, not a gate"));
                return self
                    .push(finding.at(span, "does not exist").help(format!("read `steps.{name}.status`")));
            }
            let worth = is_worth_suggesting(self.findings.len(), self.manifest().gates.len());
            let most = if worth { usize::MAX } else { MOST_NAMED };
            let gates = self.manifest().gates.iter().take(most);
            let known: Vec<&str> = gates.map(|gate| gate.id.value.as_str()).collect();
            return self.unknown(format!("there is no gate `{name}`"), span, name, &known, "gates");
        }
        if let Some(Segment::Name(field)) = reference.path.get(1)
            && !GATE_FIELDS.contains(&field.as_str())
        {
            self.unknown(format!("a gate has no `{field}`"), span, field, GATE_FIELDS, "it has");
        }
    }

    /// What a gate compares must give a verdict.
    fn verdict(&mut self, gate: &'a Gate) {
        let Demand::Compare { step: expr, .. } = &gate.demand else { return };
        let [reference] = expr.expr.refs() else { return };
        let ("steps", [Segment::Name(id)]) = (reference.root.as_str(), reference.path.as_slice()) else {
            return;
        };
        let Some(step) = self.plan.step_called(id) else { return };
        if self.outputs_of(step).is_some_and(|outputs| !outputs.contains(&"verdict")) {
            self.push(
                Diagnostic::error(
                    "no-verdict",
                    format!("step `{id}` (`uses: {}`) gives no verdict", step.uses.value.word()),
                )
                .at(reference.place_in(expr.span), "nothing is compared here")
                .also(step.id.span, "the step")
                .help("name a step with `uses: compare`, or write `assert:` with a condition"),
            );
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
        let Some(step) = self.plan.step_called(id) else {
            let steps = self.manifest().steps.iter().chain(&self.manifest().finally);
            if self.gates.contains(id) {
                let finding = Diagnostic::error("unknown-reference", format!("`{id}` is a gate, not a step"));
                return self
                    .push(finding.at(span, "does not exist").help(format!("read `gates.{id}.outcome`")));
            }
            let worth = is_worth_suggesting(self.findings.len(), self.plan.by_id.len());
            let most = if worth { usize::MAX } else { MOST_NAMED };
            let known: Vec<&str> = steps.map(|step| step.id.value.as_str()).take(most).collect();
            return self.unknown(format!("there is no step `{id}`"), span, id, &known, "steps");
        };
        let at = if step.foreach.is_some() { 2 } else { 1 };
        if at == 2
            && let Some(Segment::Name(name)) = reference.path.get(1)
            && self.outputs_of(step).is_some_and(|known| known.contains(&name.as_str()))
            && !self.keys_of(step).is_some_and(|keys| keys.contains(name))
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
        if at == 2
            && let Some(Segment::Name(name)) = reference.path.get(1)
            && let Some(keys) = self.keys_of(step).filter(|keys| !keys.contains(name))
        {
            let worth = is_worth_suggesting(self.findings.len(), keys.len());
            let most = if worth { usize::MAX } else { MOST_NAMED };
            let known: Vec<&str> = keys.iter().take(most).map(String::as_str).collect();
            return self.unknown(
                format!("step `{id}` has no instance `{name}`"),
                span,
                name,
                &known,
                "its instances",
            );
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

    fn has_result(&self, step: &Step) -> bool {
        match &step.uses.value {
            // A `with` that is no mapping is an error of its own.
            Uses::Kind(kind) if kind == "command" => match &step.with.kind {
                ConfigKind::Map(_) => step.with.get("parse").is_some(),
                _ => true,
            },
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
}

/// Keys of the instances, if the text tells them: one name that goes through a literal list.
fn instance_keys(step: &Step) -> Option<IndexSet<String>> {
    let [(_, list)] = step.foreach.as_ref()?.lists.as_slice() else { return None };
    let items = list.literal()?.as_array()?;
    Some(items.iter().enumerate().map(|(index, item)| instance_key(item, index)).collect())
}

fn evaluated_by_the_step(config: &Config, span: Span) -> bool {
    match &config.kind {
        ConfigKind::Expression(_, ExprUse::Later) => {
            config.span.start <= span.start && span.end <= config.span.end
        }
        ConfigKind::List(items) => items.iter().any(|item| evaluated_by_the_step(item, span)),
        ConfigKind::Map(entries) => entries.iter().any(|(_, value)| evaluated_by_the_step(value, span)),
        _ => false,
    }
}

/// Another name in the place of one that is unknown. A guess, so never safe.
pub(crate) fn instead(span: Span, near: &str) -> Fix {
    let edits = vec![Edit { span, replacement: near.to_owned() }];
    Fix { title: format!("write `{near}`"), safe: false, edits }
}

fn list(words: &[&str]) -> String {
    let mut list =
        words.iter().take(MOST_NAMED).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    if words.len() > MOST_NAMED {
        list.push_str(", ...");
    }
    list
}
