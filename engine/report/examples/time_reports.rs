//! Prints how long reports of small and large runs take: `cargo run --release -p assay-report --example time_reports`.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
#![expect(clippy::unwrap_used, reason = "the steps were added just before")]

use assay_protocol::{
    Event, PlanDoc, PlanNode, PlanNodeKind, RunState, Status, StepFinished, StepStarted, ValueMap,
};
use assay_report::{NoLogs, ReportInput, both};
use std::time::Instant;

fn run(count: usize) -> (RunState, PlanDoc) {
    let mut state = RunState::default();
    let mut nodes = Vec::new();
    for index in 0..count {
        let (id, at) = (format!("step_{index}"), index as f64 * 0.001);
        let started: StepStarted = serde_json::from_value(serde_json::json!({
            "step": id, "uses": "command", "attempt": 1, "command": ["/bin/true", "an argument"]
        }))
        .unwrap();
        state.apply(at, Event::StepStarted(started));
        let finished: StepFinished = serde_json::from_value(serde_json::json!({
            "step": id, "attempt": 1, "status": Status::Passed, "final": true, "duration_s": 0.002
        }))
        .unwrap();
        state.apply(at + 0.002, Event::StepFinished(finished));
        nodes.push(PlanNode {
            id,
            kind: PlanNodeKind::Step,
            uses: "command".into(),
            needs: Vec::new(),
            when: None,
            foreach: Vec::new(),
            wanted: None,
            call: None,
        });
    }
    let plan = PlanDoc {
        v: 1,
        name: "timing".into(),
        kind: "Workflow".into(),
        version: "1.0.0".into(),
        description: String::new(),
        file: String::new(),
        digest: String::new(),
        inputs: ValueMap::new(),
        rehearsal: false,
        nodes,
        outputs: serde_json::Value::Null,
    };
    (state, plan)
}

fn main() {
    for count in [1, 20, 300, 10_000] {
        let (state, plan) = run(count);
        let input = ReportInput {
            state: &state,
            plan: &plan,
            run_id: "x",
            run_dir_name: "run-x",
            logs: &NoLogs,
            generated_at: 0.0,
        };
        let mut best = f64::INFINITY;
        let mut bytes = (0, 0);
        for _ in 0..20 {
            let began = Instant::now();
            let (markdown, html) = both(&input);
            best = best.min(began.elapsed().as_secs_f64());
            bytes = (markdown.len(), html.len());
        }
        println!("{count} steps: {:.3} ms, markdown {} B, HTML {} B", best * 1e3, bytes.0, bytes.1);
    }
}
