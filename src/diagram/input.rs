//! Candidates as they are handed in: one column of indices or of values for each decision.
//!
//! The memory of a column is somebody else's, who may write to it while it is read: an array of numpy has no lock. So it
//! is read as by relaxed atomic loads, a cache line or a word at a time where the items stand side by side, each item once
//! and into a buffer of our own; what was checked there is what is used. Whoever writes meanwhile gets the costs of some mixture of
//! the old and the new candidates, or an error that names an index outside its domain.
#![allow(unsafe_code)] // Loads of lines and words that hold several items.

use super::instructions::Instructions;
use super::kernel::{largest, take_apart};
use crate::space::Decision;
use crate::{Error, Result};
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// An integer of a column.
pub trait Item: Copy + Default {
    /// The same in memory that others may write to.
    type Shared: std::fmt::Debug + Sync;

    /// Reads it.
    fn load(shared: &Self::Shared) -> Self;
}

macro_rules! items {
    ($($item:ty, $shared:ty;)*) => {$(
        impl Item for $item {
            type Shared = $shared;

            #[inline]
            fn load(shared: &$shared) -> Self {
                shared.load(Ordering::Relaxed)
            }
        }
    )*};
}

items! {
    u8, AtomicU8;
    u16, AtomicU16;
    u32, AtomicU32;
    i64, AtomicI64;
}

/// A column in memory that is not ours: every `stride`-th item of a slice.
#[derive(Debug)]
pub struct Strided<'a, T: Item> {
    data: &'a [T::Shared],
    first: usize,
    stride: isize,
    len: usize,
}

impl<'a, T: Item> Strided<'a, T> {
    /// `len` items of `data`, from `first` on, `stride` apart.
    ///
    /// # Panics
    /// If one of them lies outside of `data`.
    pub fn new(data: &'a [T], first: usize, stride: isize, len: usize) -> Self {
        // SAFETY: an atomic integer has the size of the integer, and no integer here is aligned more loosely than it on
        // the machines that have these atomics; both live as long, and through the slice of atomics nothing is written.
        let data = unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), data.len()) };
        Self::shared(data, first, stride, len)
    }

    /// The same of memory that others may write to.
    ///
    /// # Panics
    /// If an item lies outside of `data`.
    pub fn shared(data: &'a [T::Shared], first: usize, stride: isize, len: usize) -> Self {
        if len > 0 {
            let last = (len - 1).checked_mul(stride.unsigned_abs()).and_then(|span| {
                if stride < 0 {
                    first.checked_sub(span)
                } else {
                    first.checked_add(span)
                }
            });
            let inside = first < data.len() && last.is_some_and(|last| last < data.len());
            assert!(inside, "a column lies inside its data");
        }
        Self {
            data,
            first,
            stride,
            len,
        }
    }

    /// Reads the items from one on, each once.
    fn read(&self, start: usize, items: &mut [T]) {
        if self.stride == 1 {
            let from = self.first + start;
            read_words(&self.data[from..from + items.len()], items);
        } else {
            let mut at = self.first.wrapping_add_signed(self.stride.wrapping_mul(start as isize));
            for item in items {
                *item = T::load(&self.data[at]);
                at = at.wrapping_add_signed(self.stride);
            }
        }
    }
}

/// Reads a slice of memory that others may write to, each item once.
fn read_words<T: Item>(shared: &[T::Shared], items: &mut [T]) {
    let whole = copy_lines(shared, items);
    let (shared, items) = (&shared[whole..], &mut items[whole..]);
    let each = size_of::<u64>() / size_of::<T>();
    let head = shared.as_ptr().align_offset(align_of::<u64>()).min(shared.len());
    let words = (shared.len() - head) / each;
    let tail = head + words * each;
    for (item, shared) in items[..head].iter_mut().zip(shared) {
        *item = T::load(shared);
    }
    for (items, shared) in items[head..tail]
        .chunks_exact_mut(each)
        .zip(shared[head..tail].chunks_exact(each))
    {
        // SAFETY: a chunk is as long as a word, and aligned as one from `head` on; and nothing of ours writes to it.
        let word = unsafe { AtomicU64::from_ptr(shared.as_ptr().cast_mut().cast()) }.load(Ordering::Relaxed);
        // SAFETY: a chunk of items is as long as a word, and every word is some integers.
        unsafe { items.as_mut_ptr().cast::<u64>().write_unaligned(word) };
    }
    for (item, shared) in items[tail..].iter_mut().zip(&shared[tail..]) {
        *item = T::load(shared);
    }
}

