//! The rows that a `rank` step is given, with the requests that they were made from.

use crate::rank::Config;
use assay_loadgen::Record;
use assay_protocol::{Status, Value};
use assay_serving::rank::Input;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Why there are no rows.
pub(crate) type Unread = (Status, String);

/// Where a benchmark keeps its requests, beside its row.
const REQUESTS: &str = "requests.jsonl";

/// Every row: first the values, then those of files.
pub(crate) fn inputs(config: &Config) -> Result<Vec<Input>, Unread> {
    if !config.records.is_empty() && config.records.len() != config.rows.len() {
        let (records, rows) = (config.records.len(), config.rows.len());
        let reason = format!(
            "`records` has {records} entries and `rows` {rows}; give one for each row, empty for none"
        );
        return Err((Status::Failed, reason));
    }
    let mut inputs = Vec::with_capacity(config.rows.len());
    for (index, row) in config.rows.iter().enumerate() {
        let file = config.records.get(index).filter(|file| !file.0.as_os_str().is_empty());
        let runs = file.map(|file| runs(&file.0)).transpose()?.unwrap_or_default();
        inputs.push(Input { row: row.clone(), runs });
    }
    for file in &config.files {
        let rows: Vec<Value> = lines(&file.0)?;
        let beside = file.0.with_file_name(REQUESTS);
        let runs = if rows.len() == 1 && beside.is_file() { runs(&beside)? } else { Vec::new() };
        inputs.extend(rows.into_iter().map(|row| Input { row, runs: runs.clone() }));
    }
    Ok(inputs)
}

/// The values of a file, one per line; blank lines are passed over.
fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, Unread> {
    let io =
        |error: std::io::Error| (Status::Environment, format!("cannot read `{}`: {error}", path.display()));
    let mut values = Vec::new();
    for (index, line) in BufReader::new(File::open(path).map_err(io)?).lines().enumerate() {
        let line = line.map_err(io)?;
        if !line.trim().is_empty() {
            let value = serde_json::from_str(&line).map_err(|error| {
                (Status::Failed, format!("line {} of `{}` does not fit: {error}", index + 1, path.display()))
            })?;
            values.push(value);
        }
    }
    Ok(values)
}

/// The requests of each repeat, in the order of their numbers.
fn runs(path: &Path) -> Result<Vec<Vec<Record>>, Unread> {
    #[derive(Deserialize)]
    struct Line {
        repeat: u32,
        record: Record,
    }
    let mut runs: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
    for Line { repeat, record } in lines::<Line>(path)? {
        runs.entry(repeat).or_default().push(record);
    }
    Ok(runs.into_values().collect())
}
