//! The files that prove a row.

use super::{Bench, Measurement, Outcomes};
use crate::LoadError;
use crate::row::to_line;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// Everything about a benchmark but its single requests: `bench.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Version of this format.
    pub schema_version: u32,
    /// What was asked for, with every default. Values of headers are masked.
    pub bench: Bench,
    /// One per repeat.
    pub measurements: Vec<Measurement>,
    /// It was stopped before its end.
    pub stopped: bool,
}

/// Writes `row.jsonl` (one line), `bench.json` and `requests.jsonl` (one line per request, with the number of its repeat) into a
/// folder that exists.
///
/// # Errors
/// A file cannot be written.
pub fn write(bench: &Bench, outcomes: &Outcomes, folder: &Path) -> Result<(), LoadError> {
    let line = to_line(&outcomes.row).map_err(|error| LoadError::Config(error.to_string()))?;
    put(&folder.join("row.jsonl"), |file| file.write_all(line.as_bytes()))?;
    let mut shown = bench.clone();
    shown.headers.values_mut().for_each(|value| "***".clone_into(value));
    let evidence = Evidence {
        schema_version: 1,
        bench: shown,
        measurements: outcomes.measurements.clone(),
        stopped: outcomes.stopped,
    };
    put(&folder.join("bench.json"), |file| {
        serde_json::to_writer_pretty(&mut *file, &evidence)?;
        file.write_all(b"\n")
    })?;
    put(&folder.join("requests.jsonl"), |file| {
        for (repeat, records) in (1_u32..).zip(&outcomes.records) {
            for record in records {
                #[derive(Serialize)]
                struct Line<'a> {
                    repeat: u32,
                    record: &'a crate::Record,
                }
                serde_json::to_writer(&mut *file, &Line { repeat, record })?;
                file.write_all(b"\n")?;
            }
        }
        Ok(())
    })
}

fn put(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<(), LoadError> {
    let file = File::create(path).map_err(LoadError::io("write", path))?;
    let mut file = BufWriter::new(file);
    fill(&mut file).and_then(|()| file.flush()).map_err(LoadError::io("write", path))
}
