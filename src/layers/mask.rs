//! Masks that are given to a layer where it is called: tensors that say which positions it looks at.

use super::refusal::Refusal;
use super::shape::Shape;

/// What a mask says, by the name of the argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// For each position of a query which positions of the value it sees (`attention_mask`).
    Attention,
    /// Which positions of a query there are (`query_mask`).
    Query,
    /// Which positions of a value there are (`value_mask`).
    Value,
    /// Which positions of a key there are (`key_mask`).
    Key,
    /// Which steps of a sequence, or which values there are (`mask`).
    Steps,
}

impl Mask {
    /// The mask of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "attention_mask" => Self::Attention,
            "query_mask" => Self::Query,
            "value_mask" => Self::Value,
            "key_mask" => Self::Key,
            "mask" => Self::Steps,
            _ => return None,
        })
    }

    /// Refuses a mask that does not have the shape that the layer takes. An `attention_mask` may leave out the heads, and
    /// have a side of 1 for all of them, of the queries or of the values.
    pub(super) fn check(self, own: &Shape, given: &Shape) -> Result<(), Refusal> {
        let last = given.last().copied().unwrap_or(1);
        let rule = match self {
            Self::Attention => {
                let skipped = own.rank().saturating_sub(given.rank());
                let fits = |(&own, &given): (&i64, &i64)| given == own || given == 1;
                if (2..=own.rank()).contains(&given.rank()) && own[skipped..].iter().zip(given.iter()).all(fits) {
                    return Ok(());
                }
                return Err(Refusal::new(
                    "its attention_mask must have the {} positions of the query and the {} of the value as its last axes, \
                     each of them or 1, and may have the heads before them; it has {} axes beside the batch, the last of {}",
                    [own[1], own[2], given.rank() as i64, last],
                ));
            }
            Self::Query => {
                "its query_mask must have 1 axis beside the batch, of the {} positions of the query; it has {} axes, the \
                 last of {}"
            }
            Self::Value => {
                "its value_mask must have 1 axis beside the batch, of the {} positions of the value; it has {} axes, the \
                 last of {}"
            }
            Self::Key => {
                "its key_mask must have 1 axis beside the batch, of the {} positions of the key; it has {} axes, the last \
                 of {}"
            }
            Self::Steps => {
                "its mask must have 1 axis beside the batch, of the {} steps of its input; it has {} axes, the last of {}"
            }
        };
        if own == given {
            Ok(())
        } else {
            Err(Refusal::new(rule, [own[0], given.rank() as i64, last]))
        }
    }

    /// Refuses a mask that does not say of each step of a sequence whether it is there; only recurrent layers take one.
    pub(super) fn of_steps(self, recurrent: bool, input: &Shape, given: &Shape) -> Result<(), Refusal> {
        match input.rank() {
            _ if !recurrent => Err(Self::none()),
            2 => self.check(&Shape::new(&input[..1]), given),
            rank => Err(Refusal::new(
                "Keras has a mask for steps of features; its steps have {} axes",
                [rank as i64 - 1],
            )),
        }
    }

    /// Refuses a mask that does not stretch to these first axes of an input: each side is that of the axis, or 1.
    pub(super) fn of_values(self, own: &[i64], given: &Shape) -> Result<(), Refusal> {
        if self != Self::Steps {
            return Err(Self::none());
        }
        if own.len() != given.rank() {
            return Err(Refusal::new(
                "its mask must have {} axes beside the batch, not {}; each side must be that of the same axis of its \
                 input, or 1",
                [own.len() as i64, given.rank() as i64],
            ));
        }
        match (0..own.len()).find(|&axis| given[axis] != own[axis] && given[axis] != 1) {
            None => Ok(()),
            Some(axis) => Err(Refusal::new(
                "axis {} of its mask has {} positions; there must be the {} of its input, or 1",
                [axis as i64 + 1, given[axis], own[axis]],
            )),
        }
    }

    /// Why a layer takes no mask.
    pub(super) fn none() -> Refusal {
        Refusal::new("its call takes no such mask", [])
    }
}
