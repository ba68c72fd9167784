//! What a device can do at best, measured with kernels of our own through a worker as candidates are.

use super::ceiling::Ceiling;
use super::setup::JudgeError;
use crate::case::{Arg, Case, Kind, Launch, Role, Tensor};
use crate::dtype::DType;
use crate::layout::Layout;
use crate::task::{Abi, Device, Form, Limits};
use crate::timing::schedule::{MOST_CALLS, SETS};
use crate::worker::{About, Arena, Block, Edge, Launcher, Worker};
use indexmap::IndexMap;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// What NVRTC makes of `ceiling.cu`.
const IMAGE: &str = include_str!("ceiling.ptx");
/// As the source has them.
const THREADS: u32 = 256;
const STEPS: f64 = 1024.0;
const SUMS: f64 = 8.0;
/// Smallest and largest memory that is copied, in bytes.
const LEAST: usize = 1 << 14;
const MOST: usize = 256 << 20;
/// How many times as large as the second-level cache the largest memory is at most: what lies in the cache is no matter then, and
/// neither is what a launch costs.
const BEYOND_CACHE: u64 = 8;
/// Buffer sets of the largest memory: none comes again before the cache has forgotten it.
const LARGE_SETS: usize = 2;
/// Blocks of threads for each multiprocessor: as many as fit at once.
const FILL: u32 = 8;
/// Trials of each kind; the best counts, because only disturbances make one slower.
const TRIALS: usize = 5;
/// Least length of a trial in nanoseconds: as long as a block that is timed, so that both pay alike for their beginning.
const LEAST_NS: u64 = 1_000_000;

/// By device and the binary logarithm of the size; found once in each process.
static KNOWN: Mutex<Option<HashMap<(String, u32), Ceiling>>> = Mutex::new(None);
/// By device what no size matters for: bytes per second far beyond the cache, and operations.
static FAR: Mutex<Option<HashMap<String, Ceiling>>> = Mutex::new(None);

/// The ceiling for a kernel that moves so many bytes in a call, with the caches as the calls before left them: a cold one is lower.
///
/// A launch costs microseconds whatever it moves, so a device is faster the more it moves in one, until nothing comes from the cache:
/// what counts is the best at the powers of two around the size and far beyond the cache, of copies and of reads.
pub fn ceiling(launcher: &Launcher, about: &About, bytes: u64) -> Result<Ceiling, JudgeError> {
    let size = usize::try_from(bytes / 2).unwrap_or(MOST).clamp(LEAST, MOST);
    once(&KNOWN, (about.uuid.clone(), size.ilog2()), || {
        let far = once(&FAR, about.uuid.clone(), || far(launcher, about))?;
        let size = 1 << size.ilog2();
        let [own, twice] = [size, (2 * size).min(MOST)].map(|size| moved(launcher, about, size, SETS));
        Ok(Ceiling { bytes_s: far.bytes_s.max(own?).max(twice?), ..far })
    })
}

/// What is known, or what is found out now.
fn once<K: Eq + Hash>(
    known: &Mutex<Option<HashMap<K, Ceiling>>>,
    key: K,
    find: impl FnOnce() -> Result<Ceiling, JudgeError>,
) -> Result<Ceiling, JudgeError> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(found) = known.get(&key) {
        return Ok(*found);
    }
    let found = find()?;
    known.insert(key, found);
    Ok(found)
}

fn far(launcher: &Launcher, about: &About) -> Result<Ceiling, JudgeError> {
    let work = f64::from(blocks(about)) * f64::from(THREADS) * STEPS * SUMS * 2.0;
    let flops_s = rate(launcher, "assay_multiply", &multiply(blocks(about)), SETS, work)?;
    Ok(Ceiling { bytes_s: moved(launcher, about, beyond_cache(about), LARGE_SETS)?, flops_s })
}

fn blocks(about: &About) -> u32 {
    about.multiprocessors.max(1) * FILL
}

