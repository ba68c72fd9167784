//! Facts that must hold before any step runs: all are checked, in one report.

use crate::ctx::StepCtx;
use crate::engine::Engine;
use crate::host::Host;
use crate::message::Message;
use crate::scope::View;
use crate::step::Check as CheckType;
use crate::world::{Phase, Scope, ScopeId, World};
use assay_manifest::{Check, ConfigKind, Ends, OnFail, Uses, input};
use assay_plan::ManifestPlan;
use assay_protocol::{CheckFinished, Event, Status, Value, ValueMap};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The longest a check may take unless it says otherwise.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// A check that can be made now.
struct Due {
    path: String,
    on_fail: OnFail,
    made: Result<(Rc<dyn CheckType>, Box<StepCtx>), CheckFinished>,
    recorded_as: Status,
    uses: String,
}

impl Engine {
    /// Makes the checks of a scope, those of calls whose inputs are known too if it is the root; then it starts.
    pub(crate) fn check_scope(&mut self, scope: ScopeId) {
        let (plan, prefix, parent_path) = {
            let world = self.world.borrow();
            let here = &world.scopes[scope];
            (Rc::clone(&here.plan), here.prefix.clone(), here.parent.map(|unit| world.path(unit)))
        };
        if self.has_begun(parent_path.as_deref()) {
            return self.start_scope(scope);
        }
        let mut due = Vec::new();
        let known = plan
            .manifest
            .preflight
            .iter()
            .all(|check| self.checked.contains_key(&format!("{prefix}{}", check.id.value)));
        if known && scope != 0 {
            return self.decide_scope(scope);
        }
        for check in &plan.manifest.preflight {
            due.push(self.due(check, &prefix, &self.world, scope));
        }
        if scope == 0 {
            let inputs = self.world.borrow().scopes[0].inputs.clone();
            self.add_known_calls(&plan, "", &inputs, &mut due);
        }
        if due.is_empty() {
            return self.start_scope(scope);
        }
        let messages = self.messages.clone();
        let host = Rc::clone(&self.host);
        tokio::task::spawn_local(async move {
            let mut results = Vec::with_capacity(due.len());
            for due in due {
                results.push(make(due, &host).await);
            }
            // The engine may have been interrupted meanwhile.
            let _ = messages.send(Message::Checked { scope, results });
        });
    }

    /// Whether the scope's own steps began in an earlier engine: its checks are not made again then.
    fn has_begun(&self, call: Option<&str>) -> bool {
        if !self.resumed {
            return false;
        }
        match call {
            Some(call) => {
                let prefix = format!("{call}/");
                self.prior.iter().any(|(path, node)| path.starts_with(&prefix) && !node.attempts.is_empty())
            }
            None => self.prior.values().any(|node| !node.attempts.is_empty()),
        }
    }

    fn due(&self, check: &Check, prefix: &str, world: &Rc<RefCell<World>>, scope: ScopeId) -> Due {
        let path = format!("{prefix}{}", check.id.value);
        let finished = |status, reason: String| CheckFinished {
            check: path.clone(),
            uses: check.check.value.clone(),
            status,
            on_fail: check.on_fail.word().to_owned(),
            reason,
            evidence: Value::Null,
        };
        let made =
            self.context_of(check, &path, world, scope).map_err(|(status, reason)| finished(status, reason));
        Due {
            on_fail: check.on_fail,
            made,
            recorded_as: check.recorded_as,
            uses: check.check.value.clone(),
            path,
        }
    }

