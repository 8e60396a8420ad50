//! When each tensor is needed, found by reading the steps of a program from the last to the first.

use super::guard::{Guard, Tensor, When, joined};
use super::step::{Action, Step};

/// The most guards that are kept for when a tensor is needed.
const GUARDS: usize = 128;

const NEVER: &When = &When::NEVER;

/// When each tensor is needed.
#[derive(Debug, Clone)]
pub(super) struct Needs {
    /// For each tensor the steps at which that changes, from the last one on, and when it or a later step needs it;
    /// nothing where there are too many guards.
    from: Vec<Vec<(usize, Option<When>)>>,
}

impl Needs {
    pub(super) fn of(steps: &[Step], tensors: usize) -> Self {
        let mut needs = Self {
            from: vec![Vec::new(); tensors],
        };
        for (number, step) in steps.iter().enumerate().rev() {
            // A step whose guard can never hold reads nothing.
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
                Action::Require { .. } | Action::Read { .. } | Action::Wait { .. } => {}
            }
        }
        needs
    }

    /// Adds guards of a step; `None` where they are not known.
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

    /// When a step behind `step` needs a tensor; nothing where that is not known.
    pub(super) fn behind(&self, step: usize, tensor: Tensor) -> Option<&When> {
        let known = &self.from[tensor.0];
        let behind = known.partition_point(|&(from, _)| from > step);
        known[..behind].last().map_or(Some(NEVER), |(_, when)| when.as_ref())
    }

    /// Whether it is known of every tensor.
    pub(super) fn told(&self) -> bool {
        self.from.iter().flatten().all(|(_, when)| when.is_some())
    }
}
