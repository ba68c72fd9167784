//! The server that is profiled: who it is, and how it is asked.

use crate::profile::capture::Trouble;
use assay_loadgen::client::{Api, Ask, Reply, Target, ask};
use assay_protocol::Value;
use assay_serving::adapter::{Adapter, Arm};
use serde_json::Map;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for what a server answers at once.
const SOON: Duration = Duration::from_secs(30);
/// Names of settings that are secrets, by their ends.
const SECRET: [&str; 4] = ["_key", "password", "secret", "_token"];
/// The file beside traces that says what the server was started with.
const SERVER_ARGS: &str = "server_args.json";

/// A server that runs.
pub(crate) struct Server {
    pub adapter: Adapter,
    pub target: Target,
    /// Name of the served model.
    pub model: String,
    /// The way of asking that takes token ids: only these have an exact length without a tokenizer.
    pub api: Api,
}

impl Server {
    /// Asks who is there.
    pub(crate) fn find(url: &str, adapter: &Adapter) -> Result<Self, Trouble> {
        let target = Target::parse(url, &[])?;
        let ids = |endpoint: &Option<assay_serving::adapter::Endpoint>| {
            endpoint.as_ref().is_some_and(|endpoint| endpoint.token_ids)
        };
        let api = match (ids(&adapter.api.completions), ids(&adapter.api.generate)) {
            (true, _) => Api::Completions,
            (false, true) => Api::Generate,
            (false, false) => return Err(Trouble::NoIds { title: adapter.title.clone() }),
        };
        let path = format!("{}/v1/models", target.base);
        let reply = get(&target, &path)?;
        let listed: Option<Value> = serde_json::from_str(&reply.body).ok();
        let model = listed.as_ref().and_then(|value| value.pointer("/data/0/id")).and_then(Value::as_str);
        let model = model.ok_or_else(|| Trouble::refused("GET", &path, &reply))?.to_owned();
        Ok(Self { adapter: adapter.clone(), target, model, api })
    }

    /// How requests of this length are put.
    pub(crate) fn asks(&self, output_len: u32) -> Ask {
        let mut extra = self.adapter.api.exact_length.fields_for(output_len);
        let ignore_eos = extra.shift_remove("ignore_eos").is_some_and(|value| value == true);
        let needed = self.adapter.api.needed_fields.iter();
        extra.extend(needed.map(|needed| (needed.field.clone(), needed.value.clone())));
        Ask { model: self.model.clone(), ignore_eos, extra_body: extra, ..Ask::new(self.api) }
    }

    /// `POST` with a JSON body.
    pub(crate) fn post(&self, path: &str, body: &Value, limit: Duration) -> Result<Reply, Trouble> {
        let path = format!("{}{path}", self.target.base);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        ask(&self.target, "POST", &path, Some(&body), limit)
            .map_err(|error| Trouble::Unreachable { path: path.clone(), error })
    }

    /// Makes sure that the server's arguments lie beside its traces, if it tells them. Secrets are masked.
    pub(crate) fn save_args(&self, folder: &Path) -> Result<Option<PathBuf>, Trouble> {
        let file = folder.join(SERVER_ARGS);
        if file.is_file() {
            return Ok(Some(file));
        }
        let Some(mut info) = self.info() else { return Ok(None) };
        for (name, value) in &mut info {
            let listed = self.adapter.flags.entry(name).is_some_and(|flag| flag.secret);
            if (listed || SECRET.iter().any(|end| name.ends_with(end))) && !value.is_null() {
                *value = "***".into();
            }
        }
        std::fs::write(&file, Value::Object(info).to_string()).map_err(Trouble::io("write", &file))?;
        Ok(Some(file))
    }

    /// What SGLang and its kin tell of themselves; others do not have this, or tell something else.
    fn info(&self) -> Option<Map<String, Value>> {
        let reply = get(&self.target, &format!("{}/server_info", self.target.base)).ok()?;
        let info: Map<String, Value> = serde_json::from_str(&reply.body).ok()?;
        (reply.status == 200 && info.contains_key("model_path")).then_some(info)
    }
}

fn get(target: &Target, path: &str) -> Result<Reply, Trouble> {
    ask(target, "GET", path, None, SOON)
        .map_err(|error| Trouble::Unreachable { path: path.to_owned(), error })
}

/// What a launch needs for recordings, in words.
pub(crate) fn arming(adapter: &Adapter, arm: &Arm, dir: &str) -> String {
    let fill = |text: &str| text.replace("{first}", "11").replace("{last}", "15").replace("{dir}", dir);
    let flags = arm.flags.iter().map(|(flag, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("the flag `{}` `{}`", adapter.flags.spelled(flag), fill(&value))
    });
    let env = arm.env.iter().map(|(name, value)| format!("the variable `{name}={}`", fill(value)));
    flags.chain(env).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::arming;
    use assay_serving::adapter::Adapter;

    #[test]
    fn what_to_add_is_named() {
        for (name, words) in [
            ("vllm", vec!["`--profiler-config`", "/tmp/t"]),
            ("tensorrt-llm", vec!["TLLM_PROFILE_START_STOP=11-15", "/tmp/t/trace.json"]),
        ] {
            let adapter = Adapter::named(name).expect("an adapter");
            let arm = adapter.profile.as_ref().and_then(|profile| profile.arm.as_ref()).expect("arm");
            let text = arming(&adapter, arm, "/tmp/t");
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}
