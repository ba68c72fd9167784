//! Data of shapes, drawn by a thread before they are asked for: what a candidate is given depends on nothing that it is.

use super::data::Data;
use super::setup::{JudgeError, Secret};
use crate::case::{Case, Kind};
use crate::generate;
use crate::oracle::Oracle;
use crate::task::Task;
use crate::worker::End;
use assay_stats::Side;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Scope;

/// Elements that may lie ready, of all tensors of all sets of data together; one shape may have more. Each is held as value and as
/// bytes, outputs with the size of their terms, so this is a hundred megabytes or so.
const ELEMENTS: usize = 1 << 22;

/// What the judge and the thread know of each other.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ready: usize,
    closed: bool,
}

impl Shared {
    /// Waits until there is room for so many elements; `false` if nobody wants them any more.
    fn room(&self, elements: usize) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |state: &mut State| !state.closed && state.ready > 0 && state.ready + elements > ELEMENTS;
        let mut state = self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        state.ready += elements;
        !state.closed
    }

    fn closed(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

/// Data of shapes in their order. Dropping it ends the thread at its next set of data.
#[derive(Debug)]
pub struct Ahead {
    shared: Arc<Shared>,
    drawn: Receiver<(usize, Result<Vec<Data>, JudgeError>)>,
}

impl Ahead {
    /// Begins to draw what the gate `values` looks at.
    pub fn begin<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        task: &'env Task,
        oracle: &'env dyn Oracle,
        cases: Vec<Case>,
        (secret, side): (Secret, Side),
    ) -> Self {
        let (shared, (send, drawn)) = (Arc::new(Shared::default()), channel());
        let own = Arc::clone(&shared);
        scope.spawn(move || {
            for (number, case) in cases.iter().enumerate() {
                let elements: usize = case.tensors.iter().map(|tensor| tensor.layout.len()).sum();
                let elements = elements * sets(task, case);
                if !own.room(elements) {
                    return;
                }
                let seed = secret.seed(&format!("{side} values {number}"));
                let data = draw(task, oracle, case, seed, || !own.closed());
                // Nobody listens any more once something was found.
                if send.send((elements, data)).is_err() {
                    return;
                }
            }
        });
        Self { shared, drawn }
    }

    /// The data of the next shape.
    ///
    /// # Errors
    /// There is no right answer, or no further shape.
    pub fn next(&mut self) -> Result<Vec<Data>, JudgeError> {
        let (elements, data) = self.drawn.recv().map_err(|_| Self::gone())?;
        self.shared.change(|state| state.ready -= elements);
        data
    }

    /// A thread that works ahead came to its end too early.
    pub fn gone() -> JudgeError {
        JudgeError::Worker { end: End::system("nothing is ready", "a thread of the judge ended") }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.change(|state| state.closed = true);
    }
}

/// Sets of data of a shape.
fn sets(task: &Task, case: &Case) -> usize {
    generate::scales_at(task, case.kind).len() + usize::from(case.kind != Kind::Large)
}

/// The data of a shape: at every scale, and once with an element in each row that outweighs the rest of it. Fewer sets where nobody
/// wants them any more.
pub fn draw(
    task: &Task,
    oracle: &dyn Oracle,
    case: &Case,
    seed: u64,
    wanted: impl Fn() -> bool,
) -> Result<Vec<Data>, JudgeError> {
    let mut all = Vec::with_capacity(sets(task, case));
    for (at, scale) in generate::scales_at(task, case.kind).into_iter().enumerate() {
        if wanted() {
            all.push(Data::draw(task, oracle, case, generate::seed(seed, &format!("scale {at}")), scale)?);
        }
    }
    if let Some(first) = all.first().filter(|_| case.kind != Kind::Large && wanted()) {
        let layouts: Vec<_> = case.inputs().map(|tensor| case.tensors[tensor].layout.clone()).collect();
        let what = "with elements that outweigh their rows".to_owned();
        all.push(first.edited(oracle, case, what, |values| {
            for (layout, values) in layouts.iter().zip(values).filter(|(layout, _)| layout.shape.len() > 1) {
                generate::dominate(layout, seed, values);
            }
        })?);
    }
    Ok(all)
}
