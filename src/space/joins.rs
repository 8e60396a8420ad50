//! Tensors that all later steps only put side by side: for a state they are one tensor.
//!
//! **Idea.** In a network whose layers each read all before them, every later step that reads one of some tensors
//! concatenates all of them. Then it cannot tell their sides along that axis apart, only the sum. So a live state holds
//! shapes that stand for all others with the same sum: 1 for each tensor but the first. What they take together stays
//! the same, and with it what waits beside other layers. Of tensors that do nothing but wait, beside the same layers, no
//! step can tell more than how many values they hold together.
//!
//! **Bound.** Each reading of a tensor is visited once, from the last to the first.

use super::guard::{Tensor, When};
use super::shapes::{Beside, Waiting, Waits};
use super::step::{Action, Step};
use rustc_hash::FxHashMap;

/// What a step does with a tensor, as far as it makes a difference to others.
#[derive(PartialEq)]
enum Part<'a> {
    /// It puts it beside others, once, along this axis.
    Joins(i64),
    /// It lets it wait beside a layer, under these conditions.
    Waits(&'a When),
}

/// What all readers of a tensor from a step on do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Class {
    /// A number that stands for it.
    number: u32,
    /// The axis along which they join it; nothing where they only let it wait.
    pub(super) along: Option<i64>,
}

/// For each tensor what its later readers do with it.
#[derive(Debug, Clone)]
pub(super) struct Joins {
    /// For each tensor and each of its readers what this one and all later ones do; nothing where one of them does
    /// something else.
    classes: Vec<Vec<Option<Class>>>,
}

impl Joins {
    /// Nothing where no tensors are joined by all that read them.
    ///
    /// `readers` holds for each tensor the steps that read it, ascending; `axis` gives the axis along which a step puts its
    /// inputs side by side, if it does nothing else; `beside` holds for each step what may be alive beside it, where the
    /// program is scheduled.
    pub(super) fn of(
        steps: &[Step],
        readers: &[Vec<usize>],
        axis: impl Fn(&Step) -> Option<i64>,
        beside: &[Beside],
    ) -> Option<Self> {
        let mut numbers: FxHashMap<(usize, usize, u32), u32> = FxHashMap::default();
        let mut parts: Vec<Vec<Part<'_>>> = steps.iter().map(|_| Vec::new()).collect();
        let mut shared = false;
        let classes = readers.iter().enumerate().map(|(tensor, readers)| {
            let mut classes = vec![None; readers.len()];
            // The number that stands for no reader at all.
            let (mut behind, mut along) = (0, None);
            for (class, &reader) in classes.iter_mut().zip(readers).rev() {
                let waits = beside.get(reader).map_or(&[][..], Vec::as_slice);
                let Some(part) = part(&steps[reader], Tensor(tensor), &axis, waits) else {
                    break;
                };
                if let Part::Joins(axis) = part {
                    if along.is_some_and(|along| along != axis) {
                        break;
                    }
                    along = Some(axis);
                }
                let known = &mut parts[reader];
                let place = known.iter().position(|known| *known == part).unwrap_or_else(|| {
                    known.push(part);
                    known.len() - 1
                });
                let next = numbers.len() as u32 + 1;
                let number = *numbers
                    .entry((reader, place, behind))
                    .and_modify(|_| shared = true)
                    .or_insert(next);
                *class = Some(Class { number, along });
                behind = number;
            }
            classes
        });
        let classes = classes.collect();
        shared.then_some(Self { classes })
    }

    /// What the readers of a tensor from a step on, of all its `readers`, do with it; nothing where they do not all join it
    /// or let it wait.
    pub(super) fn class(&self, tensor: Tensor, readers: &[usize], step: usize) -> Option<Class> {
        let next = readers.partition_point(|&reader| reader < step);
        self.classes[tensor.0].get(next).copied().flatten()
    }
}

/// What a step does with a tensor that it reads, or that waits beside it; nothing where that depends on its shape alone.
fn part<'a>(step: &Step, tensor: Tensor, axis: impl Fn(&Step) -> Option<i64>, beside: &'a [Waits]) -> Option<Part<'a>> {
    let Action::Layer { inputs, .. } = &step.action else {
        return None;
    };
    let mut waiting = beside.iter();
    let waits = waiting.find(|waits| matches!(waits.tensor, Waiting::Tensor(known) if known == tensor));
    let reads = inputs.iter().filter(|&&input| input == tensor).count();
    match (reads, waits) {
        // Of what a layer itself reads by another name it may write over the largest.
        (0, Some(waits)) if waits.read == When::NEVER => Some(Part::Waits(&waits.kept)),
        (1, _) if waits.is_none_or(|waits| waits.read == When::always() && waits.kept == When::NEVER) => {
            axis(step).map(Part::Joins)
        }
        _ => None,
    }
}
