//! Hyperparameters as expressions over decisions and the sides of tensors.

use super::state::State;
use crate::layers::{Refusal, UNKNOWN};
use std::sync::Arc;

/// What joins two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The sum.
    Add,
    /// The difference.
    Subtract,
    /// The product.
    Multiply,
    /// The quotient, rounded towards minus infinity as Python's `//` does.
    FloorDivide,
    /// What is left of the left when the right is taken from it as often as it fits, as Python's `%` has it.
    Modulo,
    /// The left to the power of the right, which is not negative.
    Power,
    /// The smaller one.
    Minimum,
    /// The larger one.
    Maximum,
    /// The multiple of the right nearest to the left, at least the right, and never below nine tenths of the left:
    /// `make_divisible` of the `MobileNet` papers.
    RoundTo,
    /// 1 where the left is at most the right, else 0.
    AtMost,
    /// 1 where the left is below the right, else 0.
    Less,
    /// 1 where both are equal, else 0.
    Equal,
    /// 1 where they are not equal, else 0.
    Different,
    /// 1 where neither is 0, else 0.
    Both,
    /// 1 where one is not 0, else 0.
    Either,
}

impl Operator {
    /// The operator of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "add" => Self::Add,
            "subtract" => Self::Subtract,
            "multiply" => Self::Multiply,
            "floor_divide" => Self::FloorDivide,
            "modulo" => Self::Modulo,
            "power" => Self::Power,
            "minimum" => Self::Minimum,
            "maximum" => Self::Maximum,
            "round_to" => Self::RoundTo,
            "at_most" => Self::AtMost,
            "less" => Self::Less,
            "equal" => Self::Equal,
            "different" => Self::Different,
            "both" => Self::Both,
            "either" => Self::Either,
            _ => return None,
        })
    }

    /// Whether it says that something holds: it is 1 or 0.
    pub fn is_condition(self) -> bool {
        use Operator::{AtMost, Both, Different, Either, Equal, Less};
        matches!(self, AtMost | Less | Equal | Different | Both | Either)
    }

    pub(super) fn apply(self, a: i64, b: i64) -> Result<i64, Refusal> {
        let positive = |what| {
            if b > 0 { Ok(()) } else { Err(Refusal::new(what, [a, b])) }
        };
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::FloorDivide => {
                positive("an expression divides {} by {}, which is not positive")?;
                Some(a.div_euclid(b))
            }
            Self::Modulo => {
                positive("an expression divides {} by {}, which is not positive")?;
                Some(a.rem_euclid(b))
            }
            Self::Power => {
                if b < 0 {
                    return Err(Refusal::new("an expression raises {} to {}, which is negative", [a, b]));
                }
                match a {
                    0 | 1 => Some(if b == 0 { 1 } else { a }),
                    -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
                    _ => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
                }
            }
            Self::Minimum => Some(a.min(b)),
            Self::Maximum => Some(a.max(b)),
            Self::RoundTo => {
                positive("an expression rounds {} to a multiple of {}, which is not positive")?;
                round_to(a, b)
            }
            Self::AtMost => Some(i64::from(a <= b)),
            Self::Less => Some(i64::from(a < b)),
            Self::Equal => Some(i64::from(a == b)),
            Self::Different => Some(i64::from(a != b)),
            Self::Both => Some(i64::from(a != 0 && b != 0)),
            Self::Either => Some(i64::from(a != 0 || b != 0)),
        }
        .ok_or_else(Refusal::overflow)
    }
}

fn round_to(value: i64, divisor: i64) -> Option<i64> {
    let (value, divisor) = (i128::from(value), i128::from(divisor));
    let nearest = ((value + divisor / 2).div_euclid(divisor) * divisor).max(divisor);
    // `nearest < 0.9 * value`, in integers.
    let rounded = if nearest * 10 < value * 9 {
        nearest + divisor
    } else {
        nearest
    };
    i64::try_from(rounded).ok()
}

/// An integer that is known once the decisions and tensors it reads are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// A number.
    Constant(i64),
    /// The entry of a table at the index that a decision takes: its value, or the code of its value.
    Lookup {
        /// The decision, by its position.
        decision: usize,
        /// One entry for each value of the decision.
        values: Arc<[i64]>,
    },
    /// A side of the first tensor that flows into the layer; the batch axis is not counted, and negative axes count from
    /// the end.
    Incoming {
        /// The axis.
        axis: i64,
        /// How many of the first axes are not seen either, where the layer is applied to each step.
        hidden: usize,
    },
    /// Two expressions, joined.
    Binary(Operator, Box<Expr>, Box<Expr>),
}

