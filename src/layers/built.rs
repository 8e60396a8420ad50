//! What a layer is built for where it is used first.

/// What a layer is built for where it is used first: a later use, which shares its weights, must find the same.
///
/// It is what Keras checks: the sides that the shapes of the weights follow from, and what an `input_spec` fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// What the numbers are, to go behind "must have the same".
    pub what: &'static str,
    /// The numbers; none where it fits everything.
    pub numbers: Vec<i64>,
}

impl Built {
    pub(super) fn new(what: &'static str, numbers: impl Into<Vec<i64>>) -> Self {
        Self {
            what,
            numbers: numbers.into(),
        }
    }

    /// A layer that does not depend on its input.
    pub(super) fn anything() -> Self {
        Self::new("", [])
    }

    /// Whether a layer that was built so can be used where it would be built like that.
    pub fn fits(&self, later: &Self) -> bool {
        self.numbers.is_empty() || self.numbers == later.numbers
    }
}
