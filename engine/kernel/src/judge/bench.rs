//! What gates share: the subject, its library, cases, seeds, evidence.

use super::ahead::Ahead;
use super::data::Data;
use super::ends;
use super::exclusive::Exclusive;
use super::gpu::Gpu;
use super::proven::Proven;
use super::setup::{JudgeError, Lane, Progress, Secret, Setup};
use super::stage::{Stage, Stop};
use crate::build;
use crate::case::{Case, Kind};
use crate::ledger::{CaseCounts, ErrorFacts, RooflineFacts, SanitizerFacts, TimingFacts};
use crate::oracle::Oracle;
use crate::task::{Abi, Output, OutputMode, Task};
use crate::timing::decide::Decision;
use crate::timing::estimate::Interval;
use crate::tolerance::{self, Errors};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{About, Edge, Worker};
use assay_stats::Side;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Bytes that outputs are filled with before calls; what still holds one after each was not written. The first is a NaN in every type of
/// float.
pub const POISON: [u8; 2] = [0xff, 0x5a];

/// What gates found out beside findings.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Calls that were looked at.
    pub cases: CaseCounts,
    /// Errors so far.
    pub err: Option<ErrorFacts>,
    /// Compiler and command of the build.
    pub flags: Vec<String>,
    /// Files of the build that belong to the judgement, in the subject's folder.
    pub artifacts: Vec<String>,
    /// Digest of the source with every file beside it that the compiler read, where there was one.
    pub identity: Option<String>,
    /// Digest of the library.
    pub library_sha: String,
    /// The device and its kernel.
    pub device: Option<About>,
    /// What the driver's own program says of the device.
    pub gpu: Gpu,
    /// What sanitizers said.
    pub sanitizer: SanitizerFacts,
    /// The baseline against itself.
    pub aa: Option<Interval>,
    /// Times.
    pub timing: Option<TimingFacts>,
    /// What they say.
    pub decision: Option<Decision>,
    /// Distance to the ceiling.
    pub roofline: Option<RooflineFacts>,
    /// Whether a person must look.
    pub sign_off: bool,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Why the gate that runs has nothing to check.
    pub skipped: Option<String>,
}

/// What gates share.
pub struct Bench<'a> {
    /// What was asked.
    pub setup: &'a Setup<'a>,
    /// Whether the baseline or the candidate is looked at.
    pub side: Side,
    /// Its source or library.
    pub source: PathBuf,
    /// Where it is built.
    pub folder: PathBuf,
    /// Its library, once it is there.
    pub library: PathBuf,
    /// Seeds.
    pub secret: Secret,
    /// Right answers.
    pub oracle: &'a dyn Oracle,
    /// The shapes.
    pub cases: Vec<Case>,
    /// Data of the shapes, where they are drawn while the subject is built.
    pub ahead: Option<Ahead>,
    /// The baseline, while the candidate is looked at.
    pub baseline: Option<Arc<Proven>>,
    /// The worker that was timed, with everything it remembers.
    pub timed: Option<Worker>,
    /// A build that watches itself, under way since the candidate was built.
    pub watched: Option<build::Started>,
    /// Evidence.
    pub facts: Facts,
    /// When the judgement must be over.
    pub deadline: Instant,
    /// Whom it tells.
    pub progress: &'a mut dyn FnMut(Progress),
    /// The device, while this judgement has it for itself.
    pub exclusive: Option<Exclusive>,
    /// A worker with the baseline, for outputs that must have its bits.
    pub model: Option<Worker>,
}