/// Copies as many whole cache lines as there are, and returns the number of their items.
///
/// The compiler knows no vector load that may race with a store. So it is written in instructions: the machine reads
/// each byte once, in an order and by pieces that do not matter, which is what relaxed loads of single bytes may do.
/// As many bytes behind these are asked for ahead: the next block of a column stands there, and would be waited for.
#[cfg(target_arch = "x86_64")]
fn copy_lines<T: Item>(shared: &[T::Shared], items: &mut [T]) -> usize {
    const LINE: usize = 64;
    let lines = size_of_val(items).min(size_of_val(shared)) / LINE;
    if lines > 0 {
        // SAFETY: `lines * LINE` bytes lie in both slices, of which the second is ours alone; every byte pattern is
        // some integers; SSE2 is there on every such machine, and what is asked for ahead need not be there.
        unsafe {
            std::arch::asm!(
                "2:",
                "prefetcht1 [{from} + {bytes}]",
                "movdqu {a}, [{from}]",
                "movdqu {b}, [{from} + 16]",
                "movdqu {c}, [{from} + 32]",
                "movdqu {d}, [{from} + 48]",
                "movdqu [{to}], {a}",
                "movdqu [{to} + 16], {b}",
                "movdqu [{to} + 32], {c}",
                "movdqu [{to} + 48], {d}",
                "add {from}, 64",
                "add {to}, 64",
                "dec {lines}",
                "jnz 2b",
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                from = inout(reg) shared.as_ptr() => _,
                to = inout(reg) items.as_mut_ptr() => _,
                lines = inout(reg) lines => _,
                bytes = in(reg) lines * LINE,
                options(nostack),
            );
        }
    }
    lines * LINE / size_of::<T>()
}

#[cfg(not(target_arch = "x86_64"))]
fn copy_lines<T: Item>(_: &[T::Shared], _: &mut [T]) -> usize {
    0
}

/// The index of each value of a decision.
#[derive(Debug)]
pub struct Lookup {
    least: i64,
    /// For each value from the least on its index plus 1, where they lie close together.
    dense: Vec<u32>,
    sparse: FxHashMap<i64, u32>,
}

impl Lookup {
    const CLOSE: i128 = 1 << 16;

    /// The index of each of these values; the first of equal ones counts.
    pub fn new(values: &[i64]) -> Self {
        let least = values.iter().copied().min().unwrap_or(0);
        let most = values.iter().copied().max().unwrap_or(0);
        let span = i128::from(most) - i128::from(least) + 1;
        let mut lookup = Self {
            least,
            dense: Vec::new(),
            sparse: FxHashMap::default(),
        };
        if span <= Self::CLOSE {
            lookup.dense.resize(span as usize, 0);
            for (index, &value) in values.iter().enumerate().rev() {
                lookup.dense[(value - least) as usize] = index as u32 + 1;
            }
        } else {
            let indexed = values.iter().enumerate().rev();
            lookup
                .sparse
                .extend(indexed.map(|(index, &value)| (value, index as u32)));
        }
        lookup
    }

    #[inline]
    fn index(&self, value: i64) -> Option<u32> {
        if self.dense.is_empty() {
            self.sparse.get(&value).copied()
        } else {
            let offset = usize::try_from(i128::from(value) - i128::from(self.least)).ok()?;
            self.dense.get(offset).copied()?.checked_sub(1)
        }
    }
}

