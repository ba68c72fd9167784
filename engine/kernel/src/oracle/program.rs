//! A program that computes right answers: safetensors in, safetensors out, in binary64.
//!
//! It gets two paths behind its own arguments. The first file holds every input by name and every scalar as a tensor without
//! dimensions, its metadata the sizes by axis. The second is for the outputs by name; `<output>.terms` beside one may hold the sum
//! of absolute terms of each element. Where and for how long it runs is fixed: in the task's folder, without the caller's
//! environment, up to the task's `total_s`.

use super::{Case, Expected, Oracle, OracleError};
use crate::task::Loaded;
use assay_process::{Background, CaptureLimits, Captured, Exit, Spawn, resolve_program};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where programs are looked for: the folders of a standard system.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes of its messages that are kept.
const MESSAGES: usize = 4096;

struct Program {
    command: Vec<String>,
    folder: PathBuf,
    limit: Duration,
    inputs: Vec<String>,
    scalars: Vec<String>,
}

pub(super) fn make(loaded: &Loaded) -> Result<Box<dyn Oracle>, OracleError> {
    let program = Program {
        command: loaded.task.oracle.command.clone(),
        folder: loaded.folder.canonicalize().unwrap_or_else(|_| loaded.folder.clone()),
        limit: Duration::from_secs(loaded.task.limits.total_s.into()),
        inputs: loaded.task.inputs.keys().cloned().collect(),
        scalars: loaded.task.scalars.keys().cloned().collect(),
    };
    Ok(Box::new(program))
}

impl Oracle for Program {
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError> {
        let scratch = tempfile::Builder::new().prefix("assay-oracle-").tempdir();
        let scratch = scratch.map_err(|error| self.error(format!("has no folder for its files: {error}")))?;
        let (given, wanted) = (scratch.path().join("in.safetensors"), scratch.path().join("out.safetensors"));
        self.write(case, inputs, &given)?;
        let captured = self.run(&given, &wanted)?;
        // A program that serves some sizes only is found by the sizes.
        self.judge(&captured).and_then(|()| self.read(case, &wanted)).map_err(|error| match error {
            OracleError::Program { program, message } => {
                OracleError::Program { program, message: format!("at {}: it {message}", case.title()) }
            }
            other => other,
        })
    }
}

impl Program {
    fn error(&self, message: String) -> OracleError {
        OracleError::Program { program: self.command.first().cloned().unwrap_or_default(), message }
    }

    fn write(&self, case: &Case, inputs: &[Vec<f64>], path: &Path) -> Result<(), OracleError> {
        let bytes = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let shapes = case.inputs().map(|at| case.tensors[at].layout.shape.clone());
        let tensors = self
            .inputs
            .iter()
            .zip(shapes)
            .zip(inputs)
            .map(|((name, shape), values)| (name, shape, bytes(values)));
        let scalars =
            self.scalars.iter().zip(&case.scalars).map(|(name, value)| (name, Vec::new(), bytes(&[*value])));
        let all: Vec<_> = tensors.chain(scalars).collect();
        let failed =
            |error: safetensors::SafeTensorError| self.error(format!("cannot be given its inputs: {error}"));
        let views = all
            .iter()
            .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F64, shape.clone(), bytes)?)));
        let views = views.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let axes: HashMap<String, String> =
            case.axes.iter().map(|(axis, size)| (axis.clone(), size.to_string())).collect();
        safetensors::serialize_to_file(views, Some(axes), path).map_err(failed)
    }

    fn run(&self, given: &Path, wanted: &Path) -> Result<Captured, OracleError> {
        let name = self.command.first().map(OsString::from).unwrap_or_default();
        let program = resolve_program(&name, PATH.as_ref(), &self.folder).map_err(|error| {
            self.error(format!(
                "cannot be started: {error}; install it, or give its full path in `oracle.command`"
            ))
        })?;
        let mut argv: Vec<OsString> = self.command.iter().map(OsString::from).collect();
        argv.extend([given.into(), wanted.into()]);
        let env = vec![("PATH".into(), PATH.into())];
        let spawn = Spawn { program, argv, env, cwd: self.folder.clone(), ..Spawn::default() };
        let limits = CaptureLimits { timeout: self.limit, bytes: MESSAGES };
        let background =
            Background::shared().map_err(|error| self.error(format!("cannot be watched: {error}")))?;
        background.output(spawn, limits).map_err(|error| self.error(format!("cannot be started: {error}")))
    }

    fn judge(&self, captured: &Captured) -> Result<(), OracleError> {
        if captured.timed_out {
            let message = format!("took longer than {} s; raise `limits.total_s`", self.limit.as_secs());
            return Err(self.error(message));
        }
        let how = match captured.exit {
            Exit::Code(0) => return Ok(()),
            Exit::Code(code) => format!("ended with code {code}"),
            Exit::Signal(signal) => format!("was ended by signal {signal}"),
        };
        let said = String::from_utf8_lossy(&captured.stderr);
        let last =
            said.lines().rfind(|line| !line.trim().is_empty()).map(|line| format!(": {}", line.trim()));
        Err(self.error(format!("{how}{}", last.unwrap_or_default())))
    }

    fn read(&self, case: &Case, path: &Path) -> Result<Vec<Expected>, OracleError> {
        let outputs: Vec<_> = case.outputs().map(|at| &case.tensors[at]).collect();
        let most: usize = outputs.iter().map(|tensor| tensor.layout.len() * 16).sum::<usize>() + (1 << 20);
        let length =
            std::fs::metadata(path).map_err(|_| self.error("wrote no file of outputs".to_owned()))?.len();
        if length > most as u64 {
            return Err(self.error(format!("wrote {length} bytes, more than its outputs hold")));
        }
        let bytes =
            std::fs::read(path).map_err(|error| self.error(format!("wrote what cannot be read: {error}")))?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|error| self.error(format!("did not write safetensors: {error}")))?;
        let read = |name: &str, shape: &[usize]| -> Result<Vec<f64>, OracleError> {
            let tensor = file.tensor(name).map_err(|_| self.error(format!("wrote no tensor `{name}`")))?;
            if tensor.dtype() != Dtype::F64 || tensor.shape() != shape {
                let found = (tensor.dtype(), tensor.shape());
                return Err(self.error(format!("wrote `{name}` as {found:?}, not as F64 of shape {shape:?}")));
            }
            let words = tensor.data().chunks_exact(8);
            Ok(words.map(|word| f64::from_le_bytes(word.try_into().unwrap_or_default())).collect())
        };
        let one = |name: &str, shape: &[usize]| {
            let terms = format!("{name}.terms");
            let terms = if file.names().iter().any(|known| **known == terms) {
                read(&terms, shape)?
            } else {
                Vec::new()
            };
            Ok(Expected { values: read(name, shape)?, terms })
        };
        outputs.iter().map(|tensor| one(&tensor.name, &tensor.layout.shape)).collect()
    }
}
