//! `load`: the host is not busy.

use super::{cannot, kind, settled};
use crate::config::{self, schema_of};
use assay_manifest::Kind;
use assay_run::{Check, CheckResult, LocalFuture, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Looks at the load average.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Highest load average of the last minute per usable core.
    #[schemars(range(min = 0))]
    max_per_core: f64,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct Load;

impl Check for Load {
    fn kind(&self) -> Kind {
        kind(
            "load",
            "The host is not busy",
            "Compares the load average of the last minute, divided by the cores that this process may use, with a \
             limit. On a busy host timings say little.",
            "check: load\nwith: {max_per_core: 0.7}\non_fail: warn\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move { settled(look(cx)) })
    }
}

fn look(cx: &StepCtx) -> Result<CheckResult, CheckResult> {
    let config: Config = config::read(&cx.config).map_err(cannot)?;
    let text = std::fs::read_to_string("/proc/loadavg")
        .map_err(|error| cannot(format!("cannot read the load average: {error}")))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    judge(&text, cores, config.max_per_core)
}

fn judge(loadavg: &str, cores: usize, most: f64) -> Result<CheckResult, CheckResult> {
    let load: f64 = loadavg
        .split_ascii_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| cannot(format!("`/proc/loadavg` holds no load average: `{}`", loadavg.trim())))?;
    let per_core = load / cores as f64;
    let evidence = json!({"load_1m": load, "cores": cores, "per_core": per_core, "max_per_core": most});
    let found = format!("load {load} on {cores} cores, {per_core:.2} per core");
    if per_core > most {
        return Err(CheckResult::fails(format!("{found}, expected at most {most}"), evidence));
    }
    Ok(CheckResult::holds(found, evidence))
}

#[cfg(test)]
mod tests {
    use super::{judge, settled};

    #[test]
    fn load_is_per_core() {
        assert!(settled(judge("1.40 0.5 0.2 1/100 4711\n", 2, 0.7)).holds);
        let busy = settled(judge("1.42 0.5 0.2 1/100 4711\n", 2, 0.7));
        assert!(!busy.holds && busy.found.contains("0.71 per core"), "{}", busy.found);
        assert!(settled(judge("x", 2, 0.7)).found.contains("no load average"));
    }
}
