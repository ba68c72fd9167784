//! The fixed output format, and the files placed in the run directory.

use crate::calls::delivery_folder;
use crate::engine::Engine;
use crate::scope::View;
use crate::world::{Life, ScopeId, World};
use assay_manifest::expr::Template;
use assay_manifest::{Deliver, DeliverFrom, OutputKind, absolute, check_delivery, input};
use assay_plan::{NodeId, What};
use assay_protocol::{Delivered, Event, Status, Value, ValueMap};
use assay_store::sha256_hex;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Values of all declared outputs; those that cannot be computed are null, with the reason.
pub(crate) fn outputs(world: &World, scope: ScopeId) -> (ValueMap, ValueMap) {
    let mut values = ValueMap::new();
    let mut reasons = ValueMap::new();
    let view = View::new(world, scope);
    for output in &world.scopes[scope].plan.manifest.outputs {
        let name = &output.name.value;
        let computed = match &output.kind {
            OutputKind::Value { value, schema, .. } => {
                let fits = |found: Value| match input::check(schema, &found) {
                    Ok(()) => Ok(found),
                    // A step that did not measure it says so by null.
                    Err(_) if found.is_null() => Err(format!("`{}` is null", value.expr.source())),
                    Err(error) => Err(error.to_string()),
                };
                value.expr.eval(&view).map_err(|error| error.to_string()).and_then(fits)
            }
            OutputKind::Table { rows, columns } => rows
                .expr
                .eval(&view)
                .map_err(|error| error.to_string())
                .and_then(|rows| table(&rows, columns)),
        };
        match computed {
            Ok(value) => values.insert(name.clone(), value),
            Err(reason) => {
                reasons.insert(name.clone(), Value::from(reason));
                values.insert(name.clone(), Value::Null)
            }
        };
    }
    (values, reasons)
}

/// Rows under their columns: what the columns do not name is left out, what a row lacks is null.
fn table(rows: &Value, columns: &[(String, String)]) -> Result<Value, String> {
    let Some(rows) = rows.as_array() else {
        return Err(format!("`rows` is {}, not a list", assay_manifest::expr::describe(rows)));
    };
    let mut kept = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let Some(row) = row.as_object() else {
            return Err(format!("row {index} is {}, not a map", assay_manifest::expr::describe(row)));
        };
        let cells =
            columns.iter().map(|(key, _)| (key.clone(), row.get(key).cloned().unwrap_or(Value::Null)));
        kept.push(Value::Object(cells.collect()));
    }
    let titles: ValueMap =
        columns.iter().map(|(key, title)| (key.clone(), Value::from(title.as_str()))).collect();
    Ok(json!({"columns": titles, "rows": kept}))
}

impl Engine {
    /// What a delivery reads has ended: write it.
    pub(crate) fn deliver(&mut self, scope: ScopeId, node: NodeId) {
        let plan = Rc::clone(&self.world.borrow().scopes[scope].plan);
        let What::Deliver(index) = plan.nodes[node as usize].what else { return };
        let interrupted = self.interrupted.is_some();
        if self.world.borrow().node(scope, node).has_ended() || interrupted {
            return;
        }
        self.world.borrow_mut().node_mut(scope, node).life = Life::Ended(Status::Passed);
        let record =
            self.place_file(scope, &plan.manifest.deliver[index as usize]).unwrap_or_else(|refused| {
                let words = format!("`{}` is not delivered: {}", refused.path, refused.reason);
                self.world.borrow_mut().scopes[scope].undelivered.get_or_insert(words);
                *refused
            });
        self.host.record(Event::Delivered(record));
    }

    /// At the end of a scope: whatever was not written yet.
    pub(crate) fn deliver_rest(&mut self, scope: ScopeId) {
        let plan = Rc::clone(&self.world.borrow().scopes[scope].plan);
        let refused = {
            let world = self.world.borrow();
            // A scope whose preflight failed never ran: there is nothing to deliver.
            world.scopes[scope].nodes.iter().all(|run| run.life == Life::Pending)
        };
        if refused {
            return;
        }
        for (index, node) in plan.nodes.iter().enumerate() {
            if matches!(node.what, What::Deliver(_)) {
                self.deliver(scope, index as NodeId);
            }
        }
    }

