//! Facts about the host, from files; a fact that needs a process is gathered only when something refers to it.

use crate::engine::Engine;
use assay_manifest::expr::{Reference, Segment};
use assay_plan::ManifestPlan;
use assay_process::{CaptureLimits, Spawn};
use assay_protocol::{Event, Facts, RunState, Value, ValueMap};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The calendar date, UTC, `YYYY-MM-DD`.
pub(crate) fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Physical ids of the NVIDIA GPUs of this host.
pub(crate) fn gpu_ids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/dev") else { return Vec::new() };
    let mut ids: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("nvidia")?.parse().ok())
        .collect();
    ids.sort_unstable();
    ids
}

impl Engine {
    pub(crate) async fn gather_facts(&mut self, prior: Option<&RunState>) {
        let mut facts = host_facts(&self.gpus_total);
        let programs = versions_asked(&self.plan);
        if !programs.is_empty() {
            facts.insert("versions".to_owned(), Value::Object(self.versions(&programs).await));
        }
        if prior.is_none_or(|state| state.facts != facts) {
            self.host.record(Event::Facts(Facts { facts: facts.clone() }));
        }
        self.world.borrow_mut().facts = Value::Object(facts);
    }

    /// First line of `<program> --version`; null if it cannot be run.
    async fn versions(&self, programs: &BTreeSet<String>) -> ValueMap {
        let mut versions = ValueMap::new();
        for name in programs {
            versions.insert(name.clone(), self.version(name).await.map_or(Value::Null, Value::from));
        }
        versions
    }

    async fn version(&self, name: &str) -> Option<String> {
        let path = self.host.env.get("PATH").cloned().unwrap_or_default();
        let cwd = PathBuf::from("/");
        let program = self.host.programs.borrow_mut().resolve(name.as_ref(), path.as_ref(), &cwd).ok()?;
        let spawn = Spawn {
            program,
            argv: vec![name.into(), "--version".into()],
            env: vec![("PATH".into(), path.into()), ("LANG".into(), "C".into())],
            cwd,
            ..Spawn::default()
        };
        let limits = CaptureLimits { timeout: Duration::from_secs(10), bytes: 4096 };
        let captured = self.host.reaper.output(&spawn, limits).await.ok()?;
        let text = String::from_utf8_lossy(&captured.stdout).into_owned();
        text.lines().next().map(|line| line.trim().to_owned())
    }
}

/// Programs whose version something refers to: `facts.versions.<program>`.
fn versions_asked(plan: &ManifestPlan) -> BTreeSet<String> {
    let mut programs = BTreeSet::new();
    assay_plan::visit_references(plan, &mut |reference: &Reference| {
        if reference.root == "facts"
            && let [Segment::Name(first), Segment::Name(program), ..] = reference.path.as_slice()
            && first == "versions"
        {
            programs.insert(program.clone());
        }
    });
    programs
}

pub(crate) fn host_facts(gpus: &[u32]) -> ValueMap {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let after_colon = |text: &str, key: &str| {
        text.lines()
            .find(|line| line.starts_with(key))
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let memory = after_colon(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib * 1024);
    let os = read("/etc/os-release");
    let os = os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).map(|name| name.trim_matches('"'));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut facts = ValueMap::new();
    facts.insert(
        "host".to_owned(),
        json!({
            "name": read("/proc/sys/kernel/hostname").trim(),
            "os": os,
            "kernel": read("/proc/sys/kernel/osrelease").trim(),
            "cpu": after_colon(&cpu, "model name"),
            "cores": cores,
            "memory": memory,
            "arch": std::env::consts::ARCH,
        }),
    );
    facts.insert("gpus".to_owned(), gpu_facts(gpus));
    if let Some(driver) = read("/proc/driver/nvidia/version").lines().next() {
        facts.insert("driver".to_owned(), Value::from(driver));
    }
    facts
}

/// `[{id, model}]`, from the driver's own files.
fn gpu_facts(ids: &[u32]) -> Value {
    let mut models = std::collections::HashMap::new();
    for entry in fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().flatten() {
        if let Some((id, model)) = gpu_information(&entry.path()) {
            models.insert(id, model);
        }
    }
    ids.iter().map(|id| json!({"id": id, "model": models.get(id)})).collect()
}

fn gpu_information(folder: &Path) -> Option<(u32, String)> {
    let text = fs::read_to_string(folder.join("information")).ok()?;
    let field = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    Some((field("Device Minor")?.parse().ok()?, field("Model")?))
}
