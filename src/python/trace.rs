//! The layers of a network, as Python sees them.

use super::convert::values;
use crate::layers::{Formula, Kind, Shape, UNKNOWN};
use crate::space;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A formula: its text, its value, each of its numbers with its meaning, its text with names, and the value of each name.
type FormulaParts = (String, i64, Vec<(i64, String)>, String, Vec<(String, i64)>);

fn parts(formula: &Formula) -> FormulaParts {
    let numbers = formula.numbers();
    let meanings = numbers.iter().map(|number| (number.value, number.meaning.to_string()));
    let names = numbers.iter().filter_map(|number| Some((number.name()?, number.value)));
    (
        formula.to_string(),
        formula.value(),
        meanings.collect(),
        formula.named(),
        names.collect(),
    )
}

/// The sides of a tensor without the batch axis; `None` for one that is unknown.
type Sides = Vec<Option<i64>>;

fn sides(shape: &Shape) -> Sides {
    shape.iter().map(|&side| (side != UNKNOWN).then_some(side)).collect()
}

/// One layer of a network, as it was applied.
#[pyclass(frozen, get_all, module = "archbudget._core")]
pub(super) struct LayerTrace {
    /// The position of the layer.
    layer: usize,
    /// The values of its parameters: a number, flag, word or `None`, or a list of them.
    args: Py<PyDict>,
    /// The bits of one of its weights.
    bits: i64,
    /// The indices of the decisions that only custom metrics look at.
    notes: Vec<u32>,
    /// The tensors it read.
    inputs: Vec<usize>,
    /// Their shapes, without the batch axis.
    input_shapes: Vec<Sides>,
    /// The tensor it wrote.
    output: usize,
    /// Its shape, without the batch axis.
    output_shape: Sides,
    /// The tensors it wrote beside that, with their shapes.
    extra: Vec<(usize, Sides)>,
    /// Its own value of each metric.
    cost: Vec<i64>,
    /// Whether an earlier use counted its weights.
    reused: bool,
    /// Whether an earlier use counted those of a layer inside.
    reused_inside: bool,
    /// Its trainable weights.
    trainable: FormulaParts,
    /// Its other weights.
    non_trainable: FormulaParts,
    /// Its multiply-accumulates, where they are known.
    macs: Option<FormulaParts>,
    /// The sides of its output; a number stands in the place of each side of an input that is unknown.
    sides: Vec<FormulaParts>,
}

impl LayerTrace {
    pub(super) fn of(py: Python<'_>, kind: &Kind, trace: &space::LayerTrace) -> PyResult<Self> {
        Ok(Self {
            layer: trace.layer,
            args: values(py, kind, &trace.args)?,
            bits: trace.bits,
            notes: trace.notes.clone(),
            inputs: trace.inputs.iter().map(|tensor| tensor.0).collect(),
            input_shapes: trace.input_shapes.iter().map(sides).collect(),
            output: trace.output.0,
            output_shape: sides(&trace.output_shape),
            extra: trace
                .extra
                .iter()
                .map(|(tensor, shape)| (tensor.0, sides(shape)))
                .collect(),
            cost: trace.cost.clone(),
            reused: trace.reused,
            reused_inside: trace.reused_inside,
            trainable: parts(&trace.trainable),
            non_trainable: parts(&trace.non_trainable),
            macs: trace.macs.as_ref().map(parts),
            sides: trace.sides.iter().map(parts).collect(),
        })
    }
}

/// A complete network.
#[pyclass(frozen, get_all, module = "archbudget._core")]
pub(super) struct Trace {
    /// The value of each metric.
    pub(super) cost: Vec<i64>,
    /// For each decision whether the network depends on it.
    pub(super) active: Vec<bool>,
    /// Its layers, in order.
    pub(super) layers: Vec<Py<LayerTrace>>,
    /// Pairs of a tensor and its second name.
    pub(super) aliases: Vec<(usize, usize)>,
}
