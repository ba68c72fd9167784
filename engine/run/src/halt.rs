//! Stopping what runs and what waits to run: after an interruption, a time limit, or when a branch takes itself out.

use crate::engine::Engine;
use crate::nodes::finished_record;
use crate::world::{End, Halt, Life, Phase, ScopeId, Unit};
use assay_plan::{NodeId, What};
use assay_protocol::Event;
use std::collections::HashSet;

impl Engine {
    /// Nothing more of the scope starts; what runs is stopped.
    pub(crate) fn halt_scope(&mut self, scope: ScopeId, halt: &Halt) {
        {
            let mut world = self.world.borrow_mut();
            let here = &mut world.scopes[scope];
            if here.halt.is_some() || here.phase == Phase::Over {
                return;
            }
            here.halt = Some(halt.clone());
        }
        let mut units: Vec<Unit> = self.running.keys().copied().collect();
        units.extend(self.queue.iter().chain(&self.special).copied());
        units.extend(self.active_units(scope));
        let mut seen = HashSet::new();
        for unit in units.into_iter().filter(|unit| unit.scope == scope) {
            let is_finally = {
                let world = self.world.borrow();
                matches!(world.scopes[scope].plan.nodes[unit.node as usize].what, What::Finally(_))
            };
            if !is_finally && seen.insert(unit) {
                self.stop_unit(unit, halt);
            }
        }
    }

    fn active_units(&self, scope: ScopeId) -> Vec<Unit> {
        let world = self.world.borrow();
        let nodes = world.scopes[scope].nodes.iter().enumerate();
        nodes
            .filter(|(_, run)| matches!(run.life, Life::Active))
            .flat_map(|(index, run)| {
                let open = run.instances.iter().enumerate().filter(|(_, instance)| instance.end.is_none());
                open.map(move |(instance, _)| Unit {
                    scope,
                    node: index as NodeId,
                    instance: instance as u32,
                })
            })
            .collect()
    }

    /// Stops one unit wherever it stands: running, queued, or inside a call. A ready server is left to its phase.
    pub(crate) fn stop_unit(&mut self, unit: Unit, halt: &Halt) {
        if self.running.get(&unit).is_some_and(|running| running.ready && self.interrupted.is_some()) {
            return;
        }
        if let Some(running) = self.running.get(&unit) {
            if let Some(detach) = running.detach.as_ref().filter(|_| running.is_kept())
                && self.interrupted.is_some()
            {
                // An adoption that was not finished: the server goes on as before.
                detach.left.set(true);
            }
            self.cancel(unit, halt);
            return;
        }
        if let Some(scope) = self.call_scope(unit) {
            self.halt_scope(scope, halt);
            return;
        }
        self.queue.retain(|queued| *queued != unit);
        self.special.retain(|queued| *queued != unit);
        let open = self.world.borrow().instance(unit).end.is_none();
        if open {
            self.end_stopped(unit, halt);
        }
    }

    fn end_stopped(&mut self, unit: Unit, halt: &Halt) {
        let end = End::bare(halt.status, halt.reason.clone());
        let path = self.world.borrow().path(unit);
        let seq = if self.interrupted.is_some() {
            0
        } else {
            self.host.record(Event::StepFinished(finished_record(&path, 0, &end)))
        };
        self.end_unit(unit, end, seq);
    }

    pub(crate) fn cancel(&mut self, unit: Unit, halt: &Halt) {
        if let Some(running) = self.running.get(&unit) {
            running.cancel.why.borrow_mut().get_or_insert_with(|| halt.clone());
            running.cancel.notify.notify_one();
        }
    }

    /// The open scope that a call unit runs in.
    pub(crate) fn call_scope(&self, unit: Unit) -> Option<ScopeId> {
        let world = self.world.borrow();
        world.scopes.iter().rposition(|scope| scope.parent == Some(unit) && scope.phase != Phase::Over)
    }
}
