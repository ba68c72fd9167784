//! Tables of Nsight Compute: `ncu --csv --page raw` (a row per launch, a second row of units) and `--page details`
//! (a row per metric).
//!
//! ncu prints its table between its own messages and whatever the profiled program prints, so the table is searched
//! for. Numbers stand as ncu's locale writes them. Nothing is judged here: see [`crate::ncu`].

use crate::error::TraceError;
use csv::StringRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// One launch that ncu profiled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NcuKernel {
    /// Number of the launch within the report, from 0.
    pub id: u64,
    /// Process that launched it, where the table says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u64>,
    /// Its name as ncu prints it: demangled, with parameters unless `--kernel-name-base function` was given.
    pub kernel: String,
    /// Blocks in x, y and z; versions before 2022 do not print them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<[u32; 3]>,
    /// Threads of a block in x, y and z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<[u32; 3]>,
    /// Number of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u32>,
    /// Metrics in the order of the table.
    pub metrics: Vec<Metric>,
    /// Sections of `--page details` in the order of the table; empty for `--page raw`.
    pub sections: Vec<String>,
}

/// One metric of one launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// Section of `--page details`; two sections may have a metric of one name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Its name: `sm__throughput.avg.pct_of_peak_sustained_elapsed`, or `Compute (SM) Throughput` in details.
    pub name: String,
    /// Its unit as ncu prints it, which depends on the size of the value: `ns`, `usecond`, `Kbyte/block`, `%`.
    pub unit: String,
    /// Its value in `unit`; none where it is no number (`n/a`, names, lists).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
    /// Its value as printed.
    pub text: String,
}

/// Reads what `ncu --csv` printed.
///
/// # Errors
/// [`TraceError::Io`], [`TraceError::NotNcu`] where there is no such table, [`TraceError::Csv`] for a row that
/// cannot be understood, with its line.
pub fn read(path: &Path) -> Result<Vec<NcuKernel>, TraceError> {
    let bytes = std::fs::read(path).map_err(|error| TraceError::Io { path: path.to_owned(), error })?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let found = "it is UTF-16, as some shells redirect; use `ncu --log-file` instead".into();
        return Err(TraceError::NotNcu { path: path.to_owned(), found });
    }
    parse(path, &String::from_utf8_lossy(&bytes))
}

/// Reads the text of such a file. `path` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, text: &str) -> Result<Vec<NcuKernel>, TraceError> {
    let (table, lines) = table_only(path, text)?;
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(table.as_bytes());
    let mut parser =
        Parser { path, lines, header: None, kernels: Vec::new(), known: HashMap::new(), last_line: 0 };
    for record in reader.records() {
        let record = record.map_err(|error| parser.fail(0, error.to_string()))?;
        parser.record(&record)?;
    }
    Ok(parser.kernels)
}

/// The lines of the table alone, and the number of each in the file.
fn table_only(path: &Path, text: &str) -> Result<(String, Vec<u64>), TraceError> {
    let mut table = String::with_capacity(text.len());
    let mut quoted_rows = None;
    let mut in_quotes = false;
    let mut lines = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if quoted_rows.is_none() && is_header(line) {
            quoted_rows = Some(line.starts_with('"'));
        }
        let kept = match quoted_rows {
            None => false,
            // ncu quotes all fields or none.
            Some(true) => in_quotes || line.starts_with('"'),
            Some(false) => in_quotes || !(line.starts_with("==") || line.trim().is_empty()),
        };
        if kept {
            table.push_str(line);
            in_quotes ^= line.matches('"').count() % 2 == 1;
            lines.push(index as u64 + 1);
            table.push('\n');
        }
    }
    if in_quotes {
        let reason = "the file ends in the middle of a row".into();
        return Err(TraceError::Csv {
            path: path.to_owned(),
            line: lines.last().copied().unwrap_or_default(),
            reason,
        });
    }
    if quoted_rows.is_some() {
        return Ok((table, lines));
    }
    let error = text.lines().find(|line| line.starts_with("==ERROR=="));
    let found = match error {
        Some(error) => format!("ncu failed: {}", error.trim_start_matches("==ERROR==").trim()),
        None => "no line has the column `Kernel Name`".into(),
    };
    Err(TraceError::NotNcu { path: path.to_owned(), found })
}

fn is_header(line: &str) -> bool {
    let mut fields =
        line.split(',').map(|field| field.trim_matches(|letter| matches!(letter, '"' | ' ' | '\r')));
    let first = fields.next();
    matches!(first, Some("ID" | "Process ID" | "Kernel Name"))
        && (first == Some("Kernel Name") || fields.any(|field| field == "Kernel Name"))
}

