//! The one edit to try next where nobody has named one: a table from what bounds the kernel. It knows no source, so it is where to
//! begin and no more. Must not give two.

use super::NcuKernel;
use super::digest::{DURATION, Digest, Side};

/// An edit to try next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What to change, a fragment.
    pub change: String,
    /// Metric of the table that has to move.
    pub metric: String,
    /// Where to, a verb.
    pub expected: &'static str,
}

/// What to change by what bounds the kernel, after NVIDIA's guides to Nsight Compute (Compute Triage Guide; Profiling Guide, warp stall
/// reasons). The duration decides where less work is the aim: shares of a peak fall with it.
const TABLE: [(Option<Side>, &str); 4] = [
    (
        Some(Side::Memory),
        "move fewer bytes for each result: neighbouring threads read neighbouring addresses, 16 bytes at a time, and nothing is read twice",
    ),
    (
        Some(Side::Compute),
        "issue fewer instructions for each result: take out what is computed twice, and use wider or fused ones",
    ),
    (Some(Side::Latency), "give each thread more independent work, so that less time is spent waiting"),
    (None, "take the table again with `--set full`, which says what bounds the kernel"),
];

/// The edit that follows from what bounds a launch; always one.
pub fn proposal(kernel: &NcuKernel, digest: &Digest) -> Proposal {
    let side = digest.roofline.as_ref().map(|roofline| roofline.side);
    let change = TABLE.iter().find(|(of, _)| *of == side).map_or("", |(_, change)| change);
    let has = |name: &&&str| kernel.metrics.iter().any(|metric| metric.name == **name);
    let duration = DURATION.iter().find(has).map(|name| (*name).to_owned());
    let longest = digest.stalls.first();
    let (change, metric) = match (side, digest.waves, longest) {
        (Some(Side::Latency), Some(waves), _) if waves < 1.0 => {
            (format!("launch more and smaller blocks: these fill {waves:.2} of a wave"), duration)
        }
        (Some(Side::Latency), _, Some(stall)) => {
            (format!("{change} for `{}`", stall.reason), Some(stall.metric.clone()))
        }
        _ => (change.to_owned(), duration),
    };
    // A table without a duration still holds something that was measured.
    let any = || kernel.metrics.first().map(|metric| metric.name.clone()).unwrap_or_default();
    Proposal { change, metric: metric.unwrap_or_else(any), expected: "fall" }
}

#[cfg(test)]
mod tests {
    use super::{Proposal, proposal};
    use crate::ncu::{NcuKernel, digest, parse};
    use std::path::Path;

    fn launch(rows: &[(&str, &str, &str)]) -> NcuKernel {
        let mut text = String::from(
            "\"ID\",\"Kernel Name\",\"Section Name\",\"Metric Name\",\"Metric Unit\",\"Metric Value\"\n",
        );
        for (name, unit, value) in rows {
            text.push_str(&format!("\"0\",\"k\",\"s\",\"{name}\",\"{unit}\",\"{value}\"\n"));
        }
        parse(Path::new("k.csv"), &text).expect("a table").remove(0)
    }

    fn of(rows: &[(&str, &str, &str)]) -> Proposal {
        let kernel = launch(rows);
        let found = proposal(&kernel, &digest(&kernel));
        assert!(kernel.metrics.iter().any(|metric| metric.name == found.metric), "{found:?}");
        found
    }

    #[test]
    fn there_is_one_edit_for_whatever_bounds_a_kernel() {
        let speed = |sm, memory| {
            [("Duration", "us", "4.2"), ("SM Throughput", "%", sm), ("Memory Throughput", "%", memory)]
        };
        let (memory, compute) = (of(&speed("20", "81")), of(&speed("90", "30")));
        assert!(memory.change.starts_with("move fewer bytes") && memory.metric == "Duration", "{memory:?}");
        assert!(compute.change.starts_with("issue fewer instructions"), "{compute:?}");
        let mut rows = speed("20", "30").to_vec();
        assert!(of(&rows).change.starts_with("give each thread more"));
        rows.push(("Stall Long Scoreboard", "inst", "9.1"));
        let waits = of(&rows);
        assert!(waits.change.ends_with("`long scoreboard`"), "{waits:?}");
        assert_eq!(waits.metric, "Stall Long Scoreboard");
        rows.push(("Waves Per SM", "", "0.25"));
        let few = of(&rows);
        assert!(few.change.contains("0.25 of a wave") && few.metric == "Duration", "{few:?}");
        assert!(of(&[("Registers Per Thread", "register/thread", "32")]).change.contains("--set full"));
    }
}
