//! `env_set`: variables of the caller's environment are there. Must not show a value: it may be a secret.

use super::{cannot, kind, settled};
use crate::config::{self, schema_of};
use assay_manifest::Kind;
use assay_run::{Check, CheckResult, LocalFuture, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Looks at the caller's environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Names of the variables.
    #[schemars(length(min = 1))]
    names: Vec<String>,
    /// `true`: an empty value counts as missing. Default: `true`.
    #[serde(default = "yes")]
    not_empty: bool,
}

fn yes() -> bool {
    true
}

/// The check type.
#[derive(Debug)]
pub(crate) struct EnvSet;

impl Check for EnvSet {
    fn kind(&self) -> Kind {
        kind(
            "env_set",
            "Variables of the caller's environment are set",
            "Only says which are missing; values are never shown. A step gets a variable only through `pass_env`.",
            "check: env_set\nwith: {names: [HF_TOKEN]}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move {
            let config = config::read(&cx.config).map_err(cannot);
            settled(config.map(|config| look(&config, |name| cx.caller_env(name))))
        })
    }
}

fn look(config: &Config, value_of: impl Fn(&str) -> Option<String>) -> CheckResult {
    let is_missing = |name: &&String| match value_of(name) {
        None => true,
        Some(value) => config.not_empty && value.is_empty(),
    };
    let missing: Vec<&String> = config.names.iter().filter(is_missing).collect();
    let list =
        |names: &[&String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let evidence = json!({"names": config.names, "missing": missing});
    if missing.is_empty() {
        return CheckResult::holds(
            format!("{} set", list(&config.names.iter().collect::<Vec<_>>())),
            evidence,
        );
    }
    let empty = if config.not_empty { " or empty" } else { "" };
    CheckResult::fails(format!("not set{empty}: {}", list(&missing)), evidence)
}

#[cfg(test)]
mod tests {
    use super::{Config, look};

    #[test]
    fn missing_variables_are_named_and_values_never() {
        let env = |name: &str| match name {
            "TOKEN" => Some("hunter2hunter2".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let config = |names: &[&str], not_empty| Config {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_empty,
        };
        let found = look(&config(&["TOKEN", "EMPTY", "NONE"], true), env);
        assert_eq!(found.found, "not set or empty: `EMPTY`, `NONE`");
        assert!(!found.evidence.to_string().contains("hunter2"));
        assert!(look(&config(&["TOKEN", "EMPTY"], false), env).holds);
    }
}
