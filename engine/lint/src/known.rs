//! What is known about a reference before anything ran: from the declarations of inputs, schemas of results, outputs of
//! callees and the words of statuses.
//!
//! Must not judge: rules do.

use crate::context::Cx;
use assay_diagnostics::Span;
use assay_manifest::expr::study::Study;
use assay_manifest::expr::{Expr, Kinds, Known, Reference, Segment};
use assay_manifest::{
    Config, ConfigKind, DeliverFrom, Demand, ExprAt, Input, OutputKind, Step, TextAt, Unit, Uses,
};
use assay_plan::ManifestPlan;
use assay_protocol::{Outcome, Status, Value};
use std::collections::HashSet;
use std::ops::Range;

/// An expression of a manifest with what is asked of it.
pub struct Asked<'p> {
    /// The expression.
    pub expr: &'p Expr,
    /// Where its text stands.
    pub span: Span,
    /// The step that it belongs to.
    pub step: Option<&'p Step>,
    /// What it is for.
    pub role: Role<'p>,
}

/// What an expression is for.
#[derive(Debug, Clone, Copy)]
pub enum Role<'p> {
    /// `when` or `assert`: it must be true or false.
    Condition(&'static str),
    /// A field or output that takes these kinds.
    Field(&'p str, Kinds),
    /// Anything.
    Free,
}

/// What is known about the value of `root` and the path behind it, read by `step`.
pub fn of(plan: &ManifestPlan, step: Option<&Step>, root: &str, path: &[Segment]) -> Known {
    let manifest = &plan.manifest;
    let (first, rest) = match path.split_first() {
        Some((Segment::Name(first), rest)) => (first.as_str(), rest),
        _ => return Known::any(),
    };
    match root {
        "inputs" => manifest.inputs.get(first).map_or_else(Known::any, |input| of_input(input, rest)),
        "steps" => step_of(plan, first).map_or_else(Known::any, |step| of_step(plan, step, rest)),
        "gates" => of_gate(rest),
        "each" if rest.is_empty() => step.map_or_else(Known::any, |step| of_each(step, first)),
        "run" if rest.is_empty() && first == "rehearsal" => Known::of(Kinds::BOOL),
        "run" | "skill" | "step" | "env" if rest.is_empty() && first != "gpus" => Known::of(Kinds::TEXT),
        _ => Known::any(),
    }
}

/// The step with an id.
pub fn step_of<'p>(plan: &'p ManifestPlan, id: &str) -> Option<&'p Step> {
    plan.by_id.get(id).and_then(|node| plan.step(*node))
}

/// What is known about an expression.
pub fn study(plan: &ManifestPlan, step: Option<&Step>, expr: &Expr) -> Study {
    expr.study(&|root, path| of(plan, step, root, path))
}

/// What an input can be in expressions.
pub fn of_input(input: &Input, rest: &[Segment]) -> Known {
    match input.format() {
        Some("baseline") => Known::any(),
        // A quantity is a number of seconds, bytes or a fraction.
        Some(format) if Unit::of_format(format).is_some() => Known::of(Kinds::NUMBER),
        _ => Known::inside(&input.schema, rest),
    }
}

fn of_each(step: &Step, name: &str) -> Known {
    let lists = step.foreach.iter().flat_map(|foreach| &foreach.lists);
    let list = lists.into_iter().find(|(known, _)| known.value == name).and_then(|(_, list)| list.literal());
    match list.and_then(Value::as_array) {
        Some(values) if !values.is_empty() => Known::of_values(values),
        _ => Known::any(),
    }
}

fn of_gate(rest: &[Segment]) -> Known {
    match rest {
        [Segment::Name(field)] => match field.as_str() {
            "outcome" => Known::words(OUTCOMES.iter().map(|outcome| outcome.word())),
            "passed" => Known::of(Kinds::BOOL),
            _ => Known::any(),
        },
        _ => Known::any(),
    }
}

/// Everything that a gate can end as.
const OUTCOMES: [Outcome; 9] = [
    Outcome::Passed,
    Outcome::Failed,
    Outcome::Incorrect,
    Outcome::Unfair,
    Outcome::Inconclusive,
    Outcome::Warn,
    Outcome::Blocked,
    Outcome::Skipped,
    Outcome::Tampered,
];

