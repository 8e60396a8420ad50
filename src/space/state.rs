//! What a run knows, and where it stopped.

use super::guard::{Atom, Tensor, When};
use super::residual::Residual;
use super::values::Values;
use crate::layers::{Refusal, Shape};
use std::sync::atomic::{AtomicU64, Ordering};

/// A decision that is not taken.
pub(crate) const OPEN: u32 = u32::MAX;

/// All that a run knows: the shapes of tensors, the decisions taken, and the cost so far.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(super) tensors: Vec<Option<Shape>>,
    /// The tensors that are there.
    pub(super) present: Vec<Present>,
    /// For each tensor the one whose values it holds: itself, or what it is a second name of.
    origins: Vec<Tensor>,
    /// For each decision the index of its value, or [`OPEN`].
    pub(crate) chosen: Vec<u32>,
    /// The decisions that are taken.
    pub(super) taken: Vec<usize>,
    /// A decision that is not taken, and the values that it may have: what holds for all of them is known.
    several: Option<(usize, Values)>,
    /// For each layer that several steps apply its first use, once there is one.
    pub(super) built: Vec<Option<FirstUse>>,
    /// The layers among them that are used.
    pub(super) used: Vec<usize>,
    /// For each condition that is evaluated part by part what was left of it, where some of its decisions were taken
    /// before.
    pub(super) left: Vec<Option<Residual>>,
    /// One entry for each metric.
    pub(crate) cost: Vec<i64>,
    /// How much was visited so far: steps, conditions, tensors, decisions.
    work: Counter,
    pub(super) args: Vec<i64>,
    pub(super) inputs: Vec<Shape>,
    /// What is alive beside the layer that is applied.
    pub(super) alive: Alive,
    /// What the layer that is applied gives beside its output.
    pub(super) extra: Vec<(Tensor, Shape)>,
    /// The tensors that are alive beside it.
    pub(super) beside: Vec<Size>,
    pub(super) marks: Marks,
    /// What the layer that is applied costs.
    pub(super) own: Vec<i64>,
}

/// How much was visited. What only reads a state counts, too.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Clone for Counter {
    fn clone(&self) -> Self {
        Self(self.0.load(Ordering::Relaxed).into())
    }
}

/// A tensor that is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present {
    pub(super) tensor: Tensor,
    /// How many of its readers are not ruled out yet: the first ones.
    pub(super) readers: usize,
}

/// Notes on tensors, which are all cleared at once.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// The number that marks notes which still hold.
    now: u64,
    /// For each tensor whether a layer reads it.
    read: Vec<u64>,
    /// For each tensor its position in a list.
    place: Vec<(u64, usize)>,
}

impl Marks {
    fn of(tensors: usize) -> Self {
        Self {
            now: 0,
            read: vec![0; tensors],
            place: vec![(0, 0); tensors],
        }
    }

    pub(super) fn clear(&mut self) {
        self.now += 1;
    }

    pub(super) fn read(&mut self, tensor: Tensor) {
        self.read[tensor.0] = self.now;
    }

    pub(super) fn is_read(&self, tensor: Tensor) -> bool {
        self.read[tensor.0] == self.now
    }

    /// The position that was noted for a tensor; from now on `next`, if there was none.
    pub(super) fn place(&mut self, tensor: Tensor, next: usize) -> usize {
        let known = &mut self.place[tensor.0];
        if known.0 != self.now {
            *known = (self.now, next);
        }
        known.1
    }
}

/// The first use of a layer that several steps apply.
#[derive(Debug, Clone)]
pub(super) struct FirstUse {
    /// The shapes of its inputs; none where a state was restored, as later steps do not need them.
    pub(super) on: Vec<Shape>,
    /// The numbers that a later use must find again.
    pub(super) numbers: Vec<i64>,
}

/// The tensors that are alive beside a layer while it runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Alive {
    /// How many values they hold.
    pub(super) elements: i64,
    /// How many values the largest one holds that only this layer still needs; 0 where there is none. It is known for
    /// layers that work in place.
    pub(super) dying: i64,
}

/// A tensor that is alive beside a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) elements: i64,
    /// Whether the layer reads it.
    pub(super) read: bool,
    /// Whether it is needed afterwards.
    pub(super) kept: bool,
    /// The decision on which that depends, where it does.
    pub(super) open: Option<usize>,
}

pub(super) fn not_computed() -> Refusal {
    Refusal::new("it reads a tensor that is not computed in this network", [])
}

impl State {
    /// A state before anything happened.
    pub(super) fn new(tensors: usize, decisions: usize, shared: usize, conditions: usize, metrics: usize) -> Self {
        Self {
            tensors: vec![None; tensors],
            present: Vec::new(),
            origins: (0..tensors).map(Tensor).collect(),
            chosen: vec![OPEN; decisions],
            taken: Vec::new(),
            several: None,
            built: vec![None; shared],
            used: Vec::new(),
            left: vec![None; conditions],
            cost: vec![0; metrics],
            work: Counter::default(),
            args: Vec::new(),
            inputs: Vec::new(),
            alive: Alive::default(),
            extra: Vec::new(),
            beside: Vec::new(),
            marks: Marks::of(tensors),
            own: Vec::new(),
        }
    }

