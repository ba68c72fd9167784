//! `assay plan`: what would run, without running it; of a run: what a resume would do, step by step.

use crate::console::{Tone, paint};
use crate::context::Cx;
use crate::fail::Failure;
use crate::format::{one_line, shell_word};
use crate::inputs::{self, Given};
use crate::load::{self, Ready};
use crate::reply::Reply;
use crate::{find, outlook, reports};
use assay_manifest::Manifest;
use assay_plan::{ManifestPlan, NodeId, What, plan_doc};
use assay_protocol::{ExitCode, Value, ValueMap};
use assay_report::dag;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::Path;

/// Characters of a rendered command in a line.
const COMMAND: usize = 240;

/// Options of `plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay plan quickstart\n  assay plan my-check -i count=10\n  assay plan quickstart --format svg > plan.svg\n  assay plan latest             what `assay resume latest` would do, and why"
)]
pub struct Options {
    /// Name or path of a workflow or skill, or a run
    pub what: String,
    /// Where inputs come from.
    #[command(flatten)]
    pub given: Given,
    /// How to show it
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Steps with their commands, and why each would run.
    Text,
    /// The plan as data.
    Json,
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// A picture.
    Svg,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let catalog = assay_steps::registry().catalog();
    match load::manifest(cx, &catalog, &options.what, &cx.paths.cwd) {
        Ok(ready) => of_manifest(cx, &ready, &options),
        // A name that is no manifest may be that of a run.
        Err(failure) if failure.exit == ExitCode::Nothing => match find::run(cx, &options.what) {
            Ok(run) => of_run(cx, &run, options.format),
            Err(_) => Err(failure.help("there is no run of that name either")),
        },
        Err(failure) => Err(failure),
    }
}

fn of_manifest(cx: &Cx, ready: &Ready, options: &Options) -> Result<Reply, Failure> {
    let manifest = &ready.plan.manifest;
    let given = !options.given.input.is_empty() || options.given.inputs.is_some();
    // Without any input the plan is still worth seeing; what depends on a missing one stays as written.
    let (inputs, missing) = match inputs::resolved(cx, manifest, &options.given, &cx.paths.cwd) {
        Ok(inputs) => (inputs, Vec::new()),
        Err(failure) if !given => (defaults(manifest, &cx.paths.cwd), failure.help),
        Err(failure) => return Err(failure),
    };
    let doc = plan_doc(&ready.plan, &ready.digest, &inputs);
    let steps = steps(&ready.plan, &inputs);
    let data = json!({"plan": doc, "steps": steps.iter().map(Planned::data).collect::<Vec<_>>(), "missing_inputs": missing});
    let text = match options.format {
        Format::Text => text(cx, ready, &inputs, &steps, &missing),
        Format::Json => format!("{data:#}\n"),
        Format::Dot => dag::dot(&doc),
        Format::Mermaid => dag::mermaid(&doc),
        Format::Svg => dag::svg(&doc, None) + "\n",
    };
    let mut reply = Reply::ok(data, text);
    reply.remarks.clone_from(&ready.drawn);
    reply.findings.clone_from(&ready.findings);
    if options.format == Format::Text {
        let inputs = if missing.is_empty() { "" } else { " -i <input>=<value>" };
        reply = reply.next(format!("assay run {}{inputs}", shell_word(&options.what)), "runs it");
    }
    Ok(reply)
}

/// The defaults that fit by themselves.
fn defaults(manifest: &Manifest, base: &Path) -> ValueMap {
    let fitting = manifest.inputs.iter().filter_map(|(name, input)| {
        let default = &input.default.as_ref()?.value;
        Some((name.clone(), assay_manifest::input::convert(input, default, base).ok()?))
    });
    fitting.collect()
}

/// One node with what is known before the run.
struct Planned {
    path: String,
    uses: String,
    why: String,
    /// Configuration as far as the inputs tell; for a gate what must hold.
    config: Value,
    inner: Vec<Planned>,
}

