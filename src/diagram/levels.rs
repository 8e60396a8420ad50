//! Candidates drawn many at a time, level by level.
//!
//! A walk from the root chooses each arc by the number of networks behind it. Here some hundred walks go on together: all
//! of them take their arc of a level, which is a decision where it is asked for, before the next level is begun. So the
//! loops are over rows that do not wait for one another, and where all values of a level are equally likely they are plain
//! arithmetic, one or two random bytes a row. Unequal chances are borders between 64-bit words, found by a table of the
//! first bits.
//!
//! Both are exact. A word that leaves a remainder too small is drawn again (Lemire, "Fast Random Integer Generation in an
//! Interval", 2019), and one that lies on a border, which 64 bits cannot tell, is settled with as many more as it takes.

use super::blocks::{Ahead, BLOCK, Index, Words, below};
use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};
use std::ops::Range;

/// A decision where it is asked for, and the states in which it is.
#[derive(Debug)]
struct Level {
    decision: usize,
    states: Range<u32>,
    chances: Chances,
    /// Every walk comes by.
    always: bool,
    follow: Follow,
}

#[derive(Debug)]
enum Chances {
    /// This many values are equally likely in all states; the first of their arcs.
    Even { size: usize, arcs: usize },
    /// Each state has borders of its own; the first of these states among those that have.
    Borders { first: usize },
}

/// Where the arcs of a level lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// It does not matter: what comes later is the same in all states.
    Nowhere,
    /// All to one state.
    To(u32),
    Each,
}

/// The arcs of a state, and the table that finds them.
#[derive(Debug, Clone, Copy)]
struct Borders {
    arcs: usize,
    len: u32,
    /// The table has `2^(64 - shift)` items; there is none where there is one arc.
    shift: u32,
    table: usize,
}

/// What is needed to draw candidates level by level.
#[derive(Debug, Default)]
#[allow(clippy::struct_field_names)] // They are what it is named after.
pub(crate) struct Levels {
    levels: Vec<Level>,
    borders: Vec<Borders>,
    /// For each arc of a state with borders, the [`share`] of it and those before; 0 for the arcs of others.
    shares: Vec<u64>,
    /// For each arc the state that it leads to.
    next: Vec<u32>,
    /// For each arc its value.
    values: Vec<u32>,
    /// For the first bits of a word, the first arc whose border is not below.
    tables: Vec<u32>,
}

/// This many rows of a block go on together, and are drawn from a stream of random numbers of their own.
const PART: usize = 512;

/// The rows of a part on their way.
pub(crate) struct Walks {
    states: Vec<u32>,
    bytes: Vec<u8>,
}

impl Default for Walks {
    fn default() -> Self {
        Self {
            states: vec![0; PART],
            bytes: vec![0; 2 * PART],
        }
    }
}

/// Up to this many values are drawn by 8 bits: more would be drawn again too often.
const VERY_FEW: usize = 1 << 4;

/// Up to this many values are drawn by 16 bits.
const FEW: usize = 1 << 10;

/// The most items of a table: there may be more arcs.
const TABLE_BITS: u32 = 12;

impl Levels {
    /// Begins a level; its states come next, in order.
    pub(crate) fn begin(&mut self, decision: usize, first: u32) {
        self.levels.push(Level {
            decision,
            states: first..first,
            chances: Chances::Borders {
                first: self.borders.len(),
            },
            always: false,
            follow: Follow::Each,
        });
    }

    /// Adds a state to the level that was begun: for each arc the value, the state that it leads to, and how many networks
    /// are behind it and those before.
    pub(crate) fn state(&mut self, arcs: impl Iterator<Item = (u32, u32)>, sums: &[BigUint]) {
        let start = self.next.len();
        for (value, next) in arcs {
            self.values.push(value);
            self.next.push(next);
        }
        let len = self.next.len() - start;
        let total = sums.last().unwrap_or(&BigUint::ZERO);
        self.shares.extend(sums.iter().map(|sum| share(sum, total)));
        let bits = (usize::BITS - (len.max(1) - 1).leading_zeros()).min(TABLE_BITS);
        let table = self.tables.len();
        let shares = &self.shares[start..];
        if bits > 0 {
            let words = (0..1_u64 << bits).map(|first| first << (64 - bits));
            self.tables
                .extend(words.map(|word| shares.partition_point(|&share| share < word) as u32));
        }
        self.borders.push(Borders {
            arcs: start,
            len: len as u32,
            shift: 64 - bits,
            table,
        });
        if let Some(level) = self.levels.last_mut() {
            level.states.end += 1;
        }
    }

