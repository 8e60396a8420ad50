//! What a diagram keeps of the passes over it, once they were asked for.

use super::levels::Levels;

/// For each node, and for the terminal, the range of one metric over all its completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extremes {
    /// The smallest cost to go; [`Extremes::NONE`] where there is no completion.
    pub smallest: Vec<i64>,
    /// The largest cost to go; negative where there is no completion.
    pub largest: Vec<i64>,
}

impl Extremes {
    /// The smallest cost to go of a node that cannot be completed.
    pub const NONE: i64 = i64::MAX;
}

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
