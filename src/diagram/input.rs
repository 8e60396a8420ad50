//! Candidates as they are handed in: one column of indices or of values for each decision.
//!
//! The memory of a column is somebody else's, who may write to it while it is read: an array of numpy has no lock. So it
//! is read by relaxed atomic loads, a whole word at a time where the items stand side by side, each item once and into a
//! buffer of our own; what was checked there is what is used. Whoever writes meanwhile gets the costs of some mixture of
//! the old and the new candidates, or an error that names an index outside its domain.
#![allow(unsafe_code)] // Atomic loads of words that hold several items.

use crate::{Error, Result};
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The items that are read into a buffer at once.
const READ: usize = 256;

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
    #[inline]
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

    /// Calls back with the items from one on, some at a time, and with the row of the first of these among them; up to
    /// the first error.
    #[inline]
    fn each_block<E>(
        &self,
        start: usize,
        rows: usize,
        mut block: impl FnMut(usize, &[T]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut buffer = [T::default(); READ];
        for row in (0..rows).step_by(READ) {
            let items = &mut buffer[..READ.min(rows - row)];
            self.read(start + row, items);
            block(row, items)?;
        }
        Ok(())
    }
}

/// Reads a slice by words of 64 bits, and what stands before and behind these item by item.
#[inline]
fn read_words<T: Item>(shared: &[T::Shared], items: &mut [T]) {
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

    /// Adds `index * factor` to each key of a block. Each index is read once, and is below `size` if this succeeds.
    ///
    /// # Errors
    /// `Argument`, naming the row, for an index or a value outside the domain.
    pub(super) fn add_to(&self, start: usize, size: usize, factor: u32, keys: &mut [u32], name: &str) -> Result<()> {
        let outside = |(row, index): (usize, u32)| {
            Error::argument(format!(
                "row {}: index {index} is not in the domain of decision '{name}', which has {size} values",
                start + row,
            ))
        };
        match self {
            Self::U8(column) => add_indices(column, start, size, factor, keys).map_err(outside),
            Self::U16(column) => add_indices(column, start, size, factor, keys).map_err(outside),
            Self::U32(column) => add_indices(column, start, size, factor, keys).map_err(outside),
            Self::Values(column, lookup) => column.each_block(start, keys.len(), |first, values| {
                for (row, &value) in (first..).zip(values) {
                    let index = lookup.index(value).ok_or_else(|| {
                        Error::argument(format!(
                            "row {}: {value} is not a value of decision '{name}'",
                            start + row
                        ))
                    })?;
                    keys[row] = keys[row].wrapping_add(index.wrapping_mul(factor));
                }
                Ok(())
            }),
        }
    }
}

/// Adds `index * factor` to each key.
///
/// # Errors
/// The first row whose index is not below `size`, and that index.
#[inline]
fn add_indices<T: Item + Into<u32>>(
    column: &Strided<'_, T>,
    start: usize,
    size: usize,
    factor: u32,
    keys: &mut [u32],
) -> std::result::Result<(), (usize, u32)> {
    column.each_block(start, keys.len(), |first, indices| {
        let mut largest = 0;
        for (key, &index) in keys[first..].iter_mut().zip(indices) {
            let index: u32 = index.into();
            largest = largest.max(index);
            *key = key.wrapping_add(index.wrapping_mul(factor));
        }
        if (largest as usize) < size {
            return Ok(());
        }
        let mut rows = (first..).zip(indices).map(|(row, &index)| (row, index.into()));
        Err(rows
            .find(|&(_, index)| index as usize >= size)
            .unwrap_or((first, largest)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_in_every_layout() {
        let data: Vec<u8> = (0..12).collect();
        let read = |first, stride, len| {
            let column = Column::U8(Strided::new(&data, first, stride, len));
            let mut keys = vec![0; len];
            column.add_to(0, 256, 1, &mut keys, "x").unwrap();
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
            let data: Vec<T> = (0..100).filter_map(|item| item.try_into().ok()).collect();
            for first in 0..20 {
                for len in 0..=data.len() - first {
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
            for _ in 0..2000 {
                let mut keys = vec![0; 1000];
                match Column::U8(Strided::shared(&shared, 0, 1, 1000)).add_to(0, 3, 1, &mut keys, "x") {
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
        let error = column.add_to(0, 3, 1, &mut [0; 3], "f1").unwrap_err();
        assert_eq!(
            error.message,
            "row 2: index 9 is not in the domain of decision 'f1', which has 3 values"
        );
        let lookup = Lookup::new(&[8, 16]);
        let column = Column::Values(Strided::new(&[8, 12], 0, 1, 2), &lookup);
        let error = column.add_to(0, 2, 1, &mut [0; 2], "f1").unwrap_err();
        assert_eq!(error.message, "row 1: 12 is not a value of decision 'f1'");
    }
}
