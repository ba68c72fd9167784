//! The end of a run in words: the verdict, the gates it rests on, what failed, the outputs, and where the report is.

use crate::console::{Tone, paint};
use crate::format::{duration, one_line, short};
use crate::phase::Phase;
use assay_protocol::{ExitCode, Outcome, PlanDoc, RunState, Status, Value};
use assay_report::table::Table;
use comfy_table::{CellAlignment, ContentArrangement, Table as Drawn};

/// Rows of a table that are shown; the report has all of them.
const ROWS: usize = 40;
/// Failed steps that are shown.
const FAILURES: usize = 10;

/// How the text is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// With colours.
    pub color: bool,
    /// Cells per line, if it goes to a terminal.
    pub width: Option<u16>,
}

/// The whole text. `report`: the report's path as shown, if there is one.
pub fn text(state: &RunState, plan: &PlanDoc, phase: Phase, report: Option<&str>, look: Look) -> String {
    let mut out = headline(state, plan, phase, look);
    out.push_str(&gates(state, look));
    out.push_str(&failures(state, look));
    out.push_str(&outputs(state, plan, look));
    if let Some(report) = report {
        out.push_str(&format!("report: {report}\n"));
    }
    out
}

fn headline(state: &RunState, plan: &PlanDoc, phase: Phase, look: Look) -> String {
    let exit = phase.exit(state);
    let tone = match exit {
        ExitCode::Ok => Tone::Good,
        ExitCode::Running | ExitCode::Waiting | ExitCode::Inconclusive => Tone::Warn,
        _ => Tone::Bad,
    };
    let name = state.started.as_ref().map_or(plan.name.as_str(), |started| &started.name);
    let took = duration((state.finished_at.unwrap_or(state.last_at) - state.started_at).max(0.0));
    let word = paint(look.color, tone, exit.name());
    let mut line = format!("{name}: {word} (exit {}) in {took}\n", exit.code());
    if let Some(finished) = &state.finished
        && !finished.verdict.is_empty()
    {
        line.push_str(&format!("  {}\n", crate::console::clean(&finished.verdict)));
    }
    if state.is_rehearsal() {
        line.push_str(&format!("  {}\n", paint(look.color, Tone::Warn, crate::summary::REHEARSAL)));
    }
    line
}

