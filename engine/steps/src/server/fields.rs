//! Configuration of `server`.

use crate::fields::{Argv, Duration, Numbers, Pattern};
use crate::net::{HttpExpect, Request};
use crate::server::adapter::AdapterConfig;
use crate::server::rehearsal::Rehearsal;
use assay_process::{Signal, signal_number};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// Starts a server that other steps use.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerConfig {
    /// Program and arguments; `{{ self.port }}` is the port given to it. This, `shell` or `adapter`.
    #[serde(default)]
    pub argv: Option<Argv>,
    /// A line for `sh`; `{{ self.port | q }}` is the port given to it. This, `argv` or `adapter`.
    #[serde(default)]
    pub shell: Option<String>,
    /// An inference framework, launched by what Assay knows about it. This, `argv` or `shell`.
    #[serde(default)]
    pub adapter: Option<AdapterConfig>,
    /// How the simulated server of a rehearsal (`assay run --rehearse`) behaves: fields of `assay sim-server`, or `{config:
    /// <file>}`. Only with `adapter`.
    #[serde(default)]
    pub rehearsal: Option<Rehearsal>,
    /// TCP port that it must listen on: `auto` for a free one, or a number. Default: `auto`.
    #[serde(default)]
    pub port: Port,
    /// When it can be used; everything given must hold, and its own processes must hold the port. With `adapter`, beyond
    /// what that demands.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// What must hold while it is used, beyond its process being there.
    #[serde(default)]
    pub alive: Option<Alive>,
    /// How it is stopped when nothing needs it any more.
    #[serde(default)]
    pub stop: Option<Stop>,
}

/// A port to listen on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Port {
    /// Any free one.
    #[default]
    Auto,
    /// This one.
    Fixed(u16),
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.as_str() == Some("auto") {
            return Ok(Self::Auto);
        }
        let number = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        number.map(Self::Fixed).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`port` is {value}, but a port is `auto` or a number from 1 to 65535"
            ))
        })
    }
}

impl JsonSchema for Port {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 65535}]})
    }
}

/// When a server can be used.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ready {
    /// An HTTP request that must be answered as wanted.
    #[serde(default)]
    pub http: Option<HttpProbe>,
    /// Regular expression that must match a line of its log.
    #[serde(default)]
    pub log: Option<Pattern>,
    /// `true`: the port must accept a connection.
    #[serde(default)]
    pub tcp: bool,
    /// Longest time to wait. Default: `5m`, with `adapter` what that says.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// Time between two looks. Default: `100ms`.
    #[serde(default)]
    pub interval: Option<Duration>,
}

/// An HTTP request to the server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpProbe {
    /// Path on the server, such as `/health`. This or `url`.
    #[serde(default)]
    pub path: Option<String>,
    /// Whole URL on this host, where it is not on the server's own port. This or `path`.
    #[serde(default)]
    pub url: Option<String>,
    /// Status code or codes that count. Default: any of 200 to 299.
    #[serde(default)]
    pub status: Option<Numbers>,
    /// Text that the answer must hold.
    #[serde(default)]
    pub contains: Option<String>,
}

/// What must hold while a server is used.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alive {
    /// An HTTP request that must be answered as wanted.
    pub http: HttpProbe,
    /// Time between two looks. Default: `5s`.
    #[serde(default)]
    pub interval: Option<Duration>,
    /// Failed looks in a row that count as dead. Default: 3.
    #[serde(default = "default_failures")]
    #[schemars(range(min = 1))]
    pub failures: u32,
}

fn default_failures() -> u32 {
    3
}

/// How a server is stopped.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stop {
    /// Signal that asks it to end, such as `SIGINT`. Default: `SIGTERM`.
    #[serde(default)]
    pub signal: Option<String>,
    /// Time it has to end before it is killed. Default: that of the run, with `adapter` what that says.
    #[serde(default)]
    pub grace: Option<Duration>,
}

