//! Which tensors wait beside a layer: those that the rest of the network still needs.

use super::program::{Action, Atom, Guard, Program, Tensor};
use super::run::{OPEN, State};
use super::schedule::Table;

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
        let mut left = Self::NEVER;
        for guard in &self.0 {
            if guard.iter().all(|atom| holds(atom) != Some(false)) {
                left.insert(guard.iter().filter(|atom| holds(atom).is_none()).cloned().collect());
            }
        }
        left
    }

    /// Whether it holds, or a decision that it depends on: the first of those that can be asked for.
    fn ask(&self, state: &State) -> Result<bool, usize> {
        let holds = |atom: &Atom| match state.chosen[atom.decision] {
            OPEN => None,
            value => Some(atom.allowed[value as usize]),
        };
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
        let left = self.given(holds).0;
        let first = left.iter().map(|guard| guard.first().map(|atom| atom.decision));
        // An empty guard holds, and is the least.
        first.min().map_or(Ok(false), |decision| decision.map_or(Ok(true), Err))
    }
}

/// Both guards, one after the other, with one condition on each decision; nothing where they exclude each other.
pub(super) fn joined(first: &[Atom], second: &[Atom]) -> Option<Guard> {
    let mut guard: Guard = Vec::with_capacity(first.len() + second.len());
    for atom in first.iter().chain(second) {
        if let Some(known) = guard.iter_mut().find(|known| known.decision == atom.decision) {
            for (known, &allowed) in known.allowed.iter_mut().zip(&atom.allowed) {
                *known &= allowed;
            }
        } else {
            guard.push(atom.clone());
        }
    }
    guard.retain(|atom| atom.allowed.contains(&false));
    guard.iter().all(|atom| atom.allowed.contains(&true)).then_some(guard)
}

/// What a guard that holds says of a condition.
pub(super) fn told(guard: &[Atom], atom: &Atom) -> Option<bool> {
    let known = guard.iter().find(|known| known.decision == atom.decision)?;
    let mut both = known.allowed.iter().zip(&atom.allowed);
    if both.clone().all(|(&known, &allowed)| allowed || !known) {
        Some(true)
    } else if both.all(|(&known, &allowed)| !(known && allowed)) {
        Some(false)
    } else {
        None
    }
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
    for (allowed, &second) in either[position].allowed.iter_mut().zip(&second[position].allowed) {
        *allowed |= second;
    }
    if !either[position].allowed.contains(&false) {
        either.remove(position);
    }
    Some(either)
}

/// What may wait beside a layer.
#[derive(Debug, Clone)]
pub(super) enum Waiting {
    /// A tensor, where it is there.
    Tensor(Tensor),
    /// A tensor, where it is there, whose readers are too many to tell ahead when they read it.
    Untold(Tensor),
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

impl Program {
    /// For each step that applies a layer, the tensors that are there before it and that it or a later layer may need.
    pub(super) fn beside(&self) -> &[Beside] {
        self.beside.get_or_init(|| {
            // Nothing where there are too many guards.
            let mut needed = vec![Some(When::NEVER); self.tensors];
            let mut beside = vec![Beside::new(); self.steps.len()];
            for (number, step) in self.steps.iter().enumerate().rev() {
                // A guard of which a condition never holds is none.
                let Some(guard) = joined(&step.guard, &[]) else {
                    continue;
                };
                match &step.action {
                    Action::Layer { layer, inputs, .. } => {
                        let in_place = self.layers[*layer].kind.in_place;
                        let waiting = self.alive_at(number).iter().filter_map(|&tensor| {
                            let read = inputs.contains(&tensor);
                            let (waiting, kept) = match &needed[tensor.0] {
                                _ if read && !in_place => (Waiting::Tensor(tensor), When::NEVER),
                                Some(when) => (Waiting::Tensor(tensor), when.given(|atom| told(&guard, atom))),
                                None => (Waiting::Untold(tensor), When::NEVER),
                            };
                            let told = matches!(waiting, Waiting::Tensor(_));
                            (read || kept != When::NEVER || !told).then_some(Waits {
                                tensor: waiting,
                                read: if read { When::always() } else { When::NEVER },
                                kept,
                            })
                        });
                        beside[number] = waiting.collect();
                        for input in inputs {
                            insert(&mut needed[input.0], guard.clone());
                        }
                    }
                    Action::Return { outputs } => {
                        for output in outputs {
                            insert(&mut needed[output.0], guard.clone());
                        }
                    }
                    Action::Alias { from, to } => match needed[to.0].clone() {
                        Some(when) => {
                            for both in when.0.iter().filter_map(|later| joined(&guard, later)) {
                                insert(&mut needed[from.0], both);
                            }
                        }
                        None => needed[from.0] = None,
                    },
                    Action::Require { .. } | Action::Read { .. } => {}
                }
            }
            beside
        })
    }

