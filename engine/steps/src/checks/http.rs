//! `http`: a server on this host answers as wanted.

use super::{cannot, kind, settled};
use crate::config::{self, schema_of};
use crate::fields::{Duration, Numbers};
use crate::net::{HttpExpect, NetError, Request, send};
use assay_manifest::Kind;
use assay_protocol::{Status, Value};
use assay_run::{Check, CheckResult, LocalFuture, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Asks a server once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// URL on this host: `http://127.0.0.1:<port>/...`.
    url: String,
    /// Status code or codes that count. Default: any of 200 to 299.
    #[serde(default)]
    status: Option<Numbers>,
    /// Text that the answer must hold.
    #[serde(default)]
    contains: Option<String>,
    /// Longest time to wait. Default: `10s`.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct Http;

impl Check for Http {
    fn kind(&self) -> Kind {
        kind(
            "http",
            "A server on this host answers as wanted",
            "One `GET` over plain HTTP to loopback; `https` and other hosts are `unsupported`.",
            "check: http\nwith: {url: \"http://127.0.0.1:8000/health\", status: 200}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move {
            match config::read(&cx.config) {
                Ok(config) => settled(look(&config).await),
                Err(error) => cannot(error),
            }
        })
    }
}

async fn look(config: &Config) -> Result<CheckResult, CheckResult> {
    let request = Request::get(config.url.clone(), config.timeout.map_or(TIMEOUT, |limit| limit.get()));
    let response = send(&request).await.map_err(|error| {
        let status = matches!(error, NetError::Unsupported { .. }).then_some(Status::Unsupported);
        CheckResult { status, ..CheckResult::fails(error.to_string(), Value::Null) }
    })?;
    let evidence = json!({"status": response.status, "latency_s": response.latency_s});
    match (HttpExpect { status: config.status.clone(), contains: config.contains.clone() }).check(&response) {
        Ok(()) => {
            Ok(CheckResult::holds(format!("`{}` answers with {}", config.url, response.status), evidence))
        }
        Err(what) => Err(CheckResult::fails(format!("{}: {what}", config.url), evidence)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, look, settled};
    use assay_protocol::Status;

    #[tokio::test]
    async fn nobody_there_fails_and_tls_is_unsupported() {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let config = |url: String| Config { url, status: None, contains: None, timeout: None };
        let found = settled(look(&config(format!("http://127.0.0.1:{port}/"))).await);
        assert!(
            !found.holds && found.status.is_none() && found.found.contains("no connection"),
            "{}",
            found.found
        );
        let found = settled(look(&config("https://127.0.0.1/".to_owned())).await);
        assert_eq!(found.status, Some(Status::Unsupported));
    }
}
