//! `port_free`: nobody listens on a TCP port.

use super::{cannot, kind, settled};
use crate::config::{self, schema_of};
use crate::net::holder_of;
use assay_manifest::Kind;
use assay_run::{Check, CheckResult, LocalFuture, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Looks at a port.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// TCP port on this host.
    #[schemars(range(min = 1, max = 65535))]
    port: u16,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct PortFree;

impl Check for PortFree {
    fn kind(&self) -> Kind {
        kind(
            "port_free",
            "Nobody listens on a TCP port",
            "Looks for a listener on any address of this host and names the process that holds the port. A `server` \
             step with `port: auto` needs no such check.",
            "check: port_free\nwith: {port: 8000}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move { settled(config::read(&cx.config).map_err(cannot).map(|config| look(&config))) })
    }
}

fn look(config: &Config) -> CheckResult {
    let port = config.port;
    match holder_of(port) {
        None => CheckResult::holds(format!("port {port} is free"), json!({"port": port})),
        Some(holder) => CheckResult::fails(
            format!("port {port} is taken by {holder}"),
            json!({"port": port, "pid": holder.pid, "command": holder.command}),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, look};

    #[test]
    fn a_listener_is_named() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let config = Config { port: listener.local_addr().unwrap().port() };
        let found = look(&config);
        assert!(
            !found.holds && found.found.contains(&format!("process {}", std::process::id())),
            "{}",
            found.found
        );
        drop(listener);
        assert!(look(&config).holds);
    }
}
