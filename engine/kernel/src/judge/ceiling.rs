//! What this machine can do at best, measured through a worker as kernels are.

use super::setup::JudgeError;
use crate::build;
use crate::case::{Case, Kind, Role, Tensor};
use crate::dtype::DType;
use crate::layout::Layout;
use crate::task::{Abi, Limits};
use crate::worker::{Arena, Edge, Launcher, Worker};
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const SOURCE: &str = include_str!("ceiling.c");
const SYMBOL: &str = "assay_ceiling";
/// The best that this compiler makes of it, whatever a task's flags are: with fused multiply-add where the processor has it.
const FLAGS: [&str; 4] = ["-O3", "-march=native", "-std=gnu11", "-ffp-contract=fast"];
/// Smallest and largest memory that is copied, in bytes.
const LEAST: usize = 4096;
const MOST: usize = 64 << 20;
/// Trials of each kind; the best counts, because only disturbances make one slower.
const TRIALS: usize = 12;
/// Bytes of a trial: 50 us at 100 GB/s.
const TRIAL: usize = 4 << 20;
/// Lanes and steps of one pass of multiplications, as the source has them.
const FLOPS: f64 = 96.0 * 1000.0 * 2.0;
/// Passes of a trial of multiplications.
const PASSES: usize = 40;

/// Rates of one core.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// Bytes read and written per second, in memory of the size asked for.
    pub bytes_s: f64,
    /// Operations of binary32 per second.
    pub flops_s: f64,
}

/// By the binary logarithm of the size; found once in each process.
static KNOWN: Mutex<Option<HashMap<u32, Ceiling>>> = Mutex::new(None);

/// The ceiling for a kernel that moves so many bytes in a call. Taken at the power of two below, where the machine is rather faster.
pub fn ceiling(launcher: &Launcher, bytes: u64) -> Result<Ceiling, JudgeError> {
    let size = usize::try_from(bytes / 2).unwrap_or(MOST).clamp(LEAST, MOST);
    let exponent = size.ilog2();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(found) = known.get(&exponent) {
        return Ok(*found);
    }
    let found = measure(launcher, 1 << exponent)?;
    known.insert(exponent, found);
    Ok(found)
}

fn measure(launcher: &Launcher, bytes: usize) -> Result<Ceiling, JudgeError> {
    let file = |source| JudgeError::File { path: std::env::temp_dir(), source };
    let folder = tempfile::tempdir().map_err(file)?;
    let source = folder.path().join("ceiling.c");
    std::fs::write(&source, SOURCE).map_err(file)?;
    let built = build::c(&source, &FLAGS.map(str::to_owned), false, &folder.path().join("built"))
        .map_err(|error| JudgeError::Build { reason: error.to_string() })?;
    let abi = Abi { align: 64, ..Abi::c(SYMBOL) };
    let failed = JudgeError::from;
    let mut worker = Worker::start(launcher, &built.library, &abi, &Limits::default()).map_err(failed)?;
    let repeats = (TRIAL / bytes).max(1);
    let mut rate = |mode: f64, passes: usize, work: f64| -> Result<f64, JudgeError> {
        let case = case(bytes, mode, passes);
        let arena = Arena::new(&case, 1, Edge::Start, 64, false)
            .map_err(|source| JudgeError::Memory { title: case.title(), source })?;
        worker.map(&arena).map_err(failed)?;
        let mut best = f64::INFINITY;
        for _ in 0..TRIALS {
            best = best.min(worker.call(0).map_err(failed)?.ns.max(1) as f64);
        }
        Ok(work * passes as f64 / best * 1e9)
    };
    let copied = rate(0.0, repeats, 2.0 * bytes as f64)?;
    let read = rate(1.0, repeats, bytes as f64)?;
    let flops_s = rate(2.0, PASSES, FLOPS)?;
    Ok(Ceiling { bytes_s: copied.max(read), flops_s })
}

fn case(bytes: usize, mode: f64, passes: usize) -> Case {
    let layout = Layout::contiguous(DType::Fp32, &[bytes / 4]);
    let tensor = |name: &str, role| Tensor { name: name.to_owned(), role, layout: layout.clone() };
    Case {
        kind: Kind::Measured,
        axes: IndexMap::from([("bytes".to_owned(), bytes as u64)]),
        tensors: vec![tensor("from", Role::Input), tensor("to", Role::Output)],
        scalars: vec![mode, passes as f64],
        launch: None,
        shift: 0,
    }
}
