//! From flags to a command line.

use super::{Adapter, AdapterError, ModelName, Parallel, ProfileArm, flags::RequiredFlag, limits::shown};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a server is launched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchSpec {
    /// The program and its fixed arguments, such as `[vllm, serve]`.
    pub argv: Vec<String>,
    /// Other programs that take the same flags, such as `[ts, serve]`.
    #[serde(default)]
    pub alternatives: Vec<Vec<String>>,
    /// Which flag does what.
    pub roles: Roles,
    /// Which flags change how many GPUs of a host the parallel sizes need.
    #[serde(default)]
    pub parallel: Parallel,
    /// Port that the server takes if none is given.
    pub default_port: u16,
    /// Environment variables that matter.
    #[serde(default)]
    pub environment: Vec<Environment>,
}

/// Which flag does what: names with underscores, absent where there is none.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The model. Absent: it is the first argument behind the program.
    #[serde(default)]
    pub model: Option<String>,
    /// The address that is listened on.
    pub host: String,
    /// The port that is listened on.
    pub port: String,
    /// The name under which the model is served.
    #[serde(default)]
    pub served_name: Option<String>,
    /// The tokenizer.
    #[serde(default)]
    pub tokenizer: Option<String>,
    /// GPUs over which each layer is split.
    #[serde(default)]
    pub tensor_parallel: Option<String>,
    /// GPUs over which the layers are spread.
    #[serde(default)]
    pub pipeline_parallel: Option<String>,
    /// Copies of the model.
    #[serde(default)]
    pub data_parallel: Option<String>,
    /// GPUs over which experts are spread.
    #[serde(default)]
    pub expert_parallel: Option<String>,
    /// Share of GPU memory for weights or cache; each framework means something else by it.
    #[serde(default)]
    pub memory_fraction: Option<String>,
    /// Requests that are worked on at the same time.
    #[serde(default)]
    pub max_running: Option<String>,
}

/// An environment variable that matters.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// What becomes of it at a launch.
    #[serde(rename = "use")]
    pub usage: EnvUse,
    /// Its value, for `set`.
    #[serde(default)]
    pub value: Option<String>,
    /// What it does.
    pub why: String,
}

/// What becomes of an environment variable at a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvUse {
    /// It is set, unless the launch sets it otherwise.
    Set,
    /// It is taken away: it would overrule flags.
    Unset,
    /// It is inherited, never written down: a secret.
    Inherit,
    /// Nothing, unless the launch sets it.
    May,
}

/// A command that is only read: it prints something and ends.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemCommand {
    /// The command.
    pub argv: Vec<String>,
    /// What it needs or prints, for versions where it matters.
    #[serde(default)]
    pub note: Option<String>,
}

/// What is to be launched.
#[derive(Debug, Clone)]
pub struct LaunchRequest<'a> {
    /// The program in place of the adapter's, such as `[/venv/bin/vllm, serve]`.
    pub program: Option<&'a [String]>,
    /// Flags by name, in any spelling.
    pub flags: &'a IndexMap<String, Value>,
    /// Name or folder of the model.
    pub model: &'a str,
    /// Name under which it is served.
    pub served_name: Option<&'a str>,
    /// Address to listen on.
    pub host: &'a str,
    /// Port to listen on.
    pub port: u16,
    /// Environment variables of this deployment.
    pub env: &'a IndexMap<String, String>,
    /// Makes recordings of the profiler possible. Nothing is measured on such a server.
    pub profile: Option<&'a ProfileArm>,
}

/// A command line, ready to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment variables to set.
    pub env: IndexMap<String, String>,
    /// Environment variables to take away.
    pub unset: Vec<String>,
    /// What the list of models has to hold, and what requests call the model.
    pub model_id: String,
}

