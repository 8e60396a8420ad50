//! What the steps that are still to come can tell of a state. A node of a diagram is such a live state.

use super::guard::{Atom, Tensor};
use super::joins::Class;
use super::program::Program;
use super::state::{FirstUse, OPEN, Place, Present, State};
use super::step::{Action, Step};
use super::values::Values;
use crate::layers::{MAX_RANK, Shape, axis_beside_batch};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Passing over this many steps that mention a decision takes as long as visiting one other thing.
const MENTIONS: usize = 8;

/// The bits of the rank of a tensor in a key.
const RANK_BITS: u32 = 4;

const _: () = assert!(MAX_RANK < 1 << RANK_BITS);

/// Two numbers in one word of a key: a space has less than 2^31 tensors and decisions.
fn pack(upper: usize, lower: usize) -> i64 {
    debug_assert!(upper < 1 << 31 && lower < 1 << 32);
    (upper << 32 | lower) as i64
}

fn unpack(word: i64) -> (usize, usize) {
    let word = word as usize;
    (word >> 32, word & 0xffff_ffff)
}

impl Program {
    /// Where a step asks for a decision; the runs that came from another place asked there before.
    pub(crate) fn place(&self, number: usize, decision: usize, from: Option<Place>) -> Place {
        let step = &self.steps[number];
        let guard = step.guard.iter().map(|atom| atom.decision);
        let mut asked = guard.chain(step.reads.iter().copied());
        let own = asked.position(|asked| asked == decision).unwrap_or_else(|| {
            // What is alive beside the layer asks for it: mostly in the order of the decisions.
            let place = step.guard.len() + step.reads.len() + decision;
            match from {
                Some((step, before, _)) if step == number => place.max(before + 1),
                _ => place,
            }
        });
        (number, own, decision)
    }

    /// What the steps from `step` on can still tell of a decision: the least value that they cannot tell from its own,
    /// or nothing where it is open or no longer matters.
    pub(crate) fn live_value(&self, step: usize, decision: usize, state: &State) -> Option<u32> {
        let value = state.chosen[decision];
        if value == OPEN {
            return None;
        }
        let mentions = &self.mentions[decision];
        let coming = &mentions[mentions.partition_point(|&mention| mention < step)..];
        // A guard is evaluated in order, so a condition that fails hides all that follows it.
        let hidden = |guard: &[Atom]| {
            let before = guard.iter().take_while(|atom| atom.decision != decision);
            let mut told = before.map(|atom| state.told(atom.decision, &atom.allowed));
            told.any(|told| told == Some(false))
        };
        let matters = coming.iter().position(|&mention| {
            let step = &self.steps[mention];
            let reads = |guard: &[Atom]| guard.iter().any(|atom| atom.decision == decision);
            !hidden(&step.guard)
                && (reads(&step.guard)
                    || step.reads_values().contains(&decision)
                    || self.looks(mention).any(|guard| reads(guard) && !hidden(guard)))
        });
        state.visited(matters.unwrap_or(coming.len()) / MENTIONS);
        matters.map(|_| self.classes(decision).representative(value, step))
    }

    /// Writes all that the steps from `step` on can still tell of a state.
    ///
    /// First the number of tensors that may still be read, for each a word with itself, the place of the first one
    /// with the same values and its rank, and its sides; then the number of decisions that may still matter, for each
    /// a word with itself and the value that stands for what can be told of it; then, if there are any conditions, what
    /// is left of them; then for each shared layer that is used again itself and what it is built for.
    pub(crate) fn encode(&self, step: usize, state: &mut State, key: &mut Vec<i64>) {
        key.clear();
        self.forget_unread(step, state);
        state.present.sort_unstable_by_key(|present| present.tensor);
        state.marks.clear();
        key.push(state.present.len() as i64);
        let joined = self.joined(step, state);
        for place in 0..state.present.len() {
            let tensor = state.present[place].tensor;
            let shape = match joined.binary_search_by_key(&place, |&(place, _)| place) {
                Ok(found) => joined[found].1,
                Err(_) => state.tensors[tensor.0].expect("what is there has a shape"),
            };
            let first = state.marks.place(state.origin(tensor), place);
            key.push(pack(tensor.0, first << RANK_BITS | shape.rank()));
            key.extend_from_slice(&shape);
        }
        state.taken.sort_unstable();
        let count = key.len();
        key.push(0);
        for &decision in &state.taken {
            if let Some(value) = self.live_value(step, decision, state) {
                key[count] += 1;
                key.push(pack(decision, value as usize));
            }
        }
        self.encode_conditions(step, state, key);
        state.used.sort_unstable();
        for &slot in &state.used {
            if self.last_use[slot] >= step
                && let Some(first) = &state.built[slot]
            {
                key.extend([slot as i64, first.numbers.len() as i64]);
                key.extend_from_slice(&first.numbers);
            }
        }
        state.visited(key.len());
    }

