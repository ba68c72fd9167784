//! TCP ports of servers: allocated before the configuration is rendered, held against other runs of the host.

use crate::engine::Engine;
use crate::host::{Held, Host};
use crate::scope::View;
use crate::world::Unit;
use assay_manifest::{Effects, Step};
use assay_protocol::{Value, ValueMap};
use assay_store::LockKind;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// How often a free port is looked for that no other run holds.
const TRIES: usize = 256;
/// Lowest port that is given to a server: below it are the well-known ones.
const LOWEST: u16 = 20_000;

impl Engine {
    /// A server's port, allocated before its configuration is rendered.
    pub(crate) fn own_values(
        &self,
        step: &Step,
        effects: Effects,
        path: &str,
        unit: Unit,
    ) -> Result<Option<(Value, Vec<Held>)>, String> {
        if effects != Effects::Server {
            return Ok(None);
        }
        let world = self.world.borrow();
        let view = View::of_unit(&world, unit);
        let wanted = match step.with.get("port") {
            Some(config) => config.render(&view).map_err(|error| error.error.to_string())?,
            None => Value::from("auto"),
        };
        let (port, held) = match wanted.as_u64().and_then(|port| u16::try_from(port).ok()) {
            Some(port) => (port, self.lock_port(port, path)?),
            None => {
                let (port, held) = self.host.free_port(path)?;
                (port, vec![held])
            }
        };
        let mut own = ValueMap::new();
        own.insert("port".to_owned(), Value::from(port));
        Ok(Some((Value::Object(own), held)))
    }

    fn lock_port(&self, port: u16, path: &str) -> Result<Vec<Held>, String> {
        match self
            .host
            .try_lock(LockKind::Port, &port.to_string(), path)
            .map_err(|error| error.to_string())?
        {
            Some(held) => Ok(vec![held]),
            None => {
                let holder =
                    self.host.locks.holder_of(LockKind::Port, &port.to_string()).ok().flatten().flatten();
                Err(match holder {
                    Some(holder) => {
                        format!("port {port} is held by step `{}` of run `{}`", holder.step, holder.run)
                    }
                    None => format!("port {port} is held by another run"),
                })
            }
        }
    }
}

impl Host {
    /// A free TCP port on loopback that no other run on this host is given.
    ///
    /// It lies below the range from which the kernel itself hands out ports: one of those could go to somebody's
    /// outgoing connection between this look and the moment the server binds it.
    pub(crate) fn free_port(&self, path: &str) -> Result<(u16, Held), String> {
        let below = first_ephemeral_port();
        let span = u64::from(below.saturating_sub(LOWEST).max(1));
        for _ in 0..TRIES {
            // Random, so that two runs that look at the same time rarely try the same one.
            let port = LOWEST + (random() % span) as u16;
            if std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
                continue;
            }
            if let Some(held) =
                self.try_lock(LockKind::Port, &port.to_string(), path).map_err(|error| error.to_string())?
            {
                return Ok((port, held));
            }
        }
        Err("no free port on loopback that another run does not hold".to_owned())
    }
}

/// Lower end of the kernel's own range; its default where it cannot be read.
fn first_ephemeral_port() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .filter(|low| *low > LOWEST + 1000)
        .unwrap_or(32_768)
}

/// A number that differs from call to call and from process to process.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
