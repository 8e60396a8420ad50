//! Why a layer cannot be built.

use super::built::Built;
use super::shape::{MAX_RANK, Shape};
use crate::Error;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Why a layer cannot be built. The text is made only when it is asked for: a compiler meets millions of refusals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that was broken; each `{}` stands for the next number.
    rule: &'static str,
    numbers: [i64; 4],
    /// What there is to say instead.
    other: Option<Arc<Other>>,
}

/// What cannot be said by a rule and numbers.
#[derive(Debug, PartialEq, Eq)]
enum Other {
    /// A custom function refuses: why.
    Reason(String),
    /// A custom function failed, so that nothing can be said of any network.
    Failure(Error),
    /// A layer of this name refuses, inside of another one, a tensor of this shape.
    Inside(Cow<'static, str>, Shape, Refusal),
    /// A shared layer was built on inputs of these shapes, where they are known, for something else than is found here.
    Shared(Vec<Shape>, Built, Vec<i64>),
}

impl Refusal {
    /// A refusal by this rule; each `{}` in it stands for the next of the numbers.
    pub fn new<const N: usize>(rule: &'static str, numbers: [i64; N]) -> Self {
        let mut all = [0; 4];
        all[..N].copy_from_slice(&numbers);
        Self {
            rule,
            numbers: all,
            other: None,
        }
    }

    /// A custom function refuses, for this reason.
    pub fn reason(reason: String) -> Self {
        Self {
            other: Some(Arc::new(Other::Reason(reason))),
            ..Self::new("", [])
        }
    }

    /// A custom function failed.
    pub fn failed(error: Error) -> Self {
        Self {
            other: Some(Arc::new(Other::Failure(error))),
            ..Self::new("", [])
        }
    }

    /// The same by a layer inside of another one, on an input of this shape.
    pub(crate) fn inside(self, name: Cow<'static, str>, input: Shape) -> Self {
        if self.is_fatal() {
            return self;
        }
        Self {
            other: Some(Arc::new(Other::Inside(name, input, self))),
            ..Self::new("", [])
        }
    }

    /// The same where this number stands for each side that is unknown.
    pub(super) fn with_unknown(self, stand: i64) -> Self {
        if self.is_fatal() {
            return self;
        }
        let said = self.to_string();
        if said.contains(&stand.to_string()) {
            Self::reason(format!("{said} (where {stand} stands for a side that is unknown)"))
        } else {
            self
        }
    }

    /// A shared layer was built for something else: on these inputs, where they are known, and what is found here.
    pub(crate) fn shared(on: Vec<Shape>, built: Built, here: Vec<i64>) -> Self {
        Self {
            other: Some(Arc::new(Other::Shared(on, built, here))),
            ..Self::new("", [])
        }
    }

    /// How a custom function failed, if one did.
    pub fn failure(&self) -> Option<&Error> {
        match self.other.as_deref() {
            Some(Other::Failure(error)) => Some(error),
            _ => None,
        }
    }

    /// Keras makes weights when it is built, and must know then how many.
    pub(super) fn unknown_weights() -> Self {
        Self::new(
            "its weights depend on a side that is unknown; give its number in Input",
            [],
        )
    }

    /// A number would not fit into 63 bits.
    pub fn overflow() -> Self {
        Self::new(Self::OVERFLOW, [])
    }

    /// A tensor would have this many axes beside the batch.
    pub(super) fn rank(axes: usize) -> Self {
        Self::new(
            "its output would have {} axes beside the batch; at most {} are supported",
            [axes as i64, MAX_RANK as i64],
        )
    }

    const OVERFLOW: &'static str = "a size or cost would exceed 2^63 - 1, the largest number counted exactly";

    /// Whether it refuses because a number would not fit.
    pub fn is_overflow(&self) -> bool {
        self.rule == Self::OVERFLOW
    }

    /// Whether it is a refusal of the whole space, rather than of one network.
    pub fn is_fatal(&self) -> bool {
        self.is_overflow() || self.failure().is_some()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.other.as_deref() {
            Some(Other::Reason(reason)) => return f.write_str(reason),
            Some(Other::Failure(error)) => return f.write_str(&error.message),
            Some(Other::Inside(name, input, refusal)) => {
                return write!(f, "its {name} cannot be built on input shape {input}: {refusal}");
            }
            Some(Other::Shared(on, built, here)) => {
                let shapes: Vec<_> = on.iter().map(Shape::to_string).collect();
                let on = match shapes.len() {
                    0 => String::new(),
                    1 => format!("on input shape {}, ", shapes[0]),
                    _ => format!("on input shapes {}, ", shapes.join(", ")),
                };
                let Built { what, numbers } = built;
                write!(f, "it is shared, and each use of it must have the same {what}")?;
                return if here.is_empty() {
                    write!(f, ", as {on}where it was built")
                } else {
                    write!(f, ": {numbers:?} {on}where it was built, and {here:?} here")
                };
            }
            None => {}
        }
        let mut parts = self.rule.split("{}");
        f.write_str(parts.next().unwrap_or_default())?;
        for (part, number) in parts.zip(self.numbers) {
            write!(f, "{number}{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_carry_their_numbers() {
        let refusal = Refusal::new("a kernel of {} does not fit {}", [7, 5]);
        assert_eq!(refusal.to_string(), "a kernel of 7 does not fit 5");
    }
}
