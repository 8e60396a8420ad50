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
    /// Joins the values of two parts of a network. A sum beyond 64 bits, at either end, is 2^63 - 1, and stays it
    /// whatever is added.
    #[inline]
    pub(crate) fn join(self, a: i64, b: i64) -> i64 {
        match self {
            Self::Sum if a == i64::MAX || b == i64::MAX => i64::MAX,
            Self::Sum => a.checked_add(b).unwrap_or(i64::MAX),
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

/// Defines the built-in metrics: for each its name, how its values join, and whether it counts weights.
macro_rules! built_in {
    ($($(#[$doc:meta])* $metric:ident = ($name:literal, $combine:ident, $weights:literal);)*) => {
        /// A metric that every program counts. The order is that of all cost vectors, in which custom metrics follow.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum BuiltIn {
            $($(#[$doc])* $metric,)*
        }

        impl BuiltIn {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$metric),*];

            /// Whether it counts weights, which a layer that is used several times has once.
            pub(crate) const fn counts_weights(self) -> bool {
                match self {
                    $(Self::$metric => $weights,)*
                }
            }
        }

        /// The metrics that every program counts, before any custom one.
        pub static BUILT_IN: [Metric; BuiltIn::ALL.len()] = [$(Metric::built_in($name, Combine::$combine)),*];
    };
}

built_in! {
    /// All weights.
    Params = ("params", Sum, true);
    /// The weights that training changes.
    TrainableParams = ("trainable_params", Sum, true);
    /// Multiply-accumulates for one input.
    Macs = ("macs", Sum, false);
    /// The bytes of all weights.
    WeightBytes = ("weight_bytes", Sum, true);
    /// The most bytes of activations that are alive at once.
    PeakActivationBytes = ("peak_activation_bytes", Max, false);
}

impl BuiltIn {
    /// Its position in all cost vectors.
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_list() {
        for (position, metric) in BuiltIn::ALL.iter().enumerate() {
            assert_eq!(metric.index(), position);
        }
        assert_eq!(BUILT_IN[BuiltIn::Macs.index()], Metric::new("macs", Combine::Sum));
        assert_eq!(BUILT_IN[BuiltIn::PeakActivationBytes.index()].combine, Combine::Max);
    }
}
