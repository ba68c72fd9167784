//! Servers when a run goes on: one starts again if, and only if, something unfinished needs it.

use crate::attempt::changed_file;
use crate::engine::Engine;
use crate::resume::settles;
use crate::world::{End, ScopeId, Unit};
use assay_manifest::Uses;
use assay_plan::{ManifestPlan, NodeId, What};
use assay_protocol::{Event, NodeState, Outcome, Status};
use std::rc::Rc;

/// Why a server that is not started again counts as passed.
const RETIRED: &str = "it ended with an earlier engine, and nothing needs it any more";

impl Engine {
    pub(crate) fn is_server_unit(&self, unit: Unit) -> bool {
        let plan = Rc::clone(&self.world.borrow().scopes[unit.scope].plan);
        self.is_server(&plan, unit.node)
    }

    /// A server must start, whatever is recorded of it: its recorded end means that it is not there.
    pub(crate) fn must_serve(&self, unit: Unit) -> bool {
        self.resumed && self.is_server_unit(unit) && (!self.same_digest || self.is_needed(unit))
    }

    /// The end of a server that was ready under an earlier engine and has done its work, with its record's number.
    pub(crate) fn retired(&mut self, unit: Unit) -> Option<(End, u64)> {
        if !self.resumed || !self.is_server_unit(unit) {
            return None;
        }
        let path = self.world.borrow().path(unit);
        let prior = self.prior.get(&path)?;
        let attempt = prior.attempts.last()?;
        let ready = attempt.ready.as_ref()?;
        let lasted = attempt.ended_at.map_or(0.0, |end| (end - attempt.started_at).max(0.0));
        let end = End {
            outputs: Rc::new(ready.outputs.clone()),
            duration_s: lasted,
            ..End::bare(Status::Passed, RETIRED)
        };
        let (number, attempts) = (attempt.number, prior.attempts.len() as u32);
        self.world.borrow_mut().instance_mut(unit).attempts = attempts;
        let record = crate::nodes::finished_record(&path, number, &end);
        let seq = self.host.record(Event::StepFinished(record));
        Some((end, seq))
    }

    /// Whether something that requires the server is unfinished, or nothing requires it at all.
    fn is_needed(&self, unit: Unit) -> bool {
        let plan = Rc::clone(&self.world.borrow().scopes[unit.scope].plan);
        let mut held =
            Held { engine: self, scope: unit.scope, plan: &plan, known: vec![None; plan.nodes.len()] };
        let server = &plan.nodes[unit.node as usize];
        let requires = |reader: &NodeId| {
            let deps = &plan.nodes[*reader as usize].deps;
            deps.iter().any(|dep| dep.node == unit.node && dep.requires_success)
        };
        let mut readers: Vec<NodeId> = server.dependents.iter().copied().filter(requires).collect();
        if server.read_by_finally {
            // `finally` has no edges to what came before it, so each of its steps may be the one.
            let nodes = plan.nodes.iter().enumerate();
            let finally = nodes.filter(|(_, node)| matches!(node.what, What::Finally(_)));
            readers.extend(finally.map(|(index, _)| index as NodeId));
        }
        readers.is_empty() || !readers.into_iter().all(|reader| held.holds(reader))
    }
}

/// Which recorded results will still count when their turn comes. The same questions as `reusable` asks, ahead of time and
/// without servers, whose restart lets finished results be.
struct Held<'a> {
    engine: &'a Engine,
    scope: ScopeId,
    plan: &'a ManifestPlan,
    known: Vec<Option<bool>>,
}

impl Held<'_> {
    fn holds(&mut self, node: NodeId) -> bool {
        if let Some(known) = self.known[node as usize] {
            return known;
        }
        let holds = self.is_recorded(node) && self.before(node).into_iter().all(|before| self.holds(before));
        self.known[node as usize] = Some(holds);
        holds
    }

    /// What the result rests on: for `finally` everything else, because it runs again with anything else.
    fn before(&self, node: NodeId) -> Vec<NodeId> {
        let all: Vec<NodeId> = match self.plan.nodes[node as usize].what {
            What::Finally(_) => {
                let nodes = self.plan.nodes.iter().enumerate();
                nodes
                    .filter(|(_, other)| matches!(other.what, What::Step(_) | What::Gate(_)))
                    .map(|(index, _)| index as NodeId)
                    .collect()
            }
            _ => self.plan.nodes[node as usize].deps.iter().map(|dep| dep.node).collect(),
        };
        all.into_iter().filter(|before| !self.engine.is_server(self.plan, *before)).collect()
    }

    fn is_recorded(&self, node: NodeId) -> bool {
        let path = self.engine.world.borrow().scopes[self.scope].path_of(node);
        match self.plan.nodes[node as usize].what {
            What::Deliver(_) => true,
            What::Gate(_) => self.engine.prior_gates.get(&path).is_some_and(|gate| {
                matches!(gate.decided.outcome, Outcome::Passed | Outcome::Skipped)
                    && !self.engine.is_forced(&path)
            }),
            What::Step(_) | What::Finally(_) => {
                let call = self.plan.step(node).is_some_and(|step| matches!(step.uses.value, Uses::Call(_)));
                let forced = self.engine.is_forced(&path) || (call && self.engine.is_forced_inside(&path));
                !forced && self.engine.prior.get(&path).is_some_and(|node| self.is_settled(&path, node))
            }
        }
    }

    fn is_settled(&self, path: &str, node: &NodeState) -> bool {
        let counts = |node: &NodeState| {
            node.finished.as_ref().is_some_and(|finished| {
                (finished.warned || settles(finished.status)) && changed_file(finished).is_none()
            })
        };
        let instances = node.expanded.iter().flat_map(|expanded| &expanded.instances);
        counts(node)
            && instances
                .map(|instance| self.engine.prior.get(&format!("{path}[{}]", instance.key)))
                .all(|instance| instance.is_some_and(counts))
    }
}