/// Columns that describe the launch; every other column of a wide table is a metric.
const LAUNCH: [&str; 13] = [
    "ID",
    "Process ID",
    "Process Name",
    "Host Name",
    "Kernel Name",
    "Kernel Time",
    "Context",
    "Stream",
    "Block Size",
    "Grid Size",
    "Device",
    "CC",
    "Section Name",
];

/// Where the columns of a table are.
struct Header {
    names: Vec<String>,
    id: usize,
    kernel: usize,
    /// Name, unit and value of a long table.
    long: Option<[usize; 3]>,
    /// Units of a wide table, once their row came.
    units: Option<Vec<String>>,
}

impl Header {
    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|column| column == name)
    }

    fn field<'r>(&self, record: &'r StringRecord, name: &str) -> Option<&'r str> {
        record.get(self.place(name)?).map(str::trim).filter(|field| !field.is_empty())
    }
}

struct Parser<'p> {
    path: &'p Path,
    /// Number in the file of each line of the table.
    lines: Vec<u64>,
    header: Option<Header>,
    kernels: Vec<NcuKernel>,
    known: HashMap<(Option<u64>, u64), usize>,
    last_line: u64,
}

impl Parser<'_> {
    fn fail(&self, line: u64, reason: String) -> TraceError {
        let line = if line == 0 { self.last_line } else { line };
        TraceError::Csv { path: self.path.to_owned(), line, reason }
    }

    fn record(&mut self, record: &StringRecord) -> Result<(), TraceError> {
        let line = record.position().map_or(0, |position| position.line().saturating_sub(1) as usize);
        let line = self.lines.get(line).copied().unwrap_or_default();
        self.last_line = line;
        // Runs of several processes print a table each.
        if record.iter().any(|field| field == "Kernel Name") {
            self.header = Some(self.columns(record, line)?);
            return Ok(());
        }
        let Some(mut header) = self.header.take() else { return Ok(()) };
        let result = self.row(record, line, &mut header);
        self.header = Some(header);
        result
    }

    fn columns(&self, record: &StringRecord, line: u64) -> Result<Header, TraceError> {
        let names: Vec<String> = record.iter().map(|field| field.trim().to_owned()).collect();
        let place = |name: &str| names.iter().position(|column| column == name);
        let Some((id, kernel)) = place("ID").zip(place("Kernel Name")) else {
            let reason = "the table has no column `ID`: it is a summary; print it without `--print-summary`";
            return Err(self.fail(line, reason.into()));
        };
        let long = [place("Metric Name"), place("Metric Unit"), place("Metric Value")];
        let long = match long {
            [Some(name), Some(unit), Some(value)] => Some([name, unit, value]),
            _ => None,
        };
        Ok(Header { names, id, kernel, long, units: None })
    }

    fn row(&mut self, record: &StringRecord, line: u64, header: &mut Header) -> Result<(), TraceError> {
        let needed = header.long.map_or(header.names.len(), |long| long.into_iter().fold(0, usize::max) + 1);
        if record.len() < needed {
            let reason =
                format!("the row has {} fields where the table has {}", record.len(), header.names.len());
            return Err(self.fail(line, reason));
        }
        let id = record[header.id].trim();
        if id.is_empty() && header.long.is_none() && header.units.is_none() {
            header.units = Some(record.iter().map(|unit| unit.trim().to_owned()).collect());
            return Ok(());
        }
        let id = number(id).filter(|id| *id >= 0.0 && id.fract() == 0.0).map(|id| id as u64);
        let Some(id) = id else {
            return Err(self.fail(line, format!("the ID `{}` is no whole number", &record[header.id])));
        };
        let kernel = self.kernel(record, line, header, id)?;
        match header.long {
            Some(long) => long_row(kernel, record, header, long),
            None => wide_row(kernel, record, header),
        }
        Ok(())
    }

    /// The launch of a row, made where this is its first.
    fn kernel(
        &mut self,
        record: &StringRecord,
        line: u64,
        header: &Header,
        id: u64,
    ) -> Result<&mut NcuKernel, TraceError> {
        let process = header.field(record, "Process ID").and_then(whole);
        let place = match self.known.get(&(process, id)) {
            // A wide table has a row for each launch; the same ID again is another report in the same file.
            Some(&place) if header.long.is_some() => place,
            _ => {
                let size = |name: &str| match header.field(record, name) {
                    None => Ok(None),
                    Some(text) => match triple(text) {
                        Some(size) => Ok(Some(size)),
                        None => Err(self
                            .fail(line, format!("the {} `{text}` is no `(x, y, z)`", name.to_lowercase()))),
                    },
                };
                let (grid, block) = (size("Grid Size")?, size("Block Size")?);
                let device = header.field(record, "Device").and_then(whole);
                self.kernels.push(NcuKernel {
                    id,
                    process,
                    kernel: record[header.kernel].trim().to_owned(),
                    grid,
                    block,
                    device: device.and_then(|device| u32::try_from(device).ok()),
                    ..NcuKernel::default()
                });
                self.known.insert((process, id), self.kernels.len() - 1);
                self.kernels.len() - 1
            }
        };
        Ok(&mut self.kernels[place])
    }
}

