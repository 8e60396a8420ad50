//! The loops over a block of candidates: plain Rust over slices, compiled once for each instruction set.
//!
//! A block is so short that its keys and totals stay in the first-level cache beside the tables that they look into.
#![allow(unsafe_code)] // The look-ups: `Keys` holds the proof that every key is inside.

use super::instructions::{Instructions, compiled_for_each};

/// An unsigned integer that is the place of an entry in a table.
pub(super) trait Key: Copy + Default + Ord {
    /// The low bits of a number.
    fn of(number: u32) -> Self;
    /// The key plus a product; in this type, which the caller knows to be wide enough.
    fn plus(self, index: u32, factor: u32) -> Self;
    /// Where it points to.
    fn place(self) -> usize;
}

macro_rules! keys {
    ($($key:ty)*) => {$(
        impl Key for $key {
            #[inline]
            fn of(number: u32) -> Self {
                number as Self
            }
            #[inline]
            fn plus(self, index: u32, factor: u32) -> Self {
                self.wrapping_add((index as Self).wrapping_mul(factor as Self))
            }
            #[inline]
            fn place(self) -> usize {
                self as usize
            }
        }
    )*};
}

keys! { u16 u32 }

/// A total of a metric, or the cost of a part.
pub(super) trait Total: Copy + Ord {
    /// A cost and the slope with which it rises, which are looked up as one item.
    type Line: Copy;
    /// The item of a cost and a slope.
    fn line(cost: Self, slope: Self) -> Self::Line;
    /// The cost and the slope of an item.
    fn of_line(line: Self::Line) -> (Self, Self);
    /// The sum; in this type, as all below. The caller knows that the total fits.
    fn plus(self, other: Self) -> Self;
    /// The difference.
    fn minus(self, other: Self) -> Self;
    /// The sum with a slope times an index.
    fn risen(self, slope: Self, index: u32) -> Self;
}

macro_rules! totals {
    ($($total:ty, $line:ty, $join:expr, $part:expr;)*) => {$(
        impl Total for $total {
            type Line = $line;
            #[inline]
            fn line(cost: Self, slope: Self) -> $line {
                $join(cost, slope)
            }
            #[inline]
            fn of_line(line: $line) -> (Self, Self) {
                $part(line)
            }
            #[inline]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline]
            fn risen(self, slope: Self, index: u32) -> Self {
                self.wrapping_add(slope.wrapping_mul(Self::from(index)))
            }
        }
    )*};
}

totals! {
    u32, u64, |cost, slope| u64::from(cost) | u64::from(slope) << 32, |line: u64| (line as u32, (line >> 32) as u32);
    i64, (i64, i64), |cost, slope| (cost, slope), |line| line;
}

/// Keys that were all found to be below a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a, K> {
    keys: &'a [K],
    below: usize,
}

impl<'a, K: Key> Keys<'a, K> {
    /// Looks at all of them.
    ///
    /// # Panics
    /// If one is not below `below`: the tables or the columns were not checked as they should have been.
    pub(super) fn below(instructions: Instructions, keys: &'a [K], below: usize) -> Self {
        let inside = keys.is_empty() || largest(instructions, keys).place() < below;
        assert!(inside, "a key lies inside its table");
        Self { keys, below }
    }

    /// How many there are.
    pub(super) fn len(self) -> usize {
        self.keys.len()
    }

    /// What a table has at each key; for a table that the keys are inside of.
    #[inline]
    fn read<'t, T: Copy>(self, table: &'t [T]) -> impl Iterator<Item = T> + use<'a, 't, K, T> {
        assert!(self.below <= table.len(), "the keys lie inside the table");
        let keys = self.keys.iter();
        // SAFETY: every key is below `below`, which is at most the length of the table.
        keys.map(move |key| unsafe { *table.get_unchecked(key.place()) })
    }
}