impl Adapter {
    /// The command line of a deployment. Flags keep the order in which they are given.
    ///
    /// # Errors
    /// Refused flags, one flag under two names, a required flag with another value, a flag that contradicts the launch's own
    /// port, host, model or name, and values that a flag cannot have. Unknown flags are no error here: see
    /// [`check_flags`](Self::check_flags).
    pub fn launch(&self, request: &LaunchRequest) -> Result<Launch, AdapterError> {
        self.no_duplicates(request.flags)?;
        self.none_refused(request.flags)?;
        let mut argv = request.program.map_or_else(|| self.launch.argv.clone(), <[String]>::to_vec);
        let roles = &self.launch.roles;
        let mut set: Vec<(&str, String)> = Vec::new();
        match &roles.model {
            Some(flag) => set.push((flag, request.model.to_owned())),
            None => argv.push(positional(request.model)?),
        }
        set.push((&roles.host, request.host.to_owned()));
        set.push((&roles.port, request.port.to_string()));
        if let (Some(flag), Some(name)) = (&roles.served_name, request.served_name) {
            set.push((flag, name.to_owned()));
        }
        if roles.served_name.is_none() && request.served_name.is_some_and(|name| name != request.model) {
            return Err(self.unsupported("its server has no flag for the served name; leave the name out"));
        }

        let mut flags: IndexMap<String, Value> = IndexMap::new();
        for (name, value) in request.flags {
            match set.iter().find(|(flag, _)| self.flags.same(flag, name)) {
                None => drop(flags.insert(name.clone(), value.clone())),
                Some((_, own)) if value.is_null() || one_text(value) == *own => {}
                Some((_, own)) => {
                    return Err(AdapterError::SetTwice {
                        flag: name.clone(),
                        written: one_text(value),
                        set: own.clone(),
                    });
                }
            }
        }
        self.add_required(&mut flags)?;
        let env = self.environment(request, &mut flags)?;
        for (flag, value) in &set {
            argv.extend(self.argument(flag, &Value::String(value.clone()))?);
        }
        for (name, value) in &flags {
            argv.extend(self.argument(name, value)?);
        }
        let unset = self.launch.environment.iter().filter(|variable| variable.usage == EnvUse::Unset);
        let unset =
            unset.map(|variable| variable.name.clone()).filter(|name| !env.contains_key(name)).collect();
        Ok(Launch { argv, env, unset, model_id: self.model_id(request) })
    }

    /// What the list of models has to hold, and what requests call the model.
    fn model_id(&self, request: &LaunchRequest) -> String {
        match self.api.model_name {
            ModelName::Model => request.model.to_owned(),
            ModelName::FolderName => folder_name(request.model).to_owned(),
            ModelName::ServedName => {
                let flag = self.launch.roles.served_name.as_deref();
                let written = flag.and_then(|flag| self.given(request.flags, flag)).map(|(_, value)| value);
                // Of several names, the first is the one that the server answers with.
                let written =
                    written.map(|value| value.as_array().and_then(|names| names.first()).unwrap_or(value));
                let written = written.filter(|value| !value.is_null()).map(shown);
                request.served_name.map(str::to_owned).or(written).unwrap_or_else(|| request.model.to_owned())
            }
        }
    }

    fn no_duplicates(&self, flags: &IndexMap<String, Value>) -> Result<(), AdapterError> {
        match self.first_duplicate(flags) {
            None => Ok(()),
            Some((first, second)) => {
                Err(AdapterError::Duplicate { first: first.to_owned(), second: second.to_owned() })
            }
        }
    }

