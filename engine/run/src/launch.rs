//! From a unit that may start to an attempt that is under way: earlier results, slots, leases, the context.

use crate::attempt::{self, Plan as AttemptPlan};
use crate::booking::{Booking, Gpus};
use crate::ctx::StepCtx;
use crate::engine::{Cancel, Engine, Release, Running};
use crate::host::Held;
use crate::kept::Detach;
use crate::message::{Ended, Message};
use crate::scope::View;
use crate::world::{End, Unit};
use assay_manifest::{Effects, Field, Unit as Quantity, Uses};
use assay_protocol::{Event, Status, StepReady, Value, ValueMap};
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often locks that somebody else holds are tried again.
const LOCK_INTERVAL: Duration = Duration::from_millis(200);

impl Engine {
    /// A unit may start as far as the DAG goes: reuse its result, call a manifest, or queue for slots.
    pub(crate) fn consider(&mut self, unit: Unit) {
        if self.must_serve(unit) {
            if !self.take_up(unit) {
                self.enqueue(unit);
            }
            return;
        }
        if let Some(end) = self.reusable(unit) {
            return self.end_unit(unit, end, 0);
        }
        if let Some((end, seq)) = self.retired(unit) {
            self.stop_survivor(unit);
            return self.end_unit(unit, end, seq);
        }
        let is_call = {
            let world = self.world.borrow();
            let step = world.scopes[unit.scope].plan.step(unit.node);
            step.is_some_and(|step| matches!(step.uses.value, Uses::Call(_)))
        };
        if is_call { self.start_call(unit) } else { self.enqueue(unit) }
    }

    pub(crate) fn enqueue(&mut self, unit: Unit) {
        match self.booking(unit) {
            Ok(booking) if matches!(booking.gpus, Gpus::None) && booking.locks.is_empty() => {
                self.queue.push_back(unit);
            }
            Ok(_) => self.special.push_back(unit),
            Err((status, reason)) => self.fail_unit(unit, status, reason),
        }
    }

    fn fail_unit(&mut self, unit: Unit, status: Status, reason: String) {
        let path = self.world.borrow().path(unit);
        let on_fail = self.world.borrow().on_fail(unit);
        let warned = on_fail == assay_manifest::OnFail::Warn;
        let end = End { warned, ..End::bare(status, reason) };
        let seq = self.host.record(Event::StepFinished(crate::nodes::finished_record(&path, 0, &end)));
        self.end_unit(unit, end, seq);
    }

    pub(crate) fn step_of(&self, unit: Unit) -> Rc<assay_plan::ManifestPlan> {
        Rc::clone(&self.world.borrow().scopes[unit.scope].plan)
    }

    pub(crate) fn field(&self, field: &Field, view: &View<'_>) -> Result<Value, String> {
        match field {
            Field::Literal(value) => Ok(value.clone()),
            Field::Template(text) => text
                .template
                .render_value(view)
                .map_err(|error| format!("{error} ({})", self.place(text.span))),
        }
    }

    /// Starts the next unit whose slots are free. `false` when none can start now.
    pub(crate) fn launch_next(&mut self) -> bool {
        if let Some(unit) = self.queue.front().copied() {
            match self.booking(unit) {
                Ok(booking) if booking.cpus <= self.cpus_free => {
                    self.queue.pop_front();
                    self.launch(unit, booking, Vec::new(), Vec::new());
                    return true;
                }
                Ok(booking) if self.only_servers_hold_slots() => {
                    self.queue.pop_front();
                    let reason = format!("it needs {} CPU slots that ready servers hold", booking.cpus);
                    self.fail_unit(unit, Status::Unsupported, reason);
                    return true;
                }
                Ok(_) => {}
                Err((status, reason)) => {
                    self.queue.pop_front();
                    self.fail_unit(unit, status, reason);
                    return true;
                }
            }
        }
        for at in 0..self.special.len() {
            let unit = self.special[at];
            let Ok(booking) = self.booking(unit) else { continue };
            if booking.cpus > self.cpus_free {
                continue;
            }
            match self.lease(unit, &booking) {
                Ok(Some((held, gpus))) => {
                    self.special.remove(at);
                    self.launch(unit, booking, held, gpus);
                    return true;
                }
                Ok(None) => {}
                Err(reason) => {
                    self.special.remove(at);
                    self.fail_unit(unit, Status::Environment, reason);
                    return true;
                }
            }
        }
        self.tick_for_locks();
        false
    }

    /// Nothing that will end by itself is running, so waiting for slots would be for ever.
    fn only_servers_hold_slots(&self) -> bool {
        self.timers == 0
            && self.release.is_empty()
            && self.special.is_empty()
            && !self.running.is_empty()
            && self.running.values().all(|running| running.ready)
    }

