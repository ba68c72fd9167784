//! Rendering of a step: configuration, files, environment, fingerprint.

use crate::engine::Engine;
use crate::launch::Rendered;
use crate::scope::{View, is_volatile};
use crate::world::{Scope, Unit, World};
use assay_manifest::{Demand, Effects, RenderError, Step, TextAt, Unit as Quantity, absolute};
use assay_plan::NodeId;
use assay_plan::fingerprint::{Fingerprint, of_outputs};
use assay_protocol::Value;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variables of a step's processes, and the secret values among them.
type Environment = (Vec<(OsString, OsString)>, Vec<String>);

/// Variables that every step gets from the caller's environment.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

impl Engine {
    pub(crate) fn render(&self, step: &Step, view: &View<'_>) -> Result<Rendered, String> {
        let dir = &view.world.scopes[view.scope].plan.manifest.origin.dir;
        let at = |RenderError { error, span }: RenderError| format!("{error} ({})", self.place(span));
        let path = |text: &TextAt| -> Result<PathBuf, String> { Ok(absolute(dir, &self.text(text, view)?)) };
        let mut files = Vec::with_capacity(step.files.len());
        for (name, text) in &step.files {
            files.push((name.value.clone(), path(text)?));
        }
        let mut env = Vec::with_capacity(step.env.len());
        for (name, text) in &step.env {
            env.push((name.clone(), self.text(text, view)?));
        }
        Ok(Rendered {
            config: step.with.render(view).map_err(at)?,
            files,
            reads: step.reads.iter().map(path).collect::<Result<_, _>>()?,
            env,
            cwd: step.cwd.as_ref().map(path).transpose()?,
        })
    }

    pub(crate) fn text(&self, text: &TextAt, view: &View<'_>) -> Result<String, String> {
        text.template.render_text(view).map_err(|error| format!("{error} ({})", self.place(text.span)))
    }

    /// The environment of a step's processes, and the values that must be masked in what they print.
    pub(crate) fn environment(
        &self,
        scope: &Scope,
        step: &Step,
        own: Vec<(String, String)>,
        gpus: &[u32],
        effects: Effects,
    ) -> Result<Environment, String> {
        let mut env: Vec<(OsString, OsString)> = Vec::with_capacity(8 + own.len());
        for name in INHERITED {
            if let Some(value) = self.host.env.get(name) {
                env.push((name.into(), value.into()));
            }
        }
        let mut set = |name: &str, value: &str| {
            env.retain(|(known, _)| known != name);
            env.push((name.into(), value.into()));
        };
        let manifest = &scope.plan.manifest;
        for name in manifest.env.keys() {
            set(name, scope.env.get(name).and_then(Value::as_str).unwrap_or_default());
        }
        let mut secrets = Vec::new();
        for name in manifest.pass_env.iter().chain(&step.pass_env) {
            let is_secret = manifest.secrets.iter().any(|secret| secret.value == name.value);
            if is_secret {
                let value = scope.secrets.get(&name.value).ok_or_else(|| {
                    format!("the secret `{}` is not set, or the caller does not pass it on", name.value)
                })?;
                secrets.push(value.clone());
                set(&name.value, value);
            } else if let Some(value) = self.host.env.get(&name.value) {
                set(&name.value, value);
            }
        }
        for (name, value) in &own {
            set(name, value);
        }
        // A step without a lease sees no GPU, so that nothing runs beside a measurement unnoticed.
        if !gpus.is_empty() || (!self.gpus_total.is_empty() && effects != Effects::Frozen) {
            let ids: Vec<String> = gpus.iter().map(u32::to_string).collect();
            set("CUDA_VISIBLE_DEVICES", &ids.join(","));
        }
        Ok((env, secrets))
    }