    /// Two entries that are one flag.
    pub(crate) fn first_duplicate<'a>(
        &self,
        flags: &'a IndexMap<String, Value>,
    ) -> Option<(&'a str, &'a str)> {
        let mut seen: IndexMap<String, &str> = IndexMap::new();
        flags
            .keys()
            .find_map(|name| seen.insert(self.flags.identity(name), name).map(|first| (first, name.as_str())))
    }

    fn none_refused(&self, flags: &IndexMap<String, Value>) -> Result<(), AdapterError> {
        for refused in &self.flags.refused {
            if let Some((flag, _)) = self.given(flags, &refused.flag).filter(|(_, value)| is_given(value)) {
                let (framework, why) = (self.title.clone(), refused.why.clone());
                return Err(AdapterError::Refused { flag: flag.clone(), framework, why });
            }
        }
        Ok(())
    }

    fn add_required(&self, flags: &mut IndexMap<String, Value>) -> Result<(), AdapterError> {
        for required in &self.flags.required {
            if self.contradicts(required, flags) {
                return Err(AdapterError::Required {
                    flag: required.flag.clone(),
                    framework: self.title.clone(),
                    expected: required.value.as_ref().map(shown),
                    why: required.why.clone(),
                });
            }
            let name = self.given(flags, &required.flag).map(|(name, _)| name.clone());
            if let Some(value) = &required.value {
                flags.insert(name.unwrap_or_else(|| required.flag.clone()), value.clone());
            }
        }
        Ok(())
    }

    /// Whether these flags break a requirement in a way that a launch cannot mend.
    pub(crate) fn contradicts(&self, required: &RequiredFlag, flags: &IndexMap<String, Value>) -> bool {
        let given =
            self.given(flags, &required.flag).map(|(_, value)| value).filter(|value| !value.is_null());
        match (given, &required.value) {
            (None, value) => value.is_none(),
            (Some(given), Some(value)) => shown(given) != shown(value),
            (Some(_), None) => false,
        }
    }

    /// The environment, and in `flags` what recordings need.
    fn environment(
        &self,
        request: &LaunchRequest,
        flags: &mut IndexMap<String, Value>,
    ) -> Result<IndexMap<String, String>, AdapterError> {
        let fixed = self.launch.environment.iter().filter(|variable| variable.usage == EnvUse::Set);
        let mut env: IndexMap<String, String> =
            fixed.filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?))).collect();
        if let Some(wanted) = request.profile {
            let Some(profile) = &self.profile else {
                return Err(
                    self.unsupported("its server cannot be profiled; record the same work without a server")
                );
            };
            let arm = profile.arm.clone().unwrap_or_default();
            for (name, value) in &arm.flags {
                if let Some((written, _)) = self.given(flags, name) {
                    let problem =
                        "a launch that is to be profiled sets it; leave it out of the flags".to_owned();
                    return Err(AdapterError::Value { flag: written.clone(), problem });
                }
                flags.insert(name.clone(), wanted.fill_value(value));
            }
            env.extend(arm.env.iter().map(|(name, value)| (name.clone(), wanted.fill(value))));
        }
        env.extend(request.env.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(env)
    }

    fn unsupported(&self, problem: &str) -> AdapterError {
        AdapterError::Unsupported { framework: self.title.clone(), problem: problem.to_owned() }
    }
}

/// A model as an argument of its own.
fn positional(model: &str) -> Result<String, AdapterError> {
    if model.is_empty() || model.starts_with('-') || model.contains('\0') {
        let problem = format!(
            "`{model}` cannot be the first argument; give a name or a path that does not begin with `-`"
        );
        return Err(AdapterError::Value { flag: "model".to_owned(), problem });
    }
    Ok(model.to_owned())
}

/// The last part of a model that is a folder, else the model.
fn folder_name(model: &str) -> &str {
    let is_path = model.starts_with('/') || model.starts_with("./") || model.starts_with("../");
    let last = model.trim_end_matches('/').rsplit('/').next().filter(|last| !last.is_empty());
    last.filter(|_| is_path).unwrap_or(model)
}

/// A value as text; a list of one is that one.
fn one_text(value: &Value) -> String {
    match value.as_array().map(Vec::as_slice) {
        Some([only]) => shown(only),
        _ => shown(value),
    }
}

/// Whether a value puts anything on the command line.
fn is_given(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}