    #[expect(clippy::type_complexity, reason = "one caller, two parts")]
    fn context_of(
        &self,
        check: &Check,
        path: &str,
        world: &Rc<RefCell<World>>,
        scope: ScopeId,
    ) -> Result<(Rc<dyn CheckType>, Box<StepCtx>), (Status, String)> {
        let here = world.borrow();
        let view = View::new(&here, scope);
        if let Some(when) = &check.when {
            match when.expr.eval_bool(&view) {
                Ok(true) => {}
                Ok(false) => return Err((Status::Skipped, "its `when` is false".to_owned())),
                Err(error) => {
                    let reason = format!("its `when` cannot be decided: {error} ({})", self.place(when.span));
                    return Err((check.recorded_as, reason));
                }
            }
        }
        let config = check
            .with
            .render(&view)
            .map_err(|error| (check.recorded_as, format!("{} ({})", error.error, self.place(error.span))))?;
        let kind = self
            .host
            .registry
            .check_type(&check.check.value)
            .ok_or_else(|| (Status::Unsupported, format!("no check type `{}`", check.check.value)))?;
        let dir = here.scopes[scope].plan.manifest.origin.dir.clone();
        let inherited = ["PATH", "HOME", "LANG", "TMPDIR"];
        let env =
            inherited.iter().filter_map(|name| Some(((*name).into(), self.host.env.get(*name)?.into())));
        let cx = StepCtx {
            path: path.to_owned(),
            attempt: 1,
            config,
            ends: Ends::Success,
            cwd: dir.clone(),
            skill_dir: dir,
            env: env.collect(),
            deadline: Some(Instant::now() + CHECK_LIMIT),
            memory: None,
            gpus: Vec::new(),
            fingerprint: RefCell::default(),
            unit: None,
            scope,
            host: Rc::clone(&self.host),
            world: Rc::clone(world),
            messages: self.messages.clone(),
            secrets: Vec::new(),
            logs: RefCell::new(None),
            work: RefCell::new(None),
            isolation: None,
            temporary: RefCell::default(),
            unsupported: RefCell::default(),
            trees: RefCell::default(),
            relays: RefCell::default(),
            started: Cell::new(true),
            awaits_process: Cell::new(false),
            stop: Rc::new(Notify::new()),
            prior: None,
            ports: RefCell::default(),
            detach: None,
        };
        Ok((kind, Box::new(cx)))
    }

    /// Checks of calls whose inputs do not depend on any step, however deep.
    fn add_known_calls(&self, plan: &Rc<ManifestPlan>, prefix: &str, inputs: &ValueMap, due: &mut Vec<Due>) {
        let caller = self.lone_world(plan, prefix, inputs);
        for step in plan.manifest.steps.iter().filter(|step| step.foreach.is_none() && step.when.is_none()) {
            let Uses::Call(name) = &step.uses.value else { continue };
            let Some(callee) = plan.callees.get(name) else { continue };
            let given = {
                let world = caller.borrow();
                let rendered = match &step.with.kind {
                    ConfigKind::Map(_) => step.with.render(&View::new(&world, 0)).ok(),
                    _ => Some(Value::Object(ValueMap::new())),
                };
                rendered.and_then(|value| value.as_object().cloned())
            };
            let Some(given) = given else { continue };
            let Ok(inputs) = input::resolve(&callee.manifest, &given, &plan.manifest.origin.dir) else {
                continue;
            };
            let inner = format!("{prefix}{}/", step.id.value);
            let world = self.lone_world(callee, &inner, &inputs);
            for check in &callee.manifest.preflight {
                let mut one = self.due(check, &inner, &world, 0);
                if step.on_fail != OnFail::Stop && one.on_fail == OnFail::Stop {
                    // The call will end with it, and its caller goes on.
                    one.on_fail = OnFail::Exclude;
                }
                due.push(one);
            }
            self.add_known_calls(callee, &inner, &inputs, due);
        }
    }

