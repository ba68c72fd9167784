//! Resuming with servers: whether a server that has ended must start again because a step still needs it.

use crate::attempt::changed_file;
use crate::engine::Engine;
use crate::world::{Scope, ScopeId};
use assay_manifest::Uses;
use assay_plan::{NodeId, What};
use std::collections::HashMap;

impl Engine {
    /// Whether a step that requires this server will run in this engine.
    ///
    /// A step must never meet a server that is gone, so where it cannot be told before fingerprints are compared
    /// (the manifest changed), the answer is yes.
    pub(crate) fn server_is_needed(&self, scope: ScopeId, server: NodeId) -> bool {
        if !self.same_digest {
            return true;
        }
        let world = self.world.borrow();
        let here = &world.scopes[scope];
        let mut known = HashMap::new();
        let plan = &here.plan;
        plan.nodes[server as usize].dependents.iter().any(|dependent| {
            let requires = plan.nodes[*dependent as usize]
                .deps
                .iter()
                .any(|dep| dep.node == server && dep.requires_success);
            requires && self.will_run(here, *dependent, &mut known)
        })
    }

    /// Whether a step of a resumed scope will run again, from what is recorded of it and of what is before it.
    fn will_run(&self, scope: &Scope, node: NodeId, known: &mut HashMap<NodeId, bool>) -> bool {
        if let Some(answer) = known.get(&node) {
            return *answer;
        }
        known.insert(node, false);
        let answer = match scope.plan.nodes[node as usize].what {
            What::Gate(_) | What::Deliver(_) => false,
            What::Finally(_) => {
                let steps = (0..scope.plan.nodes.len()).map(|index| index as NodeId);
                let mut steps =
                    steps.filter(|other| matches!(scope.plan.nodes[*other as usize].what, What::Step(_)));
                self.is_open(scope, node) || steps.any(|other| self.will_run(scope, other, known))
            }
            What::Step(_) => {
                let bound = scope.plan.step(node).is_some_and(|step| step.bind_epoch);
                self.is_open(scope, node)
                    || scope.plan.nodes[node as usize].deps.iter().any(|dep| {
                        (bound || !self.is_server(&scope.plan, dep.node))
                            && self.will_run(scope, dep.node, known)
                    })
            }
        };
        known.insert(node, answer);
        answer
    }

    /// Whether a step by itself has to run: it has no good end, was asked for, or a file of it changed.
    fn is_open(&self, scope: &Scope, node: NodeId) -> bool {
        let path = scope.path_of(node);
        let ended_well = self
            .prior
            .get(&path)
            .and_then(|node| node.finished.as_ref())
            .is_some_and(|finished| crate::resume::settles(finished.status) || finished.warned);
        let is_call = scope.plan.step(node).is_some_and(|step| matches!(step.uses.value, Uses::Call(_)));
        if !ended_well || self.is_forced(&path) || (is_call && self.is_forced_inside(&path)) {
            return true;
        }
        let instances = self.prior.iter().filter(|(other, _)| {
            other
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || (rest.starts_with('[') && !rest.contains('/')))
        });
        let mut ends = instances.filter_map(|(_, node)| node.finished.as_ref());
        ends.any(|finished| changed_file(finished).is_some())
    }
}
