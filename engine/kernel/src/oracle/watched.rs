//! An oracle that is watched: who waits for it can be told what it does, and it is remembered which sums it says nothing of.

use super::{Case, Expected, Oracle, OracleError};
use crate::task::Task;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What an oracle does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A call begins.
    Begun {
        /// Its number, from 1.
        number: u64,
        /// The sizes, such as `R=512 C=768`.
        title: String,
        /// How long the calls before it took together.
        spent: Duration,
    },
    /// A call ended.
    Ended,
}

/// Who is told what an oracle does, from the thread that asks it; nobody by default.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<Told>>);

type Told = dyn Fn(&Asked) + Send + Sync;

impl Listener {
    /// Tells this function.
    pub fn new(told: impl Fn(&Asked) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    fn tell(&self, asked: &Asked) {
        if let Some(told) = &self.0 {
            told(asked);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Listener({})", if self.0.is_some() { "somebody" } else { "nobody" })
    }
}

/// The oracle of a task, watched.
pub struct Watched {
    inner: Box<dyn Oracle>,
    listener: Listener,
    /// Outputs for whose sums the task allows something, by their place.
    summed: Vec<(usize, String)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    spent: Duration,
    silent: Vec<String>,
}

impl Watched {
    /// Watches the oracle of a task.
    pub fn new(inner: Box<dyn Oracle>, task: &Task, listener: Listener) -> Self {
        let summed = summed(task).map(|(at, name)| (at, name.to_owned())).collect();
        Self { inner, listener, summed, state: Mutex::default() }
    }

    /// What a reader of a judgement should know about it.
    pub fn notes(&self) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.silent.iter().map(|name| without_terms(name)).collect()
    }

    fn ended(&self, took: Duration, told: Option<&[Expected]>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.spent += took;
        for (at, name) in &self.summed {
            let silent = told.and_then(|told| told.get(*at)).is_some_and(says_nothing);
            if silent && !state.silent.contains(name) {
                state.silent.push(name.clone());
            }
        }
    }
}

impl Oracle for Watched {
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError> {
        let (number, spent) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.calls += 1;
            (state.calls, state.spent)
        };
        self.listener.tell(&Asked::Begun { number, title: case.title(), spent });
        let begun = Instant::now();
        let told = self.inner.expect(case, inputs);
        self.ended(begun.elapsed(), told.as_deref().ok());
        self.listener.tell(&Asked::Ended);
        told
    }
}

/// The outputs of floats, where the task says how sums are made.
fn summed(task: &Task) -> impl Iterator<Item = (usize, &str)> {
    let outputs = task.outputs.iter().enumerate().filter(|_| task.tolerance.accum.is_some());
    outputs
        .filter(|(_, (_, output))| output.dtype.unit_roundoff().is_some())
        .map(|(at, (name, _))| (at, name.as_str()))
}

fn says_nothing(told: &Expected) -> bool {
    told.terms.is_empty() && !told.values.is_empty()
}

/// The outputs for whose sums the task allows something, and of which this answer tells none.
pub fn silent<'a>(task: &'a Task, told: &[Expected]) -> Vec<&'a str> {
    summed(task).filter(|(at, _)| told.get(*at).is_some_and(says_nothing)).map(|(_, name)| name).collect()
}

/// What is said of such an output.
pub fn without_terms(output: &str) -> String {
    format!(
        "the oracle tells no `{output}.terms`, so `tolerance.accum` allows nothing for `{output}`: let it tell the sums of absolute \
         terms, or take `accum` away"
    )
}
