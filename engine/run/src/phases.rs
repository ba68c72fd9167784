//! The life of a scope: its own steps, then `finally`, then its servers stop.

use crate::engine::{Engine, Running};
use crate::world::{Halt, Life, Phase, ScopeId, Unit};
use assay_plan::{NodeId, What};
use assay_protocol::Status;
use std::rc::Rc;

impl Engine {
    /// Servers that this node required have one reader less.
    pub(crate) fn count_reader_out(&mut self, scope: ScopeId, node: NodeId) {
        let idle: Vec<NodeId> = {
            let mut world = self.world.borrow_mut();
            let plan = Rc::clone(&world.scopes[scope].plan);
            let deps = plan.nodes[node as usize].deps.iter().filter(|dep| dep.requires_success);
            deps.filter_map(|dep| {
                let readers = world.node_mut(scope, dep.node).readers.as_mut()?;
                *readers = readers.saturating_sub(1);
                (*readers == 0 && !plan.nodes[dep.node as usize].read_by_finally).then_some(dep.node)
            })
            .collect()
        };
        for server in idle {
            self.stop_server(scope, server);
        }
    }

    /// Asks every instance of a server to stop.
    pub(crate) fn stop_server(&mut self, scope: ScopeId, node: NodeId) {
        let instances = self.world.borrow().node(scope, node).instances.len() as u32;
        for instance in 0..instances {
            if let Some(running) = self.running.get(&Unit { scope, node, instance })
                && !self.is_spared(running)
            {
                running.stop.notify_one();
            }
        }
    }

    /// A server died while others used it: they fail, with its name.
    pub(crate) fn fail_readers(&mut self, scope: ScopeId, server: NodeId) {
        let (readers, reason) = {
            let world = self.world.borrow();
            let here = &world.scopes[scope];
            let readers: Vec<NodeId> = here.plan.nodes[server as usize]
                .dependents
                .iter()
                .copied()
                .filter(|node| matches!(world.node(scope, *node).life, Life::Active))
                .collect();
            let why = &world.node(scope, server).reason;
            let reason = format!("the server `{}` that it uses is gone: {why}", here.path_of(server));
            (readers, reason)
        };
        let halt = Halt { status: Status::Failed, reason };
        for node in readers {
            let instances = self.world.borrow().node(scope, node).instances.len() as u32;
            for instance in 0..instances {
                self.stop_unit(Unit { scope, node, instance }, &halt);
            }
        }
    }

    /// The next phase of a scope, if the one it is in is over.
    pub(crate) fn advance(&mut self, scope: ScopeId) {
        loop {
            let (phase, open_main, open_finally) = {
                let world = self.world.borrow();
                let here = &world.scopes[scope];
                (here.phase, here.open_main, here.open_finally)
            };
            match phase {
                Phase::Main if open_main == 0 => {
                    self.world.borrow_mut().scopes[scope].phase = Phase::Finally;
                    self.start_finally(scope);
                }
                Phase::Finally if open_finally == 0 => {
                    self.world.borrow_mut().scopes[scope].phase = Phase::Stopping;
                    self.stop_servers(scope);
                }
                Phase::Stopping if !self.has_servers(scope) => {
                    self.world.borrow_mut().scopes[scope].phase = Phase::Over;
                    self.finish_scope(scope);
                    return;
                }
                _ => return,
            }
        }
    }

    fn start_finally(&mut self, scope: ScopeId) {
        let mut world = self.world.borrow_mut();
        let plan = Rc::clone(&world.scopes[scope].plan);
        for (index, node) in plan.nodes.iter().enumerate() {
            if matches!(node.what, What::Finally(_)) {
                let run = world.node_mut(scope, index as NodeId);
                run.waiting -= 1;
                if run.waiting == 0 {
                    self.ready.push_back((scope, index as NodeId));
                }
            }
        }
    }

    fn servers(&self, scope: ScopeId) -> Vec<NodeId> {
        let world = self.world.borrow();
        let nodes = world.scopes[scope].nodes.iter().enumerate();
        nodes
            .filter(|(_, run)| run.readers.is_some() && matches!(run.life, Life::Active))
            .map(|(index, _)| index as NodeId)
            .collect()
    }

    fn has_servers(&self, scope: ScopeId) -> bool {
        self.servers(scope).into_iter().any(|node| {
            let instances = self.world.borrow().node(scope, node).instances.len() as u32;
            let units = (0..instances).map(|instance| Unit { scope, node, instance });
            let mut running = units.filter_map(|unit| self.running.get(&unit));
            running.any(|running| !self.is_spared(running))
        })
    }

    /// An interruption leaves it running.
    fn is_spared(&self, running: &Running) -> bool {
        self.interrupted.is_some() && running.is_kept()
    }

    fn stop_servers(&mut self, scope: ScopeId) {
        for node in self.servers(scope) {
            self.stop_server(scope, node);
        }
    }
}
