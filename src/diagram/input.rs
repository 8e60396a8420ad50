//! Candidates as they are handed in: one column of indices or of values for each decision.

use crate::{Error, Result};
use rustc_hash::FxHashMap;

/// A column in memory that is not ours: every `stride`-th item of a slice.
#[derive(Debug, Clone, Copy)]
pub struct Strided<'a, T> {
    data: &'a [T],
    first: usize,
    stride: isize,
    len: usize,
}

impl<'a, T: Copy> Strided<'a, T> {
    /// `len` items of `data`, from `first` on, `stride` apart.
    ///
    /// # Panics
    /// If one of them lies outside of `data`.
    pub fn new(data: &'a [T], first: usize, stride: isize, len: usize) -> Self {
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

    /// Calls back with each item of a block, and its position in the block.
    #[inline]
    fn each(&self, start: usize, len: usize, mut item: impl FnMut(usize, T)) {
        if self.stride == 1 {
            let from = self.first + start;
            for (position, &value) in self.data[from..from + len].iter().enumerate() {
                item(position, value);
            }
        } else {
            let mut at = self.first.wrapping_add_signed(self.stride.wrapping_mul(start as isize));
            for position in 0..len {
                item(position, self.data[at]);
                at = at.wrapping_add_signed(self.stride);
            }
        }
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
#[derive(Debug, Clone, Copy)]
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
        let largest = match self {
            Self::U8(column) => add_indices(column, start, factor, keys),
            Self::U16(column) => add_indices(column, start, factor, keys),
            Self::U32(column) => add_indices(column, start, factor, keys),
            Self::Values(column, lookup) => {
                let mut unknown = None;
                column.each(start, keys.len(), |row, value| match lookup.index(value) {
                    Some(index) => keys[row] = keys[row].wrapping_add(index.wrapping_mul(factor)),
                    None => unknown = unknown.or(Some((row, value))),
                });
                return match unknown {
                    None => Ok(()),
                    Some((row, value)) => Err(Error::argument(format!(
                        "row {}: {value} is not a value of decision '{name}'",
                        start + row
                    ))),
                };
            }
        };
        if (largest as usize) < size {
            return Ok(());
        }
        let row = (0..keys.len()).find(|&row| self.index(start + row).is_none_or(|index| index as usize >= size));
        Err(Error::argument(format!(
            "row {}: index {largest} is not in the domain of decision '{name}', which has {size} values",
            start + row.unwrap_or(0),
        )))
    }

    /// The index in a row; nothing for an unknown value.
    pub(super) fn index(&self, row: usize) -> Option<u32> {
        let mut index = None;
        match self {
            Self::U8(column) => column.each(row, 1, |_, value| index = Some(u32::from(value))),
            Self::U16(column) => column.each(row, 1, |_, value| index = Some(u32::from(value))),
            Self::U32(column) => column.each(row, 1, |_, value| index = Some(value)),
            Self::Values(column, lookup) => column.each(row, 1, |_, value| index = lookup.index(value)),
        }
        index
    }
}

/// Adds `index * factor` to each key, and returns the largest index.
#[inline]
fn add_indices<T: Copy + Into<u32>>(column: &Strided<'_, T>, start: usize, factor: u32, keys: &mut [u32]) -> u32 {
    let mut largest = 0;
    if column.stride == 1 {
        let from = column.first + start;
        let data = &column.data[from..from + keys.len()];
        for (key, &index) in keys.iter_mut().zip(data) {
            let index: u32 = index.into();
            largest = largest.max(index);
            *key = key.wrapping_add(index.wrapping_mul(factor));
        }
    } else {
        column.each(start, keys.len(), |row, index| {
            let index: u32 = index.into();
            largest = largest.max(index);
            keys[row] = keys[row].wrapping_add(index.wrapping_mul(factor));
        });
    }
    largest
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
