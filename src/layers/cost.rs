//! What a layer costs, in numbers or as formulas.

use super::quantity::{Count, Quantity};
use std::ops::Add;

/// What one layer costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost<Q> {
    /// Weights that training changes.
    pub trainable: Q,
    /// Weights that it does not change, such as moving statistics.
    pub non_trainable: Q,
    /// Multiply-accumulates for one input.
    pub macs: Q,
}

impl<Q: Quantity> Cost<Q> {
    /// The cost of a layer without weights or multiplications.
    pub(super) fn none() -> Self {
        Self {
            trainable: Q::zero(),
            non_trainable: Q::zero(),
            macs: Q::zero(),
        }
    }

    /// The same with weights that are not trained.
    pub(crate) fn frozen(self) -> Self {
        Self {
            trainable: Q::zero(),
            non_trainable: self.trainable + self.non_trainable,
            macs: self.macs,
        }
    }
}

impl Cost<Count> {
    /// All weights.
    pub(crate) fn weights(&self) -> i64 {
        self.trainable.0.saturating_add(self.non_trainable.0)
    }
}

impl<Q: Quantity> Add for Cost<Q> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            trainable: self.trainable + other.trainable,
            non_trainable: self.non_trainable + other.non_trainable,
            macs: self.macs + other.macs,
        }
    }
}
