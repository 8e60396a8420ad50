//! Which tensors wait beside a layer: those that the rest of the network still needs.

use super::program::{Action, Atom, Guard, Program, Tensor};
use super::run::{Present, State};
use super::schedule::Table;
use crate::layers::Shape;
use rustc_hash::FxHashSet;

/// The most guards that are kept to tell when a tensor is needed.
const GUARDS: usize = 128;

/// Guards of which one must hold; none holds never.
///
/// Whichever decisions are open: where the conditions of a guard before one hold, its decision is asked for in any case.
/// So the first open one of a guard that may still hold can be asked for ahead of its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When(pub(super) Vec<Guard>);

impl When {
    pub(super) const NEVER: Self = Self(Vec::new());

    /// The guard without conditions.
    pub(super) fn always() -> Self {
        Self(vec![Guard::new()])
    }

    /// Adds a guard. Guards that differ in one condition become one, without it where they cover all of its values.
    pub(super) fn insert(&mut self, mut guard: Guard) {
        let mut position = 0;
        while position < self.0.len() {
            let known = &self.0[position];
            if implies(&guard, known) {
                return;
            }
            if implies(known, &guard) {
                self.0.remove(position);
            } else if let Some(either) = union(known, &guard) {
                guard = either;
                self.0.remove(position);
                position = 0;
            } else {
                position += 1;
            }
        }
        self.0.push(guard);
    }

    /// What is left of it, given what is known of conditions.
    pub(super) fn given(&self, holds: impl Fn(&Atom) -> Option<bool>) -> Self {
        // Guards of which nothing is known cannot be joined: they were not before.
        let (mut left, mut shorter) = (Self::NEVER, Vec::new());
        for guard in &self.0 {
            match guard.iter().map(&holds).collect::<Told>() {
                Told::Nothing => left.0.push(guard.clone()),
                Told::Some => shorter.push(guard.iter().filter(|atom| holds(atom).is_none()).cloned().collect()),
                Told::Fails => {}
            }
        }
        for guard in shorter {
            left.insert(guard);
        }
        left
    }

    /// Whether it holds, or a decision that it depends on: the first of those that can be asked for.
    fn ask(&self, state: &State) -> Result<bool, usize> {
        let holds = |atom: &Atom| state.told(atom.decision, &atom.allowed);
        if self
            .0
            .iter()
            .any(|guard| guard.iter().all(|atom| holds(atom) == Some(true)))
        {
            return Ok(true);
        }
        if self
            .0
            .iter()
            .all(|guard| guard.iter().any(|atom| holds(atom) == Some(false)))
        {
            return Ok(false);
        }
        // What of several values holds for some of them only is told apart first, as it would be for each alone.
        let mut atoms = self.0.iter().flatten();
        if let Some(atom) = atoms.find(|atom| state.has_several(atom.decision) && holds(atom).is_none()) {
            return Err(atom.decision);
        }
        let left = self.given(holds).0;
        let first = left.iter().map(|guard| guard.first().map(|atom| atom.decision));
        // An empty guard holds, and is the least.
        first.min().map_or(Ok(false), |decision| decision.map_or(Ok(true), Err))
    }
}

/// What is known of the conditions of a guard.
enum Told {
    Nothing,
    /// That some hold.
    Some,
    /// That one fails.
    Fails,
}

impl FromIterator<Option<bool>> for Told {
    fn from_iter<I: IntoIterator<Item = Option<bool>>>(conditions: I) -> Self {
        let mut told = Self::Nothing;
        for condition in conditions {
            match condition {
                Some(false) => return Self::Fails,
                Some(true) => told = Self::Some,
                None => {}
            }
        }
        told
    }
}

/// Both guards, one after the other, with one condition on each decision; nothing where they exclude each other.
pub(super) fn joined(first: &[Atom], second: &[Atom]) -> Option<Guard> {
    let mut guard: Guard = Vec::with_capacity(first.len() + second.len());
    for atom in first.iter().chain(second) {
        if let Some(known) = guard.iter_mut().find(|known| known.decision == atom.decision) {
            known.allowed = known.allowed.and(&atom.allowed);
        } else {
            guard.push(atom.clone());
        }
    }
    guard.retain(|atom| !atom.allowed.is_all());
    guard.iter().all(|atom| !atom.allowed.is_empty()).then_some(guard)
}

