//! What a step books on the host: CPU slots, GPUs, named locks, memory.

use crate::engine::Engine;
use crate::host::Held;
use crate::scope::View;
use crate::world::Unit;
use assay_manifest::{Effects, Field, Step, Unit as Quantity, Uses};
use assay_protocol::{Status, Value};
use assay_store::LockKind;
use std::rc::Rc;

/// What a unit books.
#[derive(Debug, Clone, Default)]
pub(crate) struct Booking {
    pub cpus: u32,
    pub gpus: Gpus,
    pub locks: Vec<String>,
    pub memory: Option<u64>,
}

/// Locks that are held for a unit, and the physical ids of the GPUs among them.
pub(crate) type Lease = (Vec<Held>, Vec<u32>);

#[derive(Debug, Clone, Default)]
pub(crate) enum Gpus {
    #[default]
    None,
    Count(u32),
    Ids(Vec<u32>),
}

impl Engine {
    /// What a unit needs, and whether this host has it at all.
    pub(crate) fn booking(&self, unit: Unit) -> Result<Booking, (Status, String)> {
        let plan = self.step_of(unit);
        let Some(step) = plan.step(unit.node) else { return Ok(Booking::default()) };
        let Some(resources) = &step.resources else {
            return Ok(Booking { cpus: self.default_cpus(step), ..Booking::default() });
        };
        let world = self.world.borrow();
        let view = View::of_unit(&world, unit);
        let bad = |what: &str, error: String| (Status::Failed, format!("`resources.{what}`: {error}"));
        let value = |field: &Field, what: &str| self.field(field, &view).map_err(|error| bad(what, error));
        let cpus = value(&resources.cpus, "cpus")?;
        let cpus = cpus.as_u64().and_then(|count| u32::try_from(count).ok());
        let cpus = cpus.ok_or_else(|| bad("cpus", "must be a whole number".to_owned()))?;
        if cpus > self.cpus_total {
            let reason = format!("it needs {cpus} CPU slots, and this host has {}", self.cpus_total);
            return Err((Status::Unsupported, reason));
        }
        let gpus = match value(&resources.gpus, "gpus")? {
            // Simulated servers need none, and a rehearsal takes none away from others.
            _ if self.options.rehearsal => Gpus::None,
            Value::Array(ids) => {
                Gpus::Ids(ids.iter().filter_map(Value::as_u64).map(|id| id as u32).collect())
            }
            count => match count.as_u64() {
                Some(0) => Gpus::None,
                Some(count) => Gpus::Count(count as u32),
                None => return Err(bad("gpus", "must be a count or a list of ids".to_owned())),
            },
        };
        let has = self.gpus_total.len();
        let missing = match &gpus {
            Gpus::Count(count) => (*count as usize > has).then(|| format!("{count} GPUs")),
            Gpus::Ids(ids) => {
                ids.iter().find(|id| !self.gpus_total.contains(id)).map(|id| format!("GPU {id}"))
            }
            Gpus::None => None,
        };
        if let Some(missing) = missing {
            return Err((Status::Unsupported, format!("it needs {missing}, and this host has {has} GPUs")));
        }
        let memory = match &resources.memory {
            Some(field) => {
                let number = Quantity::Size.from_value(&value(field, "memory")?);
                Some(number.map_err(|error| bad("memory", error.to_string()))? as u64)
            }
            None => None,
        };
        let mut locks = Vec::new();
        for lock in &resources.locks {
            locks.push(lock.template.render_text(&view).map_err(|error| bad("locks", error.to_string()))?);
        }
        // One order for everybody: two steps that want the same two locks cannot block each other.
        locks.sort_unstable();
        locks.dedup();
        Ok(Booking { cpus, gpus, locks, memory })
    }

    /// Servers, questions and requests keep no core busy.
    fn default_cpus(&self, step: &Step) -> u32 {
        let Uses::Kind(kind) = &step.uses.value else { return 0 };
        match self.host.catalog.steps.get(kind.as_str()).map(|kind| kind.effects) {
            Some(Effects::Server | Effects::Question) => 0,
            _ => 1,
        }
    }

    /// All locks and GPUs, or none.
    pub(crate) fn lease(&self, unit: Unit, booking: &Booking) -> Result<Option<Lease>, String> {
        let path = self.world.borrow().path(unit);
        let take =
            |kind, name: &str| self.host.try_lock(kind, name, &path).map_err(|error| error.to_string());
        let mut held = Vec::new();
        let mut gpus = Vec::new();
        let complete = 'all: {
            for name in &booking.locks {
                match take(LockKind::Name, name)? {
                    Some(lock) => held.push(lock),
                    None => break 'all false,
                }
            }
            match &booking.gpus {
                Gpus::None => true,
                Gpus::Ids(ids) => {
                    for id in ids {
                        match take(LockKind::Gpu, &id.to_string())? {
                            Some(lock) => held.push(lock),
                            None => break 'all false,
                        }
                    }
                    gpus.clone_from(ids);
                    true
                }
                Gpus::Count(count) => {
                    for id in &self.gpus_total {
                        if gpus.len() < *count as usize
                            && let Some(lock) = take(LockKind::Gpu, &id.to_string())?
                        {
                            held.push(lock);
                            gpus.push(*id);
                        }
                    }
                    gpus.len() == *count as usize
                }
            }
        };
        if complete {
            return Ok(Some((held, gpus)));
        }
        self.unlock_all(held);
        Ok(None)
    }

    pub(crate) fn unlock_all(&self, held: Vec<Held>) {
        if held.is_empty() {
            return;
        }
        let host = Rc::clone(&self.host);
        tokio::task::spawn_local(async move {
            for lock in held {
                host.unlock(lock).await;
            }
        });
    }
}
