//! What the report says about the machine, the session and its own losses.

use super::{Database, Import};
use crate::error::TraceError;
use serde_json::{Map, Value};

/// Columns of `TARGET_INFO_GPU` and the names that `torch.profiler` gives the same things; views know these.
const GPU: [(&str, &str); 13] = [
    ("id", "id"),
    ("name", "name"),
    ("totalMemory", "totalGlobalMem"),
    ("smCount", "numSms"),
    ("computeMajor", "computeMajor"),
    ("computeMinor", "computeMinor"),
    ("threadsPerWarp", "warpSize"),
    ("maxThreadsPerBlock", "maxThreadsPerBlock"),
    ("maxRegistersPerBlock", "regsPerBlock"),
    ("maxRegistersPerSm", "regsPerMultiprocessor"),
    ("maxShmemPerBlock", "sharedMemPerBlock"),
    ("maxShmemPerSm", "sharedMemPerMultiprocessor"),
    // In bytes per second; `torch.profiler` has no such field.
    ("memoryBandwidth", "memoryBandwidth"),
];
/// Warnings that are kept; a report of many processes repeats them for each.
const WARNINGS: usize = 16;

pub fn read(database: &Database, import: &mut Import) -> Result<(), TraceError> {
    gpus(database, import)?;
    database.scan("TARGET_INFO_CUDA_DEVICE", &["gpuId", "cudaId", "pid"], 2, |row| {
        if let (Some(gpu), Some(device)) = (row.int(0), row.int(1)) {
            import.places.gpus.insert((row.int(2), device), gpu);
        }
    })?;
    database.scan("TARGET_INFO_SESSION_START_TIME", &["utcEpochNs"], 0, |row| {
        // Every time of the report counts from the start of its session.
        import.trace.head.base_time = import.trace.head.base_time.or(row.int(0));
    })?;
    diagnostics(database, import)
}

fn gpus(database: &Database, import: &mut Import) -> Result<(), TraceError> {
    let columns = GPU.map(|(column, _)| column);
    database.scan("TARGET_INFO_GPU", &columns, 0, |row| {
        let mut device = Map::new();
        for (index, (_, key)) in GPU.iter().enumerate() {
            let number = row.int(index).map(Value::from);
            let value = number.or_else(|| row.text(index).map(|text| Value::from(text.into_owned())));
            if let Some(value) = value {
                device.insert((*key).to_owned(), value);
            }
        }
        if !device.is_empty() {
            import.trace.head.device_properties.push(Value::Object(device));
        }
    })
}

fn diagnostics(database: &Database, import: &mut Import) -> Result<(), TraceError> {
    database.scan("DIAGNOSTIC_EVENT", &["text"], 0, |row| {
        let Some(text) = row.text(0) else { return };
        let reading = &mut import.trace.reading;
        match loss(&text) {
            Loss::None => {}
            Loss::Events(lost) => reading.lost_by_profiler += lost,
            Loss::Possible => {
                let text = text.trim().to_owned();
                if reading.warnings.len() < WARNINGS && !reading.warnings.contains(&text) {
                    reading.warnings.push(text);
                }
            }
        }
    })
}

/// What a message says about events that are missing.
#[derive(Debug, PartialEq, Eq)]
enum Loss {
    None,
    Events(u64),
    /// Something may be missing. nsys says so of many sound reports, so it is a warning and no loss.
    Possible,
}

fn loss(text: &str) -> Loss {
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // Samples of the CPU and of the scheduler are no part of a trace of the GPU.
    if has(&["sampl", "os runtime", "context switch", "ftrace", "etw", "scheduling"]) {
        return Loss::None;
    }
    if has(&["dropped", "lost", "discarded", "overflow"]) {
        return match first_number(&text) {
            Some(lost) => Loss::Events(lost),
            None => Loss::Possible,
        };
    }
    if has(&["not all ", "not supported", "not been started correctly", "incomplete"]) {
        return Loss::Possible;
    }
    Loss::None
}

/// The first whole number; digits may be grouped by commas.
fn first_number(text: &str) -> Option<u64> {
    let start = text.find(|letter: char| letter.is_ascii_digit())?;
    let digits = text[start..].chars().take_while(|letter| letter.is_ascii_digit() || *letter == ',');
    digits.filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Loss, loss};

    #[test]
    fn losses_are_told_from_warnings() {
        for (text, wanted) in [
            ("Number of CUPTI events dropped: 1,204", Loss::Events(1204)),
            ("12 CUDA events were lost", Loss::Events(12)),
            ("CUPTI buffers were dropped", Loss::Possible),
            ("Not all CUDA events might have been collected.", Loss::Possible),
            ("Number of CUPTI events produced: 79,216, CUPTI buffers: 4.", Loss::None),
            ("32 samples were dropped", Loss::None),
            ("Not all OS runtime libraries events might have been collected.", Loss::None),
            ("Profiling has started.", Loss::None),
        ] {
            assert_eq!(loss(text), wanted, "{text}");
        }
    }
}