/// What a guard that holds says of a condition.
pub(super) fn told(guard: &[Atom], atom: &Atom) -> Option<bool> {
    let known = guard.iter().find(|known| known.decision == atom.decision)?;
    atom.allowed.tell(&known.allowed)
}

/// Whether the second guard holds wherever the first does.
pub(super) fn implies(first: &[Atom], second: &[Atom]) -> bool {
    second.iter().all(|atom| told(first, atom) == Some(true))
}

/// One guard for two that differ in one condition only.
fn union(first: &[Atom], second: &[Atom]) -> Option<Guard> {
    if first.len() != second.len() {
        return None;
    }
    let mut other = None;
    for (position, (a, b)) in first.iter().zip(second).enumerate() {
        if a.decision != b.decision || (a != b && other.replace(position).is_some()) {
            return None;
        }
    }
    let position = other?;
    let mut either = first.to_vec();
    let joined = first[position].allowed.or(&second[position].allowed);
    if joined.is_all() {
        either.remove(position);
    } else {
        either[position].allowed = joined;
    }
    Some(either)
}

const NEVER: &When = &When::NEVER;

/// What may wait beside a layer.
#[derive(Debug, Clone)]
pub(super) enum Waiting {
    /// A tensor, where it is there.
    Tensor(Tensor),
    /// A tensor of a known shape.
    Known(Table),
}

/// A tensor that may wait beside a layer, and when it does.
#[derive(Debug, Clone)]
pub(super) struct Waits {
    /// The tensor.
    pub(super) tensor: Waiting,
    /// When the layer itself reads it.
    pub(super) read: When,
    /// When it is needed afterwards: a later layer reads it, or it is an output of the network. Where the layer reads it
    /// and does not work in place this makes no difference, and is not told.
    pub(super) kept: When,
}

impl Waits {
    /// The guards that tell when it waits.
    pub(super) fn guards(&self) -> impl Iterator<Item = &Guard> {
        self.read.0.iter().chain(&self.kept.0)
    }
}

/// The tensors that may wait beside a layer.
pub(super) type Beside = Vec<Waits>;

/// The tensors that wait beside a layer, while it runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Alive {
    /// How many values they hold.
    pub(super) elements: i64,
    /// How many values the largest one holds that only this layer still needs; 0 where there is none. It is told for
    /// layers that work in place.
    pub(super) dying: i64,
}

/// When each tensor is needed.
#[derive(Debug, Clone)]
pub(super) struct Needs {
    /// For each tensor the steps at which that changes, from the last one on, and when it or a later step needs it;
    /// nothing where there are too many guards.
    from: Vec<Vec<(usize, Option<When>)>>,
}

impl Needs {
    pub(super) fn of(program: &Program) -> Self {
        let mut needs = Self {
            from: vec![Vec::new(); program.tensors],
        };
        for (number, step) in program.steps.iter().enumerate().rev() {
            // A guard of which a condition never holds is none.
            let Some(guard) = joined(&step.guard, &[]) else {
                continue;
            };
            match &step.action {
                Action::Layer { inputs: read, .. } | Action::Return { outputs: read } => {
                    for &tensor in read {
                        needs.add(number, tensor, Some(std::slice::from_ref(&guard)));
                    }
                }
                Action::Alias { from, to } => match needs.from[to.0].last() {
                    Some((_, Some(when))) => {
                        let both: Vec<_> = when.0.iter().filter_map(|later| joined(&guard, later)).collect();
                        needs.add(number, *from, Some(&both));
                    }
                    Some((_, None)) => needs.add(number, *from, None),
                    None => {}
                },
                Action::Require { .. } | Action::Read { .. } => {}
            }
        }
        needs
    }

    /// Adds guards of a step; nothing where they cannot be told.
    fn add(&mut self, step: usize, tensor: Tensor, guards: Option<&[Guard]>) {
        let known = &mut self.from[tensor.0];
        let Some(before) = known.last().map_or(Some(NEVER), |(_, when)| when.as_ref()) else {
            return;
        };
        let when = guards.and_then(|guards| {
            let mut when = before.clone();
            for guard in guards {
                when.insert(guard.clone());
            }
            (when.0.len() <= GUARDS).then_some(when)
        });
        if when.as_ref() != Some(before) {
            if known.last().is_some_and(|&(last, _)| last == step) {
                known.pop();
            }
            known.push((step, when));
        }
    }