/// A column of candidates.
#[derive(Debug)]
pub enum Column<'a> {
    /// Indices of 8 bits.
    U8(Strided<'a, u8>),
    /// Indices of 16 bits.
    U16(Strided<'a, u16>),
    /// Indices of 32 bits.
    U32(Strided<'a, u32>),
    /// Values, which are looked up.
    Values(Strided<'a, i64>, &'a Lookup),
}

impl Column<'_> {
    /// The number of candidates.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(column) => column.len,
            Self::U16(column) => column.len,
            Self::U32(column) => column.len,
            Self::Values(column, _) => column.len,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the indices of a block, each once. Each is below `size` if this succeeds.
    ///
    /// # Errors
    /// `Argument`, naming the row, for an index or a value outside the domain.
    pub(super) fn read<'r>(
        &self,
        start: usize,
        rows: usize,
        domain: Domain<'_>,
        instructions: Instructions,
        buffer: &'r mut Buffer,
    ) -> Result<Indices<'r>> {
        match self {
            Self::U8(column) => {
                let items = resized(&mut buffer.bytes, rows);
                column.read(start, items);
                domain.check(start, items, instructions)?;
                Ok(Indices::U8(items))
            }
            Self::U16(column) => {
                let items = resized(&mut buffer.halves, rows);
                column.read(start, items);
                domain.check(start, items, instructions)?;
                Ok(Indices::U16(items))
            }
            Self::U32(column) => {
                let items = resized(&mut buffer.words, rows);
                column.read(start, items);
                domain.check(start, items, instructions)?;
                Ok(Indices::U32(items))
            }
            Self::Values(column, lookup) => {
                let values = resized(&mut buffer.values, rows);
                column.read(start, values);
                let items = resized(&mut buffer.words, rows);
                for (row, (item, &value)) in items.iter_mut().zip(&*values).enumerate() {
                    *item = lookup.index(value).ok_or_else(|| {
                        Error::argument(format!(
                            "row {}: {value} is not a value of decision '{}'",
                            start + row,
                            domain.name
                        ))
                    })?;
                }
                Ok(Indices::U32(items))
            }
        }
    }

    /// The same as indices of 32 bits.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn read_wide(&self, start: usize, domain: Domain<'_>, indices: &mut [u32]) -> Result<()> {
        let mut buffer = Buffer::default();
        match self.read(start, indices.len(), domain, Instructions::best(), &mut buffer)? {
            Indices::U8(items) => widen(items, indices),
            Indices::U16(items) => widen(items, indices),
            Indices::U32(items) => widen(items, indices),
        }
        Ok(())
    }
}

fn widen<T: Copy + Into<u32>>(items: &[T], indices: &mut [u32]) {
    for (index, &item) in indices.iter_mut().zip(items) {
        *index = item.into();
    }
}

fn resized<T: Copy + Default>(items: &mut Vec<T>, rows: usize) -> &mut [T] {
    if items.len() < rows {
        items.resize(rows, T::default());
    }
    &mut items[..rows]
}

/// The values that a column may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Domain<'a> {
    pub(super) name: &'a str,
    pub(super) size: usize,
}

impl<'a> Domain<'a> {
    /// That of a decision.
    pub(super) fn of(decision: &'a Decision) -> Self {
        Self {
            name: &decision.name,
            size: decision.size,
        }
    }

    /// Refuses indices outside.
    ///
    /// # Errors
    /// `Argument`, with the first row of such an index.
    pub(super) fn check<T>(self, start: usize, items: &[T], instructions: Instructions) -> Result<()>
    where
        T: Copy + Ord + Default + Into<u32>,
    {
        if items.is_empty() || (largest(instructions, items).into() as usize) < self.size {
            return Ok(());
        }
        let rows = (start..).zip(items).map(|(row, &index)| (row, index.into()));
        match rows.into_iter().find(|&(_, index)| index as usize >= self.size) {
            None => Ok(()),
            Some((row, index)) => Err(Error::argument(format!(
                "row {row}: index {index} is not in the domain of decision '{}', which has {} values",
                self.name, self.size
            ))),
        }
    }
}

/// The indices of a block, as wide as they were given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Indices<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
}

/// Memory of ours that columns are read into.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    halves: Vec<u16>,
    words: Vec<u32>,
    values: Vec<i64>,
}

/// Columns of bytes that stand side by side in rows: they are read row by row, and taken apart in memory of ours.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    data: &'a [AtomicU8],
    first: usize,
    stride: usize,
    len: usize,
    /// The bytes of a row, eight at a time: where those begin among which there are columns.
    octets: Vec<usize>,
    /// The place of each column among the bytes of these.
    places: Vec<usize>,
    /// The bytes of a row up to its last column.
    span: usize,
}

