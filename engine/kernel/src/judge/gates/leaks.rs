//! Memory that calls keep: a little more after each. Part of the gate `stale`, which is about what calls leave behind.
//!
//! The system tells the worker's size; foreign code cannot forge it. Scratch memory that is kept is no leak: it stops growing.

use crate::case::Case;
use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::stage::Stop;
use crate::task::Form;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Block, Edge};
use serde_json::json;

/// Calls that show how long one takes.
const FIRST: usize = 8;
/// Calls of a series: as many as take about so many nanoseconds, within these bounds. Kernels that take longer than a millisecond are few.
const SERIES_NS: u64 = 30_000_000;
const FEWEST: u64 = 32;
const MOST: u64 = 256;
/// Series that must all show it, behind the one that raises a suspicion.
const SERIES: u64 = 8;
/// Bytes that each call keeps on average, and bytes altogether: allocators ask the system for 132 KiB at a time.
const EACH: u64 = 1 << 10;
const ALTOGETHER: u64 = 1 << 20;

/// Calls again and again on the same data, and looks whether the worker grows.
pub fn check(bench: &mut Bench<'_>, gate: Gate, case: &Case) -> Result<(), Stop> {
    // An interpreter keeps what it likes; memory of a device has a gate of its own.
    if bench.task().abi.form == Form::Python || bench.task().abi.on_device() {
        return Ok(());
    }
    // A process of its own: no memory that other shapes gave back hides what is kept, and a kernel that is right for so many calls and no
    // more is not yet told from others by this.
    let mut worker = bench.worker(gate)?;
    let mut stage = bench.stage(case, 1, Edge::End)?;
    worker.map(&stage.arena).map_err(|end| ends::stop(gate, Some(case), end))?;
    let data = bench.draw(case, bench.seed("leaks"), 1.0)?;
    stage.load(0, &data);
    stage.poison(0, POISON[0]);
    let mut series = |calls: u64| -> Result<(u64, u64), Stop> {
        bench.in_time(gate)?;
        let block = Block { sets: vec![0; calls as usize], ..Block::default() };
        let blocked = worker.block(&block).map_err(|end| ends::stop(gate, Some(case), end))?;
        stage.returned(gate, blocked.failed.map_or(0, |(_, rc)| rc), worker.said())?;
        Ok((worker.size().unwrap_or(0), blocked.host_ns))
    };
    let (_, ns) = series(FIRST as u64)?;
    let calls = (SERIES_NS * FIRST as u64 / ns.max(1)).clamp(FEWEST, MOST);
    let (before, _) = series(calls)?;
    let (mut size, _) = series(calls)?;
    if size.saturating_sub(before) < calls * EACH / 2 {
        return Ok(());
    }
    for _ in 0..SERIES {
        let (now, _) = series(calls)?;
        if now <= size {
            return Ok(());
        }
        size = now;
    }
    let (all, kept) = ((1 + SERIES) * calls, size - before);
    if kept < ALTOGETHER.max(all * EACH) {
        return Ok(());
    }
    let message = format!(
        "it keeps memory: after {all} calls at {} there are {} KiB more than before",
        case.title(),
        kept / 1024
    );
    let evidence = json!({ "axes": case.axes, "calls": all, "bytes": kept });
    Err(Stop::Found(Finding::new(gate, Code::StateLeak, message, evidence)))
}