fn gates(state: &RunState, look: Look) -> String {
    let width = state.gates.keys().map(|path| path.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (path, gate) in &state.gates {
        let gate = &gate.decided;
        let tone = match gate.outcome {
            Outcome::Passed => Tone::Good,
            Outcome::Skipped => Tone::Quiet,
            Outcome::Warn | Outcome::Inconclusive => Tone::Warn,
            _ => Tone::Bad,
        };
        let word = paint(look.color, tone, &format!("{:<12}", gate.outcome.word()));
        let wanted = one_line(&gate.wanted, 90);
        out.push_str(&format!("  {path:<width$}  {word}  {wanted}\n"));
        let passed = matches!(gate.outcome, Outcome::Passed | Outcome::Skipped);
        let why = if gate.measured.is_empty() { &gate.reason } else { &gate.measured };
        if !passed && !why.is_empty() {
            out.push_str(&format!("  {:<width$}  {:<12}  {}\n", "", "", one_line(why, 160)));
        }
    }
    out
}

fn failures(state: &RunState, look: Look) -> String {
    let ended = state.nodes.iter().filter_map(|(path, node)| Some((path, node.finished.as_ref()?)));
    let failed: Vec<_> = ended
        .filter(|(_, end)| {
            !matches!(end.status, Status::Passed | Status::Skipped | Status::Blocked | Status::Excluded)
        })
        .collect();
    let checks = state.checks.iter().filter(|(_, check)| !check.finished.status.satisfies_needs());
    let mut out = String::new();
    for (path, check) in checks {
        let check = &check.finished;
        let tone = if check.on_fail == "warn" { Tone::Warn } else { Tone::Bad };
        let word = paint(look.color, tone, check.status.word());
        out.push_str(&format!("  check {path} {word}: {}\n", one_line(&check.reason, 160)));
    }
    for (path, end) in failed.iter().take(FAILURES) {
        let tone = if end.warned { Tone::Warn } else { Tone::Bad };
        let word = paint(look.color, tone, end.status.word());
        let reason =
            if end.reason.is_empty() { String::new() } else { format!(": {}", one_line(&end.reason, 160)) };
        out.push_str(&format!("  step {path} {word}{reason}\n"));
    }
    if failed.len() > FAILURES {
        out.push_str(&format!("  and {} more, see the report\n", failed.len() - FAILURES));
    }
    out
}

fn outputs(state: &RunState, plan: &PlanDoc, look: Look) -> String {
    let Some(finished) = &state.finished else { return String::new() };
    let mut values = String::new();
    let mut tables = String::new();
    for (name, value) in &finished.outputs {
        let declared = plan.outputs.get(name);
        if let Some(drawn) = table(value, declared, look) {
            tables.push_str(&format!("\n{}\n{drawn}\n", paint(look.color, Tone::Strong, name)));
            continue;
        }
        let unit = declared.and_then(|declared| declared.get("unit")).and_then(Value::as_str);
        let shown = match value {
            Value::Null => {
                let why =
                    finished.output_reasons.get(name).and_then(Value::as_str).unwrap_or("no reason recorded");
                format!("none ({})", one_line(why, 120))
            }
            value => format!(
                "{}{}",
                one_line(&short(value), 160),
                unit.map(|u| format!(" {u}")).unwrap_or_default()
            ),
        };
        values.push_str(&format!("  {name} = {shown}\n"));
    }
    let gap = if tables.is_empty() { "" } else { "\n" };
    values + &tables + gap
}

fn table(value: &Value, declared: Option<&Value>, look: Look) -> Option<String> {
    let mut own = match value {
        Value::Object(map) if map.contains_key("rows") => Table::new(value).ok()?,
        Value::Array(rows) if rows.first().is_some_and(Value::is_object) => Table::of_rows(value).ok()?,
        _ => return None,
    };
    let columns = declared.and_then(|declared| declared.get("columns")).and_then(Value::as_object);
    if value.is_array() && columns.is_none() && !own.is_flat() {
        return None;
    }
    if let Some(columns) = columns {
        own.columns =
            columns.iter().map(|(key, title)| (key.as_str(), title.as_str().unwrap_or(key))).collect();
    }
    let mut drawn = Drawn::new();
    drawn.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    if let Some(width) = look.width {
        drawn.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    drawn.set_header(own.columns.iter().map(|(_, title)| (*title).to_owned()).collect::<Vec<_>>());
    for row in own.rows.iter().take(ROWS) {
        let cells = own.columns.iter().map(|(key, _)| row.get(*key).map(short).unwrap_or_default());
        drawn.add_row(cells.collect::<Vec<_>>());
    }
    for (index, (key, _)) in own.columns.iter().enumerate() {
        if own.is_numeric(key)
            && let Some(column) = drawn.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text: Vec<String> = drawn.lines().map(|line| line.trim_end().to_owned()).collect();
    let more = own.rows.len().saturating_sub(ROWS);
    let more = if more > 0 { format!("\nand {more} more rows, see the report") } else { String::new() };
    Some(text.join("\n") + &more)
}

#[cfg(test)]
mod tests {
    use super::{Look, text};
    use crate::phase::Phase;
    use assay_protocol::{Event, GateDecided, Outcome, PlanDoc, RunFinished, RunState, ValueMap};
    use serde_json::json;

    #[test]
    fn verdict_gates_values_and_tables_in_this_order() {
        let mut state = RunState::default();
        let gate = |id: &str, outcome: Outcome| {
            Event::GateDecided(GateDecided {
                gate: id.to_owned(),
                outcome,
                passed: outcome == Outcome::Passed,
                wanted: "steps.check.result.max_error <= 1.0e-6".to_owned(),
                measured: "0.5 <= 1.0e-6 is false".to_owned(),
                values: ValueMap::new(),
                reason: String::new(),
                baselines: Vec::new(),
            })
        };
        state.apply(1.0, gate("honest", Outcome::Passed));
        state.apply(2.0, gate("right", Outcome::Incorrect));
        let outputs = json!({"speedup": 2.5, "table": {"rows": [{"n": "a", "ms": 1.25}]}, "none": null});
        let finished = RunFinished {
            exit: 26,
            verdict: "one gate found a wrong result".to_owned(),
            outputs: outputs.as_object().unwrap().clone(),
            output_reasons: json!({"none": "step `x` was skipped"}).as_object().unwrap().clone(),
            duration_s: 1.0,
        };
        state.apply(9.0, Event::RunFinished(finished));
        let plan = PlanDoc {
            v: 1,
            name: "probe".to_owned(),
            kind: "Skill".to_owned(),
            version: "1.0.0".to_owned(),
            description: String::new(),
            file: "/x".to_owned(),
            digest: String::new(),
            inputs: ValueMap::new(),
            rehearsal: false,
            nodes: Vec::new(),
            outputs: json!({"speedup": {"unit": "x"}, "table": {"columns": {"n": "Name", "ms": "Median"}}}),
        };
        let look = Look { color: false, width: None };
        let shown = text(&state, &plan, Phase::of(&state, false), Some("runs/a/report.html"), look);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "probe: incorrect (exit 26) in 9.0 s");
        assert_eq!(lines[2], "  honest  passed        steps.check.result.max_error <= 1.0e-6");
        assert!(lines[4].trim_start().starts_with("0.5 <= 1.0e-6 is false"), "{shown}");
        assert!(shown.contains("  speedup = 2.5 x\n  none = none (step `x` was skipped)\n"), "{shown}");
        assert!(shown.contains("Name") && shown.contains("1.25"), "{shown}");
        assert_eq!(lines.last(), Some(&"report: runs/a/report.html"));
    }
}
