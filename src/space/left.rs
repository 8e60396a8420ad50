//! What is left of the conditions of a program in a state.

use super::program::Program;
use super::residual::Residual;
use super::state::{OPEN, State};

impl Program {
    /// What the steps from `step` on can still tell of a condition beside the decisions that they mention; nothing where
    /// none of its decisions is taken, or where one of them is never taken.
    pub(super) fn left_of(&self, condition: usize, step: usize, state: &State) -> Option<Residual> {
        let known = &self.conditions[condition];
        let before = state.left[condition].as_ref();
        let chosen = |&decision: &usize| state.chosen[decision] != OPEN;
        if before.is_none() && !known.decisions.iter().any(chosen) {
            return None;
        }
        let gates = self.gates();
        let steps = &gates.of[condition];
        let coming = &steps[steps.partition_point(|&(gate, _)| gate < step)..];
        state.visited(1);
        let matters = |gate: usize| state.holds(&self.steps[gate].guard) != Ok(false);
        let mut coming = coming.iter().filter(|&&(gate, _)| matters(gate)).peekable();
        coming.peek()?;
        let asks = coming.any(|&(_, asks)| asks);
        // What is left is made anew each time, which takes longer than looking at something.
        state.visited(6 * known.size());
        let mut left = known.left(before, &state.chosen);
        // A decision that is never asked for leaves the network as it is.
        let open = known.decisions.iter().zip(left.taken());
        let never = |decision: usize| gates.asked[decision] <= step && !state.has_several(decision);
        let void = open.into_iter().any(|(&decision, taken)| !taken && never(decision));
        if !asks && left.value().is_some_and(|value| value != 0) {
            // It holds whatever is still taken. It is kept, as a decision may from here on have another value that no
            // step can tell from its own.
            left.take_all();
        }
        (!void).then_some(left)
    }

    /// Whether a decision is taken, as far as what is left of a condition knows.
    pub(super) fn is_folded(&self, condition: Option<usize>, decision: usize, state: &State) -> bool {
        let Some(condition) = condition else { return false };
        let slot = self.conditions[condition].decisions.binary_search(&decision);
        matches!((slot, &state.left[condition]), (Ok(slot), Some(left)) if left.has(slot))
    }

    /// Adds what is left of all conditions to a key: how many, and of each its position and what is left.
    pub(super) fn encode_conditions(&self, step: usize, state: &State, key: &mut Vec<i64>) {
        if self.conditions.is_empty() {
            return;
        }
        let count = key.len();
        key.push(0);
        for condition in 0..self.conditions.len() {
            if let Some(left) = self.left_of(condition, step, state) {
                key[count] += 1;
                key.push(condition as i64);
                left.encode(key);
            }
        }
    }

    /// Puts into a state what [`Self::encode_conditions`] wrote, and returns the rest of the key.
    pub(super) fn decode_conditions<'a>(&self, key: &'a [i64], state: &mut State) -> &'a [i64] {
        if self.conditions.is_empty() {
            return key;
        }
        let (count, mut rest) = (key[0], &key[1..]);
        for _ in 0..count {
            let (condition, length) = (rest[0] as usize, rest[1] as usize);
            let (own, behind) = rest[2..].split_at(length);
            state.left[condition] = Some(Residual::decode(own, self.conditions[condition].decisions.len()));
            rest = behind;
        }
        rest
    }

    /// What a value of a decision adds to the conditions that are still to be met, in a state in which it is chosen.
    pub(super) fn added(&self, step: usize, decision: usize, state: &State) -> Vec<i64> {
        let mut key = Vec::new();
        for (number, condition) in self.conditions.iter().enumerate() {
            if condition.decisions.binary_search(&decision).is_ok()
                && let Some(left) = self.left_of(number, step, state)
            {
                key.push(number as i64);
                left.encode(&mut key);
            }
        }
        key
    }
}
