//! Not faster than the machine: what must move and be computed, against what was measured to be possible.

use crate::judge::bench::Bench;
use crate::judge::setup::JudgeError;
use crate::judge::{ceiling, ceiling_device};
use crate::ledger::RooflineFacts;
use crate::task::{Device, axes};
use crate::timing::decide::Decision;
use crate::verdict::{Code, Finding, Gate};
use serde_json::json;

/// What measuring the ceiling may be off by.
const MARGIN: f64 = 1.05;
/// Half of what matrix units do in 16 bits, generously.
const MATRIX: f64 = 16.0;
/// A gain beyond this is seen by a person before it is believed.
const SIGN_OFF: f64 = 10.0;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let Some(timing) = bench.facts.timing.clone() else { return Ok(Vec::new()) };
    let best = timing.rows.iter().map(|row| row.ratio.ratio).fold(timing.geomean.ratio, f64::max);
    if best > SIGN_OFF {
        bench.facts.sign_off = true;
        bench.facts.notes.push(format!(
            "{best:.1} times as fast as the baseline: a person must look before this is believed"
        ));
    }
    if bench.facts.decision == Some(Decision::Slower) {
        bench.facts.skipped = Some("what is slower than the baseline is not too fast".to_owned());
        return Ok(Vec::new());
    }
    let Some(roofline) = bench.task().roofline.clone() else {
        bench.facts.skipped = Some("the task does not say what must move".to_owned());
        return Ok(Vec::new());
    };
    if bench.task().abi.device == Device::Cuda && bench.facts.device.is_none() {
        bench.facts.skipped = Some("nothing measures a device from an interpreter".to_owned());
        return Ok(Vec::new());
    }
    for row in &timing.rows {
        let amount = |text: &str| axes::size(text, &row.axes).unwrap_or(0);
        let (bytes, flops) = (amount(&roofline.bytes), amount(&roofline.flops));
        let ceiling = match &bench.facts.device {
            Some(about) => ceiling_device::ceiling(&bench.setup.launcher, about, bytes)?,
            None => ceiling::ceiling(&bench.setup.launcher, bytes)?,
        };
        bench.facts.cases.run += 1;
        let rate = |amount: u64| amount as f64 / row.candidate_ns * 1e9;
        let (bytes_s, flops_s) = (rate(bytes), rate(flops) / narrow(bench));
        let fraction = (bytes_s / ceiling.bytes_s).max(flops_s / ceiling.flops_s);
        if bench.facts.roofline.is_none_or(|known| fraction > known.fraction) {
            bench.facts.roofline = Some(RooflineFacts { bytes_s, flops_s: rate(flops), fraction });
        }
        if fraction > MARGIN {
            let sizes =
                row.axes.iter().map(|(axis, size)| format!("{axis}={size}")).collect::<Vec<_>>().join(" ");
            let message = format!("{fraction:.2} times as fast as this machine can be, at {sizes}");
            let evidence = json!({
                "axes": row.axes, "bytes_s": bytes_s, "flops_s": rate(flops),
                "ceiling": { "bytes_s": ceiling.bytes_s, "flops_s": ceiling.flops_s },
            });
            return Ok(vec![Finding::new(Gate::Plausibility, Code::PhysicsViolation, message, evidence)]);
        }
    }
    Ok(Vec::new())
}

/// How many operations of the task's narrowest input type a machine may do in place of one of binary32. Matrix units of a device do
/// up to 28 in 16 bits (B200: 2,250 dense over 80 TFLOP/s, by its data sheet), twice that in 8.
fn narrow(bench: &Bench<'_>) -> f64 {
    let least = bench.task().inputs.values().map(|input| input.dtype.size()).min().unwrap_or(4);
    let narrower = (4.0 / least as f64).max(1.0);
    if bench.facts.device.is_some() && narrower > 1.0 { MATRIX * narrower } else { narrower }
}
