//! The steps of a program.

use super::expr::Expr;
use super::guard::{Guard, Tensor};
use super::shapes::ShapeTable;

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Applies a layer.
    Layer {
        /// The layer, by its position.
        layer: usize,
        /// The tensors it reads.
        inputs: Vec<Tensor>,
        /// The tensor it writes.
        output: Tensor,
        /// The tensors it writes beside that: as many as are asked for of what it can give.
        extra: Vec<Tensor>,
    },
    /// Gives a tensor a second name, where branches meet.
    Alias {
        /// The tensor.
        from: Tensor,
        /// Its second name.
        to: Tensor,
    },
    /// Refuses the candidate where the expression is 0.
    Require {
        /// The condition.
        condition: Expr,
        /// The tensor whose sides it may read.
        input: Option<Tensor>,
        /// What was required, for the error message.
        text: String,
        /// Whether it asks for the decisions that it reads; if not, it holds where one of them is not taken yet.
        asks: bool,
    },
    /// Reads a decision that touches neither shape nor cost (an activation, a rate), so that it is decided.
    Read {
        /// The decision.
        decision: usize,
    },
    /// Notes a tensor of a known shape that waits beside later layers, and is not there by itself; only a scheduler writes
    /// it. It is passed over where a decision of the shape is open, and where the tensor is noted already.
    Wait {
        /// The tensor that stands for it.
        output: Tensor,
    },
    /// Ends the network: these tensors are its outputs, which stay to the end.
    Return {
        /// The outputs.
        outputs: Vec<Tensor>,
    },
}

/// A step of a program: what it does, and when.
#[derive(Debug, Clone)]
pub struct Step {
    /// When it is taken.
    pub guard: Guard,
    /// What it does.
    pub action: Action,
    /// The decisions that its action reads; the smallest is asked first, which keeps the diagram narrow.
    pub(super) reads: Vec<usize>,
    /// The condition that it requires, by its position, where that is evaluated part by part.
    pub(super) condition: Option<usize>,
    /// Where shapes are known ahead of it: those of its inputs, or of what waits.
    pub(super) known: Option<Vec<ShapeTable>>,
}

impl Step {
    /// The decisions whose values it reads: none where it needs only what they leave of a condition.
    pub(super) fn reads_values(&self) -> &[usize] {
        if self.condition.is_some() { &[] } else { &self.reads }
    }
}

impl Action {
    /// The tensors that it writes.
    pub(super) fn writes(&self) -> impl Iterator<Item = Tensor> + '_ {
        let (first, extra): (_, &[Tensor]) = match self {
            Self::Layer { output, extra, .. } => (Some(*output), extra),
            Self::Alias { to: output, .. } | Self::Wait { output, .. } => (Some(*output), &[]),
            Self::Require { .. } | Self::Read { .. } | Self::Return { .. } => (None, &[]),
        };
        first.into_iter().chain(extra.iter().copied())
    }
}
