//! Metrics by their names in either page of ncu, in one unit. ncu scales each value for reading (`Kbyte`, `usecond`),
//! and versions differ in the words.

use super::{Metric, NcuKernel};

/// What a value is wanted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Percent of a peak.
    Percent,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes (of a block where the metric says so).
    Bytes,
    /// Whatever the metric counts.
    Count,
}

/// The first of `names` that the launch has with a value in a unit that can be `unit`.
pub fn value(kernel: &NcuKernel, names: &[&str], unit: Unit) -> Option<f64> {
    names.iter().find_map(|name| {
        let own = kernel.metrics.iter().filter(|metric| metric.name == *name);
        own.filter_map(|metric| scaled(metric, unit)).next()
    })
}

/// The value of a metric in `unit`; none where its own unit is of another kind, as `Memory Throughput` is both a
/// share and a rate.
fn scaled(metric: &Metric, unit: Unit) -> Option<f64> {
    let number = metric.number?;
    let own = metric.unit.as_str();
    let factor = match unit {
        Unit::Count => 1.0,
        Unit::Percent => (own == "%" || (own.is_empty() && metric.name.contains("pct"))).then_some(1.0)?,
        Unit::Nanoseconds => match own {
            "ns" | "nsecond" => 1.0,
            "us" | "usecond" => 1e3,
            "ms" | "msecond" => 1e6,
            "s" | "second" => 1e9,
            _ => return None,
        },
        Unit::Bytes => {
            let own = own.split('/').next().unwrap_or_default();
            match own {
                "byte" => 1.0,
                "Kbyte" => 1e3,
                "Mbyte" => 1e6,
                "Gbyte" => 1e9,
                "Kibyte" => 1024.0,
                "Mibyte" => 1024.0 * 1024.0,
                _ => return None,
            }
        }
    };
    Some(number * factor)
}
