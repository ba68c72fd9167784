//! `gpu_idle`: nobody uses the GPUs, as `nvidia-smi` tells.

use super::{cannot, kind, not_in_rehearsal, settled};
use crate::config::{self, schema_of};
use crate::gpus::{self, Gpu};
use assay_manifest::Kind;
use assay_protocol::{Status, Value};
use assay_run::{Check, CheckResult, LocalFuture, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Memory that an idle GPU may hold for the driver itself, in MiB.
const MEMORY_MIB: u64 = 32;
/// Utilisation of an idle GPU, in percent: what sampling noise may show.
const UTILISATION: u64 = 5;

/// Looks at GPUs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Physical ids of the GPUs. Default: all.
    #[serde(default)]
    ids: Option<Vec<u32>>,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct GpuIdle;

impl Check for GpuIdle {
    fn kind(&self) -> Kind {
        kind(
            "gpu_idle",
            "Nobody uses the GPUs",
            "A GPU is idle when it has no compute process, holds at most 32 MiB and is at most 5 % busy. Without \
             `nvidia-smi` or a GPU the check ends as `environment`. A rehearsal leases no GPU, so the check is skipped.",
            "check: gpu_idle\nwith: {ids: [0, 1]}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move { settled(look(cx).await) })
    }
}

async fn look(cx: &StepCtx) -> Result<CheckResult, CheckResult> {
    let config: Config = config::read(&cx.config).map_err(cannot)?;
    not_in_rehearsal(cx)?;
    let gpus = gpus::query(cx, gpus::FIELDS).await.map_err(environment)?;
    let apps = gpus::query(cx, gpus::APPS).await.map_err(environment)?;
    judge(&gpus, &apps, config.ids.as_deref())
}

fn environment(found: String) -> CheckResult {
    CheckResult { status: Some(Status::Environment), ..CheckResult::fails(found, Value::Null) }
}

fn judge(gpus: &str, apps: &str, wanted: Option<&[u32]>) -> Result<CheckResult, CheckResult> {
    let mut all = Vec::new();
    for line in gpus.lines().filter(|line| !line.trim().is_empty()) {
        let read = Gpu::read(line);
        all.push(read.ok_or_else(|| environment(format!("`nvidia-smi` says something unknown: `{line}`")))?);
    }
    if let Some(missing) = wanted.into_iter().flatten().find(|id| !all.iter().any(|gpu| gpu.id == **id)) {
        return Err(environment(format!("there is no GPU {missing}; there are {}", all.len())));
    }
    all.retain(|gpu| wanted.is_none_or(|ids| ids.contains(&gpu.id)));
    if all.is_empty() {
        return Err(environment("there is no GPU".to_owned()));
    }
    let mut busy = Vec::new();
    let mut evidence = Vec::new();
    for gpu in &all {
        let users = gpus::users(gpu, apps);
        evidence.push(json!({
            "id": gpu.id, "memory_mib": gpu.memory_mib, "utilisation": gpu.utilisation, "processes": users,
        }));
        busy.extend(why_busy(gpu, &users));
    }
    let evidence = json!({"gpus": evidence});
    if busy.is_empty() {
        let ids: Vec<String> = all.iter().map(|gpu| gpu.id.to_string()).collect();
        return Ok(CheckResult::holds(format!("GPU {} idle", ids.join(", ")), evidence));
    }
    Err(CheckResult::fails(busy.join("; "), evidence))
}

fn why_busy(gpu: &Gpu, users: &[&str]) -> Option<String> {
    if !users.is_empty() {
        return Some(format!("GPU {} is used by process {}", gpu.id, users.join(" and ")));
    }
    if gpu.memory_mib > MEMORY_MIB {
        return Some(format!("GPU {} holds {} MiB, expected at most {MEMORY_MIB}", gpu.id, gpu.memory_mib));
    }
    let busy = gpu.utilisation.filter(|percent| *percent > UTILISATION)?;
    Some(format!("GPU {} is {busy} % busy, expected at most {UTILISATION} %", gpu.id))
}

#[cfg(test)]
mod tests {
    use super::{judge, settled};
    use assay_protocol::Status;

    const TWO: &str = "0, GPU-aa, 4, 0\n1, GPU-bb, 3, [N/A]\n";

    #[test]
    fn idle_means_no_process_no_memory_no_work() {
        assert_eq!(settled(judge(TWO, "\n", None)).found, "GPU 0, 1 idle");
        for (gpus, apps, word) in [
            (TWO, "GPU-bb, 4711, python3\n", "GPU 1 is used by process 4711, python3"),
            ("0, GPU-aa, 900, 0\n", "", "900 MiB"),
            ("0, GPU-aa, 0, 55\n", "", "55 % busy"),
        ] {
            let found = settled(judge(gpus, apps, None));
            assert!(!found.holds && found.found.contains(word) && found.status.is_none(), "{}", found.found);
        }
        assert!(settled(judge(TWO, "GPU-bb, 4711, python3\n", Some(&[0]))).holds);
    }

    #[test]
    fn what_is_not_there_is_environment() {
        for (gpus, ids) in [("", None), (TWO, Some([7].as_slice())), ("No devices were found\n", None)] {
            let found = settled(judge(gpus, "", ids));
            assert_eq!(found.status, Some(Status::Environment), "{}", found.found);
        }
    }
}
