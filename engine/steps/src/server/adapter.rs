//! `adapter` of a server: from a framework's name and flags to a checked command line, and to what others have to know of
//! the server.
//!
//! Must not know single frameworks: what is special about one stands in its adapter.

use crate::fields::FilePath;
use crate::server::installed::{self, Installed};
use crate::server::rehearsal::{self, Rehearsal};
use assay_manifest::expr::shell_word;
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{CommandLine, Outcome, StepCtx};
use assay_serving::adapter::{
    Adapter, AdapterError, Endpoint, FlagProblem, HelpSnapshot, How, Launch, LaunchRequest, redact,
};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, json};
use std::collections::BTreeMap;

/// Where servers are expected and asked.
pub(crate) const HOST: &str = "127.0.0.1";
/// Fields that our client writes into each request, and that some servers refuse.
const OF_CLIENT: [&str; 2] = ["ignore_eos", "stream_options"];

/// A framework whose server is launched, awaited and judged by what Assay knows about it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdapterConfig {
    /// The framework; `assay list adapters` shows all.
    #[schemars(schema_with = "names")]
    pub name: String,
    /// Name or folder of the model.
    pub model: String,
    /// Name under which the model is served. Default: what the framework takes, mostly `model`.
    #[serde(default)]
    pub served_name: Option<String>,
    /// Flags by name, with `-` or `_`: `true` or `false` for those without a value; `null` leaves one out. Port, host, model
    /// and served name are set by the launch.
    #[serde(default)]
    pub flags: Map<String, Value>,
    /// Environment variables of the server, over those of the step. Secrets belong into `pass_env`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// File with the saved help of the installed version, by which flags are checked. Default: its help command is run.
    #[serde(default)]
    pub help: Option<FilePath>,
    /// `false`: it counts as ready without having generated anything. Default: `true`.
    #[serde(default = "yes")]
    pub check_generation: bool,
    /// Signals of its log that would fail it, by id, but are meant: `assay explain adapter-<name>` lists them.
    #[serde(default)]
    pub allow_fallbacks: Vec<String>,
}

fn yes() -> bool {
    true
}

fn names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": Adapter::names().collect::<Vec<_>>()})
}

/// What is known of a server while it starts and runs.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    /// The framework.
    pub adapter: Adapter,
    /// What its list of models has to hold, and what requests call the model.
    pub model_id: String,
    /// It has to generate before it is ready.
    pub check_generation: bool,
    /// Signals that do not fail it.
    pub allowed: Vec<String>,
}

/// A server that can be started.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What is started.
    pub command: CommandLine,
    /// What is known of it.
    pub served: Served,
    /// Outputs that others need.
    pub facts: ValueMap,
}

impl AdapterConfig {
    fn adapter(&self) -> Result<Adapter, Outcome> {
        let adapter = Adapter::named(&self.name).map_err(|error| refused(&error))?;
        let known = || adapter.fallbacks.iter().map(|signal| signal.id.as_str());
        for id in &self.allow_fallbacks {
            if !known().any(|known| known == id) {
                let near = assay_diagnostics::did_you_mean(id, known());
                let near = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
                return Err(Outcome::failed(format!(
                    "`allow_fallbacks`: the adapter `{}` has no signal `{id}`{near}",
                    self.name
                )));
            }
        }
        Ok(adapter)
    }

    /// What is known of a server that runs already and told its outputs.
    ///
    /// # Errors
    /// The configuration does not fit the adapter.
    pub(crate) fn served(&self, told: &ValueMap) -> Result<Served, Outcome> {
        let id = told.get("served_name").and_then(Value::as_str).unwrap_or(&self.model);
        Ok(self.served_as(self.adapter()?, id.to_owned()))
    }

    fn served_as(&self, adapter: Adapter, model_id: String) -> Served {
        let allowed = self.allow_fallbacks.clone();
        Served { adapter, model_id, check_generation: self.check_generation, allowed }
    }

    fn launch(&self, adapter: &Adapter, port: u16) -> Result<Launch, AdapterError> {
        let env = self.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        adapter.launch(&LaunchRequest {
            program: None,
            flags: &self.flags(),
            model: &self.model,
            served_name: self.served_name.as_deref().filter(|name| !name.is_empty()),
            host: HOST,
            port,
            env: &env,
            profile: None,
        })
    }

