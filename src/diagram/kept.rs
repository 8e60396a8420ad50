//! What a diagram keeps of the passes over it, once they were asked for.

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

/// A node whose arcs are stored, in as few words as a draw needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// Its first arc.
    pub(super) arcs: usize,
    /// Its decision.
    pub(super) decision: u32,
    /// How many values that has.
    pub(super) size: u32,
}

/// What is needed to draw candidates.
#[derive(Debug)]
pub(super) struct Sampler {
    pub(super) draws: Vec<Draw>,
    /// The nodes; nothing where some arcs are not stored.
    pub(super) choices: Vec<Choice>,
    /// For each value of a node, `floor(2^64 * networks of the values up to it / networks of the node)`; the last,
    /// which would be 2^64, is `u64::MAX`.
    pub(super) shares: Vec<u64>,
}
