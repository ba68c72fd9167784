//! What only a device lets a kernel do wrong: work outside of the caller's stream, settings that stay, memory taken in a call, calls
//! that no graph can hold.

use crate::case::Case;
use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::task::Graph;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Edge, Probed};
use serde_json::json;

const GATE: Gate = Gate::Device;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    if !bench.task().abi.on_device() {
        bench.facts.skipped = Some("its worker drives no device".to_owned());
        return Ok(Vec::new());
    }
    settle(check(bench))
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let cases = bench.by_size();
    // Paths for small and for large sizes are often not the same.
    for case in cases.first().into_iter().chain(cases.last().filter(|_| cases.len() > 1)) {
        let data = bench.draw(case, bench.seed("device"), 1.0)?;
        let mut worker = bench.worker(GATE)?;
        let mut stage = bench.stage(case, 1, Edge::Start)?;
        worker.map(&stage.arena).map_err(|end| ends::stop(GATE, Some(case), end))?;
        // What a first call may do once (load its code, take scratch memory) it may do now.
        bench.answer(GATE, &mut worker, &mut stage, &data, POISON[0])?;
        stage.poison(0, POISON[1]);
        bench.facts.cases.run += 1;
        let probed = worker.probe(0).map_err(|end| ends::stop(GATE, Some(case), end))?;
        let required = bench.task().abi.graph == Graph::Required;
        if let Some((code, message)) = judged(&probed, required) {
            let message = format!("{message}, at {}", case.title());
            return Err(Stop::Found(Finding::new(GATE, code, message, evidence(case, &probed))));
        }
        if let Some(what) = unfit(&probed) {
            let note = format!("{what}; the task allows it");
            if !bench.facts.notes.contains(&note) {
                bench.facts.notes.push(note);
            }
        }
    }
    Ok(())
}

fn evidence(case: &Case, probed: &Probed) -> serde_json::Value {
    json!({ "axes": case.axes, "kind": case.kind, "probed": probed })
}

/// What is wrong, the sharpest first.
fn judged(probed: &Probed, graph: bool) -> Option<(Code, String)> {
    if probed.escaped {
        let what = "outputs changed while the caller's stream was held up: it works on another stream";
        return Some((Code::StreamEscape, what.to_owned()));
    }
    if !probed.changed.is_empty() {
        let told = |(name, before, after): &(String, u64, u64)| format!("`{name}` from {before} to {after}");
        let changed: Vec<String> = probed.changed.iter().map(told).collect();
        return Some((Code::StateLeak, format!("it left the device changed: {}", changed.join(", "))));
    }
    if probed.allocated > 0 {
        let bytes = probed.allocated;
        return Some((
            Code::AllocInCall,
            format!("a call that was not the first took {bytes} bytes of the device's memory"),
        ));
    }
    graph.then(|| unfit(probed)).flatten().map(|what| (Code::GraphUnsafe, what))
}

/// Why no graph can hold it.
fn unfit(probed: &Probed) -> Option<String> {
    if let Some(why) = &probed.capture {
        return Some(format!("it cannot be captured in a graph: {why}"));
    }
    probed.waited.then(|| "it waits for the device inside of the call, which no graph can hold".to_owned())
}

#[cfg(test)]
mod tests {
    use super::judged;
    use crate::verdict::Code;
    use crate::worker::Probed;

    #[test]
    fn each_fault_has_its_code_and_graphs_are_the_task_s_choice() {
        let clean = Probed::default();
        let code = |probed: &Probed, graph| judged(probed, graph).map(|(code, _)| code);
        assert_eq!(code(&clean, true), None);
        assert_eq!(
            code(&Probed { escaped: true, waited: true, ..clean.clone() }, true),
            Some(Code::StreamEscape)
        );
        let changed = vec![("persisting L2".to_owned(), 0, 1 << 20)];
        assert_eq!(code(&Probed { changed, allocated: 1, ..clean.clone() }, true), Some(Code::StateLeak));
        assert_eq!(
            code(&Probed { allocated: 4096, waited: true, ..clean.clone() }, false),
            Some(Code::AllocInCall)
        );
        for unfit in [
            Probed { waited: true, ..clean.clone() },
            Probed { capture: Some("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED".to_owned()), ..clean },
        ] {
            assert_eq!(code(&unfit, true), Some(Code::GraphUnsafe));
            assert_eq!(code(&unfit, false), None);
        }
    }
}