    /// What the step's result depends on, up to the digests of the files it reads.
    pub(crate) fn fingerprint(
        &self,
        unit: Unit,
        kind: &str,
        step: &Step,
        world: &World,
        dir: Option<&Path>,
    ) -> Fingerprint {
        let mut fingerprint = Fingerprint::new(kind);
        if world.rehearsal {
            // What a simulated server gave is never the result of a real one.
            fingerprint.part("rehearsal", b"true");
        }
        // A server's port differs from attempt to attempt; without any, its configuration could not be rendered at all.
        let own = serde_json::json!({"port": 0});
        let steady = View {
            steady: Some(&self.host.catalog),
            step_dir: dir,
            own: Some(&own),
            ..View::of_unit(world, unit)
        };
        match step.with.literal() {
            Some(literal) => fingerprint.value("with", literal),
            None => match step.with.render(&steady) {
                Ok(value) => fingerprint.value("with", &value),
                // Arithmetic on what has no steady value: the text stands for it.
                Err(error) => fingerprint.part("with", format!("{:?}", error.error).as_bytes()),
            },
        }
        for (name, text) in &step.env {
            let value = text.template.render_text(&steady).unwrap_or_default();
            fingerprint.part(name, value.as_bytes());
        }
        for (name, text) in &step.files {
            fingerprint.part(&name.value, text.template.source().as_bytes());
        }
        if step.ends != assay_manifest::Ends::Success {
            fingerprint.part("ends", format!("{:?}", step.ends).as_bytes());
        }
        let scope = &world.scopes[unit.scope];
        for dep in &scope.plan.nodes[unit.node as usize].deps {
            let run = world.node(unit.scope, dep.node);
            for instance in &run.instances {
                let hash = match &instance.outputs_hash {
                    Some(hash) => hash.clone(),
                    None => self.outputs_hash(scope, dep.node, instance),
                };
                fingerprint.part(scope.plan.id(dep.node), hash.as_bytes());
            }
        }
        fingerprint
    }

    fn outputs_hash(&self, scope: &Scope, node: NodeId, instance: &crate::world::Instance) -> String {
        match &instance.end {
            Some(end) if !end.outputs.is_empty() => {
                of_outputs(&end.outputs, |name| is_volatile(scope, node, name, &self.host.catalog))
            }
            _ => String::new(),
        }
    }

    /// The threshold of the gate that reads a comparison: the comparison measures until it can decide that one.
    pub(crate) fn gate_threshold(
        &self,
        scope: &Scope,
        node: NodeId,
        view: &View<'_>,
    ) -> Result<Option<f64>, String> {
        for dependent in &scope.plan.nodes[node as usize].dependents {
            if let Some(gate) = scope.plan.gate(*dependent)
                && let Demand::Compare { threshold: Some(field), .. } = &gate.demand
            {
                let value = self.field(field, view)?;
                let fraction = Quantity::Percent.from_value(&value).map_err(|error| error.to_string())?;
                return Ok(Some(fraction));
            }
        }
        Ok(None)
    }

    /// Values of `env` at the top of a manifest, and what `pass_env` lets through, secrets excepted.
    pub(crate) fn scope_env(
        &self,
        plan: &assay_plan::ManifestPlan,
        view: Option<&View<'_>>,
    ) -> Result<assay_protocol::ValueMap, String> {
        let mut env = assay_protocol::ValueMap::new();
        let manifest = &plan.manifest;
        let secret = |name: &str| manifest.secrets.iter().any(|secret| secret.value == name);
        let steps = manifest.steps.iter().chain(&manifest.finally).flat_map(|step| &step.pass_env);
        for name in manifest.pass_env.iter().chain(steps).filter(|name| !secret(&name.value)) {
            if let Some(value) = self.host.env.get(&name.value) {
                env.insert(name.value.clone(), Value::from(value.as_str()));
            }
        }
        if let Some(view) = view {
            for (name, text) in &manifest.env {
                env.insert(name.clone(), Value::from(self.text(text, view)?));
            }
        }
        Ok(env)
    }

    /// The run's secrets, from the caller's environment.
    pub(crate) fn root_secrets(&self) -> Result<HashMap<String, String>, String> {
        let mut secrets = HashMap::new();
        for name in &self.plan.manifest.secrets {
            let Some(value) = self.host.env.get(&name.value) else { continue };
            if value.len() < 8 {
                return Err(format!(
                    "the secret `{}` has under 8 characters and could not be masked ({}); use a longer one",
                    name.value,
                    self.place(name.span)
                ));
            }
            secrets.insert(name.value.clone(), value.clone());
        }
        Ok(secrets)
    }
}