    pub(super) fn chosen(&self, decision: usize) -> u32 {
        self.chosen[decision]
    }

    /// How much was visited so far: steps, conditions, tensors, decisions.
    pub(crate) fn work(&self) -> u64 {
        self.work.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn visited(&self, more: usize) {
        // One thread counts, so nothing is lost between the two.
        self.work.0.store(self.work() + more as u64, Ordering::Relaxed);
    }

    /// Takes a decision.
    pub(crate) fn choose(&mut self, decision: usize, value: u32) {
        if std::mem::replace(&mut self.chosen[decision], value) == OPEN {
            self.taken.push(decision);
        }
    }

    /// Leaves it open which of several values a decision has.
    pub(crate) fn choose_among(&mut self, decision: usize, values: Values) {
        self.several = Some((decision, values));
    }

    /// What is known of a condition; the decision may be open.
    #[inline]
    pub(super) fn told(&self, decision: usize, allowed: &Values) -> Option<bool> {
        self.visited(1);
        match self.chosen[decision] {
            OPEN => match &self.several {
                Some((known, values)) if *known == decision => allowed.tell(values),
                _ => None,
            },
            value => Some(allowed.contains(value)),
        }
    }

    /// Whether a guard holds, or the decision that it waits for.
    pub(super) fn holds(&self, guard: &[Atom]) -> std::result::Result<bool, usize> {
        for atom in guard {
            match self.told(atom.decision, &atom.allowed) {
                None => return Err(atom.decision),
                Some(false) => return Ok(false),
                Some(true) => {}
            }
        }
        Ok(true)
    }

    /// Whether one of several guards holds, or a decision that this depends on: the first of those that can be asked
    /// for.
    pub(super) fn holds_any(&self, when: &When) -> std::result::Result<bool, usize> {
        let holds = |atom: &Atom| self.told(atom.decision, &atom.allowed);
        if when
            .0
            .iter()
            .any(|guard| guard.iter().all(|atom| holds(atom) == Some(true)))
        {
            return Ok(true);
        }
        if when
            .0
            .iter()
            .all(|guard| guard.iter().any(|atom| holds(atom) == Some(false)))
        {
            return Ok(false);
        }
        // A condition that holds for some values of a decision only is asked first, as it would be for each value
        // alone.
        let mut atoms = when.0.iter().flatten();
        if let Some(atom) = atoms.find(|atom| self.has_several(atom.decision) && holds(atom).is_none()) {
            return Err(atom.decision);
        }
        let left = when.given(holds).0;
        let first = left.iter().map(|guard| guard.first().map(|atom| atom.decision));
        // An empty guard holds, and is the least.
        first.min().map_or(Ok(false), |decision| decision.map_or(Ok(true), Err))
    }

    /// Whether a decision has several values here.
    pub(super) fn has_several(&self, decision: usize) -> bool {
        self.several.as_ref().is_some_and(|&(known, _)| known == decision)
    }

    pub(super) fn shape(&self, tensor: Tensor) -> std::result::Result<Shape, Refusal> {
        self.tensors[tensor.0].ok_or_else(not_computed)
    }

    /// The shape that a tensor begins with, and the tensor whose values it holds.
    pub(super) fn set_tensor(&mut self, tensor: Tensor, shape: Shape, origin: Tensor, readers: usize) {
        if self.tensors[tensor.0].replace(shape).is_none() {
            self.present.push(Present { tensor, readers });
        }
        self.origins[tensor.0] = origin;
    }

    /// Forgets a tensor that is taken from those that are there.
    pub(super) fn forget(&mut self, tensor: Tensor) {
        self.tensors[tensor.0] = None;
    }

    /// The shape of the first tensor that flows into the layer that is applied.
    pub(super) fn incoming(&self) -> Option<&Shape> {
        self.inputs.first()
    }

    /// The tensor whose values a tensor holds.
    pub(super) fn origin(&self, tensor: Tensor) -> Tensor {
        self.origins[tensor.0]
    }

    /// Takes back all that happened.
    pub(crate) fn reset(&mut self) {
        for Present { tensor, .. } in self.present.drain(..) {
            self.tensors[tensor.0] = None;
        }
        for decision in self.taken.drain(..) {
            self.chosen[decision] = OPEN;
        }
        for slot in self.used.drain(..) {
            self.built[slot] = None;
        }
        self.several = None;
        self.left.fill(None);
        self.cost.fill(0);
    }
}

/// Where a decision is asked for: the step, the position among all that it asks for, and the decision.
pub(crate) type Place = (usize, usize, usize);

/// Where a run stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A step needs a decision that is open.
    Open { step: usize, decision: usize },
    /// It visited as much as it may, or came to the step up to which it was to go: it can go on there.
    Paused { step: usize },
    /// A step refused.
    Refused { step: usize, refusal: Refusal },
    /// The network is complete.
    Complete,
}

/// When a run pauses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    /// Once this much was visited.
    pub(crate) work: u64,
    /// At this step, or at the first one behind it that is visited.
    pub(crate) step: usize,
}

impl Pause {
    pub(crate) const NEVER: Self = Self {
        work: u64::MAX,
        step: usize::MAX,
    };
}