    /// A world with nothing but one scope that has not run: what can be known before any step.
    fn lone_world(&self, plan: &Rc<ManifestPlan>, prefix: &str, inputs: &ValueMap) -> Rc<RefCell<World>> {
        let real = self.world.borrow();
        let nodes = plan.nodes.iter().enumerate().map(|(index, node)| {
            let looped = plan.step(index as u32).is_some_and(|step| step.foreach.is_some());
            Self::fresh_node(node.deps.len() as u32, looped)
        });
        let scope = Scope {
            nodes: nodes.collect(),
            plan: Rc::clone(plan),
            prefix: prefix.to_owned(),
            folder: String::new(),
            parent: None,
            inputs: inputs.clone(),
            open_main: 0,
            open_finally: 0,
            phase: Phase::Main,
            halt: None,
            scratch: PathBuf::new(),
            env: self.scope_env(plan, None).unwrap_or_default(),
            secrets: Rc::new(HashMap::new()),
            excluded: None,
            undelivered: None,
            opened_s: 0.0,
            outputs: None,
        };
        Rc::new(RefCell::new(World {
            scopes: vec![scope],
            facts: real.facts.clone(),
            run_id: real.run_id.clone(),
            run_dir: real.run_dir.clone(),
            date: real.date.clone(),
            rehearsal: real.rehearsal,
        }))
    }

    pub(crate) fn on_checked(&mut self, scope: ScopeId, results: Vec<CheckFinished>) {
        for result in results {
            self.host.record(Event::CheckFinished(result.clone()));
            self.checked.insert(result.check.clone(), result);
        }
        if self.world.borrow().scopes[scope].halt.is_some() {
            // Interrupted while the checks were made.
            return self.refuse_scope(scope, Status::Cancelled, "interrupted during preflight".to_owned());
        }
        self.decide_scope(scope);
    }

    fn decide_scope(&mut self, scope: ScopeId) {
        let prefix = self.world.borrow().scopes[scope].prefix.clone();
        let mut bad: Vec<&CheckFinished> = self
            .checked
            .values()
            .filter(|check| {
                let inside = check.check.starts_with(&prefix);
                let own = inside && !check.check[prefix.len()..].contains('/');
                let stops = check.on_fail == "stop" && scope == 0;
                (own || (inside && stops))
                    && !matches!(check.status, Status::Passed | Status::Skipped)
                    && check.on_fail != "warn"
            })
            .collect();
        bad.sort_by(|a, b| a.check.cmp(&b.check));
        let Some(first) = bad.first() else { return self.start_scope(scope) };
        let words: Vec<String> =
            bad.iter().map(|check| format!("`{}`: {}", check.check, check.reason)).collect();
        let reason = format!("preflight: {}", words.join("; "));
        let excluded = first.on_fail == "exclude" && scope != 0;
        let status = if excluded { Status::Excluded } else { first.status };
        if excluded {
            self.world.borrow_mut().scopes[scope].excluded = Some(reason.clone());
        }
        self.refuse_scope(scope, status, reason);
    }
}

async fn make(due: Due, host: &Rc<Host>) -> CheckFinished {
    let on_fail = due.on_fail.word().to_owned();
    let (kind, cx) = match due.made {
        Ok(made) => made,
        Err(finished) => return finished,
    };
    let limit = CHECK_LIMIT + Duration::from_secs(5);
    let result = tokio::time::timeout(limit, kind.run(&cx)).await;
    cx.end_processes().await;
    if let Some(pair) = cx.logs.borrow_mut().take() {
        let mut pool = host.pool.borrow_mut();
        for (log, name) in [(pair.stdout, "stdout.log"), (pair.stderr, "stderr.log")] {
            let folder = assay_store::slug(&due.path);
            // What a check printed is kept for the reader; losing it changes no verdict.
            let _ = pool.finish_log(log, &format!("steps/{folder}/preflight/{name}"), false);
        }
    }
    let (status, reason, evidence) = match result {
        Ok(result) if result.holds => (Status::Passed, result.found, result.evidence),
        Ok(result) => (result.status.unwrap_or(due.recorded_as), result.found, result.evidence),
        Err(_) => (due.recorded_as, "the check did not end in time".to_owned(), Value::Null),
    };
    CheckFinished { check: due.path, uses: due.uses, status, on_fail, reason, evidence }
}