    /// The shapes that stand for those of tensors which all later steps only put side by side, or let wait, by their
    /// places.
    fn joined(&self, step: usize, state: &State) -> Vec<(usize, Shape)> {
        let Some(joins) = self.joins() else {
            return Vec::new();
        };
        // Each with its class, the axis along which sides add up, and a shape with 1 there.
        let mut parts: Vec<(Class, usize, Shape, usize)> = Vec::new();
        for (place, &Present { tensor, .. }) in state.present.iter().enumerate() {
            if let Some(class) = joins.class(tensor, &self.readers[tensor.0], step)
                && let Some(shape) = state.tensors[tensor.0]
            {
                match class.along.map(|axis| axis_beside_batch(axis, &shape)) {
                    Some(Ok(axis)) if shape[axis] > 0 => parts.push((class, axis, shape.with(axis, 1), place)),
                    None if shape.elements().is_some_and(|elements| elements > 0) => {
                        parts.push((class, 0, Shape::new(&[1]), place));
                    }
                    _ => {}
                }
            }
        }
        let origin = |place: usize| state.origin(state.present[place].tensor);
        if (0..state.present.len()).any(|place| origin(place) != state.present[place].tensor) {
            // What is there by two names waits once.
            let named = |place| (0..state.present.len()).any(|other| other != place && origin(other) == origin(place));
            parts.retain(|&(.., place)| !named(place));
        }
        let mut found = Vec::with_capacity(parts.len());
        while let Some(&(class, axis, one, _)) = parts.first() {
            let alike: Vec<_> = parts
                .extract_if(.., |part| (part.0, part.1, part.2) == (class, axis, one))
                .map(|(.., place)| place)
                .collect();
            let size = |&place: &usize| {
                let shape = state.tensors[state.present[place].tensor.0];
                shape.and_then(|shape| match class.along {
                    Some(_) => Some(shape[axis]),
                    None => shape.elements(),
                })
            };
            let sum = alike
                .iter()
                .map(size)
                .try_fold(0_i64, |sum, size| sum.checked_add(size?));
            let Some(first) = sum.map(|sum| sum - (alike.len() as i64 - 1)) else {
                continue;
            };
            for (position, &place) in alike.iter().enumerate() {
                found.push((place, one.with(axis, if position == 0 { first } else { 1 })));
            }
        }
        found.sort_unstable_by_key(|&(place, _)| place);
        found
    }

    /// Makes a state of what [`Self::encode`] wrote, with no cost so far.
    pub(crate) fn decode(&self, key: &[i64], state: &mut State) {
        state.reset();
        state.visited(key.len());
        let mut rest = key;
        let mut take = |n: usize| {
            let (front, back) = rest.split_at(n);
            rest = back;
            front
        };
        for _ in 0..take(1)[0] {
            let (tensor, first) = unpack(take(1)[0]);
            let shape = Shape::new(take(first & ((1 << RANK_BITS) - 1)));
            let origin = state
                .present
                .get(first >> RANK_BITS)
                .map_or(Tensor(tensor), |first| first.tensor);
            self.put(state, Tensor(tensor), shape, origin);
        }
        for _ in 0..take(1)[0] {
            let (decision, value) = unpack(take(1)[0]);
            state.choose(decision, value as u32);
        }
        rest = self.decode_conditions(rest, state);
        while let &[slot, count, ref behind @ ..] = rest {
            let (numbers, behind) = behind.split_at(count as usize);
            state.built[slot as usize] = Some(FirstUse {
                on: Vec::new(),
                numbers: numbers.to_vec(),
            });
            state.used.push(slot as usize);
            rest = behind;
        }
    }

    /// Where a live state has the decisions that may still matter.
    fn words(key: &[i64]) -> Range<usize> {
        let mut place = 1;
        for _ in 0..key[0] {
            let (_, first) = unpack(key[place]);
            place += 1 + (first & ((1 << RANK_BITS) - 1));
        }
        place + 1..place + 1 + key[place] as usize
    }

    /// The decisions that a live state knows, each with its value.
    pub(crate) fn known(key: &[i64]) -> Vec<(usize, u32)> {
        let words = key[Self::words(key)].iter().map(|&word| unpack(word));
        words.map(|(decision, value)| (decision, value as u32)).collect()
    }

    /// A live state that does not know a decision, but all else that another one does, and the value there; nothing
    /// where that one does not know it either.
    pub(crate) fn without(key: &[i64], decision: usize) -> Option<(Vec<i64>, u32)> {
        let words = Self::words(key);
        let position = key[words.clone()].iter().position(|&word| unpack(word).0 == decision)?;
        let mut rest = key.to_vec();
        let (_, value) = unpack(rest.remove(words.start + position));
        rest[words.start - 1] -= 1;
        Some((rest, value as u32))
    }

    /// Whether conditions are evaluated part by part.
    pub(crate) fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// The parts of some values that a step does not tell apart; nothing where it reads the value itself.
    pub(crate) fn parts(&self, step: usize, decision: usize, values: &Values) -> Option<Vec<Values>> {
        let Step { guard, action, .. } = &self.steps[step];
        let atoms = guard.iter().filter(|atom| atom.decision == decision);
        let mut apart = atoms.filter(|atom| atom.allowed.tell(values).is_none());
        match apart.next() {
            Some(Atom { allowed, .. }) => {
                let mut parts = vec![values.and(allowed), values.without(allowed)];
                parts.sort_by_key(Values::first);
                Some(parts)
            }
            None => matches!(action, Action::Read { .. }).then(|| vec![values.clone()]),
        }
    }

    /// The classes of some values whose members the steps from `step` on cannot tell apart.
    pub(crate) fn alike(&self, step: usize, decision: usize, values: &Values, state: &mut State) -> Vec<Values> {
        state.choose(decision, values.first().unwrap_or_default());
        let live = self.live_value(step, decision, state).is_some();
        let required = self
            .conditions
            .iter()
            .any(|condition| condition.decisions.binary_search(&decision).is_ok());
        if !live && !required {
            return vec![values.clone()];
        }
        let mut members: FxHashMap<(u32, Vec<i64>), Vec<u32>> = FxHashMap::default();
        for value in values.indices() {
            let class = if live {
                self.classes(decision).representative(value, step)
            } else {
                0
            };
            let added = if required {
                state.choose(decision, value);
                self.added(step, decision, state)
            } else {
                Vec::new()
            };
            members.entry((class, added)).or_default().push(value);
        }
        let mut members: Vec<_> = members.into_values().collect();
        members.sort_unstable();
        members.iter().map(|class| Values::of(values.size(), class)).collect()
    }
}