impl<'a> Rows<'a> {
    /// A row is at most this long, so that a block of them stays in cache.
    const LONGEST: usize = 256;

    /// These columns as rows, if they stand in that way.
    pub(super) fn of(columns: &[Column<'a>]) -> Option<Self> {
        let strided: Option<Vec<_>> = columns
            .iter()
            .map(|column| match column {
                Column::U8(strided) if strided.stride > 1 && strided.len > 1 => Some(strided),
                _ => None,
            })
            .collect();
        let strided = strided?;
        let address = |column: &Strided<'_, u8>| column.data.as_ptr().addr() + column.first;
        let least = strided.iter().min_by_key(|column| address(column))?;
        let stride = usize::try_from(least.stride).ok()?;
        if stride > Self::LONGEST || strided.iter().any(|column| column.stride != least.stride) {
            return None;
        }
        let offsets: Vec<_> = strided.iter().map(|column| address(column) - address(least)).collect();
        let span = offsets.iter().max()? + 1;
        if span > stride {
            return None;
        }
        let mut octets: Vec<usize> = offsets.iter().map(|offset| offset / 8 * 8).collect();
        octets.sort_unstable();
        octets.dedup();
        let place = |offset: &usize| {
            let octet = octets.partition_point(|octet| octet + 8 <= *offset);
            8 * octet + offset % 8
        };
        Some(Self {
            data: least.data,
            first: least.first,
            stride,
            len: least.len,
            places: offsets.iter().map(place).collect(),
            octets,
            span,
        })
    }

    /// The columns that are taken out of the rows, among them all that were given.
    pub(super) fn width(&self) -> usize {
        8 * self.octets.len()
    }

    /// Which of these a column is.
    pub(super) fn place(&self, column: usize) -> usize {
        self.places[column]
    }

    /// Reads a block of all columns: `apart` has room for [`Self::width`] columns of `each` items, of which the first
    /// `rows` are written.
    pub(super) fn read(
        &self,
        columns: &[Column<'_>],
        start: usize,
        rows: usize,
        instructions: Instructions,
        (raw, apart, each): (&mut Vec<u8>, &mut [u8], usize),
    ) {
        // The last row of all may end before its last column does in memory that is known to be there.
        let whole = if start + rows == self.len { rows - 1 } else { rows };
        if whole > 0 {
            let from = self.first + start * self.stride;
            let bytes = (whole - 1) * self.stride + self.span;
            let padded = resized(raw, bytes + 7);
            read_words(&self.data[from..from + bytes], &mut padded[..bytes]);
            for (&octet, apart) in self.octets.iter().zip(apart.chunks_exact_mut(8 * each)) {
                take_apart(instructions, &padded[octet..], self.stride, whole, apart, each);
            }
        }
        for (number, column) in columns.iter().enumerate() {
            if let Column::U8(column) = column {
                column.read(start + whole, &mut apart[self.places[number] * each..][whole..rows]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Domain<'_> = Domain { name: "x", size: 256 };

    #[test]
    fn rows_are_read_as_their_columns() {
        let data: Vec<u8> = (0..1000).map(|item| (item % 251) as u8).collect();
        for (stride, offsets) in [
            (5, vec![0, 1, 2, 3, 4]),
            (39, vec![37, 2, 20]),
            (7, vec![6, 0, 3, 6]),
            (2, vec![1]),
        ] {
            let n = (data.len() - 40) / stride;
            let strided = |offset: &usize| Column::U8(Strided::new(&data[*offset..], 0, stride as isize, n));
            let columns: Vec<_> = offsets.iter().map(strided).collect();
            let rows = Rows::of(&columns).expect("they stand in rows");
            for (start, count) in [(0, n), (3, 1), (n - 1, 1), (n - 20, 20), (1, 17)] {
                let mut taken = vec![0; rows.width() * n];
                let room = (&mut Vec::new(), &mut taken[..], n);
                rows.read(&columns, start, count, Instructions::best(), room);
                for (number, column) in columns.iter().enumerate() {
                    let taken = &taken[rows.place(number) * n..];
                    let mut alone = vec![0; count];
                    column.read_wide(start, X, &mut alone).unwrap();
                    assert!(
                        alone
                            .iter()
                            .zip(taken)
                            .all(|(&alone, &taken)| alone == u32::from(taken))
                    );
                }
            }
        }
        let apart = |first: usize, stride| Column::U8(Strided::new(&data, first, stride, 10));
        assert!(Rows::of(&[apart(0, 3), apart(5, 3)]).is_none());
        assert!(Rows::of(&[apart(0, 3), apart(1, 4)]).is_none());
        assert!(Rows::of(&[apart(0, 1), apart(1, 1)]).is_none());
    }

    #[test]
    fn columns_are_read_in_every_layout() {
        let data: Vec<u8> = (0..12).collect();
        let read = |first, stride, len| {
            let column = Column::U8(Strided::new(&data, first, stride, len));
            let mut keys = vec![0; len];
            column.read_wide(0, X, &mut keys).unwrap();
            keys
        };
        assert_eq!(read(0, 1, 3), [0, 1, 2]);
        assert_eq!(read(1, 3, 4), [1, 4, 7, 10]);
        assert_eq!(read(11, -4, 3), [11, 7, 3]);
        assert_eq!(read(5, 0, 2), [5, 5]);
    }

    #[test]
    fn words_hold_the_items_wherever_a_slice_begins_and_ends() {
        fn check<T: Item + TryFrom<usize> + PartialEq + std::fmt::Debug>() {
            let data: Vec<T> = (0..200).filter_map(|item| (item % 127).try_into().ok()).collect();
            for first in 0..20 {
                for len in (0..=data.len() - first).step_by(3) {
                    let mut items = vec![T::default(); len];
                    Strided::new(&data, first, 1, len).read(0, &mut items);
                    assert_eq!(items, data[first..first + len]);
                }
            }
        }
        check::<u8>();
        check::<u16>();
        check::<u32>();
        check::<i64>();
    }

    /// A thread writes indices inside and outside of the domain: what is added is inside, or named.
    #[test]
    fn what_is_checked_is_what_is_used_while_others_write() {
        let shared: Vec<AtomicU8> = (0..1000).map(|_| AtomicU8::new(0)).collect();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    for value in [0, 255, 2] {
                        for item in &shared {
                            item.store(value, Ordering::Relaxed);
                        }
                    }
                }
            });
            let few = Domain { name: "x", size: 3 };
            for _ in 0..2000 {
                let mut keys = vec![0; 1000];
                match Column::U8(Strided::shared(&shared, 0, 1, 1000)).read_wide(0, few, &mut keys) {
                    Ok(()) => assert!(keys.iter().all(|&key| key < 3)),
                    Err(error) => assert!(error.message.contains("index 255 is not in the domain")),
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    #[should_panic(expected = "inside its data")]
    fn a_column_outside_its_data_is_refused() {
        Strided::new(&[0_u8; 4], 1, 2, 3);
    }

    #[test]
    fn values_are_looked_up() {
        for values in [vec![8, -16, 24], vec![-1 << 40, 3, i64::MAX]] {
            let lookup = Lookup::new(&values);
            for (index, &value) in values.iter().enumerate() {
                assert_eq!(lookup.index(value), Some(index as u32));
            }
            assert_eq!(lookup.index(7), None);
            assert_eq!(lookup.index(i64::MIN), None);
        }
    }

    #[test]
    fn what_is_outside_its_domain_is_named_with_its_row() {
        let column = Column::U8(Strided::new(&[0, 1, 9], 0, 1, 3));
        let named = |size| Domain { name: "f1", size };
        let error = column.read_wide(0, named(3), &mut [0; 3]).unwrap_err();
        assert_eq!(
            error.message,
            "row 2: index 9 is not in the domain of decision 'f1', which has 3 values"
        );
        let lookup = Lookup::new(&[8, 16]);
        let column = Column::Values(Strided::new(&[8, 12], 0, 1, 2), &lookup);
        let error = column.read_wide(0, named(2), &mut [0; 2]).unwrap_err();
        assert_eq!(error.message, "row 1: 12 is not a value of decision 'f1'");
    }
}
