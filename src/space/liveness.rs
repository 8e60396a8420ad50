//! Which tensors are alive beside a layer: those that the rest of the network still needs.
//!
//! **Idea.** This is the liveness analysis of compilers, for straight-line code under guards. `Needs` reads the
//! steps once, from the last to the first: for each tensor it collects the guards under which a later step reads it,
//! itself or by a second name (`When`, of which one guard must hold). A run evaluates them in its state. They hold,
//! or they do not, or they depend on a decision that is still open, which the run then asks for before it applies the
//! layer. That makes no decision active by itself: where the conditions before one in a guard hold, a later step asks
//! for its decision in any case.
//!
//! **Bound.** A tensor keeps at most 128 guards at each step. Where there would be more, the run follows its readers
//! one by one, each of them once (`Program::will_read`). So a layer visits the tensors that are there, and for each of
//! them its guards or its readers. A scheduled program has the tensors that may be alive listed with each layer
//! (`Beside`), because those that would be there may be written later.

use super::guard::Tensor;
use super::program::Program;
use super::shapes::{Beside, Waiting, Waits};
use super::state::{Alive, Present, Size, State};
use super::step::Action;
use crate::layers::Shape;
use rustc_hash::FxHashSet;

impl Program {
    /// What is alive beside a layer, or a decision that this depends on: the first of those that can be asked for, so
    /// that all networks are asked in one order as far as possible.
    pub(super) fn alive_beside(&self, number: usize, in_place: bool, state: &mut State) -> Result<Alive, usize> {
        let mut open = ToAsk::default();
        let mut found = std::mem::take(&mut state.beside);
        found.clear();
        match &self.beside {
            Some(beside) => told_beside(&beside[number], in_place, state, &mut found, &mut open),
            None => self.found_beside(number, in_place, state, &mut found, &mut open),
        }
        let mut alive = Alive::default();
        for size in &found {
            alive.elements = alive.elements.saturating_add(size.elements);
            if size.read && !size.kept && size.open.is_none() {
                alive.dying = alive.dying.max(size.elements);
            }
        }
        // Whether another tensor dies matters where it would be the largest that does.
        for size in found.iter().filter(|size| !size.kept && size.elements > alive.dying) {
            if let Some(decision) = size.open {
                open.ask(decision, state);
            }
        }
        state.beside = found;
        open.0.map_or(Ok(alive), Err)
    }

    /// What is alive beside a layer among the tensors that are there.
    fn found_beside(&self, number: usize, in_place: bool, state: &mut State, found: &mut Vec<Size>, open: &mut ToAsk) {
        let Action::Layer { inputs, .. } = &self.steps[number].action else {
            return;
        };
        state.marks.clear();
        for &input in inputs {
            state.marks.read(input);
        }
        state.visited(state.present.len());
        let mut left = 0;
        for position in 0..state.present.len() {
            let tensor = state.present[position].tensor;
            let read = state.marks.is_read(tensor);
            let kept = match self.needs().behind(number, tensor) {
                _ if read && !in_place => Ok(false),
                Some(when) => state.holds_any(when),
                None => self.will_read(number + 1, tensor, state),
            };
            if read || open.known(kept, state) {
                let place = state.marks.place(state.origin(tensor), found.len());
                if let Ok(shape) = state.shape(tensor) {
                    add_size(found, place, &shape, read, kept);
                }
            } else if self.is_unread(number, position, state) {
                state.forget(tensor);
                continue;
            }
            state.present[left] = state.present[position];
            left += 1;
        }
        state.present.truncate(left);
    }

    /// Forgets the tensors that no step from `step` on may still read.
    pub(super) fn forget_unread(&self, step: usize, state: &mut State) {
        let mut left = 0;
        for position in 0..state.present.len() {
            if self.is_unread(step, position, state) {
                state.forget(state.present[position].tensor);
            } else {
                state.present[left] = state.present[position];
                left += 1;
            }
        }
        state.present.truncate(left);
    }