/// What is known about something that is read from a step: `rest` begins behind its id.
pub fn of_step(plan: &ManifestPlan, step: &Step, rest: &[Segment]) -> Known {
    let rest = match (step.foreach.is_some(), rest) {
        (true, []) => return Known::of(Kinds::LIST),
        (true, [_, rest @ ..]) => rest,
        (false, rest) => rest,
    };
    let Some((Segment::Name(output), inner)) = rest.split_first() else { return Known::any() };
    let is_call = matches!(step.uses.value, Uses::Call(_));
    match (output.as_str(), inner) {
        ("status", []) if is_call => Known::words(Status::ALL.iter().map(|status| status.word())),
        ("status", []) => Known::words(Status::OF_STEPS.iter().map(|status| status.word())),
        ("duration_s", []) => Known::at_least(0.0).or_null(),
        ("attempts", []) => Known::at_least(0.0),
        ("exit", []) => Known::of(Kinds::NUMBER).or_null(),
        ("signal" | "reason", []) => Known::of(Kinds::TEXT).or_null(),
        ("stdout" | "stderr", []) => Known::of(Kinds::TEXT),
        ("files", [_, Segment::Name(field)]) if !is_call => match field.as_str() {
            "path" | "sha256" => Known::of(Kinds::TEXT),
            "bytes" => Known::at_least(0.0),
            _ => Known::any(),
        },
        ("result", inner) => {
            result_schema(step).map_or_else(Known::any, |schema| Known::inside(schema, inner))
        }
        (output, inner) => match &step.uses.value {
            Uses::Call(name) => of_callee(plan, name, output, inner),
            Uses::Kind(kind) if inner.is_empty() => of_type(kind, output),
            Uses::Kind(_) => Known::any(),
        },
    }
}

/// The schema of a step's whole `result`, where it is declared.
pub fn result_schema(step: &Step) -> Option<&Value> {
    let parse = step.with.get("parse")?;
    let word = |key: &str| parse.get(key).and_then(Config::literal).and_then(Value::as_str);
    // Rows of a table and `match: all` make a list; its schema is looked at by the run.
    (word("as") == Some("json") || (word("as") == Some("regex") && word("match") != Some("all")))
        .then(|| parse.get("schema")?.literal())?
}

fn of_callee(plan: &ManifestPlan, name: &str, output: &str, inner: &[Segment]) -> Known {
    let Some(callee) = plan.callees.get(name) else { return Known::any() };
    let declared = callee.manifest.outputs.iter().find(|declared| declared.name.value == output);
    match declared.map(|declared| &declared.kind) {
        // An output that cannot be computed is null.
        Some(OutputKind::Value { schema, .. }) => Known::inside(schema, inner).or_null(),
        Some(OutputKind::Table { .. }) if inner.is_empty() => Known::of(Kinds::LIST).or_null(),
        _ => Known::any(),
    }
}

/// Outputs of built-in step types, as `assay explain <type>` describes them. What is not listed can be anything.
fn of_type(kind: &str, output: &str) -> Known {
    let number = || Known::of(Kinds::NUMBER).or_null();
    match (kind, output) {
        ("compare", "verdict") => Known::words(["better", "worse", "tie", "undecided"]),
        ("compare", "better") => Known::words(["lower", "higher"]),
        ("compare", "ratio" | "ci_low" | "ci_high" | "threshold" | "pairs") => number(),
        ("compare", "interleaved") => Known::of(Kinds::BOOL),
        ("compare", "rows") => Known::of(Kinds::LIST),
        ("server", "url" | "host") | ("baseline", "digest") => Known::of(Kinds::TEXT),
        ("server", "rehearsal") => Known::of(Kinds::BOOL),
        ("server", "framework" | "model" | "served_name" | "command" | "version" | "verified" | "flush") => {
            Known::of(Kinds::TEXT).or_null()
        }
        ("server", "port" | "pid" | "ready_s") | ("http", "http_status") => number(),
        ("approval", "choice") => Known::of(Kinds::TEXT),
        _ => Known::any(),
    }
}

/// Where it stands what the first reference in a part of an expression can be: the input, or the step.
pub fn cause(plan: &ManifestPlan, expr: &Expr, range: &Range<usize>) -> Option<(Span, &'static str)> {
    let inside =
        |reference: &&Reference| range.start <= reference.range.start && reference.range.end <= range.end;
    expr.refs().iter().filter(inside).find_map(|reference| {
        let Some(Segment::Name(name)) = reference.path.first() else { return None };
        match reference.root.as_str() {
            "inputs" => Some((plan.manifest.inputs.get(name)?.span, "the input is declared here")),
            "steps" => Some((step_of(plan, name)?.id.span, "the step")),
            _ => None,
        }
    })
}

