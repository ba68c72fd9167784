//! One question about a file or a folder of traces, answered whole: what the verb and the step type ask for.

use crate::analysis::{Analysis, Options};
use crate::document::{Document, Mode, ViewName, With};
use crate::error::TraceError;
use crate::fuse::{self, Registry, RegistryError};
use crate::layers::{LayerError, LayerOptions};
use crate::model::{ConfigError, ModelConfig};
use crate::name::Framework;
use crate::ncu;
use crate::read;
use crate::read::folder::{self, Capture, TraceFile};
use crate::store::Trace;
use crate::view;
use crate::view::ranks::{self, Rank, Ranks};
use crate::view::roofline::RoofOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub use crate::layers::Anchor;
pub use crate::read::folder::Ranks as Choice;

/// Version of the format of [`TraceReport`]. Fields are added without a new one.
pub const VERSION: u32 = 1;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// A trace, or a folder of traces.
    pub path: PathBuf,
    /// Views to build.
    pub views: Vec<ViewName>,
    /// Which ranks of a folder to read.
    pub ranks: Choice,
    /// A readable trace of the same program, without graphs and with stacks, whose places and ops name the kernels of
    /// this one. A file, or a folder with one trace for each stage.
    pub mapping: Option<PathBuf>,
    /// A trace to compare with.
    pub diff: Option<PathBuf>,
    /// How to look at it.
    pub options: Options,
    /// Let paths name the stage of what no step claims.
    pub stage_from_path: bool,
    /// The framework, if the caller knows it.
    pub framework: Option<Framework>,
    /// The model, if the caller knows it.
    pub model: Option<String>,
    /// Ranks of the tensor-parallel group, if the caller knows it.
    pub tp: Option<u32>,
    /// The model's `config.json`.
    pub config: Option<PathBuf>,
    /// Kernels that mark layers, instead of what the trace itself shows.
    pub anchor: Option<Anchor>,
    /// Layers of a pass, where no configuration says it.
    pub layers: Option<u32>,
    /// The layer whose compute flow is shown.
    pub layer: Option<u32>,
    /// A layer to compare it with.
    pub other_layer: Option<u32>,
    /// A table of Nsight Compute (`ncu --csv`) of the same program.
    pub ncu: Option<PathBuf>,
    /// The GPU, where the trace does not say it: a name of the table of GPUs.
    pub gpu: Option<String>,
    /// Registries of fusions beside the built-in ones.
    pub registries: Vec<PathBuf>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A trace could not be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A registry could not be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The model's configuration could not be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was said about layers does not fit the trace.
    #[error("`{path}`: {error}")]
    Layers {
        /// The trace.
        path: PathBuf,
        /// What does not fit.
        error: LayerError,
    },
    /// The wanted rank is not there.
    #[error("there is no rank {rank} in `{path}`; it has {known}")]
    NoRank {
        /// The folder.
        path: PathBuf,
        /// What was asked for.
        rank: u32,
        /// Ranks that are there.
        known: String,
    },
}

impl RequestError {
    /// A way out, one sentence fragment.
    pub fn hint(&self) -> String {
        match self {
            Self::Trace(error) => error.hint().to_owned(),
            Self::Registry(error) => error.help(),
            Self::Config(_) => "give the `config.json` of the model that was served".to_owned(),
            Self::Layers { .. } => {
                "leave the anchor out, and layers are found by modules or by what repeats".to_owned()
            }
            Self::NoRank { .. } => "choose one of these, or `all`".to_owned(),
        }
    }
}

/// Everything that was asked: one document for each trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceReport {
    /// Version of this format: 1.
    pub v: u32,
    /// One for each trace; a capture has one trace for each stage, or one for all.
    pub documents: Vec<Document>,
}

impl TraceReport {
    /// Whether nothing speaks against using the tables of any trace.
    pub fn sound(&self) -> bool {
        self.documents.iter().all(|document| document.integrity.sound)
    }
}

/// The JSON Schema of [`TraceReport`], draft 7 and open: a field may come without a new version.
pub fn schema() -> assay_protocol::Value {
    assay_protocol::schema::of::<TraceReport>("Assay trace report")
}

/// Answers a request.
///
/// # Errors
/// [`RequestError`] if anything that was named cannot be read.
pub fn analyse(request: &Request) -> Result<TraceReport, RequestError> {
    let registry = registry(&request.registries)?;
    let found = folder::look(&request.path)?;
    let capture = found.captures.first().cloned().unwrap_or(Capture { files: Vec::new() });
    let chosen = match request.ranks {
        Choice::All => capture.choose(Choice::Lowest),
        choice => capture.choose(choice),
    };
    if chosen.is_empty() {
        return Err(no_rank(request, &capture));
    }
    let context = KnownContext {
        framework: request.framework.or(found.context.framework),
        model: request.model.clone().or(found.context.model),
        tp: request.tp.or(found.context.tp),
        ep: found.context.ep,
        server_args: found.context.source.map(|path| path.display().to_string()),
        server_args_problem: found.context.problem,
    };
    let known = Known { context, registry, layers: layers(request)? };
    let document = |file: &&TraceFile| of_file(request, file, &capture, &known);
    let documents: Result<Vec<Document>, RequestError> = chosen.iter().map(document).collect();
    Ok(TraceReport { v: VERSION, documents: documents? })
}

/// What every document is made with.
struct Known {
    context: KnownContext,
    registry: Registry,
    layers: LayerOptions,
}

fn layers(request: &Request) -> Result<LayerOptions, ConfigError> {
    let config = request.config.as_deref().map(ModelConfig::read).transpose()?;
    Ok(LayerOptions { anchor: request.anchor.clone(), layers: request.layers, config })
}