impl Planned {
    fn data(&self) -> Value {
        json!({"path": self.path, "uses": self.uses, "why": self.why, "config": self.config,
            "inner": self.inner.iter().map(Self::data).collect::<Vec<_>>()})
    }

    /// The command, or the configuration in one line.
    fn shows(&self) -> String {
        let words = |list: &Vec<Value>| -> String {
            list.iter().map(|word| shell_word(&crate::format::short(word))).collect::<Vec<_>>().join(" ")
        };
        match (&self.config, self.config.get("argv"), self.config.get("shell")) {
            (_, Some(Value::Array(argv)), _) => words(argv),
            (_, _, Some(Value::String(shell))) => shell.clone(),
            (Value::String(text), _, _) => text.clone(),
            (Value::Object(map), _, _) if map.is_empty() => String::new(),
            (config, _, _) => config.to_string(),
        }
    }
}

fn steps(plan: &ManifestPlan, inputs: &ValueMap) -> Vec<Planned> {
    let scope = outlook::known(plan, inputs);
    let nodes = 0..plan.nodes.len() as NodeId;
    let shown = nodes.filter(|node| !matches!(plan.nodes[*node as usize].what, What::Deliver(_)));
    shown
        .map(|node| {
            let why = outlook::before(plan, node, &scope);
            let path = plan.id(node).to_owned();
            match plan.step(node) {
                Some(step) => Planned {
                    path,
                    uses: step.uses.value.word(),
                    why,
                    config: outlook::rendered(&step.with, &scope),
                    inner: callee(plan, step, &scope),
                },
                None => Planned {
                    path,
                    uses: "gate".to_owned(),
                    why,
                    config: Value::from(wanted(plan, node)),
                    inner: Vec::new(),
                },
            }
        })
        .collect()
}

/// The steps of a called manifest, with those of its inputs that are known.
fn callee(
    plan: &ManifestPlan,
    step: &assay_manifest::Step,
    scope: &assay_manifest::expr::MapScope,
) -> Vec<Planned> {
    let assay_manifest::Uses::Call(name) = &step.uses.value else { return Vec::new() };
    let Some(callee) = plan.callees.get(name) else { return Vec::new() };
    let dir = &callee.manifest.origin.dir;
    let mut inputs = defaults(&callee.manifest, dir);
    for (name, input) in &callee.manifest.inputs {
        let Some(config) = step.with.get(name) else { continue };
        inputs.remove(name);
        let known = config
            .render(scope)
            .ok()
            .and_then(|value| assay_manifest::input::convert(input, &value, &plan.manifest.origin.dir).ok());
        if let Some(known) = known {
            inputs.insert(name.clone(), known);
        }
    }
    steps(callee, &inputs)
}

fn wanted(plan: &ManifestPlan, node: NodeId) -> String {
    use assay_manifest::Demand;
    match plan.gate(node).map(|gate| &gate.demand) {
        Some(Demand::Assert(expr)) => expr.expr.source().to_owned(),
        Some(Demand::Compare { step, want, .. }) => {
            let want: Vec<&str> = want.iter().map(|word| word.value.as_str()).collect();
            format!("{} is {}", step.expr.source(), want.join(" or "))
        }
        None => String::new(),
    }
}