/// Every bare expression and every value that is one whole `{{ }}`, with what is asked of it.
pub fn asked<'p>(cx: &Cx<'_>, plan: &'p ManifestPlan, visit: &mut dyn FnMut(Asked<'p>)) {
    let manifest = &plan.manifest;
    let condition = |at: &'p ExprAt, step, field| Asked {
        expr: &at.expr,
        span: at.span,
        step,
        role: Role::Condition(field),
    };
    for check in &manifest.preflight {
        check.when.iter().for_each(|when| visit(condition(when, None, "when")));
        in_config(&check.with, None, visit);
    }
    for step in manifest.steps.iter().chain(&manifest.finally) {
        step.when.iter().for_each(|when| visit(condition(when, Some(step), "when")));
        in_config(&step.with, Some(step), visit);
        for (name, list) in step.foreach.iter().flat_map(|foreach| &foreach.lists) {
            if let ConfigKind::Template(template) = &list.kind
                && let Some(expr) = template.whole_expression()
            {
                let role = Role::Field(&name.value, Kinds::LIST);
                visit(Asked { expr, span: list.span, step: None, role });
            }
        }
        if let Some(resources) = &step.resources {
            for (name, field, takes) in [
                ("cpus", &resources.cpus, Kinds::NUMBER),
                ("gpus", &resources.gpus, Kinds::NUMBER.or(Kinds::LIST)),
            ] {
                if let assay_manifest::Field::Template(text) = field {
                    whole(text, Some(step), Role::Field(name, takes), visit);
                }
            }
        }
        if let Some(assay_manifest::Field::Template(text)) = &step.timeout {
            whole(text, Some(step), Role::Field("timeout", Kinds::NUMBER.or(Kinds::TEXT)), visit);
        }
    }
    for gate in &manifest.gates {
        gate.when.iter().for_each(|when| visit(condition(when, None, "when")));
        if let Demand::Assert(assert) = &gate.demand {
            visit(condition(assert, None, "assert"));
        }
    }
    let declared = cx.entry(&["outputs"]).and_then(|(_, outputs)| outputs.as_mapping()).unwrap_or_default();
    let typed = declared.iter().filter(|(_, output)| output.get("type").is_some());
    let typed: HashSet<&str> = typed.map(|(key, _)| &*key.name).collect();
    for output in &manifest.outputs {
        let (at, takes) = match &output.kind {
            OutputKind::Value { value, schema, .. } => (value, Known::of_schema(schema).kinds),
            OutputKind::Table { rows, .. } => (rows, Kinds::LIST),
        };
        // A type that is missing or wrong was reported; what stands for it says nothing.
        let table = matches!(output.kind, OutputKind::Table { .. });
        let role = match table || typed.contains(output.name.value.as_str()) {
            true => Role::Field(&output.name.value, takes),
            false => Role::Free,
        };
        visit(Asked { expr: &at.expr, span: at.span, step: None, role });
    }
    for deliver in &manifest.deliver {
        if let DeliverFrom::Value(at) = &deliver.from {
            visit(Asked { expr: &at.expr, span: at.span, step: None, role: Role::Free });
        }
    }
}

fn whole<'p>(text: &'p TextAt, step: Option<&'p Step>, role: Role<'p>, visit: &mut dyn FnMut(Asked<'p>)) {
    if let Some(expr) = text.template.whole_expression() {
        visit(Asked { expr, span: text.span, step, role });
    }
}

fn in_config<'p>(config: &'p Config, step: Option<&'p Step>, visit: &mut dyn FnMut(Asked<'p>)) {
    match &config.kind {
        ConfigKind::Template(template) => {
            if let Some(expr) = template.whole_expression() {
                visit(Asked { expr, span: config.span, step, role: Role::Free });
            }
        }
        ConfigKind::Expression(expr, assay_manifest::ExprUse::Value) => {
            visit(Asked { expr, span: config.span, step, role: Role::Free });
        }
        ConfigKind::List(items) => items.iter().for_each(|item| in_config(item, step, visit)),
        ConfigKind::Map(entries) => entries.iter().for_each(|(_, value)| in_config(value, step, visit)),
        _ => {}
    }
}