/// What is known beside the trace.
struct KnownContext {
    framework: Option<Framework>,
    model: Option<String>,
    tp: Option<u32>,
    ep: Option<u32>,
    server_args: Option<String>,
    server_args_problem: Option<String>,
}

impl KnownContext {
    fn describe(&self, document: &mut Document) {
        document.model.clone_from(&self.model);
        document.server_args.clone_from(&self.server_args);
        document.server_args_problem.clone_from(&self.server_args_problem);
        (document.tp, document.ep) = (self.tp, self.ep);
    }
}

fn registry(paths: &[PathBuf]) -> Result<Registry, RegistryError> {
    paths.iter().try_fold(Registry::builtin()?, |all, path| all.merge(Registry::read(path)?))
}

fn no_rank(request: &Request, capture: &Capture) -> RequestError {
    let known: Vec<String> = capture.ranks().iter().map(u32::to_string).collect();
    let known =
        if known.is_empty() { "no numbered rank".to_owned() } else { format!("rank {}", known.join(", ")) };
    let rank = if let Choice::One(rank) = request.ranks { rank } else { 0 };
    RequestError::NoRank { path: request.path.clone(), rank, known }
}

fn of_file(
    request: &Request,
    file: &TraceFile,
    capture: &Capture,
    known: &Known,
) -> Result<Document, RequestError> {
    let trace = read::read(&file.path)?;
    let mut analysis = Analysis::new(&trace, options(request, &file.path));
    let mapping = request.mapping.as_deref().map(|path| mapping_for(path, file)).transpose()?;
    if let Some((_, mapping)) = &mapping {
        analysis = analysis.with_mapping(&Analysis::new(mapping, options(request, &file.path)));
    }
    let frames = mapping.as_ref().map_or(&trace, |(_, mapping)| mapping);
    let framework = known.context.framework.or_else(|| framework_of(&trace)).or_else(|| framework_of(frames));
    let model = known.context.model.as_deref();
    let fuse = fuse::Context { framework, model, tp: known.context.tp };
    let name = file.path.display().to_string();
    let with = With {
        registry: &known.registry,
        context: fuse,
        layers: known.layers.clone(),
        roof: RoofOptions { gpu: request.gpu.clone() },
        layer: request.layer,
        other_layer: request.other_layer,
    };
    let mut document = Document::build(&analysis, name, &request.views, &with)
        .map_err(|error| RequestError::Layers { path: file.path.clone(), error })?;
    document.framework = framework.map(|framework| framework.as_str().to_owned());
    known.context.describe(&mut document);
    if let Some((path, _)) = &mapping {
        document.mode = Mode::MappingFormal;
        document.mapping = Some(path.display().to_string());
    }
    if let Some(path) = &request.ncu {
        document.ncu = Some(view::ncu::build(&analysis, path.display().to_string(), &ncu::read(path)?));
    }
    if request.views.contains(&ViewName::Ranks) {
        document.ranks = ranks_of(request, file, capture, &analysis)?;
    }
    if request.ranks != Choice::All {
        let others = capture.ranks().iter().filter(|&&rank| Some(rank) != file.rank).count();
        document.other_ranks = others as u64;
    }
    if let Some(base) = &request.diff {
        let trace = read::read(base)?;
        let base_analysis = Analysis::new(&trace, options(request, base));
        document = document.against(base.display().to_string(), &base_analysis, &analysis);
    }
    Ok(document)
}

/// The mapping trace for a formal one: of a folder the file of the same stage.
fn mapping_for(path: &Path, formal: &TraceFile) -> Result<(PathBuf, Trace), RequestError> {
    let found = folder::look(path)?;
    let chosen = found.newest().map(|capture| capture.choose(Choice::Lowest)).unwrap_or_default();
    let same = chosen.iter().find(|file| file.claims == formal.claims).or(chosen.first());
    let file = same.map_or(path, |file| &file.path);
    Ok((file.to_owned(), read::read(file)?))
}

fn options(request: &Request, path: &Path) -> Options {
    Options { stage_from_path: request.stage_from_path.then(|| path.to_owned()), ..request.options.clone() }
}

/// The framework whose sources most of the trace's frames lie in.
fn framework_of(trace: &Trace) -> Option<Framework> {
    let frames = trace.names.iter().map(|(_, name)| name).filter(|name| name.contains(".py("));
    Framework::detect(frames)
}

/// The other ranks of the same stage, or the devices of the one trace.
fn ranks_of(
    request: &Request,
    file: &TraceFile,
    capture: &Capture,
    own: &Analysis<'_>,
) -> Result<Option<Ranks>, RequestError> {
    if request.ranks != Choice::All {
        return Ok((own.trace.devices.len() > 1).then(|| ranks::build(&ranks::of_trace(own))));
    }
    let others: Vec<&TraceFile> =
        capture.files.iter().filter(|other| other.claims == file.claims && other.path != file.path).collect();
    let traces: Result<Vec<Trace>, TraceError> = others.iter().map(|other| read::read(&other.path)).collect();
    let traces = traces?;
    let analyses: Vec<Analysis<'_>> = traces
        .iter()
        .zip(&others)
        .map(|(trace, other)| Analysis::new(trace, options(request, &other.path)))
        .collect();
    let rank = |file: &TraceFile, place: usize| file.rank.unwrap_or(place as u32);
    let mut all = vec![Rank { rank: rank(file, 0), source: name(&file.path), analysis: own, device: None }];
    all.extend(others.iter().zip(&analyses).enumerate().map(|(place, (other, analysis))| Rank {
        rank: rank(other, place + 1),
        source: name(&other.path),
        analysis,
        device: None,
    }));
    Ok(Some(ranks::build(&all)))
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