/// Bytes per second of copies or reads, the better ones, over memory of this size.
fn moved(launcher: &Launcher, about: &About, size: usize, sets: usize) -> Result<f64, JudgeError> {
    let (case, bytes) = (moving(size, blocks(about)), size as f64);
    let copied = rate(launcher, "assay_copy", &case, sets, 2.0 * bytes)?;
    Ok(copied.max(rate(launcher, "assay_read", &case, sets, bytes)?))
}

/// Bytes of the largest memory, a power of two.
fn beyond_cache(about: &About) -> usize {
    let bytes = usize::try_from(about.l2_bytes.saturating_mul(BEYOND_CACHE)).unwrap_or(MOST);
    1 << bytes.clamp(LEAST, MOST).ilog2()
}

/// Work per second over blocks of calls.
fn rate(launcher: &Launcher, symbol: &str, case: &Case, sets: usize, work: f64) -> Result<f64, JudgeError> {
    let file = |source| JudgeError::File { path: std::env::temp_dir(), source };
    let folder = tempfile::tempdir().map_err(file)?;
    let image = folder.path().join("ceiling.ptx");
    std::fs::write(&image, IMAGE).map_err(file)?;
    let abi = Abi { form: Form::CudaKernel, device: Device::Cuda, align: 256, ..Abi::c(symbol) };
    let mut worker = Worker::start(launcher, &image, &abi, &Limits::default())?;
    let arena = Arena::new(case, sets, Edge::Start, abi.align, false)
        .map_err(|source| JudgeError::Memory { title: case.title(), source })?;
    worker.map(&arena)?;
    let mut calls = SETS;
    loop {
        let block = Block { sets: (0..calls).map(|call| (call % sets) as u16).collect(), ..Block::default() };
        let mut best = u64::MAX;
        for _ in 0..TRIALS {
            best = best.min(worker.block(&block)?.ns.max(1));
        }
        if best >= LEAST_NS || calls >= MOST_CALLS {
            return Ok(work * calls as f64 / best as f64 * 1e9);
        }
        calls = (calls * 8).min(MOST_CALLS);
    }
}

/// A launch over so many bytes, from one tensor to the other.
fn moving(bytes: usize, most: u32) -> Case {
    let wide = (bytes / 16) as u64;
    let blocks = u32::try_from(wide.div_ceil(u64::from(THREADS))).unwrap_or(most).min(most);
    let args = vec![Arg::Tensor(0), Arg::Tensor(1), Arg::I64(wide as i64)];
    case(bytes / 4, blocks, args, &[("from", Role::Input), ("to", Role::Output)])
}

fn multiply(blocks: u32) -> Case {
    let args = vec![Arg::Tensor(1), Arg::F32(0.5)];
    case((blocks * THREADS) as usize, blocks, args, &[("unused", Role::Input), ("to", Role::Output)])
}

fn case(elements: usize, blocks: u32, args: Vec<Arg>, tensors: &[(&str, Role)]) -> Case {
    let layout = Layout::contiguous(DType::Fp32, &[elements]);
    let tensor = |(name, role): &(&str, Role)| Tensor {
        name: (*name).to_owned(),
        role: *role,
        layout: layout.clone(),
    };
    Case {
        kind: Kind::Measured,
        axes: IndexMap::from([("elements".to_owned(), elements as u64)]),
        tensors: tensors.iter().map(tensor).collect(),
        scalars: Vec::new(),
        launch: Some(Launch { grid: [blocks, 1, 1], block: [THREADS, 1, 1], shared: 0, args }),
        shift: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, beyond_cache};
    use crate::worker::About;

    #[test]
    fn the_largest_memory_is_beyond_the_cache() {
        let of = |l2_bytes| beyond_cache(&About { l2_bytes, ..About::default() });
        assert_eq!(of(1 << 20), 8 << 20);
        // An H200 tells of 60 MiB.
        assert_eq!(of(60 << 20), MOST);
    }
}