    fn flags(&self) -> IndexMap<String, Value> {
        self.flags.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Checks everything that can be checked without a server, and gives what is started.
    ///
    /// # Errors
    /// Nothing can be started so: the status says whose matter it is.
    pub(crate) async fn prepare(
        &self,
        cx: &StepCtx,
        port: u16,
        rehearsal: Option<&Rehearsal>,
    ) -> Result<Prepared, Outcome> {
        let adapter = self.adapter()?;
        let installed = match cx.is_rehearsal() {
            true => Installed::of_rehearsal(self.help.as_ref())?,
            false => installed::look(cx, &adapter, self).await?,
        };
        let problems = adapter.check_flags(&self.flags(), installed.help.as_ref());
        if !problems.is_empty() {
            return Err(Outcome::failed(words(&adapter, &problems, installed.help.as_ref())));
        }
        let launch = self.launch(&adapter, port).map_err(|error| refused(&error))?;
        let facts = self.facts(&adapter, &launch, installed.version.as_deref(), cx.is_rehearsal());
        let command = match cx.is_rehearsal() {
            true => rehearsal::stand_in(cx, rehearsal, &adapter, &launch, port).map_err(Outcome::failed)?,
            false => CommandLine {
                argv: launch.argv.clone(),
                env: launch.env.clone().into_iter().collect(),
                unset: launch.unset.clone(),
                ..CommandLine::default()
            },
        };
        Ok(Prepared { command, served: self.served_as(adapter, launch.model_id), facts })
    }

    fn facts(&self, adapter: &Adapter, launch: &Launch, version: Option<&str>, rehearsal: bool) -> ValueMap {
        let verified = version.and_then(|version| evidence(adapter, version)).map(How::word);
        let (states, flags) = (&adapter.states, self.flags());
        let fields = json!({
            "precision": adapter.stated(&states.precision, &flags),
            "quantization": adapter.stated(&states.quantization, &flags),
            "revision": adapter.stated(&states.revision, &flags),
            "framework": adapter.name, "version": version, "model": self.model, "served_name": launch.model_id,
            "command": shell_line(launch), "verified": verified, "rehearsal": rehearsal, "flush": null,
            "refused_fields": refused_fields(adapter), "extra_body": extra_body(adapter), "api": api_facts(adapter),
        });
        fields.as_object().cloned().unwrap_or_default()
    }

    /// Outputs for a dry run.
    pub(crate) fn stub(&self) -> ValueMap {
        let Ok(adapter) = Adapter::named(&self.name) else { return ValueMap::new() };
        let launch = self.launch(&adapter, adapter.launch.default_port).unwrap_or_else(|_| Launch {
            argv: adapter.launch.argv.clone(),
            env: IndexMap::new(),
            unset: Vec::new(),
            model_id: self.model.clone(),
        });
        self.facts(&adapter, &launch, None, false)
    }
}

/// How it is asked, independent of a run.
fn api_facts(adapter: &Adapter) -> Value {
    let api = &adapter.api;
    let path = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(|endpoint| endpoint.path.clone());
    json!({
        "completions": path(&api.completions), "chat": path(&api.chat), "generate": path(&api.generate),
        "exact_length": {"guaranteed": api.exact_length.guaranteed, "fields": api.exact_length.fields},
        "parallel": api.parallel,
    })
}

fn refused_fields(adapter: &Adapter) -> Vec<&str> {
    adapter.api.refused_fields.iter().map(|refused| refused.field.as_str()).collect()
}

/// Fields that each request needs here; `null` takes one away that our client would write.
pub(crate) fn extra_body(adapter: &Adapter) -> Map<String, Value> {
    let api = &adapter.api;
    let needed = api.needed_fields.iter().map(|needed| (needed.field.clone(), needed.value.clone()));
    let refused = api.refused_fields.iter().filter(|refused| OF_CLIENT.contains(&refused.field.as_str()));
    needed.chain(refused.map(|refused| (refused.field.clone(), Value::Null))).collect()
}

/// The command with its environment as one line for a shell, without secrets.
fn shell_line(launch: &Launch) -> String {
    let env = launch.env.iter().map(|(name, value)| {
        let pair = redact(&[format!("{name}={value}")]).concat();
        let shown = pair.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('=')).unwrap_or("***");
        format!("{name}={}", shell_word(shown))
    });
    let argv = redact(&launch.argv);
    env.chain(argv.iter().map(|word| shell_word(word))).collect::<Vec<_>>().join(" ")
}

/// The best evidence for this version of the framework.
pub(crate) fn evidence(adapter: &Adapter, version: &str) -> Option<How> {
    // `0.33.0+cu130` is a build of 0.33.0.
    let release = version.split('+').next().unwrap_or(version);
    let of_version =
        adapter.verified.iter().filter(|entry| entry.version.split(' ').next_back() == Some(release));
    of_version.map(|entry| entry.how).min_by_key(|how| match how {
        How::Ran => 0,
        How::Help => 1,
        How::Source => 2,
    })
}

/// Everything that is wrong with the flags.
fn words(adapter: &Adapter, problems: &[FlagProblem], help: Option<&HelpSnapshot>) -> String {
    let one = |problem: &FlagProblem| {
        let near = problem.suggestion.as_deref().map(|near| format!(", did you mean `{near}`?"));
        format!("`{}`: {}{}", problem.flag, problem.message, near.unwrap_or_default())
    };
    let all: Vec<String> = problems.iter().map(one).collect();
    let by = if help.is_some() { "the help of the installed version" } else { "the adapter's own list" };
    format!("the flags do not fit {}, by {by}: {}", adapter.title, all.join("; "))
}

fn refused(error: &AdapterError) -> Outcome {
    let status = match error {
        AdapterError::Unsupported { .. } => Status::Unsupported,
        _ => Status::Failed,
    };
    Outcome::ended(status, error.to_string())
}