    /// What waits beside a layer, or a decision that this depends on: the first of those that can be asked for, so that
    /// all networks are asked in one order as far as possible.
    pub(super) fn alive_beside(&self, number: usize, in_place: bool, state: &State) -> Result<Alive, usize> {
        // Second names take no memory of their own: of each tensor its size, and whether it is needed afterwards.
        let mut tensors: Vec<(Option<Tensor>, i64, bool, bool)> = Vec::new();
        let mut open: Option<usize> = None;
        for Waits { tensor, read, kept } in &self.beside()[number] {
            let (shape, origin) = match tensor {
                Waiting::Known(table) => (table.shape(&state.chosen), None),
                Waiting::Tensor(tensor) | Waiting::Untold(tensor) => {
                    (state.shape(*tensor).ok(), Some(state.origin(*tensor)))
                }
            };
            let Some(shape) = shape else {
                continue;
            };
            let mut known = |answer: Result<bool, usize>| {
                answer.unwrap_or_else(|decision| {
                    open = Some(open.map_or(decision, |known| known.min(decision)));
                    false
                })
            };
            let read = known(read.ask(state));
            let kept = if read && !in_place {
                false
            } else {
                known(match tensor {
                    Waiting::Known(_) | Waiting::Tensor(_) => kept.ask(state),
                    Waiting::Untold(tensor) => self.will_read(number + 1, *tensor, state, &mut Vec::new()),
                })
            };
            if !(read || kept) {
                continue;
            }
            match tensors
                .iter_mut()
                .find(|(other, ..)| origin.is_some() && *other == origin)
            {
                Some((_, _, reads, keeps)) => (*reads, *keeps) = (*reads || read, *keeps || kept),
                None => tensors.push((origin, shape.elements().unwrap_or(i64::MAX), read, kept)),
            }
        }
        if let Some(decision) = open {
            return Err(decision);
        }
        let dying = tensors.iter().filter(|(_, _, read, kept)| *read && !kept);
        Ok(Alive {
            elements: tensors
                .iter()
                .fold(0, |sum: i64, (_, size, ..)| sum.saturating_add(*size)),
            dying: dying.map(|&(_, size, ..)| size).max().unwrap_or(0),
        })
    }

    /// Whether a step from `from` on needs a tensor, itself or by a second name, or a decision to ask for.
    ///
    /// `before` holds the tensors that were looked at without finding one.
    fn will_read(&self, from: usize, tensor: Tensor, state: &State, before: &mut Vec<Tensor>) -> Result<bool, usize> {
        if before.contains(&tensor) {
            return Ok(false);
        }
        before.push(tensor);
        let mut open = None;
        let readers = &self.readers[tensor.0];
        for &reader in &readers[readers.partition_point(|&reader| reader < from)..] {
            let step = &self.steps[reader];
            let reads = match (Self::holds(step, state), &step.action) {
                (Ok(true), Action::Alias { to, .. }) => self.will_read(reader, *to, state, before),
                (holds, _) => holds,
            };
            match reads {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(decision) => open = open.or(Some(decision)),
            }
        }
        open.map_or(Ok(false), Err)
    }
}

/// Adds a guard, unless that makes too many.
fn insert(when: &mut Option<When>, guard: Guard) {
    if let Some(known) = when {
        known.insert(guard);
        if known.0.len() > GUARDS {
            *when = None;
        }
    }
}