impl Expr {
    /// Calls back with each decision that the expression reads, and the number of values it knows of it.
    pub(super) fn visit(&self, decision: &mut impl FnMut(usize, usize)) {
        match self {
            Self::Constant(_) | Self::Incoming { .. } => {}
            Self::Lookup { decision: read, values } => decision(*read, values.len()),
            Self::Binary(_, a, b) => {
                a.visit(decision);
                b.visit(decision);
            }
        }
    }

    /// Whether it reads the input of a layer.
    pub fn reads_input(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Lookup { .. } => false,
            Self::Incoming { .. } => true,
            Self::Binary(_, a, b) => a.reads_input() || b.reads_input(),
        }
    }

    /// The same in a layer that does not see the first axis that this one sees.
    #[must_use]
    pub fn within_steps(self) -> Self {
        match self {
            Self::Incoming { axis, hidden } => Self::Incoming {
                axis,
                hidden: hidden + 1,
            },
            Self::Binary(operator, a, b) => {
                Self::Binary(operator, Box::new(a.within_steps()), Box::new(b.within_steps()))
            }
            Self::Constant(_) | Self::Lookup { .. } => self,
        }
    }

    /// Why a condition that comes to 0 is not met.
    pub(super) fn unmet(&self, state: &State) -> Result<Refusal, Refusal> {
        Ok(match self {
            Self::Binary(Operator::AtMost | Operator::Less | Operator::Equal | Operator::Different, a, b) => {
                Refusal::new("its sides are {} and {}", [a.value(state)?, b.value(state)?])
            }
            _ => Refusal::new("it comes to 0", []),
        })
    }

    /// The value in a state in which all that it reads is known.
    pub(super) fn value(&self, state: &State) -> Result<i64, Refusal> {
        match self {
            Self::Constant(value) => Ok(*value),
            Self::Lookup { decision, values } => Ok(values[state.chosen(*decision) as usize]),
            Self::Incoming { axis, hidden } => {
                let Some(shape) = state.incoming().and_then(|shape| shape.get(*hidden..)) else {
                    return Err(Refusal::new("an expression reads its input where there is none", []));
                };
                let rank = shape.len() as i64;
                let position = if *axis < 0 { axis.saturating_add(rank) } else { *axis };
                if (0..rank).contains(&position) {
                    match shape[position as usize] {
                        UNKNOWN => Err(Refusal::new(
                            "an expression reads axis {} of a tensor, whose side there is unknown",
                            [*axis],
                        )),
                        side => Ok(side),
                    }
                } else {
                    Err(Refusal::new(
                        "an expression reads axis {} of a tensor with {} axes beside the batch",
                        [*axis, rank],
                    ))
                }
            }
            Self::Binary(operator, a, b) => operator.apply(a.value(state)?, b.value(state)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_compute_what_python_does() {
        let apply = |name: &str, a, b| Operator::named(name).unwrap().apply(a, b);
        assert_eq!(apply("floor_divide", -7, 2), Ok(-4));
        assert_eq!(apply("round_to", 35, 8), Ok(32));
        assert_eq!(apply("round_to", 3, 8), Ok(8));
        assert_eq!(apply("round_to", 11, 8), Ok(16));
        assert_eq!(apply("minimum", 3, 8), Ok(3));
        assert_eq!(apply("less", i64::MAX, i64::MAX), Ok(0));
        assert_eq!(apply("different", 3, 8), Ok(1));
        assert_eq!(apply("both", -1, 0), Ok(0));
        assert_eq!(apply("either", -1, 0), Ok(1));
        assert!(apply("floor_divide", 1, 0).is_err());
        assert!(apply("multiply", 1 << 40, 1 << 40).unwrap_err().is_overflow());
        assert_eq!(apply("modulo", -7, 2), Ok(1));
        assert_eq!(apply("power", 3, 4), Ok(81));
        assert_eq!(apply("power", 0, 0), Ok(1));
        assert_eq!(apply("power", -1, i64::MAX), Ok(-1));
        assert!(apply("power", 2, 63).unwrap_err().is_overflow());
        assert!(apply("power", 2, -1).is_err());
        assert!(apply("modulo", 1, 0).is_err());
        assert!(Operator::named("root").is_none());
    }
}
