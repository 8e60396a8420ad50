//! What a diagram keeps of the passes over it, once they were asked for.

use super::levels::Levels;

/// For each node, and for the terminal, the range of one metric over all its completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extremes {
    /// The smallest cost to go; [`Extremes::NONE`] where there is no completion.
    pub smallest: Vec<i64>,
    /// The largest cost to go; [`Extremes::NOWHERE`] where there is no completion.
    pub largest: Vec<i64>,
}

impl Extremes {
    /// The smallest cost to go of a node that cannot be completed.
    pub const NONE: i64 = i64::MAX;
    /// The largest cost to go of a node that cannot be completed.
    pub const NOWHERE: i64 = i64::MIN;

    /// Whether some part of a network costs less than nothing.
    pub(super) fn falls(&self) -> bool {
        self.smallest.iter().any(|&smallest| smallest < 0)
    }

    /// Whether sums of parts, and their differences, stay within 64 bits, where what precedes them is `base`.
    pub(super) fn is_counted(&self, base: i64) -> bool {
        let far = |&cost: &i64| cost != Self::NONE && cost != Self::NOWHERE && cost.unsigned_abs() > FAR;
        let any_far = || far(&base) || self.smallest.iter().chain(&self.largest).any(far);
        !self.largest.contains(&i64::MAX) && !((base < 0 || self.falls()) && any_far())
    }
}

/// The most that parts of networks may come to where some are negative: a sum of a prefix is the difference of two.
const FAR: u64 = 1 << 61;

/// How the values of a node are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Draw {
    /// Every value leads to equally many networks.
    Even,
    /// By cumulated shares, which start here.
    Shares(usize),
}

/// What is needed to draw candidates.
#[derive(Debug)]
pub(super) enum Sampler {
    /// All arcs are stored.
    Levels(Levels),
    /// Arcs are found again when they are asked for.
    OneByOne {
        /// Of each node.
        draws: Vec<Draw>,
        /// For each value of a node, its [`super::levels::share`].
        shares: Vec<u64>,
    },
}