compiled_for_each! {
    /// The largest item; the least possible one where there is none.
    fn largest<T: Mostly>(items: &[T]) -> T {
        items.iter().fold(T::default(), |most, &item| most.max(item))
    }

    /// Begins keys with the index of their first decision.
    fn begin<T: Indexed, K: Key>(indices: &[T], factor: u32, keys: &mut [K]) {
        for (key, &index) in keys.iter_mut().zip(indices) {
            *key = K::default().plus(index.into(), factor);
        }
    }

    /// Adds the index of another decision to keys.
    fn add<T: Indexed, K: Key>(indices: &[T], factor: u32, keys: &mut [K]) {
        for (key, &index) in keys.iter_mut().zip(indices) {
            *key = key.plus(index.into(), factor);
        }
    }

    /// Begins keys with where the group before led to.
    fn narrow<K: Key>(bases: &[u32], keys: &mut [K]) {
        for (key, &base) in keys.iter_mut().zip(bases) {
            *key = K::of(base);
        }
    }

    /// Looks up where candidates go on.
    fn follow<K: Key>(keys: Keys<'_, K>, next: &[u32], bases: &mut [u32]) {
        for (base, next) in bases.iter_mut().zip(keys.read(next)) {
            *base = next;
        }
    }

    /// Begins totals with a first cost.
    fn begin_totals<K: Key, T: Total>(keys: Keys<'_, K>, costs: &[T], base: T, totals: &mut [T]) {
        for (total, cost) in totals.iter_mut().zip(keys.read(costs)) {
            *total = base.plus(cost);
        }
    }

    /// Adds a cost to totals.
    fn add_totals<K: Key, T: Total>(keys: Keys<'_, K>, costs: &[T], totals: &mut [T]) {
        for (total, cost) in totals.iter_mut().zip(keys.read(costs)) {
            *total = total.plus(cost);
        }
    }

    /// Begins totals with a first cost and a slope times an index.
    fn begin_rising<K: Key, I: Indexed, T: Total>(
        keys: Keys<'_, K>, lines: &[T::Line], indices: &[I], base: T, totals: &mut [T],
    ) {
        for ((total, line), &index) in totals.iter_mut().zip(keys.read(lines)).zip(indices) {
            let (cost, slope) = T::of_line(line);
            *total = base.plus(cost).risen(slope, index.into());
        }
    }

    /// Adds a cost and a slope times an index to totals.
    fn add_rising<K: Key, I: Indexed, T: Total>(
        keys: Keys<'_, K>, lines: &[T::Line], indices: &[I], totals: &mut [T],
    ) {
        for ((total, line), &index) in totals.iter_mut().zip(keys.read(lines)).zip(indices) {
            let (cost, slope) = T::of_line(line);
            *total = total.plus(cost).risen(slope, index.into());
        }
    }

    /// Joins a cost to totals of which the largest counts.
    fn raise_totals<K: Key, T: Total>(keys: Keys<'_, K>, costs: &[T], totals: &mut [T]) {
        for (total, cost) in totals.iter_mut().zip(keys.read(costs)) {
            *total = (*total).max(cost);
        }
    }

    /// Writes totals times a factor past the caches, to memory that nobody reads soon.
    fn stream<T: Counted, O: Output>(totals: &[T], factor: i64, output: &mut [O]) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128};
            const LINE: usize = 64;
            let each = LINE / size_of::<O>();
            let head = output.as_ptr().align_offset(LINE).min(output.len()).min(totals.len());
            let (first, rest) = totals.split_at(head);
            let (start, output) = output.split_at_mut(head);
            convert(first, factor, start);
            let mut lines = output.chunks_exact_mut(each);
            let mut groups = rest.chunks_exact(each);
            for (line, totals) in lines.by_ref().zip(groups.by_ref()) {
                let mut items = [O::INVALID; LINE / size_of::<u32>()];
                convert(totals, factor, &mut items[..each]);
                for part in 0..LINE / size_of::<__m128i>() {
                    // SAFETY: a line has 64 bytes and begins at a multiple of them, and there are at least as many of the
                    // items; SSE2 is there on every such machine.
                    #[allow(clippy::cast_ptr_alignment)] // A line is aligned, and items need not be.
                    unsafe {
                        let items = _mm_loadu_si128(items.as_ptr().cast::<__m128i>().add(part));
                        _mm_stream_si128(line.as_mut_ptr().cast::<__m128i>().add(part), items);
                    }
                }
            }
            convert(groups.remainder(), factor, lines.into_remainder());
            // SAFETY: as above. What was written past the caches is in order with what this thread does next.
            unsafe { _mm_sfence() };
        }
        #[cfg(not(target_arch = "x86_64"))]
        convert(totals, factor, output);
    }

    /// Writes totals times a factor.
    fn write<T: Counted, O: Output>(totals: &[T], factor: i64, output: &mut [O]) {
        convert(totals, factor, output);
    }

    /// The same where some candidates cannot be built: those that did not end at 0.
    fn write_valid<T: Counted, O: Output>(totals: &[T], ends: &[u32], factor: i64, output: &mut [O]) {
        for ((output, &total), &end) in output.iter_mut().zip(totals).zip(ends) {
            let total = Into::<i64>::into(total).wrapping_mul(factor);
            *output = if end == 0 { O::of(total) } else { O::INVALID };
        }
    }

    /// Whether candidates reached the end.
    fn ended_well(ends: &[u32], valid: &mut [bool]) {
        for (valid, &end) in valid.iter_mut().zip(ends) {
            *valid = end == 0;
        }
    }

    /// Clears the flags of candidates that did not reach the end.
    fn clear_dead(ends: &[u32], flags: &mut [bool]) {
        for (flag, &end) in flags.iter_mut().zip(ends) {
            *flag &= end == 0;
        }
    }

    /// Whether totals are from `low` to `low + span`, which the caller knows not to wrap.
    fn begin_within<T: Spanned>(totals: &[T], low: T, span: T, flags: &mut [bool]) {
        for (flag, &total) in flags.iter_mut().zip(totals) {
            *flag = total.is_within(low, span);
        }
    }

    /// The same for another metric.
    fn within<T: Spanned>(totals: &[T], low: T, span: T, flags: &mut [bool]) {
        for (flag, &total) in flags.iter_mut().zip(totals) {
            *flag &= total.is_within(low, span);
        }
    }

    /// The number of flags that are set.
    fn count(flags: &[bool]) -> usize {
        // Few enough at a time for sums of 8 bits, which are the widest vectors.
        flags.chunks(255).map(|some| usize::from(some.iter().map(|&flag| u8::from(flag)).sum::<u8>())).sum()
    }

    /// Takes rows of bytes apart, which stand at `stride` bytes from each other: the first eight bytes of each of `n`
    /// rows become eight columns, which stand at `each` bytes from each other.
    fn take_apart(rows: &[u8], stride: usize, n: usize, columns: &mut [u8], each: usize) {
        assert!(n == 0 || (n - 1) * stride + 8 <= rows.len(), "eight bytes of each row lie inside the rows");
        assert!(n <= each && 8 * each <= columns.len(), "there is room for eight columns");
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        for first in (0..n / 8 * 8).step_by(8) {
            use std::arch::x86_64::{
                __m128i, _mm_castsi128_pd, _mm_loadl_epi64, _mm_storeh_pd, _mm_storel_epi64, _mm_unpackhi_epi16,
                _mm_unpackhi_epi32, _mm_unpacklo_epi8, _mm_unpacklo_epi16, _mm_unpacklo_epi32,
            };
            let (from, to) = (rows.as_ptr(), columns.as_mut_ptr());
            #[allow(clippy::cast_ptr_alignment)] // These loads and stores need no alignment.
            // SAFETY: eight bytes from the start of each row below `n` lie in `rows`, and eight from row `first` on in
            // each column, as was found above; SSE2 is there on every such machine.
            unsafe {
                let row = |row: usize| _mm_loadl_epi64(from.add((first + row) * stride).cast::<__m128i>());
                let pair = |one: usize| _mm_unpacklo_epi8(row(one), row(one + 1));
                let (a, b, c, d) = (pair(0), pair(2), pair(4), pair(6));
                let (ab, cd) = (_mm_unpacklo_epi16(a, b), _mm_unpacklo_epi16(c, d));
                let (late_ab, late_cd) = (_mm_unpackhi_epi16(a, b), _mm_unpackhi_epi16(c, d));
                let columns = [
                    _mm_unpacklo_epi32(ab, cd),
                    _mm_unpackhi_epi32(ab, cd),
                    _mm_unpacklo_epi32(late_ab, late_cd),
                    _mm_unpackhi_epi32(late_ab, late_cd),
                ];
                for (pair, both) in columns.into_iter().enumerate() {
                    _mm_storel_epi64(to.add(2 * pair * each + first).cast(), both);
                    _mm_storeh_pd(to.add((2 * pair + 1) * each + first).cast(), _mm_castsi128_pd(both));
                }
            }
            done = first + 8;
        }
        for row in done..n {
            for byte in 0..8 {
                columns[byte * each + row] = rows[row * stride + byte];
            }
        }
    }
}