    /// Makes of the level that was begun one in which all values are equally likely; for each state and value the state
    /// that comes next.
    pub(crate) fn even(&mut self, size: usize, states: u32, next: impl Iterator<Item = u32>) {
        let arcs = self.next.len();
        self.next.extend(next);
        self.shares.resize(self.next.len(), 0);
        self.values.resize(self.next.len(), 0);
        if let Some(level) = self.levels.last_mut() {
            level.states.end += states;
            level.chances = Chances::Even { size, arcs };
        }
    }

    /// Once all levels are there: which of them all walks come by, and where states need not be known.
    pub(crate) fn finish(&mut self) {
        // Up to which state arcs of levels before lead.
        let mut furthest = 0;
        for place in 0..self.levels.len() {
            let own = self.arcs_of(place);
            let level = &mut self.levels[place];
            level.always = furthest < level.states.end;
            let reached = self.next[own.clone()].iter().copied().filter(|&next| next != u32::MAX);
            furthest = reached.clone().fold(furthest, u32::max);
            let first = self.next.get(own.start).copied();
            level.follow = match first {
                Some(first) if self.next[own].iter().all(|&next| next == first) => Follow::To(first),
                _ => Follow::Each,
            };
        }
        for level in self.levels.iter_mut().rev() {
            let alike = matches!(level.chances, Chances::Even { .. }) || level.states.len() == 1;
            if !(level.always && alike) {
                break;
            }
            level.follow = Follow::Nowhere;
        }
    }

    fn arcs_of(&self, level: usize) -> Range<usize> {
        let first = |level: &Level| match level.chances {
            Chances::Even { arcs, .. } => arcs,
            Chances::Borders { first } => self.borders.get(first).map_or(self.next.len(), |state| state.arcs),
        };
        let end = self.levels.get(level + 1).map_or(self.next.len(), first);
        first(&self.levels[level])..end
    }

    /// Draws the rows of a block, whose columns are all 0: those of a longer one begin with them. `ways` tells of a state
    /// how many networks are behind each of its arcs and those before.
    pub(crate) fn draw<T: Index>(
        &self,
        (seed, block): (u64, usize),
        rows: usize,
        columns: &mut [&mut [T]],
        walks: &mut Walks,
        ways: impl Fn(u32) -> Vec<BigUint>,
    ) {
        for start in (0..rows).step_by(PART) {
            let mut rng = Ahead::of(seed, ((block * BLOCK + start) / PART) as u64);
            let whole = start + PART <= rows;
            if whole {
                let parts = columns.iter_mut().map(|column| &mut column[start..start + PART]);
                self.draw_part(&mut parts.collect::<Vec<_>>(), walks, &mut rng, &ways);
                continue;
            }
            // As many random numbers are taken as for a whole part.
            let mut all = vec![T::of(0); PART * columns.len()];
            self.draw_part(&mut all.chunks_mut(PART).collect::<Vec<_>>(), walks, &mut rng, &ways);
            for (column, own) in columns.iter_mut().zip(all.chunks(PART)) {
                column[start..rows].copy_from_slice(&own[..rows - start]);
            }
        }
    }

    /// Draws the rows of a part.
    fn draw_part<T: Index>(
        &self,
        columns: &mut [&mut [T]],
        walks: &mut Walks,
        rng: &mut Ahead,
        ways: &impl Fn(u32) -> Vec<BigUint>,
    ) {
        let states = &mut walks.states[..];
        states.fill(0);
        for level in &self.levels {
            let column = &mut *columns[level.decision];
            match level.chances {
                Chances::Even { size, arcs } if size <= VERY_FEW => {
                    let few = size as u16;
                    let split = |bytes: &[u8; 1]| {
                        let product = u16::from(bytes[0]) * few;
                        (product >> 8, product & 0xff)
                    };
                    let drawn = (split, (1 << 8) % few);
                    self.even_level(level, (size, arcs), drawn, states, column, &mut walks.bytes, rng);
                }
                Chances::Even { size, arcs } if size <= FEW => {
                    let few = size as u32;
                    let split = |bytes: &[u8; 2]| {
                        let product = u32::from(u16::from_le_bytes(*bytes)) * few;
                        ((product >> 16) as u16, product as u16)
                    };
                    let drawn = (split, ((1 << 16) % few) as u16);
                    self.even_level(level, (size, arcs), drawn, states, column, &mut walks.bytes, rng);
                }
                Chances::Even { size, arcs } => {
                    for (state, cell) in states.iter_mut().zip(column) {
                        if level.always || level.states.contains(state) {
                            let value = below(rng, size as u64) as usize;
                            *cell = T::of(value as u32);
                            if level.follow != Follow::Nowhere {
                                *state = self.next[arcs + (*state - level.states.start) as usize * size + value];
                            }
                        }
                    }
                }
                Chances::Borders { first } => {
                    let alone = level.states.len() == 1 && level.always;
                    for (state, cell) in states.iter_mut().zip(column) {
                        let local = if alone {
                            0
                        } else {
                            state.wrapping_sub(level.states.start)
                        };
                        if local as usize >= level.states.len() {
                            continue;
                        }
                        let own = self.borders[first + local as usize];
                        let arc = own.arcs + self.pick(own, level.states.start + local, rng, ways);
                        *cell = T::of(self.values[arc]);
                        *state = self.next[arc];
                    }
                }
            }
        }
    }