fn text(cx: &Cx, ready: &Ready, inputs: &ValueMap, steps: &[Planned], missing: &[String]) -> String {
    let manifest = &ready.plan.manifest;
    let color = cx.console.color_out;
    let title = format!("{} {} ({})", manifest.name.value, manifest.version.value, manifest.kind.word());
    let mut out =
        format!("{}\n{}\n", paint(color, Tone::Strong, &title), one_line(&manifest.description, 300));
    if !manifest.inputs.is_empty() {
        out.push_str(&format!("\n{}\n", paint(color, Tone::Strong, "inputs")));
    }
    for (name, input) in &manifest.inputs {
        let value =
            inputs.get(name).map_or_else(|| "(missing)".to_owned(), |value| one_line(&value.to_string(), 80));
        let doc = input.description.as_deref().unwrap_or_default();
        out.push_str(&format!("  {name} = {value}    {}, {doc}\n", inputs::expected(input)));
    }
    if !manifest.preflight.is_empty() {
        out.push_str(&format!("\n{}\n", paint(color, Tone::Strong, "preflight")));
    }
    for check in &manifest.preflight {
        let scope = outlook::known(&ready.plan, inputs);
        let config = outlook::rendered(&check.with, &scope);
        out.push_str(&format!(
            "  {} ({}, on failure {}) {config}\n",
            check.id.value,
            check.check.value,
            check.on_fail.word()
        ));
    }
    out.push_str(&format!("\n{}\n", paint(color, Tone::Strong, "steps")));
    list(&mut out, color, steps, 1);
    for missing in missing {
        out.push_str(&format!("\n{}: {missing}\n", paint(color, Tone::Warn, "note")));
    }
    out
}

fn list(out: &mut String, color: bool, steps: &[Planned], depth: usize) {
    let pad = "  ".repeat(depth);
    for step in steps {
        let name = paint(color, Tone::Strong, &step.path);
        out.push_str(&format!("{pad}{name} ({}): {}\n", step.uses, step.why));
        let shows = step.shows();
        if !shows.is_empty() {
            out.push_str(&format!("{pad}    {}\n", paint(color, Tone::Quiet, &one_line(&shows, COMMAND))));
        }
        list(out, color, &step.inner, depth + 2);
    }
}

/// Walks the plan with made-up results; nothing is started.
pub fn dry_run(cx: &Cx, ready: &Ready, inputs: &ValueMap) -> Reply {
    let walked = assay_run::dry_run(&ready.plan, inputs, assay_run::host_facts(), &assay_steps::registry());
    let mut text = String::new();
    for step in &walked {
        let tone = match step.would {
            "skip" => Tone::Quiet,
            "unknown" => Tone::Warn,
            _ => Tone::Strong,
        };
        let would = paint(cx.console.color_out, tone, &format!("{:<7}", step.would));
        let reason = if step.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", one_line(&step.reason, COMMAND))
        };
        text.push_str(&format!("{would}  {} ({}){reason}\n", step.path, step.uses));
        if !step.command.is_empty() {
            let words: Vec<String> = step.command.iter().map(|word| shell_word(word)).collect();
            text.push_str(&format!("             {}\n", one_line(&words.join(" "), COMMAND)));
        }
    }
    Reply::ok(json!({"dry_run": true, "steps": walked}), text)
}

fn of_run(cx: &Cx, run: &assay_store::RunDir, format: Format) -> Result<Reply, Failure> {
    let recorded = reports::read(cx, run)?;
    let (plan, state) = (&recorded.plan, &recorded.journal.state);
    let again = outlook::after(plan, state);
    let base = state.started.as_ref().map(|started| started.caller_dir.clone()).unwrap_or_default();
    let changed = load::digest_now(cx, plan, Path::new(&base)).is_none_or(|now| now != plan.digest);
    let steps: Vec<Value> =
        again.iter().map(|one| json!({"path": one.path, "runs": one.runs, "why": one.why})).collect();
    let data = json!({"run": run.id(), "plan": plan, "steps": steps, "manifest_changed": changed});
    let body = match format {
        Format::Text => {
            let mut out = format!("{} {}: what `assay resume {}` would do\n", plan.name, run.id(), run.id());
            for one in &again {
                let tone = if one.runs { Tone::Strong } else { Tone::Quiet };
                out.push_str(&format!("  {}: {}\n", paint(cx.console.color_out, tone, &one.path), one.why));
            }
            if changed {
                out.push_str("  the manifest changed since: steps that changed, and what depends on them, run again too\n");
            }
            out
        }
        Format::Json => format!("{data:#}\n"),
        Format::Dot => dag::dot(plan),
        Format::Mermaid => dag::mermaid(plan),
        Format::Svg => dag::svg(plan, Some(state)) + "\n",
    };
    Ok(Reply::ok(data, body))
}