    /// Whether no step from `step` on may still read one of the tensors that are there.
    fn is_unread(&self, step: usize, position: usize, state: &mut State) -> bool {
        let Present { tensor, mut readers } = state.present[position];
        let known = &self.readers[tensor.0];
        // A guard that fails will not hold later, so no reader is visited twice.
        while readers > 0
            && known[readers - 1] >= step
            && state.holds(&self.steps[known[readers - 1]].guard) == Ok(false)
        {
            readers -= 1;
        }
        state.present[position].readers = readers;
        readers == 0 || known[readers - 1] < step
    }

    /// Whether a step from `from` on needs a tensor, itself or by a second name, or a decision to ask for.
    fn will_read(&self, from: usize, tensor: Tensor, state: &State) -> Result<bool, usize> {
        let behind = |tensor: Tensor, from: usize| {
            let readers = &self.readers[tensor.0];
            readers[readers.partition_point(|&reader| reader < from)..].iter()
        };
        let mut open = None;
        // The tensors that were visited, and the readers of the last of them and of those that led to it.
        let mut before: FxHashSet<Tensor> = std::iter::once(tensor).collect();
        let mut waiting = vec![behind(tensor, from)];
        while let Some(readers) = waiting.last_mut() {
            let Some(&reader) = readers.next() else {
                waiting.pop();
                continue;
            };
            let step = &self.steps[reader];
            match (state.holds(&step.guard), &step.action) {
                (Ok(true), Action::Alias { to, .. }) => {
                    if before.insert(*to) {
                        waiting.push(behind(*to, reader));
                    }
                }
                (Ok(true), _) => return Ok(true),
                (Ok(false), _) => {}
                (Err(decision), _) if state.has_several(decision) => return Err(decision),
                (Err(decision), _) => open = open.or(Some(decision)),
            }
        }
        open.map_or(Ok(false), Err)
    }
}

/// What is alive beside a layer with which the tensors that may be are listed.
fn told_beside(beside: &Beside, in_place: bool, state: &mut State, found: &mut Vec<Size>, open: &mut ToAsk) {
    state.marks.clear();
    state.visited(beside.len());
    for Waits { tensor, read, kept } in beside {
        let (shape, origin) = match tensor {
            Waiting::Foreseen(table) => (table.shape(&state.chosen), None),
            Waiting::Tensor(tensor) => (state.shape(*tensor).ok(), Some(state.origin(*tensor))),
        };
        let Some(shape) = shape else {
            continue;
        };
        let read = open.known(state.holds_any(read), state);
        let kept = if read && !in_place {
            Ok(false)
        } else {
            state.holds_any(kept)
        };
        if read || open.known(kept, state) {
            // Second names take no memory themselves.
            let place = origin.map_or(found.len(), |origin| state.marks.place(origin, found.len()));
            add_size(found, place, &shape, read, kept);
        }
    }
}

/// Adds a tensor, at the position of its first name if that is there; whether it is kept may depend on a decision.
fn add_size(found: &mut Vec<Size>, place: usize, shape: &Shape, read: bool, kept: Result<bool, usize>) {
    let (kept, open) = (kept == Ok(true), kept.err());
    match found.get_mut(place) {
        Some(known) => {
            known.read |= read;
            known.kept |= kept;
            known.open = known.open.or(open);
        }
        None => found.push(Size {
            elements: shape.elements().unwrap_or(i64::MAX),
            read,
            kept,
            open,
        }),
    }
}

/// The decision to ask for before it is known what is alive.
#[derive(Default)]
struct ToAsk(Option<usize>);

impl ToAsk {
    /// The answer; false where a decision must be asked for first.
    fn known(&mut self, answer: Result<bool, usize>, state: &State) -> bool {
        answer.unwrap_or_else(|decision| {
            self.ask(decision, state);
            false
        })
    }

    /// Adds a decision.
    fn ask(&mut self, decision: usize, state: &State) {
        // A decision whose values run together is told apart first; otherwise the least one is asked for.
        self.0 = Some(match self.0 {
            Some(known) if state.has_several(known) => known,
            Some(known) if !state.has_several(decision) => known.min(decision),
            _ => decision,
        });
    }
}
