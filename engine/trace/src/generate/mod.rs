//! Synthetic traces of an LLM server with exactly known truth.
//!
//! A [`Recipe`] describes the trace; [`write()`] streams it in the profiler's own order and layout and returns the
//! [`Truth`], counted from the very numbers that were written. The same recipe gives the same bytes on every platform.
//! Memory does not grow with the trace, but for the account of passes and 8 bytes a launch. This module must not read
//! traces: a reader that shared code with it could share its errors.

mod account;
mod damage;
mod device;
mod document;
mod event;
mod host;
mod json;
mod kernels;
mod model;
mod random;
mod recipe;
mod schedule;
mod simulate;
mod sweep;
mod truth;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

pub use damage::Damage;
pub use recipe::{Annotations, Recipe, Root, Schema, Straggler, Vendor};
pub use truth::{
    CollectiveTruth, Delay, GpuTruth, KernelTruth, LayerTruth, PassTruth, SourceTruth, Stage, Truth,
};

use damage::{Counter, Cut, Effects};
use device::Device;
use host::{Frames, Operators};
use json::Json;
use simulate::Simulation;

/// Why no trace was written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A rank that the job does not have.
    #[error("rank {rank} in a job of {world} ranks")]
    Rank {
        /// The rank.
        rank: u32,
        /// Ranks in the job.
        world: u32,
    },
    /// A number outside its bounds.
    #[error("`{field}` is {value}, outside {least} to {most}")]
    Range {
        /// The field of the recipe, or `level` of the compression.
        field: &'static str,
        /// What it is.
        value: u32,
        /// The least it can be.
        least: u32,
        /// The most it can be.
        most: u32,
    },
    /// The share to keep of a truncated trace is not between 0 and 1.
    #[error("a share of {share} to keep, outside 0 to 1")]
    Share {
        /// The share.
        share: f64,
    },
    /// The output failed.
    #[error("cannot write the trace: {0}")]
    Output(#[from] io::Error),
    /// The file cannot be made.
    #[error("cannot create `{}`: {source}", path.display())]
    Create {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Compression of [`write_file`] when none is asked for: the fastest.
pub const DEFAULT_LEVEL: u32 = 1;

/// Writes the trace as JSON text.
///
/// # Errors
/// A recipe outside its bounds, or an output that fails.
pub fn write(recipe: &Recipe, mut out: impl Write) -> Result<Truth, GenerateError> {
    write_all(recipe, None, &mut out)
}

/// Writes the trace with a defect.
///
/// # Errors
/// As [`write()`]; [`GenerateError::Share`] for a share outside 0 to 1.
pub fn write_damaged(recipe: &Recipe, damage: Damage, mut out: impl Write) -> Result<Truth, GenerateError> {
    let Damage::TruncateAt(share) = damage else { return write_all(recipe, Some(damage), &mut out) };
    if !(0.0..=1.0).contains(&share) {
        return Err(GenerateError::Share { share });
    }
    let mut counter = Counter::default();
    write_all(recipe, None, &mut counter)?;
    let left = (counter.bytes as f64 * share) as u64;
    write_all(recipe, None, &mut Cut { out: &mut out, left })
}

/// Writes the trace compressed with gzip; `level` is 1 (fast) to 6 (small).
///
/// # Errors
/// As [`write()`]; [`GenerateError::Range`] for another level.
pub fn write_gz(recipe: &Recipe, level: u32, out: impl Write) -> Result<Truth, GenerateError> {
    if !(1..=6).contains(&level) {
        return Err(GenerateError::Range { field: "level", value: level, least: 1, most: 6 });
    }
    let mut encoder = GzEncoder::new(out, Compression::new(level));
    let truth = write_all(recipe, None, &mut encoder)?;
    encoder.finish()?.flush()?;
    Ok(truth)
}

/// Writes the trace to a file, compressed at [`DEFAULT_LEVEL`] if its name ends in `.gz`.
///
/// # Errors
/// As [`write()`]; [`GenerateError::Create`] if the file cannot be made.
pub fn write_file(recipe: &Recipe, path: &Path) -> Result<Truth, GenerateError> {
    recipe.check()?;
    let create = |source| GenerateError::Create { path: path.to_owned(), source };
    let file = File::create(path).map_err(create)?;
    if path.extension().is_some_and(|ending| ending == "gz") {
        write_gz(recipe, DEFAULT_LEVEL, file)
    } else {
        write(recipe, file)
    }
}

/// Three runs of the same simulation, one for each section of the file.
fn write_all(recipe: &Recipe, damage: Option<Damage>, out: &mut dyn Write) -> Result<Truth, GenerateError> {
    recipe.check()?;
    let effects = Effects::of(damage);
    let (oddities, poison) = (effects.oddities, effects.poison);
    let mut json = Json::new(out, recipe, effects.quoted_ids);
    json.open(&document::head(recipe));
    let mut truth = Truth::default();
    if !effects.empty {
        let operators = Operators::new(&mut json, recipe, poison);
        let (_, end) = Simulation::new(recipe, oddities, operators).run()?;
        if recipe.frames() {
            let frames = Frames::new(&mut json, recipe, poison, end);
            Simulation::new(recipe, oddities, frames).run()?;
        }
        let device = Device::new(&mut json, recipe, effects.left);
        let (device, _) = Simulation::new(recipe, oddities, device).run()?;
        truth = device.finish();
        let window = (simulate::origin(recipe, oddities), end);
        document::closing_events(&mut json, recipe, window, poison);
    }
    json.close(document::TAIL);
    json.finish()?;
    truth.events = json.counts();
    (truth.rank, truth.world, truth.device) = (recipe.rank, recipe.world, recipe.device());
    Ok(truth)
}
