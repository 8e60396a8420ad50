//! The shape of a tensor without its batch axis.

use std::fmt;
use std::ops::Deref;

/// The most axes a tensor may have beside the batch axis.
pub const MAX_RANK: usize = 7;

/// A side that nobody knows before data arrives.
pub const UNKNOWN: i64 = 0;

/// The sides of a tensor without its batch axis; each is at least 1, or [`UNKNOWN`]. Dereferences to a slice.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    rank: u8,
    sides: [i64; MAX_RANK],
}

impl Shape {
    /// A shape of these sides.
    ///
    /// # Panics
    /// With more than [`MAX_RANK`] sides: a rule is written for a rank, and `Input` checks what a user gives.
    #[inline]
    pub fn new(sides: &[i64]) -> Self {
        let mut all = [1; MAX_RANK];
        all[..sides.len()].copy_from_slice(sides);
        Self {
            rank: sides.len() as u8,
            sides: all,
        }
    }

    /// The number of axes, without the batch axis.
    pub fn rank(&self) -> usize {
        usize::from(self.rank)
    }

    /// Whether a side is unknown.
    #[inline]
    pub fn has_unknown(&self) -> bool {
        self.contains(&UNKNOWN)
    }

    /// The same shape with a number on each axis whose side is unknown.
    pub(super) fn known_as(mut self, number: impl Fn(usize) -> i64) -> Self {
        for axis in 0..self.rank() {
            if self.sides[axis] == UNKNOWN {
                self.sides[axis] = number(axis);
            }
        }
        self
    }

    /// The number of elements, 0 where a side is unknown; `None` beyond `i64`.
    pub fn elements(&self) -> Option<i64> {
        self.iter().try_fold(1_i64, |product, &side| product.checked_mul(side))
    }

    /// The same shape with another side on one axis.
    #[must_use]
    pub fn with(mut self, axis: usize, side: i64) -> Self {
        debug_assert!(axis < self.rank());
        self.sides[axis] = side;
        self
    }
}

impl Deref for Shape {
    type Target = [i64];
    #[inline]
    fn deref(&self) -> &[i64] {
        &self.sides[..usize::from(self.rank)]
    }
}

impl fmt::Display for Shape {
    /// As Keras prints it, with `None` for the batch axis.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(None")?;
        for &side in self.iter() {
            if side == UNKNOWN {
                f.write_str(", None")?;
            } else {
                write!(f, ", {side}")?;
            }
        }
        f.write_str(if self.rank == 0 { ",)" } else { ")" })
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