    /// When a step behind `step` needs a tensor; nothing where that cannot be told.
    pub(super) fn behind(&self, step: usize, tensor: Tensor) -> Option<&When> {
        let known = &self.from[tensor.0];
        let behind = known.partition_point(|&(from, _)| from > step);
        known[..behind].last().map_or(Some(NEVER), |(_, when)| when.as_ref())
    }

    /// Whether it can be told of every tensor.
    pub(super) fn told(&self) -> bool {
        self.from.iter().flatten().all(|(_, when)| when.is_some())
    }
}

impl Program {
    /// What waits beside a layer, or a decision that this depends on: the first of those that can be asked for, so that
    /// all networks are asked in one order as far as possible.
    pub(super) fn alive_beside(&self, number: usize, in_place: bool, state: &mut State) -> Result<Alive, usize> {
        let mut open = Open::default();
        let mut found = std::mem::take(&mut state.beside);
        found.clear();
        match &self.beside {
            Some(beside) => told_beside(&beside[number], in_place, state, &mut found, &mut open),
            None => self.found_beside(number, in_place, state, &mut found, &mut open),
        }
        let mut alive = Alive::default();
        for size in &found {
            alive.elements = alive.elements.saturating_add(size.elements);
            if size.read && !size.kept {
                alive.dying = alive.dying.max(size.elements);
            }
        }
        state.beside = found;
        open.0.map_or(Ok(alive), Err)
    }

    /// What waits beside a layer among the tensors that are there.
    fn found_beside(&self, number: usize, in_place: bool, state: &mut State, found: &mut Vec<Size>, open: &mut Open) {
        let Action::Layer { inputs, .. } = &self.steps[number].action else {
            return;
        };
        state.marks.clear();
        for &input in inputs {
            state.marks.read(input);
        }
        state.looked_at(state.present.len());
        let mut left = 0;
        for position in 0..state.present.len() {
            let tensor = state.present[position].tensor;
            let read = state.marks.is_read(tensor);
            let kept = (!read || in_place)
                && open.known(
                    match self.needs().behind(number, tensor) {
                        Some(when) => when.ask(state),
                        None => self.will_read(number + 1, tensor, state),
                    },
                    state,
                );
            if read || kept {
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
        // What fails will not hold later, so no reader is looked at twice.
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
        // The tensors that were looked at, and what reads the last of them and those that led to it.
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

/// What waits beside a layer that is told what may wait.
fn told_beside(beside: &Beside, in_place: bool, state: &mut State, found: &mut Vec<Size>, open: &mut Open) {
    state.marks.clear();
    state.looked_at(beside.len());
    for Waits { tensor, read, kept } in beside {
        let (shape, origin) = match tensor {
            Waiting::Known(table) => (table.shape(&state.chosen), None),
            Waiting::Tensor(tensor) => (state.shape(*tensor).ok(), Some(state.origin(*tensor))),
        };
        let Some(shape) = shape else {
            continue;
        };
        let read = open.known(read.ask(state), state);
        let kept = (!read || in_place) && open.known(kept.ask(state), state);
        if read || kept {
            // Second names take no memory of their own.
            let place = origin.map_or(found.len(), |origin| state.marks.place(origin, found.len()));
            add_size(found, place, &shape, read, kept);
        }
    }
}

/// A tensor that waits beside a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    elements: i64,
    /// Whether the layer reads it.
    read: bool,
    /// Whether it is needed afterwards.
    kept: bool,
}

/// Adds a tensor, at the place of its first name if it has one.
fn add_size(found: &mut Vec<Size>, place: usize, shape: &Shape, read: bool, kept: bool) {
    match found.get_mut(place) {
        Some(known) => (known.read, known.kept) = (known.read || read, known.kept || kept),
        None => found.push(Size {
            elements: shape.elements().unwrap_or(i64::MAX),
            read,
            kept,
        }),
    }
}

/// The decision to ask for before it is known what waits.
#[derive(Default)]
struct Open(Option<usize>);

impl Open {
    /// The answer; false where a decision is to be asked for first.
    fn known(&mut self, answer: Result<bool, usize>, state: &State) -> bool {
        answer.unwrap_or_else(|decision| {
            // Of the decisions that have several values here the one that is told apart first, otherwise the least.
            self.0 = Some(match self.0 {
                Some(known) if state.has_several(known) => known,
                Some(known) if !state.has_several(decision) => known.min(decision),
                _ => decision,
            });
            false
        })
    }
}