/// Writes totals times a factor; compiled into its callers.
#[allow(clippy::inline_always)]
#[inline(always)]
fn convert<T: Counted, O: Output>(totals: &[T], factor: i64, output: &mut [O]) {
    if factor == 1 {
        for (output, &total) in output.iter_mut().zip(totals) {
            *output = O::of(total.into());
        }
    } else {
        for (output, &total) in output.iter_mut().zip(totals) {
            *output = O::of(Into::<i64>::into(total) * factor);
        }
    }
}

/// What the largest is asked of.
pub(super) trait Mostly: Copy + Ord + Default {}
impl<T: Copy + Ord + Default> Mostly for T {}

/// An index of a decision.
pub(super) trait Indexed: Copy + Into<u32> {}
impl<T: Copy + Into<u32>> Indexed for T {}

/// A total as it is kept for a block.
pub(super) trait Counted: Copy + Into<i64> {}
impl<T: Copy + Into<i64>> Counted for T {}

/// An item of an array that the caller keeps.
pub(super) trait Output: Copy {
    /// What stands for a candidate that cannot be built: more than any total.
    const INVALID: Self;
    /// A total, which the caller knows to fit.
    fn of(total: i64) -> Self;
}

impl Output for i64 {
    const INVALID: Self = Self::MAX;
    #[inline]
    fn of(total: i64) -> Self {
        total
    }
}

