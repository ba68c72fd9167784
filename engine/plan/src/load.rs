//! From the text of a manifest to its plan and the plans of everything it calls.

use crate::graph::{self, find_cycles};
use crate::node::ManifestPlan;
use crate::{check, edges};
use assay_diagnostics::{Diagnostic, Severity, SourceId, Sources, Span, did_you_mean, is_worth_suggesting};
use assay_manifest::{Manifest, Origin, StepCatalog, called_names, lower_within};
use assay_yaml::Limits;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The text of a manifest and where it comes from.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its file as users know it: relative if that is shorter.
    pub shown: String,
    /// Its text.
    pub text: String,
    /// Its absolute file and folder.
    pub origin: Origin,
}

/// Why a name led to no manifest.
#[derive(Debug, Clone)]
pub struct NotFound {
    /// One sentence.
    pub why: String,
    /// Names that exist.
    pub known: Vec<String>,
}

/// Where called skills and workflows are found.
pub trait Library {
    /// The manifest called `name` by one that stands in `caller`.
    fn find(&self, name: &str, caller: &Origin) -> Result<Found, NotFound>;
}

/// A plan, or the reasons why there is none.
#[derive(Debug)]
pub struct Loaded {
    /// The plan, if nothing found is an error.
    pub plan: Option<Rc<ManifestPlan>>,
    /// Everything that was found, in all texts.
    pub diagnostics: Vec<Diagnostic>,
    /// Every text that was read, the root first: for the digest.
    pub texts: Vec<(String, String)>,
}

impl Loaded {
    /// Digest over all texts, in order of reading.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, text) in &self.texts {
            hasher.update(name.as_bytes()).update(&[0]).update(text.as_bytes()).update(&[0]);
        }
        hasher.finalize().to_hex().as_str()[..32].to_owned()
    }
}

/// A manifest as far as it can be understood, errors or not. For those who look at it; nothing in it may be run.
#[derive(Debug)]
pub struct Examined {
    /// The id of its text among the sources.
    pub source: SourceId,
    /// Its tree, if the text is YAML.
    pub tree: Option<assay_yaml::Node>,
    /// Its plan; with errors there may be cycles, and references that lead nowhere.
    pub plan: Option<Rc<ManifestPlan>>,
    /// Everything that was found, in all texts.
    pub diagnostics: Vec<Diagnostic>,
    /// Every text that was read, the root first, by absolute file.
    pub texts: Vec<(String, String)>,
}

/// Edges of the DAG for each value that a manifest may have.
const EDGES: usize = 10;

struct Loader<'a> {
    library: &'a dyn Library,
    catalog: &'a StepCatalog,
    sources: &'a mut Sources,
    limits: Limits,
    diagnostics: Vec<Diagnostic>,
    texts: Vec<(String, String)>,
    /// Finished plans by file; `None` for one with errors.
    done: HashMap<String, Option<Rc<ManifestPlan>>>,
    /// Files being loaded, outermost first, each with its name for users: a call back into one is a recursion.
    open: Vec<(String, String)>,
}

/// Reads a manifest, everything it calls, and puts the DAG together.
pub fn load(root: Found, library: &dyn Library, catalog: &StepCatalog, sources: &mut Sources) -> Loaded {
    let mut loader = Loader::new(library, catalog, sources);
    let plan = loader.load(root);
    Loaded { plan, diagnostics: loader.diagnostics, texts: loader.texts }
}

/// Reads a manifest and its callees as [`load`] does, each within `limits`, and keeps what it understood of one with
/// errors.
pub fn examine(
    root: Found,
    limits: Limits,
    library: &dyn Library,
    catalog: &StepCatalog,
    sources: &mut Sources,
) -> Examined {
    let mut loader = Loader { limits, ..Loader::new(library, catalog, sources) };
    let Opened { source, file, tree, manifest } = loader.open(root);
    let plan = manifest.map(|(shown, manifest)| Rc::new(loader.put_together(file, shown, manifest)));
    Examined { source, tree, plan, diagnostics: loader.diagnostics, texts: loader.texts }
}

/// A text that was read, with its manifest under the name that users know.
struct Opened {
    source: SourceId,
    file: String,
    tree: Option<assay_yaml::Node>,
    manifest: Option<(String, Manifest)>,
}