    /// One arc of a state with borders.
    #[inline]
    fn pick(&self, own: Borders, state: u32, rng: &mut Ahead, ways: &impl Fn(u32) -> Vec<BigUint>) -> usize {
        if own.len <= 1 {
            return 0;
        }
        let word = rng.word();
        let shares = &self.shares[own.arcs..own.arcs + own.len as usize];
        let mut arc = self.tables[own.table + (word >> own.shift) as usize] as usize;
        while shares[arc] < word {
            arc += 1;
        }
        if shares[arc] == word {
            settle(word, &ways(state), rng)
        } else {
            arc
        }
    }

    /// A level whose values are equally likely, by `B` random bytes for each row. `split` makes of them a value and the
    /// remainder, of which one below `least` is drawn again.
    #[allow(clippy::too_many_arguments)] // What a level has, and what its rows have.
    fn even_level<T: Index, const B: usize>(
        &self,
        level: &Level,
        (size, arcs): (usize, usize),
        (split, least): (impl Fn(&[u8; B]) -> (u16, u16), u16),
        states: &mut [u32],
        column: &mut [T],
        bytes: &mut [u8],
        rng: &mut Ahead,
    ) {
        /// Rows that are looked at again where one of them is to be drawn again.
        const ROWS: usize = 64;
        let bytes = &mut bytes[..B * column.len()];
        rng.fill(bytes);
        let (start, count) = (level.states.start, level.states.len() as u32);
        let parts = column.chunks_mut(ROWS).zip(bytes.as_chunks::<B>().0.chunks(ROWS));
        for ((cells, bytes), states) in parts.zip(states.chunks(ROWS)) {
            let mut smallest = u16::MAX;
            if level.always {
                for (cell, bytes) in cells.iter_mut().zip(bytes) {
                    let (value, rest) = split(bytes);
                    *cell = T::of(u32::from(value));
                    smallest = smallest.min(rest);
                }
            } else {
                for ((cell, bytes), state) in cells.iter_mut().zip(bytes).zip(states) {
                    let (value, rest) = split(bytes);
                    let is_here = state.wrapping_sub(start) < count;
                    *cell = if is_here { T::of(u32::from(value)) } else { *cell };
                    smallest = smallest.min(rest);
                }
            }
            if smallest < least {
                for ((cell, bytes), state) in cells.iter_mut().zip(bytes).zip(states) {
                    if split(bytes).1 < least && (level.always || state.wrapping_sub(start) < count) {
                        *cell = T::of(below(rng, size as u64) as u32);
                    }
                }
            }
        }
        match level.follow {
            Follow::Nowhere => {}
            Follow::To(next) if level.always => states.fill(next),
            Follow::To(next) => {
                for state in states {
                    *state = if state.wrapping_sub(start) < count {
                        next
                    } else {
                        *state
                    };
                }
            }
            Follow::Each => {
                let next = &self.next[arcs..];
                for (state, cell) in states.iter_mut().zip(column) {
                    let local = state.wrapping_sub(start);
                    if local < count {
                        *state = next[local as usize * size + cell.number()];
                    }
                }
            }
        }
    }
}

/// `floor(2^64 * part / total)`; `u64::MAX` where that is 2^64.
pub(super) fn share(part: &BigUint, total: &BigUint) -> u64 {
    let share = match (part.to_u64(), total.to_u64()) {
        (Some(part), Some(total)) if total > 0 => u64::try_from((u128::from(part) << 64) / u128::from(total)).ok(),
        _ if total.is_zero() => None,
        _ => ((part << 64_u8) / total).to_u64(),
    };
    share.unwrap_or(u64::MAX)
}

