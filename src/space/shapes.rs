//! Shapes that are known ahead, by the decisions that they depend on, and what may be alive beside a layer.

use super::guard::{Atom, Guard, Tensor, When};
use crate::layers::Shape;
use std::sync::Arc;

/// What becomes of a tensor in some networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    There(Shape),
    /// The layer that writes it is not taken.
    Absent,
    /// The network cannot be built.
    Refused,
}

/// The shapes of a tensor, by the decisions that they depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShapeTable {
    /// The decisions, each with its number of values.
    decisions: Vec<(usize, usize)>,
    /// The shapes; the value of the last decision changes fastest.
    rows: Arc<[Presence]>,
}

impl ShapeTable {
    /// A table of these rows, without the decisions on which they do not depend.
    pub(super) fn reduced(mut decisions: Vec<(usize, usize)>, mut rows: Vec<Presence>) -> Self {
        let mut stride = 1;
        for position in (0..decisions.len()).rev() {
            let size = decisions[position].1;
            let first = |row: usize| row - row / stride % size * stride;
            if (0..rows.len()).all(|row| rows[row] == rows[first(row)]) {
                let kept = (0..rows.len()).filter(|&row| first(row) == row);
                rows = kept.map(|row| rows[row]).collect();
                decisions.remove(position);
            } else {
                stride *= size;
            }
        }
        Self {
            decisions,
            rows: rows.into(),
        }
    }

    pub(super) fn shape(&self, chosen: &[u32]) -> Option<Shape> {
        match self.known(chosen) {
            Presence::There(shape) => Some(shape),
            Presence::Absent | Presence::Refused => None,
        }
    }

    pub(super) fn known(&self, chosen: &[u32]) -> Presence {
        let place = |row: usize, &(decision, size): &(usize, usize)| row * size + chosen[decision] as usize;
        self.rows[self.decisions.iter().fold(0, place)]
    }

    /// The numbers of values that the tensor may have.
    pub(super) fn elements(&self) -> impl Iterator<Item = i64> + '_ {
        self.rows.iter().filter_map(|known| match known {
            Presence::There(shape) => Some(shape.elements().unwrap_or(i64::MAX)),
            Presence::Absent | Presence::Refused => None,
        })
    }

    /// Whether it is the same table, and not only an equal one.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rows, &other.rows) && self.decisions == other.decisions
    }

    pub(super) fn reads(&self) -> impl Iterator<Item = usize> + '_ {
        self.decisions.iter().map(|&(decision, _)| decision)
    }

    /// The rows of networks that can be built and in which a guard holds.
    pub(super) fn under<'a>(&'a self, guard: &'a [Atom]) -> impl Iterator<Item = Presence> + 'a {
        let holds = move |row: usize| {
            let mut stride = self.rows.len();
            self.decisions.iter().all(|&(decision, size)| {
                stride /= size;
                let mut atoms = guard.iter().filter(|atom| atom.decision == decision);
                atoms.all(|atom| atom.allowed.contains((row / stride % size) as u32))
            })
        };
        let rows = self.rows.iter().enumerate().filter(move |&(row, _)| holds(row));
        rows.map(|(_, &known)| known)
            .filter(|&known| known != Presence::Refused)
    }

    /// A table without decisions, if the rows that matter are all alike; otherwise the same.
    pub(super) fn alike(&self, mut rows: impl Iterator<Item = Presence>) -> Self {
        match rows.next() {
            Some(first) if rows.all(|row| row == first) => Self {
                decisions: Vec::new(),
                rows: [first].into(),
            },
            _ => self.clone(),
        }
    }
}

/// A tensor that may be alive beside a layer.
#[derive(Debug, Clone)]
pub(super) enum Waiting {
    /// A tensor, where it is there.
    Tensor(Tensor),
    /// A tensor of a known shape.
    Foreseen(ShapeTable),
}

/// A tensor that may be alive beside a layer, and when it is.
#[derive(Debug, Clone)]
pub(super) struct Waits {
    /// The tensor.
    pub(super) tensor: Waiting,
    /// When the layer itself reads it.
    pub(super) read: When,
    /// When it is needed afterwards: a later layer reads it, or it is an output of the network. Where the layer reads
    /// it and does not work in place this makes no difference, and is left out.
    pub(super) kept: When,
}

impl Waits {
    /// The guards under which it is alive.
    pub(super) fn guards(&self) -> impl Iterator<Item = &Guard> {
        self.read.0.iter().chain(&self.kept.0)
    }
}

/// The tensors that may be alive beside a layer.
pub(super) type Beside = Vec<Waits>;

/// The guards that a step evaluates beside its own.
pub(super) fn looks(beside: &[Beside], step: usize) -> impl Iterator<Item = &Guard> {
    beside.get(step).into_iter().flatten().flat_map(Waits::guards)
}