impl ServerConfig {
    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// What is wrong, with a way out.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sources = [self.argv.is_some(), self.shell.is_some(), self.adapter.is_some()];
        match sources.into_iter().filter(|given| *given).count() {
            1 => {}
            0 => {
                return Err(
                    "none of `argv`, `shell` and `adapter` is given; write what is started".to_owned()
                );
            }
            _ => return Err("several of `argv`, `shell` and `adapter` are given; keep one".to_owned()),
        }
        if self.rehearsal.is_some() && self.adapter.is_none() {
            return Err(
                "`rehearsal` needs an `adapter`: only a server that has one can be simulated".to_owned()
            );
        }
        match &self.ready {
            None if self.adapter.is_none() => {
                return Err("`ready` is missing; write `ready: {http: {path: /health}}`".to_owned());
            }
            Some(ready) if ready.says_nothing() && self.adapter.is_none() => {
                return Err("`ready` needs at least one of `http`, `log` and `tcp: true`".to_owned());
            }
            _ => {}
        }
        let probe = self.ready.as_ref().and_then(|ready| ready.http.as_ref());
        for probe in probe.into_iter().chain(self.alive.as_ref().map(|alive| &alive.http)) {
            probe.check()?;
        }
        self.stop.as_ref().map_or(Ok(()), |stop| stop.signal().map(|_| ()))
    }
}

impl Ready {
    fn says_nothing(&self) -> bool {
        self.http.is_none() && self.log.is_none() && !self.tcp
    }
}

impl HttpProbe {
    fn check(&self) -> Result<(), String> {
        match (&self.path, &self.url) {
            (Some(path), None) if !path.starts_with('/') => {
                Err(format!("`path: {path}` does not begin with a slash; write `/{path}`"))
            }
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err("an HTTP probe needs exactly one of `path` and `url`".to_owned()),
        }
    }

    /// The request that it means.
    pub(crate) fn request(&self, base: &str, timeout: std::time::Duration) -> Request {
        let url = match (&self.url, &self.path) {
            (Some(url), _) => url.clone(),
            (None, path) => format!("{base}{}", path.as_deref().unwrap_or("/")),
        };
        Request::get(url, timeout)
    }

    /// What must come back.
    pub(crate) fn expect(&self) -> HttpExpect {
        HttpExpect { status: self.status.clone(), contains: self.contains.clone() }
    }
}

impl Stop {
    /// The signal, if one is named.
    ///
    /// # Errors
    /// There is no such signal.
    pub(crate) fn signal(&self) -> Result<Option<Signal>, String> {
        let Some(name) = &self.signal else { return Ok(None) };
        let signal = signal_number(name).and_then(Signal::from_named_raw);
        signal
            .map(Some)
            .ok_or_else(|| format!("`stop.signal: {name}` is no signal; write its name, such as `SIGINT`"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Port, ServerConfig};
    use crate::config::read;
    use serde_json::{Value, json};

    fn check(config: Value) -> Result<ServerConfig, String> {
        let config: ServerConfig = read(&config)?;
        config.check().map(|()| config)
    }

    #[test]
    fn a_server_says_when_it_is_ready() {
        let config = check(json!({"argv": ["x"], "port": 8000, "ready": {"http": {"path": "/health", "status": [200, 204]}}})).unwrap();
        assert_eq!(config.port, Port::Fixed(8000));
        assert_eq!(
            config
                .ready
                .unwrap()
                .http
                .unwrap()
                .request("http://127.0.0.1:8000", std::time::Duration::ZERO)
                .url,
            "http://127.0.0.1:8000/health"
        );
        assert!(
            check(json!({"adapter": {"name": "vllm", "model": "m"}, "ready": {"timeout": "1m"}})).is_ok()
        );
        for (bad, word) in [
            (json!({"argv": ["x"], "ready": {}}), "at least one"),
            (json!({"argv": ["x"]}), "`ready` is missing"),
            (json!({"ready": {"tcp": true}}), "none of"),
            (json!({"argv": ["x"], "adapter": {"name": "vllm", "model": "m"}}), "keep one"),
            (json!({"argv": ["x"], "ready": {"tcp": true}, "rehearsal": {}}), "needs an `adapter`"),
            (json!({"argv": ["x"], "ready": {"http": {}}}), "exactly one"),
            (json!({"argv": ["x"], "ready": {"http": {"path": "health"}}}), "/health"),
            (json!({"argv": ["x"], "port": 0, "ready": {"tcp": true}}), "65535"),
            (json!({"argv": ["x"], "port": "any", "ready": {"tcp": true}}), "`auto`"),
            (json!({"argv": ["x"], "ready": {"tcp": true}, "stop": {"signal": "SIGFOO"}}), "SIGINT"),
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
