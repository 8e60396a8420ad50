//! Guards: the conditions under which a step is taken, and what one guard says of another.

use super::values::Values;

/// A tensor, by its position among the tensors of its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tensor(pub usize);

/// A condition on one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    /// The decision.
    pub decision: usize,
    /// The values with which the condition holds.
    pub allowed: Values,
}

/// A conjunction of conditions, evaluated in order: a later one is not asked where an earlier one fails.
pub type Guard = Vec<Atom>;

/// A disjunction of guards; without any it never holds.
///
/// Where all conditions of a guard before one hold, the decision of that one is asked for in any case. So the first
/// open decision of a guard that may still hold can be asked for ahead of its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When(pub(super) Vec<Guard>);

impl When {
    pub(super) const NEVER: Self = Self(Vec::new());

    /// The guard without conditions.
    pub(super) fn always() -> Self {
        Self(vec![Guard::new()])
    }

    /// Adds a guard. Guards that differ in one condition become one, without that condition where they cover all
    /// values.
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

    /// What is left of it once some conditions are known.
    pub(super) fn given(&self, holds: impl Fn(&Atom) -> Option<bool>) -> Self {
        // Guards of which nothing is known stay apart, as they were before.
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

/// The conjunction of two guards, with one condition on each decision; nothing where they exclude each other.
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

/// What a guard says of a condition where the guard holds.
pub(super) fn told(guard: &[Atom], atom: &Atom) -> Option<bool> {
    let known = guard.iter().find(|known| known.decision == atom.decision)?;
    atom.allowed.tell(&known.allowed)
}

/// Whether the second guard holds wherever the first does.
pub(super) fn implies(first: &[Atom], second: &[Atom]) -> bool {
    second.iter().all(|atom| told(first, atom) == Some(true))
}

/// Whether no more than one of two guards can hold.
pub(super) fn excludes(one: &[Atom], other: &[Atom]) -> bool {
    other.iter().any(|atom| told(one, atom) == Some(false))
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
