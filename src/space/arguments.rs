//! The hyperparameters of a layer: checked once, before it is part of a program.

use super::expr::Expr;
use crate::layers::{Kind, MAX_RANK};
use crate::{Error, Result};
use std::sync::Arc;

/// The hyperparameters of a layer that no program has yet. The decisions that they read are *slots*, numbered as they are
/// met; a program fills in where its decisions stand, and looks at no value again.
#[derive(Debug, Clone)]
pub struct Arguments {
    pub(super) kind: Arc<Kind>,
    args: Vec<Expr>,
}

/// A decision of a program that takes a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The decision, by its position.
    pub decision: usize,
    /// The indices of the values that the program keeps; all of them by default.
    pub kept: Option<Vec<usize>>,
}

impl Arguments {
    /// Hyperparameters whose values were found good one by one.
    ///
    /// # Errors
    /// `Argument` if they are too many or too few.
    pub fn new(kind: Kind, args: Vec<Expr>) -> Result<Self> {
        count(&kind, &args)?;
        Ok(Self {
            kind: Arc::new(kind),
            args,
        })
    }

    /// The hyperparameters over the decisions of a program.
    ///
    /// # Errors
    /// `Argument` where a slot, or a value that is kept, is not there.
    pub(super) fn placed(&self, slots: &[Slot]) -> Result<Vec<Expr>> {
        self.args.iter().map(|arg| placed(arg, slots)).collect()
    }
}

/// Refuses hyperparameters that are too many or too few.
pub(super) fn count(kind: &Kind, args: &[Expr]) -> Result<()> {
    let known = kind.owners(args.len()).count();
    if known != args.len() {
        let message = format!("{} numbers given for {known} hyperparameters", args.len());
        return Err(Error::argument(message));
    }
    if kind.name == "Input" && args.len() > MAX_RANK {
        let message = format!("its shape has {} axes; at most {MAX_RANK} are supported", args.len());
        return Err(Error::argument(message));
    }
    Ok(())
}

fn placed(arg: &Expr, slots: &[Slot]) -> Result<Expr> {
    Ok(match arg {
        Expr::Lookup { decision, values } => {
            let slot = slots
                .get(*decision)
                .ok_or_else(|| Error::argument(format!("no decision is given for slot {decision}")))?;
            let kept = |index: &usize| {
                values
                    .get(*index)
                    .copied()
                    .ok_or_else(|| Error::argument(format!("slot {decision} has no value {index}")))
            };
            Expr::Lookup {
                decision: slot.decision,
                values: match &slot.kept {
                    None => Arc::clone(values),
                    Some(indices) => indices.iter().map(kept).collect::<Result<_>>()?,
                },
            }
        }
        Expr::Binary(operator, a, b) => {
            Expr::Binary(*operator, Box::new(placed(a, slots)?), Box::new(placed(b, slots)?))
        }
        Expr::Constant(_) | Expr::Incoming { .. } => arg.clone(),
    })
}
