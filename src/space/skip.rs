//! Steps that are passed over together: a branch that is not taken, or many.

use super::guard::{Atom, Guard};
use super::state::{OPEN, State};
use super::step::Step;

/// The most ranges of the values that are kept for a block.
const RANGES: usize = 8;

/// Blocks of 1, 2, 4, 8, ... steps in a row, and what the guards of all their steps have in common. Where that does not
/// hold, none of them is taken, so a run passes over n branches in O(log n).
#[derive(Debug, Clone)]
pub(super) struct Skips {
    sizes: Vec<Blocks>,
}

/// The blocks of one size.
#[derive(Debug, Clone)]
struct Blocks {
    /// The first condition of each, closer together in memory.
    heads: Vec<Head>,
    guards: Vec<Guard>,
}

/// A range of values of a decision that has all with which a condition holds.
#[derive(Debug, Clone, Copy)]
struct Head {
    decision: u32,
    start: u32,
    end: u32,
}

impl Head {
    /// Stands for the decision where there is no condition.
    const NONE: u32 = u32::MAX;
}

impl Skips {
    pub(super) fn of(steps: &[Step]) -> Self {
        let guards = steps.iter().map(|step| step.guard.clone());
        let mut sizes = vec![Blocks::of(guards.collect())];
        while let Some(Blocks { guards, .. }) = sizes.last()
            && guards.iter().any(|guard| !guard.is_empty())
        {
            let pairs = guards.chunks_exact(2);
            sizes.push(Blocks::of(pairs.map(|pair| in_common(&pair[0], &pair[1])).collect()));
        }
        Self { sizes }
    }

    /// How many steps from `step` on are known not to be taken: 0 where the step itself is taken; or the decision that
    /// its guard waits for.
    #[inline]
    pub(super) fn from(&self, step: usize, state: &State) -> Result<usize, usize> {
        if self.sizes[0].holds(step, state)? {
            return Ok(0);
        }
        let mut size = 0;
        while let Some(blocks) = self.sizes.get(size + 1)
            && step.trailing_zeros() as usize > size
            && step >> (size + 1) < blocks.heads.len()
            && blocks.holds(step >> (size + 1), state) == Ok(false)
        {
            size += 1;
        }
        Ok(1 << size)
    }
}

impl Blocks {
    fn of(guards: Vec<Guard>) -> Self {
        let head = |guard: &Guard| match guard.first().map(|atom| (atom.decision, atom.allowed.span())) {
            Some((decision, (start, end))) => Head {
                decision: decision as u32,
                start,
                end,
            },
            None => Head {
                decision: Head::NONE,
                start: 0,
                end: 0,
            },
        };
        Self {
            heads: guards.iter().map(head).collect(),
            guards,
        }
    }

    /// Whether all that the guards of a block have in common holds, or the decision that this waits for.
    #[inline]
    fn holds(&self, block: usize, state: &State) -> Result<bool, usize> {
        let head = self.heads[block];
        if head.decision == Head::NONE {
            return Ok(true);
        }
        let value = state.chosen[head.decision as usize];
        if value != OPEN && !(head.start..head.end).contains(&value) {
            return Ok(false);
        }
        state.holds(&self.guards[block])
    }
}

/// Conditions that hold where one of two guards does, and with which both of them begin.
fn in_common(one: &[Atom], other: &[Atom]) -> Guard {
    let mut guard = Guard::new();
    for (a, b) in one.iter().zip(other) {
        if a == b {
            guard.push(a.clone());
            continue;
        }
        if a.decision == b.decision {
            guard.push(Atom {
                decision: a.decision,
                allowed: a.allowed.or(&b.allowed).within(RANGES),
            });
        }
        break;
    }
    guard
}