impl<'a> Loader<'a> {
    fn new(library: &'a dyn Library, catalog: &'a StepCatalog, sources: &'a mut Sources) -> Self {
        Self {
            library,
            catalog,
            sources,
            limits: Limits::default(),
            diagnostics: Vec::new(),
            texts: Vec::new(),
            done: HashMap::new(),
            open: Vec::new(),
        }
    }

    fn load(&mut self, found: Found) -> Option<Rc<ManifestPlan>> {
        let before = self.errors();
        let Opened { file, manifest, .. } = self.open(found);
        let (shown, manifest) = manifest?;
        let plan = self.put_together(file.clone(), shown, manifest);
        let plan = (self.errors() == before).then_some(plan).map(Rc::new);
        self.done.insert(file, plan.clone());
        plan
    }

    fn open(&mut self, found: Found) -> Opened {
        let file = found.origin.file.clone();
        let source = self.sources.add(found.shown.as_str(), found.text.as_str());
        let lowered = lower_within(&self.limits, source, &found.text, found.origin, self.catalog);
        self.texts.push((file.clone(), found.text));
        self.diagnostics.extend(lowered.diagnostics);
        let manifest = lowered.manifest.map(|manifest| (found.shown, manifest));
        Opened { source, file, tree: lowered.tree, manifest }
    }

    fn put_together(&mut self, file: String, shown: String, manifest: Manifest) -> ManifestPlan {
        self.open.push((file, shown));
        let callees = self.load_callees(&manifest);
        self.open.pop();
        self.assemble(manifest, callees)
    }

    fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    fn load_callees(&mut self, manifest: &Manifest) -> HashMap<String, Rc<ManifestPlan>> {
        let mut callees = HashMap::new();
        let mut tried = HashSet::new();
        for call in called_names(manifest) {
            if !tried.insert(call.value) {
                continue;
            }
            if let Some(plan) = self.load_callee(call.value, call.span, manifest) {
                callees.insert(call.value.to_owned(), plan);
            }
        }
        callees
    }

    fn load_callee(&mut self, name: &str, span: Span, caller: &Manifest) -> Option<Rc<ManifestPlan>> {
        let found = match self.library.find(name, &caller.origin) {
            Ok(found) => found,
            Err(missing) => {
                let mut finding = Diagnostic::error("unknown-skill", missing.why).at(span, "called here");
                let worth = is_worth_suggesting(self.diagnostics.len(), missing.known.len());
                let known = missing.known.iter().map(String::as_str);
                finding = match worth.then(|| did_you_mean(name, known)).flatten() {
                    Some(near) => finding
                        .help(format!("did you mean `skill:{near}`?"))
                        .fix(check::instead(span, &format!("skill:{near}"))),
                    None => finding.help("`assay list` shows what can be called and where it comes from"),
                };
                self.diagnostics.push(finding);
                return None;
            }
        };
        if let Some(at) = self.open.iter().position(|(file, _)| *file == found.origin.file) {
            let chain: Vec<&str> = self.open[at..]
                .iter()
                .map(|(_, shown)| shown.as_str())
                .chain([found.shown.as_str()])
                .collect();
            self.diagnostics.push(
                Diagnostic::error("recursive-call", format!("`skill:{name}` calls itself"))
                    .at(span, "this call closes the circle")
                    .help(format!("the chain: {}", chain.join(" -> ")))
                    .help("a skill cannot call itself, not even through another: remove one of the calls"),
            );
            return None;
        }
        if let Some(plan) = self.done.get(&found.origin.file) {
            return plan.clone();
        }
        self.load(found)
    }

    fn assemble(&mut self, manifest: Manifest, callees: HashMap<String, Rc<ManifestPlan>>) -> ManifestPlan {
        let mut plan = ManifestPlan { manifest, nodes: Vec::new(), by_id: HashMap::new(), callees };
        edges::add_nodes(&mut plan);
        check::check_references(&plan, self.catalog, &mut self.diagnostics);
        edges::connect(&mut plan, self.limits.nodes.saturating_mul(EDGES), &mut self.diagnostics);
        for cycle in find_cycles(&plan) {
            self.diagnostics.push(graph::cycle_finding(&plan, &cycle));
        }
        plan
    }
}