impl<'a> Bench<'a> {
    /// The task.
    pub fn task(&self) -> &'a Task {
        &self.setup.loaded.task
    }

    /// The seed for a purpose of this side.
    pub fn seed(&self, purpose: &str) -> u64 {
        self.secret.seed(&format!("{} {purpose}", self.side))
    }

    /// A new worker with the subject's library.
    pub fn worker(&self, gate: Gate) -> Result<Worker, Stop> {
        self.start(&self.library).map_err(|end| ends::stop(gate, None, end))
    }

    /// A new worker with the baseline's library; `None` while the baseline itself is looked at.
    pub fn reference(&self) -> Result<Option<Worker>, JudgeError> {
        let Some(baseline) = &self.baseline else { return Ok(None) };
        self.start(baseline.library()).map(Some).map_err(JudgeError::from)
    }

    fn start(&self, library: &Path) -> Result<Worker, crate::worker::End> {
        Worker::start(&self.setup.launcher, library, &self.task().abi, &self.task().limits)
    }

    /// Memory for a case.
    pub fn stage<'c>(&self, case: &'c Case, sets: usize, edge: Edge) -> Result<Stage<'c>, JudgeError> {
        Stage::new(case, sets, edge, &self.task().abi, false)
    }

    /// Measured shapes.
    pub fn measured(&self) -> Vec<Case> {
        self.cases.iter().filter(|case| case.kind == Kind::Measured).cloned().collect()
    }

    /// Measured shapes, the smallest first.
    pub fn by_size(&self) -> Vec<Case> {
        let mut cases = self.measured();
        cases.sort_by_key(|case| case.tensors.iter().map(|tensor| tensor.layout.len()).sum::<usize>());
        cases
    }

    /// The outputs of the task as they are compared: the baseline's own bits are no measure for the baseline.
    fn outputs(&self) -> Vec<Output> {
        let mut outputs: Vec<Output> = self.task().outputs.values().cloned().collect();
        if self.baseline.is_none() {
            outputs.iter_mut().for_each(|output| output.mode = OutputMode::Ulp);
        }
        outputs
    }

    /// Draws data for a case.
    pub fn draw(&mut self, case: &Case, seed: u64, scale: f64) -> Result<Data, JudgeError> {
        let data = Data::draw(self.task(), self.oracle, case, seed, scale)?;
        self.modelled(case, data)
    }

    /// Data with other values.
    pub fn edit(
        &mut self,
        case: &Case,
        data: &Data,
        what: String,
        edit: impl FnOnce(&mut Vec<Vec<f64>>),
    ) -> Result<Data, JudgeError> {
        let data = data.edited(self.oracle, case, what, edit)?;
        self.modelled(case, data)
    }

    /// For outputs that must have the baseline's bits, the right answer is the baseline's.
    pub fn modelled(&mut self, case: &Case, mut data: Data) -> Result<Data, JudgeError> {
        let bitwise: Vec<usize> = self
            .outputs()
            .iter()
            .enumerate()
            .filter(|(_, output)| output.mode == OutputMode::BitwiseVsBaseline)
            .map(|(at, _)| at)
            .collect();
        if bitwise.is_empty() {
            return Ok(data);
        }
        if self.model.is_none() {
            self.model = self.reference()?;
        }
        let Some(model) = &mut self.model else { return Ok(data) };
        let outputs = answers_of(model, case, &data, &self.setup.loaded.task.abi)?;
        for at in bitwise {
            let tensor = case.outputs().nth(at).unwrap_or(0);
            data.expected[at].values = case.tensors[tensor].layout.read(&outputs[at]);
            data.expected[at].terms = Vec::new();
        }
        Ok(data)
    }

    /// One checked call on fresh outputs.
    pub fn answer(
        &mut self,
        gate: Gate,
        worker: &mut Worker,
        stage: &mut Stage<'_>,
        data: &Data,
        poison: u8,
    ) -> Result<Vec<Vec<u8>>, Stop> {
        stage.poison(0, poison);
        self.answer_over(gate, worker, stage, data, poison)
    }

    /// As [`Self::answer`], on outputs as an earlier call left them, whose gaps hold this.
    pub fn answer_over(
        &mut self,
        gate: Gate,
        worker: &mut Worker,
        stage: &mut Stage<'_>,
        data: &Data,
        poison: u8,
    ) -> Result<Vec<Vec<u8>>, Stop> {
        self.in_time(gate)?;
        stage.load(0, data);
        self.facts.cases.run += 1;
        stage.call(worker, gate, 0, poison)?;
        Ok(stage.taken(0))
    }

    /// Errors of outputs, one for each in the order of the call.
    pub fn errors(&self, case: &Case, data: &Data, taken: &[Vec<u8>]) -> Vec<Errors> {
        let outputs = self.outputs();
        case.outputs()
            .enumerate()
            .map(|(at, tensor)| {
                let got = case.tensors[tensor].layout.read(&taken[at]);
                tolerance::errors(self.task(), &outputs[at], &case.axes, &data.expected[at], &got)
            })
            .collect()
    }

    /// Compares outputs with the right answers; the error is the finding that they are wrong.
    pub fn compare(
        &mut self,
        gate: Gate,
        code: Code,
        case: &Case,
        data: &Data,
        taken: &[Vec<u8>],
    ) -> Result<(), Finding> {
        let all = self.errors(case, data, taken);
        for errors in all.iter().filter(|errors| errors.passed()) {
            ErrorFacts::raise(&mut self.facts.err.get_or_insert_default().max_u, errors.max_u);
        }
        let wrong = all.iter().enumerate().find(|(_, errors)| !errors.passed());
        let Some((output, errors)) = wrong else { return Ok(()) };
        let tensor = case.outputs().nth(output).map(|tensor| &case.tensors[tensor]);
        let name = tensor.map_or("", |tensor| tensor.name.as_str());
        let index = tensor.zip(errors.worst.as_ref()).map(|(tensor, miss)| tensor.layout.index(miss.at));
        let scalars = self.task().varied(&case.scalars);
        let with: String = scalars.iter().map(|(name, value)| format!(" {name}={value:e}")).collect();
        let message = format!(
            "{} of {} elements of `{name}` are wrong at {}{with}, {}{}",
            errors.failed,
            errors.elements,
            case.title(),
            data.what,
            errors.worst.as_ref().map(|miss| format!("; {miss}")).unwrap_or_default()
        );
        Err(Finding::new(
            gate,
            code,
            message,
            json!({
                "axes": case.axes, "scalars": scalars, "kind": case.kind, "data": data.what, "output": name, "index": index,
                "errors": errors,
            }),
        ))
    }

    /// Ends a judgement that takes too long.
    pub fn in_time(&self, gate: Gate) -> Result<(), Stop> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        let limit = self.task().limits.total_s;
        let message = format!("the judgement took longer than its limit of {limit} s");
        Err(Stop::Found(Finding::new(gate, Code::Timeout, message, json!({ "total_s": limit }))))
    }

    /// Tells of samples.
    pub fn tell(&mut self, lane: Lane, done: usize, of: usize) {
        (self.progress)(Progress::Samples { lane, done, of });
    }
}

/// Outputs of a worker that is trusted.
pub fn answers_of(
    worker: &mut Worker,
    case: &Case,
    data: &Data,
    abi: &Abi,
) -> Result<Vec<Vec<u8>>, JudgeError> {
    let failed = JudgeError::from;
    let mut stage = Stage::new(case, 1, Edge::End, abi, false)?;
    worker.map(&stage.arena).map_err(failed)?;
    stage.load(0, data);
    stage.poison(0, POISON[0]);
    worker.call(0).map_err(failed)?;
    Ok(stage.taken(0))
}
