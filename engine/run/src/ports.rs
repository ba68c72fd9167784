//! TCP ports of servers: allocated before the configuration is rendered, held against other runs of the host.

use crate::engine::Engine;
use crate::host::{Held, Host};
use crate::scope::View;
use crate::world::Unit;
use assay_manifest::{Effects, Step};
use assay_protocol::{Value, ValueMap};
use assay_store::LockKind;

/// How often a free port is looked for that no other run holds.
const TRIES: usize = 64;

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
    pub(crate) fn free_port(&self, path: &str) -> Result<(u16, Held), String> {
        for _ in 0..TRIES {
            let probe = std::net::TcpListener::bind(("127.0.0.1", 0))
                .and_then(|listener| listener.local_addr())
                .map_err(|error| format!("no free port on loopback: {error}"))?;
            let lock = self.try_lock(LockKind::Port, &probe.port().to_string(), path);
            if let Some(held) = lock.map_err(|error| error.to_string())? {
                return Ok((probe.port(), held));
            }
        }
        Err("no free port on loopback that another run does not hold".to_owned())
    }
}
