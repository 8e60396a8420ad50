//! A network layer by layer: what a run shows of it.

use super::guard::Tensor;
use crate::layers::{Formula, Shape};

/// One layer of a network, as it was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerTrace {
    /// The layer, by its position.
    pub layer: usize,
    /// The values of its hyperparameters, flattened.
    pub args: Vec<i64>,
    /// The bits of one of its weights.
    pub bits: i64,
    /// The indices of the decisions that only custom metrics look at.
    pub notes: Vec<u32>,
    /// The tensors that it read.
    pub inputs: Vec<Tensor>,
    /// Their shapes.
    pub input_shapes: Vec<Shape>,
    /// The tensor that it wrote.
    pub output: Tensor,
    /// Its shape.
    pub output_shape: Shape,
    /// The tensors that it wrote beside that, with their shapes.
    pub extra: Vec<(Tensor, Shape)>,
    /// Its own value of each metric.
    pub cost: Vec<i64>,
    /// Whether its weights were counted by an earlier use.
    pub reused: bool,
    /// Whether those of a layer inside were.
    pub reused_inside: bool,
    /// Its trainable weights as a formula.
    pub trainable: Formula,
    /// Its other weights as a formula.
    pub non_trainable: Formula,
    /// Its multiply-accumulates as a formula, where they are known.
    pub macs: Option<Formula>,
    /// The sides of its output as formulas.
    pub sides: Vec<Formula>,
}

/// A complete network.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The value of each metric.
    pub cost: Vec<i64>,
    /// For each decision, whether the network depends on it.
    pub active: Vec<bool>,
    /// The layers in the order in which they are applied.
    pub layers: Vec<LayerTrace>,
    /// Pairs of a tensor and its second name, in order.
    pub aliases: Vec<(Tensor, Tensor)>,
}

/// What a run shows of each layer that it applies.
#[derive(Clone, Copy)]
pub(crate) struct Applied<'a> {
    pub(crate) layer: usize,
    pub(crate) args: &'a [i64],
    /// The same, with marks at the layers inside whose weights are counted elsewhere.
    pub(crate) counted: &'a [i64],
    pub(crate) bits: i64,
    pub(crate) trainable: bool,
    pub(crate) inputs: &'a [Tensor],
    pub(crate) input_shapes: &'a [Shape],
    pub(crate) output: Tensor,
    pub(crate) output_shape: Shape,
    pub(crate) extra: &'a [(Tensor, Shape)],
    pub(crate) cost: &'a [i64],
    pub(crate) reused: bool,
}
