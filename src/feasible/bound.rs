//! Budgets, and the answers that all files of this room give.

use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};
use std::ops::Range;

/// What one metric may come to, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The metric, by its position.
    pub metric: usize,
    /// The least it may be.
    pub low: i64,
    /// The most it may be.
    pub high: i64,
}

/// How many candidates fit. Only a table in which no sum was rounded makes an exact count: bounds that happen to be equal
/// stay bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// This many fit.
    Exact(BigUint),
    /// At least `lower` fit, and at most `upper`.
    Between {
        /// This many fit for certain.
        lower: BigUint,
        /// No more fit.
        upper: BigUint,
    },
}

impl Count {
    /// This many fit for certain.
    pub fn lower(&self) -> &BigUint {
        match self {
            Self::Exact(count) => count,
            Self::Between { lower, .. } => lower,
        }
    }

    /// No more fit.
    pub fn upper(&self) -> &BigUint {
        match self {
            Self::Exact(count) => count,
            Self::Between { upper, .. } => upper,
        }
    }
}

/// How many feasible candidates take each value of each decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marginals {
    /// By decision and value.
    pub counts: Vec<Vec<BigUint>>,
    /// How many candidates there are in all.
    pub total: BigUint,
    /// Whether these are the feasible candidates; if not, a few others are among them.
    pub exact: bool,
}

/// The bytes that an answer may take by default.
pub const MEMORY: usize = 1 << 30;

/// How many times the first is the second; infinite, or 1, where the second is 0.
pub(super) fn ratio(upper: &BigUint, lower: &BigUint) -> f64 {
    if lower.is_zero() {
        return if upper.is_zero() { 1.0 } else { f64::INFINITY };
    }
    let shift = upper.bits().saturating_sub(1000);
    let float = |number: &BigUint| (number >> shift).to_f64().unwrap_or(f64::INFINITY);
    float(upper) / float(lower)
}

/// The largest number in a range that fits, to within a part of it; the start of the range, where none does.
pub(super) fn largest(range: Range<usize>, part: usize, fits: impl Fn(usize) -> bool) -> usize {
    let Range {
        start: mut low,
        end: mut high,
    } = range;
    while high - low > low / part + 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
