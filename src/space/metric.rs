//! What is counted for every network.

use std::borrow::Cow;

/// How the values of a metric along a network join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// They add up.
    Sum,
    /// The largest counts.
    Max,
}

impl Combine {
    /// Joins the values of two parts of a network; saturating.
    #[inline]
    pub(crate) fn join(self, a: i64, b: i64) -> i64 {
        match self {
            Self::Sum => a.saturating_add(b),
            Self::Max => a.max(b),
        }
    }
}

/// A quantity that is counted for every network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: Cow<'static, str>,
    /// How its values join.
    pub combine: Combine,
}

impl Metric {
    /// A metric of this name.
    pub fn new(name: impl Into<Cow<'static, str>>, combine: Combine) -> Self {
        Self {
            name: name.into(),
            combine,
        }
    }

    const fn built_in(name: &'static str, combine: Combine) -> Self {
        Self {
            name: Cow::Borrowed(name),
            combine,
        }
    }
}

/// The metrics that every program counts, before any from outside.
pub static BUILT_IN: [Metric; 5] = [
    Metric::built_in("params", Combine::Sum),
    Metric::built_in("trainable_params", Combine::Sum),
    Metric::built_in("macs", Combine::Sum),
    Metric::built_in("weight_bytes", Combine::Sum),
    Metric::built_in("peak_activation_bytes", Combine::Max),
];