impl Output for u32 {
    const INVALID: Self = Self::MAX;
    #[inline]
    fn of(total: i64) -> Self {
        total as Self
    }
}

/// A total that is compared with a range.
pub(super) trait Spanned: Copy {
    /// Whether it is from `low` to `low + span`.
    fn is_within(self, low: Self, span: Self) -> bool;
}

impl Spanned for u32 {
    #[inline]
    fn is_within(self, low: Self, span: Self) -> bool {
        self.wrapping_sub(low) <= span
    }
}

impl Spanned for i64 {
    #[inline]
    fn is_within(self, low: Self, span: Self) -> bool {
        (self.wrapping_sub(low) as u64) <= span as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_instructions_say_the_same() {
        for n in [0, 1, 31, 300] {
            let indices: Vec<u8> = (0..n).map(|row| (row * 7 % 250) as u8).collect();
            let table: Vec<u32> = (0..1000).map(|key| key * key).collect();
            let mut answers = Vec::new();
            for instructions in Instructions::all() {
                let mut keys = vec![0_u16; n];
                begin(instructions, &indices, 2, &mut keys);
                add(instructions, &indices, 1, &mut keys);
                let mut totals = vec![0; n];
                let proved = Keys::below(instructions, &keys, 750);
                begin_totals(instructions, proved, &table, 5, &mut totals);
                raise_totals(instructions, proved, &table, &mut totals);
                let mut flags = vec![false; n];
                begin_within(instructions, &totals, 100, 100_000, &mut flags);
                let expected: Vec<u32> = indices.iter().map(|&index| 5 + 9 * u32::from(index).pow(2)).collect();
                assert_eq!(totals, expected);
                assert_eq!(count(instructions, &flags), flags.iter().filter(|&&flag| flag).count());
                answers.push((keys, totals, flags));
            }
            assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }

    #[test]
    fn rows_are_taken_apart() {
        let rows: Vec<u8> = (0..5 * 40 + 3).map(|byte| byte as u8).collect();
        for instructions in Instructions::all() {
            for n in [0, 1, 8, 39, 40] {
                let mut columns = vec![0_u8; 8 * 41];
                take_apart(instructions, &rows, 5, n, &mut columns, 41);
                for (byte, column) in columns.chunks(41).enumerate() {
                    let expected = (0..41).map(|row| if row < n { (row * 5 + byte) as u8 } else { 0 });
                    assert!(column.iter().copied().eq(expected));
                }
            }
        }
    }

    #[test]
    fn what_is_written_past_the_caches_is_what_is_written() {
        fn check<T: Counted, O: Output + PartialEq + std::fmt::Debug>(totals: &[T], factor: i64) {
            for instructions in Instructions::all() {
                for (first, last) in [(0, 0), (0, 1), (3, 9), (0, 64), (1, 64), (7, 63), (5, totals.len())] {
                    let mut output = vec![O::INVALID; totals.len()];
                    stream(instructions, &totals[first..last], factor, &mut output[first..last]);
                    let mut expected = vec![O::INVALID; totals.len()];
                    write(instructions, &totals[first..last], factor, &mut expected[first..last]);
                    assert_eq!(output, expected);
                    let own = totals[first..last].iter().map(|&total| O::of(total.into() * factor));
                    assert!(expected[first..last].iter().copied().eq(own));
                }
            }
        }
        let narrow: Vec<u32> = (0..200).map(|row| row * 1_000_003).collect();
        let wide: Vec<i64> = (0..200).map(|row| row << 40).collect();
        check::<_, i64>(&narrow, 1);
        check::<_, i64>(&narrow, 40);
        check::<_, u32>(&narrow, 4);
        check::<_, u32>(&narrow, 1);
        check::<_, i64>(&wide, 3);
    }

    #[test]
    #[should_panic(expected = "inside its table")]
    fn a_key_outside_is_refused() {
        Keys::below(Instructions::best(), &[3_u16], 3);
    }
}