fn long_row(kernel: &mut NcuKernel, record: &StringRecord, header: &Header, [name, unit, value]: [usize; 3]) {
    let section = header.field(record, "Section Name").map(str::to_owned);
    if let Some(section) = &section
        && !kernel.sections.contains(section)
    {
        kernel.sections.push(section.clone());
    }
    // Rows of rules have a text and no metric.
    if record[name].trim().is_empty() {
        return;
    }
    kernel.metrics.push(metric(section, &record[name], &record[unit], &record[value]));
}

fn wide_row(kernel: &mut NcuKernel, record: &StringRecord, header: &Header) {
    for (index, name) in header.names.iter().enumerate() {
        // Columns of NVTX ranges are called after their format, `thread Domain:Push/Pop_Range:..`.
        if LAUNCH.contains(&name.as_str()) || name.contains("Domain:") || record[index].trim().is_empty() {
            continue;
        }
        let unit = header.units.as_ref().map_or("", |units| units[index].as_str());
        kernel.metrics.push(metric(None, name, unit, &record[index]));
    }
    let sizes = |axis: &str| {
        let of = |letter: &str| {
            kernel.metrics.iter().find(|metric| metric.name == format!("launch__{axis}_dim_{letter}"))
        };
        let sizes = ["x", "y", "z"].map(|letter| of(letter)?.number.map(|number| number as u32));
        Some([sizes[0]?, sizes[1]?, sizes[2]?])
    };
    let (grid, block) = (sizes("grid"), sizes("block"));
    kernel.grid = kernel.grid.or(grid);
    kernel.block = kernel.block.or(block);
}

fn metric(section: Option<String>, name: &str, unit: &str, value: &str) -> Metric {
    let text = value.trim().to_owned();
    Metric {
        section,
        name: name.trim().to_owned(),
        unit: unit.trim().to_owned(),
        number: number(&text),
        text,
    }
}

/// A number in the form of any locale. A single comma before three digits groups thousands, as ncu prints by default;
/// a comma before another count of digits, or behind a point, is a decimal comma.
fn number(text: &str) -> Option<f64> {
    let text: String =
        text.chars().filter(|letter| !matches!(letter, ' ' | '\u{a0}' | '\u{202f}' | '\'')).collect();
    if !text.starts_with(|letter: char| letter.is_ascii_digit() || matches!(letter, '-' | '+' | '.')) {
        return None;
    }
    let (comma, point) = (text.rfind(','), text.rfind('.'));
    let grouped = |mark: char| text.split(mark).skip(1).all(|part| part.len() >= 3);
    let plain = match (comma, point) {
        (None, _) if text.matches('.').count() > 1 && grouped('.') => text.replace('.', ""),
        (None, _) => text,
        (Some(comma), Some(point)) if comma > point => text.replace('.', "").replace(',', "."),
        (Some(_), Some(_)) => text.replace(',', ""),
        (Some(comma), None) if decimal_comma(&text, comma) => text.replace(',', "."),
        (Some(_), None) => text.replace(',', ""),
    };
    plain.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether the last comma of a number without a point ends its whole part.
fn decimal_comma(text: &str, comma: usize) -> bool {
    let single = text.matches(',').count() == 1;
    single && (text.len() - comma != 4 || text.trim_start_matches('-').starts_with("0,"))
}

fn whole(text: &str) -> Option<u64> {
    number(text).filter(|number| *number >= 0.0 && number.fract() == 0.0).map(|number| number as u64)
}

/// `(256, 1, 1)`, with or without blanks.
fn triple(text: &str) -> Option<[u32; 3]> {
    let inside = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let parts: Vec<u32> = inside.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_of_every_locale() {
        for (text, wanted) in [
            ("1,234", 1234.0),
            ("1,234,567.89", 1_234_567.89),
            ("1.234.567,89", 1_234_567.89),
            ("1.234.567", 1_234_567.0),
            ("12,5", 12.5),
            ("0,5123", 0.5123),
            ("-0,512", -0.512),
            ("0.51", 0.51),
            ("-3", -3.0),
            ("1 234", 1234.0),
            ("6.1e+09", 6.1e9),
        ] {
            assert_eq!(number(text), Some(wanted), "{text}");
        }
        for text in ["", "n/a", "nan", "inf", "CachePreferNone", "(1, 2, 3)", "-", "12 (3; 4)"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