/// The arc that a word stands for which lies on a border that 64 bits cannot tell (chance 2^-64 for each arc): decided with
/// as many more words as it takes. For each arc, `ways` has how many networks are behind it and those before.
pub(super) fn settle(word: u64, ways: &[BigUint], rng: &mut impl Words) -> usize {
    let Some(total) = ways.last() else { return 0 };
    let (mut point, mut bits) = (BigUint::from(word), 64_u64);
    loop {
        point = (point << 64_u8) + rng.word();
        bits += 64;
        // The point is in [point, point + 1) / 2^bits.
        let low = ways.partition_point(|part| (part << bits) <= &point * total);
        let high = ways.partition_point(|part| (part << bits) < (&point + 1_u8) * total);
        if low == high {
            return low;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(numbers: &[u64]) -> Vec<BigUint> {
        numbers.iter().copied().map(BigUint::from).collect()
    }

    /// Draws of three columns: 0 weighs 1 and ends at once, 1 and 2 weigh 2 * `size` and 4 * `size` and go on.
    fn drawn(size: usize, seed: u64, n: usize) -> Vec<[u32; 3]> {
        let mut levels = Levels::default();
        let (each, size_u64) = (size as u32, size as u64);
        let weights = [1, 2 * size_u64, 4 * size_u64];
        let sums = big(&[1, 1 + weights[1], 1 + weights[1] + weights[2]]);
        levels.begin(0, 0);
        levels.state([(0, 5), (1, 1), (2, 2)].into_iter(), &sums);
        levels.begin(1, 1);
        // Values of the second state lead on to the one or the other.
        let next = (0..2 * each).map(|arc| if arc < each { 3 } else { 3 + (arc - each) % 2 });
        levels.even(size, 2, next);
        levels.begin(2, 3);
        let last = [big(&[1, 2]), big(&[1, 2])];
        levels.state([(0, 5), (3, 5)].into_iter(), &last[0]);
        levels.state([(1, 5), (2, 5)].into_iter(), &last[1]);
        levels.finish();
        let (mut walks, mut rows) = (Walks::default(), Vec::new());
        for block in 0..n.div_ceil(BLOCK) {
            let mut columns = vec![vec![0_u32; BLOCK]; 3];
            let mut parts: Vec<&mut [u32]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
            let own = (n - block * BLOCK).min(BLOCK);
            levels.draw((seed, block), own, &mut parts, &mut walks, |state| match state {
                0 => sums.clone(),
                _ => big(&[1, 2]),
            });
            rows.extend((0..own).map(|row| [columns[0][row], columns[1][row], columns[2][row]]));
        }
        rows
    }

    /// By 8, 16 and 64 bits; numbers of values that divide no power of two are drawn again now and then.
    #[test]
    fn every_walk_is_drawn_as_often_as_it_weighs() {
        for size in [3, 11, 16, 17, 611, 1500] {
            let n = 40 * (1 + 6 * size) * if size < 100 { 20 } else { 1 };
            let mut found = std::collections::HashMap::new();
            for [first, second, third] in drawn(size, 7, n) {
                let odd = second % 2 == 1 && first == 2;
                let may = match first {
                    0 => (second, third) == (0, 0),
                    1 => [0, 3].contains(&third),
                    _ => [1, 2].contains(&third) && odd || [0, 3].contains(&third) && !odd,
                };
                // The second state is the only one whose values lead to two states.
                assert!(may, "{first} {second} {third}");
                *found.entry((first, second, third)).or_insert(0_usize) += 1;
            }
            let total = 1.0 + 6.0 * size as f64;
            let mut chi = 0.0;
            let mut cells = 0;
            let mut seen = 0;
            let mut cell = |key: (u32, u32, u32), weight: f64| {
                let expected = weight / total * n as f64;
                let own = found.get(&key).copied().unwrap_or(0);
                seen += own;
                chi += (own as f64 - expected).powi(2) / expected;
                cells += 1;
            };
            cell((0, 0, 0), 1.0);
            for second in 0..size as u32 {
                for third in [0, 3] {
                    cell((1, second, third), 1.0);
                }
                let thirds = if second % 2 == 1 { [1, 2] } else { [0, 3] };
                for third in thirds {
                    cell((2, second, third), 2.0);
                }
            }
            assert_eq!(seen, n);
            // Five standard deviations.
            let degrees = f64::from(cells - 1);
            assert!(
                (chi - degrees).abs() < 5.0 * (2.0 * degrees).sqrt(),
                "{size}: {chi} of {degrees}"
            );
        }
    }

    #[test]
    fn words_on_a_border_are_settled_by_more_of_them() {
        struct Given(Vec<u64>);
        impl Words for Given {
            fn word(&mut self) -> u64 {
                self.0.remove(0)
            }
        }
        // A third of 2^64 is 0x5555...5555 and a third.
        let (ways, third) = (big(&[1, 3]), u64::MAX / 3);
        assert_eq!(share(&ways[0], &ways[1]), third);
        assert_eq!(settle(third, &ways, &mut Given(vec![third - 1])), 0);
        assert_eq!(settle(third, &ways, &mut Given(vec![third + 1])), 1);
        assert_eq!(settle(third, &ways, &mut Given(vec![third, third, 0])), 0);
        assert_eq!(settle(third, &ways, &mut Given(vec![third, third, u64::MAX])), 1);
    }
}
