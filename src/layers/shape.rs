//! The shape of a tensor without its batch axis.

use std::fmt;
use std::ops::Deref;

/// The most axes a tensor may have beside the batch axis.
pub const MAX_RANK: usize = 7;

/// The sides of a tensor without its batch axis; each is at least 1. Dereferences to a slice.
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

    /// The number of elements; `None` beyond `i64`.
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
        for side in self.iter() {
            write!(f, ", {side}")?;
        }
        f.write_str(if self.rank == 0 { ",)" } else { ")" })
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