    fn tick_for_locks(&mut self) {
        if self.special.is_empty() || self.ticking {
            return;
        }
        self.ticking = true;
        let messages = self.messages.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(LOCK_INTERVAL).await;
            // The engine may be gone by then.
            let _ = messages.send(Message::Tick);
        });
    }

    fn launch(&mut self, unit: Unit, booking: Booking, held: Vec<Held>, gpus: Vec<u32>) {
        if let Some(reason) = self.missing_requirement(unit.scope, unit.node) {
            self.unlock_all(held);
            return self.fail_unit(unit, Status::Blocked, reason);
        }
        let made =
            self.detachment(unit, &held).and_then(|detach| self.context(unit, booking.memory, gpus, detach));
        let (cx, plan) = match made {
            Ok(made) => made,
            Err(reason) => {
                self.unlock_all(held);
                return self.fail_unit(unit, Status::Failed, reason);
            }
        };
        self.cpus_free -= booking.cpus;
        let cancel = Rc::new(Cancel::default());
        self.running.insert(
            unit,
            Running {
                cancel: Rc::clone(&cancel),
                stop: Rc::clone(&cx.stop),
                cpus: booking.cpus,
                held,
                ready: false,
                asking: None,
                detach: cx.detach.clone(),
            },
        );
        tokio::task::spawn_local(attempt::run(cx, plan, cancel));
    }

    /// What a detached server needs beyond others, with copies of the locks that were taken for it.
    fn detachment(&self, unit: Unit, held: &[Held]) -> Result<Option<Rc<Detach>>, String> {
        if !self.step_of(unit).step(unit.node).is_some_and(|step| step.detach) {
            return Ok(None);
        }
        let detach = Detach::default();
        for lock in held {
            detach.locks.borrow_mut().push(lock.copy().map_err(|error| error.to_string())?);
        }
        Ok(Some(Rc::new(detach)))
    }

    /// Renders everything and puts the context together.
    pub(crate) fn context(
        &mut self,
        unit: Unit,
        memory: Option<u64>,
        gpus: Vec<u32>,
        detach: Option<Rc<Detach>>,
    ) -> Result<(StepCtx, AttemptPlan), String> {
        let manifest_plan = self.step_of(unit);
        let step = manifest_plan.step(unit.node).ok_or("the step is gone")?;
        let Uses::Kind(kind_name) = &step.uses.value else { return Err("a call is no attempt".to_owned()) };
        let step_type = self
            .host
            .registry
            .step_type(kind_name)
            .ok_or_else(|| format!("there is no step type `{kind_name}` in this build"))?;
        let effects = step_type.kind().effects;
        let path = self.world.borrow().path(unit);
        let prior = self.open_question(&path);
        let survivor = detach.as_ref().and_then(|detach| detach.survivor.clone());
        let attempt = {
            let mut world = self.world.borrow_mut();
            let earlier = self.prior.get(&path).map_or(0, |node| node.attempts.len() as u32);
            let instance = world.instance_mut(unit);
            // An adopted server goes on with its attempt.
            instance.attempts = instance.attempts.max(earlier) + u32::from(survivor.is_none());
            survivor.as_ref().map_or(instance.attempts, |survivor| survivor.attempt)
        };
        let wants_dir = step_type.kind().runs_processes;
        let work = match wants_dir {
            true => Some(self.host.pool.borrow_mut().dir().map_err(|error| error.to_string())?),
            false => None,
        };
        let world = self.world.borrow();
        let own = match &survivor {
            // Its keeper holds the port.
            Some(survivor) => Some((port_of(&survivor.outputs)?, Vec::new())),
            None => self.own_values(step, effects, &path, unit)?,
        };
        if let (Some(detach), Some((_, held))) = (&detach, &own) {
            for lock in held {
                detach.locks.borrow_mut().push(lock.copy().map_err(|error| error.to_string())?);
            }
        }
        let dir = work.as_ref().map(|work| work.path.clone());
        let view = View {
            own: own.as_ref().map(|(value, _)| value),
            step_dir: dir.as_deref(),
            gpus: &gpus,
            ..View::of_unit(&world, unit)
        };
        let rendered = self.render(step, &view)?;
        let scope = &world.scopes[unit.scope];
        let mut config = rendered.config;
        if let (Some((value, _)), Value::Object(map)) = (&own, &mut config) {
            map.insert("port".to_owned(), value["port"].clone());
        }
        if kind_name == "compare"
            && let Value::Object(map) = &mut config
            && !map.contains_key("threshold")
            && let Some(threshold) = self.gate_threshold(scope, unit.node, &view)?
        {
            map.insert("threshold".to_owned(), Value::from(threshold));
        }
        let fingerprint = self.fingerprint(unit, kind_name, step, &world, dir.as_deref());
        let skill_dir = manifest_plan.manifest.origin.dir.clone();
        let timeout = match &step.timeout {
            Some(field) => {
                let value = self.field(field, &view)?;
                Some(Quantity::Duration.from_value(&value).map_err(|error| format!("`timeout`: {error}"))?)
            }
            None => None,
        };
        let (mut env, secrets) = self.environment(scope, step, rendered.env, &gpus, effects)?;
        let (isolation, temporary) = match step.isolate {
            true => {
                let isolated = self.isolated(step, scope, dir.as_deref(), &mut env)?;
                (Some(isolated.isolation), isolated.temporary)
            }
            false => (None, None),
        };
        let cx = StepCtx {
            attempt,
            config,
            ends: step.ends.clone(),
            cwd: rendered.cwd.or(dir).unwrap_or_else(|| skill_dir.clone()),
            skill_dir,
            env,
            deadline: timeout.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.max(0.0))),
            memory,
            gpus: gpus.clone(),
            fingerprint: RefCell::new(String::new()),
            unit: Some(unit),
            scope: unit.scope,
            host: Rc::clone(&self.host),
            world: Rc::clone(&self.world),
            messages: self.messages.clone(),
            secrets,
            logs: RefCell::new(None),
            work: RefCell::new(work),
            isolation,
            temporary: RefCell::new(temporary),
            unsupported: RefCell::default(),
            trees: RefCell::default(),
            relays: RefCell::default(),
            started: Cell::new(survivor.is_some()),
            awaits_process: Cell::new(false),
            stop: Rc::new(Notify::new()),
            prior,
            ports: RefCell::new(own.map(|(_, held)| held).unwrap_or_default()),
            detach,
            path,
        };
        cx.take_over_logs()?;
        let plan = AttemptPlan {
            step_type,
            files: rendered.files,
            reads: rendered.reads,
            fingerprint,
            folder: world.folder(unit),
            compare_with: self.candidate_for_reuse(unit, &cx.path),
            cache: step.cache,
            frozen: effects == Effects::Frozen,
        };
        Ok((cx, plan))
    }

    pub(crate) fn on_ready(&mut self, unit: Unit, attempt: u32, outputs: ValueMap, adopted: Option<String>) {
        let Some(running) = self.running.get(&unit) else { return };
        let detach = running.detach.clone().filter(|_| adopted.is_none());
        let is_adopted = adopted.is_some();
        let path = self.world.borrow().path(unit);
        let ready_s = outputs.get("ready_s").and_then(Value::as_f64).unwrap_or(0.0);
        let record = StepReady { step: path, attempt, outputs: outputs.clone(), ready_s, adopted };
        let seq = self.host.record(Event::StepReady(record));
        match detach {
            Some(detach) => self.keep_when_durable(unit, seq, detach, outputs),
            None => self.let_use(unit, seq, outputs, is_adopted),
        }
    }

    /// A server may be used once record `seq` is on the disk. An adopted one did not run again.
    pub(crate) fn let_use(&mut self, unit: Unit, seq: u64, outputs: ValueMap, adopted: bool) {
        let Some(running) = self.running.get_mut(&unit) else { return };
        running.ready = true;
        let all_ready = {
            let mut world = self.world.borrow_mut();
            let plan = Rc::clone(&world.scopes[unit.scope].plan);
            let instance = world.instance_mut(unit);
            instance.ready = Some(Rc::new(outputs));
            // A step that says `bind: epoch` looks at this before the server has ended.
            instance.ran = !adopted;
            world.node_mut(unit.scope, unit.node).ran |= !adopted;
            let dependents = plan.nodes[unit.node as usize].dependents.iter().filter(|dependent| {
                let run = world.node(unit.scope, **dependent);
                !run.has_ended()
                    && plan.nodes[**dependent as usize]
                        .deps
                        .iter()
                        .any(|dep| dep.node == unit.node && dep.requires_success)
            });
            let readers = dependents.count() as u32;
            let run = world.node_mut(unit.scope, unit.node);
            run.unready = run.unready.saturating_sub(1);
            let all_ready = run.unready == 0 && run.readers.is_none();
            if all_ready {
                run.readers = Some(readers);
                world.scopes[unit.scope].open_main -= 1;
            }
            all_ready
        };
        if all_ready {
            self.release_after(Release { seq, scope: unit.scope, node: unit.node, ready: true });
            self.advance(unit.scope);
        }
    }

    pub(crate) fn on_ended(&mut self, unit: Unit, ended: Ended) {
        if let Some(running) = self.running.remove(&unit) {
            self.cpus_free += running.cpus;
            self.unlock_all(running.held);
        }
        attempt::finish(self, unit, ended);
    }
}

/// `self` of a server that has its port already.
fn port_of(outputs: &ValueMap) -> Result<Value, String> {
    let port = outputs.get("port").cloned().ok_or("its port is not recorded")?;
    let mut own = ValueMap::new();
    own.insert("port".to_owned(), port);
    Ok(Value::Object(own))
}

/// Everything of a step that holds templates, rendered.
pub(crate) struct Rendered {
    pub config: Value,
    pub files: Vec<(String, PathBuf)>,
    pub reads: Vec<PathBuf>,
    pub env: Vec<(String, String)>,
    pub cwd: Option<PathBuf>,
}
