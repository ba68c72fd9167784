//! How a function finds its tensors: by the name that `with` gives a role, by the role's own name, or by order.

use super::OracleError;
use crate::case::Case;
use crate::task::Task;
use serde_json::Value;
use std::collections::HashSet;

/// A reader of a task for one function.
pub(super) struct Wants<'a> {
    oracle: &'static str,
    task: &'a Task,
    known: HashSet<&'static str>,
    taken: HashSet<usize>,
}

impl<'a> Wants<'a> {
    pub(super) fn new(oracle: &'static str, task: &'a Task) -> Self {
        Self { oracle, task, known: HashSet::new(), taken: HashSet::new() }
    }

    fn error(&self, message: String) -> OracleError {
        OracleError::Wants { oracle: self.oracle, message }
    }

    fn given(&mut self, role: &'static str) -> Result<Option<&'a str>, OracleError> {
        self.known.insert(role);
        match self.task.oracle.with.get(role) {
            None => Ok(None),
            Some(Value::String(name)) => Ok(Some(name)),
            Some(other) => Err(self.error(format!("wants a name for `{role}`, not {other}"))),
        }
    }

    /// Place of the input for a role. Without a name it is the one at `order` among the inputs.
    pub(super) fn input(&mut self, role: &'static str, order: usize) -> Result<usize, OracleError> {
        let named = self.optional(role)?;
        match named {
            Some(at) => Ok(at),
            // One tensor in two roles is never meant.
            None if order < self.task.inputs.len() && self.taken.insert(order) => Ok(order),
            None => {
                Err(self.error(format!("wants an input `{role}`; name it, or say which it is in `with`")))
            }
        }
    }

    /// Place of the input for a role that is not always there.
    pub(super) fn optional(&mut self, role: &'static str) -> Result<Option<usize>, OracleError> {
        let given = self.given(role)?;
        let at = self.task.inputs.get_index_of(given.unwrap_or(role));
        match (given, at) {
            (Some(name), None) => {
                Err(self.error(format!("is told that `{role}` is `{name}`, which is no input")))
            }
            (_, at) => {
                self.taken.extend(at);
                Ok(at)
            }
        }
    }

    /// Place of the scalar for a role. Without a name the task must have exactly one scalar.
    pub(super) fn scalar(&mut self, role: &'static str) -> Result<usize, OracleError> {
        let given = self.given(role)?;
        match (self.task.scalars.get_index_of(given.unwrap_or(role)), given) {
            (Some(at), _) => Ok(at),
            (None, Some(name)) => {
                Err(self.error(format!("is told that `{role}` is `{name}`, which is no scalar")))
            }
            (None, None) if self.task.scalars.len() == 1 => Ok(0),
            (None, None) => Err(self.error(format!("wants a scalar `{role}`"))),
        }
    }

    /// A whole number above 0 in the settings.
    pub(super) fn count(&mut self, setting: &'static str) -> Result<usize, OracleError> {
        self.known.insert(setting);
        let value = self.task.oracle.with.get(setting);
        let count = value.and_then(Value::as_u64).filter(|count| *count > 0);
        count
            .map(|count| count as usize)
            .ok_or_else(|| self.error(format!("wants `with: {{{setting}: <number>}}`")))
    }

    /// True or false in the settings; false without it.
    pub(super) fn flag(&mut self, setting: &'static str) -> Result<bool, OracleError> {
        self.known.insert(setting);
        match self.task.oracle.with.get(setting) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(self.error(format!("wants true or false for `{setting}`, not {other}"))),
        }
    }

    /// Ends the reading: the number of outputs must be this, and no setting may be left over.
    pub(super) fn done(self, outputs: usize) -> Result<(), OracleError> {
        if self.task.outputs.len() != outputs {
            return Err(self.error(format!("has {outputs} outputs, the task {}", self.task.outputs.len())));
        }
        match self.task.oracle.with.keys().find(|key| !self.known.contains(key.as_str())) {
            Some(key) => {
                let near = assay_diagnostics::did_you_mean(key, self.known.iter().copied());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                Err(self.error(format!("knows no setting `{key}`{near}")))
            }
            None => Ok(()),
        }
    }
}

/// Shapes of a case for one function.
pub(super) struct Shapes<'a> {
    pub(super) oracle: &'static str,
    pub(super) case: &'a Case,
}

impl<'a> Shapes<'a> {
    pub(super) fn error(&self, message: String) -> OracleError {
        OracleError::Shape { oracle: self.oracle, title: self.case.title(), message }
    }

    /// Shape of the input at a place.
    pub(super) fn input(&self, at: usize) -> Result<&'a [usize], OracleError> {
        let place =
            self.case.inputs().nth(at).ok_or_else(|| self.error(format!("there is no input {at}")))?;
        Ok(&self.case.tensors[place].layout.shape)
    }

    /// Checks that the output at a place has this shape.
    pub(super) fn output(&self, at: usize, shape: &[usize]) -> Result<(), OracleError> {
        let place =
            self.case.outputs().nth(at).ok_or_else(|| self.error(format!("there is no output {at}")))?;
        let tensor = &self.case.tensors[place];
        if tensor.layout.shape == shape {
            return Ok(());
        }
        Err(self.error(format!("`{}` is {:?}, not {shape:?}", tensor.name, tensor.layout.shape)))
    }

    /// Checks the shape of an input.
    pub(super) fn is(&self, role: &str, at: usize, shape: &[usize]) -> Result<(), OracleError> {
        let found = self.input(at)?;
        if found == shape { Ok(()) } else { Err(self.error(format!("`{role}` is {found:?}, not {shape:?}"))) }
    }

    /// The last dimension of an input, and the number of rows.
    pub(super) fn rows(&self, role: &str, at: usize) -> Result<(usize, usize), OracleError> {
        let shape = self.input(at)?;
        let Some((width, outer)) = shape.split_last() else {
            return Err(self.error(format!("`{role}` is a single number")));
        };
        Ok((outer.iter().product(), *width))
    }
}