    /// `Err`: a path that leaves the run, or a file that could not be written. A value that is not there is no such
    /// fault: what it came from says why.
    fn place_file(&self, scope: ScopeId, deliver: &Deliver) -> Result<Delivered, Box<Delivered>> {
        let world = self.world.borrow();
        let (values, reasons) = outputs(&world, scope);
        let view = View { outputs: Some(&values), ..View::new(&world, scope) };
        let shown = deliver.path.template.source().to_owned();
        let failed =
            |path: String, reason: String| Delivered { path, sha256: String::new(), bytes: 0, reason };
        let path = match self.text(&deliver.path, &view) {
            Ok(path) => path,
            Err(reason) => return Ok(failed(shown, reason)),
        };
        if let Err(problem) = check_delivery(&path) {
            return Err(Box::new(failed(path, problem.to_owned())));
        }
        let target = delivery_folder(&world.scopes[scope]).join(&path);
        let name = target.to_string_lossy().into_owned();
        match self.content(deliver, &view, &path) {
            Ok(Content::Bytes(bytes)) => match self.host.run.publish(&target, &bytes) {
                Ok(()) => Ok(Delivered {
                    path: name,
                    sha256: sha256_hex(&bytes),
                    bytes: bytes.len() as u64,
                    reason: null_words(deliver, &reasons),
                }),
                Err(error) => Err(Box::new(failed(name, error.to_string()))),
            },
            Ok(Content::File(source)) => self.copy(&source, &target, name),
            Err(reason) => Ok(failed(name, reason)),
        }
    }

    fn copy(&self, source: &Path, target: &Path, name: String) -> Result<Delivered, Box<Delivered>> {
        let copied = self.host.run.copy_in(source, target).and_then(|()| assay_store::sha256_file(source));
        match copied {
            Ok(digest) => Ok(Delivered {
                path: name,
                sha256: digest.sha256,
                bytes: digest.bytes,
                reason: String::new(),
            }),
            Err(error) => Err(Box::new(Delivered {
                path: name,
                sha256: String::new(),
                bytes: 0,
                reason: error.to_string(),
            })),
        }
    }

    fn content(&self, deliver: &Deliver, view: &View<'_>, path: &str) -> Result<Content, String> {
        match &deliver.from {
            DeliverFrom::Template(text) => {
                let dir = &view.world.scopes[view.scope].plan.manifest.origin.dir;
                let file = absolute(dir, &self.text(text, view)?);
                let source = std::fs::read_to_string(&file)
                    .map_err(|error| format!("template `{}`: {error}", file.display()))?;
                let template = Template::parse(&source)
                    .map_err(|error| format!("template `{}`: {}", file.display(), error.message))?;
                let rendered = template
                    .render_text(view)
                    .map_err(|error| format!("template `{}`: {error}", file.display()))?;
                Ok(Content::Bytes(rendered.into_bytes()))
            }
            DeliverFrom::Value(expr) => {
                let value =
                    expr.expr.eval(view).map_err(|error| format!("{error} ({})", self.place(expr.span)))?;
                if let Some(source) = file_of(&value) {
                    return Ok(Content::File(source));
                }
                let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
                self.renderer.render(extension, &value, None).map(Content::Bytes)
            }
        }
    }
}

enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// The path of a value that is a file: `{path, sha256, bytes}`.
fn file_of(value: &Value) -> Option<PathBuf> {
    let map = value.as_object()?;
    (map.contains_key("sha256") && map.contains_key("bytes"))
        .then(|| map.get("path").and_then(Value::as_str).map(PathBuf::from))
        .flatten()
}

/// Says which delivered outputs are null, and why.
fn null_words(deliver: &Deliver, reasons: &ValueMap) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let DeliverFrom::Value(expr) = &deliver.from else { return String::new() };
    let reads = |name: &str| {
        expr.expr.refs().iter().filter(|reference| reference.root == "outputs").any(|reference| {
            match reference.path.first() {
                Some(assay_manifest::expr::Segment::Name(first)) => first == name,
                _ => true,
            }
        })
    };
    let words = reasons.iter().filter(|(name, _)| reads(name));
    words
        .map(|(name, reason)| format!("`{name}` is null: {}", reason.as_str().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join("; ")
}
