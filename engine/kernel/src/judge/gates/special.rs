//! NaN, infinity, zero and subnormal numbers are treated as the oracle treats them.

use crate::case::Kind;
use crate::generate::{self, Pattern};
use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::task::SpecialMode;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::Edge;

const GATE: Gate = Gate::Special;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

/// What the task asks for.
fn patterns(bench: &Bench<'_>) -> Vec<(Pattern, &'static str)> {
    let special = &bench.task().special;
    [
        (special.nan == SpecialMode::Propagate, Pattern::Nan, "NaN"),
        (special.inf == SpecialMode::Propagate, Pattern::Inf, "infinity"),
        (special.zero_row, Pattern::Zero, "zeros"),
        (special.subnormal, Pattern::Subnormal, "subnormal numbers"),
    ]
    .into_iter()
    .filter(|(asked, ..)| *asked)
    .map(|(_, pattern, name)| (pattern, name))
    .collect()
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let patterns = patterns(bench);
    if patterns.is_empty() {
        bench.facts.skipped = Some("the task asks for none of them".to_owned());
        return Ok(());
    }
    // Paths for short and for long rows are often not the same, and one that nobody measures may be another.
    let mut cases = bench.by_size();
    let others: Vec<_> =
        bench.cases.iter().filter(|case| !matches!(case.kind, Kind::Measured | Kind::Large)).collect();
    let number = bench.seed("special shape") as usize;
    cases.extend(others.get(number % others.len().max(1)).map(|case| (*case).clone()));
    let mut worker = bench.worker(GATE)?;
    for case in &cases {
        let mut stage = bench.stage(case, 1, Edge::End)?;
        worker.map(&stage.arena).map_err(|end| ends::stop(GATE, Some(case), end))?;
        let plain = bench.draw(case, bench.seed("special"), 1.0)?;
        let inputs: Vec<_> = case.inputs().map(|tensor| case.tensors[tensor].clone()).collect();
        for (at, input) in
            inputs.iter().enumerate().filter(|(_, input)| input.layout.dtype.unit_roundoff().is_some())
        {
            for (pattern, name) in &patterns {
                let seed = generate::seed(bench.seed("special"), &format!("{} {name}", input.name));
                let mut any = false;
                let data =
                    bench.edit(case, &plain, format!("with {name} in `{}`", input.name), |values| {
                        any = !generate::special(*pattern, &input.layout, seed, &mut values[at]).is_empty();
                    })?;
                if any {
                    let taken = bench.answer(GATE, &mut worker, &mut stage, &data, POISON[1])?;
                    bench
                        .compare(GATE, Code::SpecialValueMismatch, case, &data, &taken)
                        .map_err(Stop::Found)?;
                }
            }
        }
    }
    Ok(())
}
