//! Building a program from Python.

use super::convert::{layer, number};
use super::outside::{PyMeasure, PyRule};
use super::raise::{detached, raise};
use crate::Error;
use crate::diagram::{self, Limits};
use crate::layers::{Kind, Mask};
use crate::space::{self, Atom, Combine, Member, Metric, Settings, Slot, Tensor, Values};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// A guard: pairs of a decision and the ranges of the indices of its values with which the condition holds.
type Guard = Vec<(usize, Vec<(usize, usize)>)>;

/// A program that is being written; `compile` turns it into a `Diagram`.
#[pyclass(module = "archbudget._core")]
pub(super) struct Program {
    program: space::Program,
}

impl Program {
    fn guard(&self, guard: Guard) -> crate::Result<space::Guard> {
        let atom = |(decision, ranges): (usize, Vec<(usize, usize)>)| {
            let size = self
                .program
                .decisions()
                .get(decision)
                .map_or(0, |decision| decision.size);
            let allowed = Values::new(size, ranges.into_iter().map(|(start, end)| start..end))?;
            Ok(Atom { decision, allowed })
        };
        guard.into_iter().map(atom).collect()
    }
}

#[pymethods]
impl Program {
    /// `metrics` are the custom ones, by name, and whether the largest value counts rather than the sum; `measure`
    /// gives a value for each of them, for a `LayerTrace`.
    #[new]
    #[pyo3(signature = (*, bytes_per_weight, bytes_per_activation, in_place, metrics=vec![], measure=None))]
    fn new(
        py: Python<'_>,
        bytes_per_weight: i64,
        bytes_per_activation: i64,
        in_place: bool,
        metrics: Vec<(String, bool)>,
        measure: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        for (name, bytes) in [
            ("bytes_per_weight", bytes_per_weight),
            ("bytes_per_activation", bytes_per_activation),
        ] {
            if bytes < 1 {
                return Err(raise(
                    py,
                    Error::argument(format!("{name} must be at least 1, not {bytes}")),
                ));
            }
        }
        let settings = Settings {
            bytes_per_weight,
            bytes_per_activation,
            in_place,
        };
        let mut program = space::Program::new(settings);
        if let Some(measure) = measure {
            let combine = |max| if max { Combine::Max } else { Combine::Sum };
            let metrics = metrics.into_iter().map(|(name, max)| Metric::new(name, combine(max)));
            let measured = program.measure(metrics.collect(), Arc::new(PyMeasure::new(measure)));
            measured.map_err(|error| raise(py, error))?;
        }
        Ok(Self { program })
    }

    /// Adds a decision with this many values and returns its position.
    fn decision(&mut self, py: Python<'_>, name: &str, size: usize) -> PyResult<usize> {
        self.program.decision(name, size).map_err(|error| raise(py, error))
    }

    /// Adds a layer and returns its position. `positions` are those of the decisions that it reads, in the order of their
    /// slots, and `kept` for each the indices of its values that are left, or `None` for all.
    fn layer(
        &mut self,
        py: Python<'_>,
        name: &str,
        arguments: &Arguments,
        trainable: bool,
        positions: Vec<usize>,
        kept: Vec<Option<Vec<usize>>>,
    ) -> PyResult<usize> {
        let slots: Vec<_> = positions
            .into_iter()
            .zip(kept)
            .map(|(decision, kept)| Slot { decision, kept })
            .collect();
        let placed = self.program.add(name, &arguments.arguments, &slots, trainable);
        placed.map_err(|error| raise(py, error))
    }

    /// Adds a layer by a custom function, which takes the integers that `args` come to and the shapes of the inputs,
    /// and returns the output shape, trainable and other weights, multiply-accumulates and, if they are stated, the
    /// shapes of the weights; or why it refuses.
    #[pyo3(signature = (name, kind, args, trainable, *, function, least, most, in_place))]
    #[allow(clippy::too_many_arguments)] // They are keywords in Python.
    fn outside_layer(
        &mut self,
        py: Python<'_>,
        name: &str,
        kind: String,
        args: Vec<Bound<'_, PyAny>>,
        trainable: bool,
        function: Py<PyAny>,
        least: usize,
        most: Option<usize>,
        in_place: bool,
    ) -> PyResult<usize> {
        let most = most.unwrap_or(usize::MAX);
        let kind = Kind::outside(kind, (least, most), in_place, Arc::new(PyRule::new(function)));
        let mut add = || {
            let args = args.iter().map(number).collect::<crate::Result<_>>()?;
            self.program.layer(name, &kind, args, trainable)
        };
        add().map_err(|error| raise(py, error))
    }

    /// Says of a layer how many bits its weights take, whether they are trained where decisions say so, and which
    /// decisions only custom metrics look at.
    #[pyo3(signature = (layer, bits, trainable, notes))]
    fn annotate(
        &mut self,
        py: Python<'_>,
        layer: usize,
        bits: Option<&Bound<'_, PyAny>>,
        trainable: Option<&Bound<'_, PyAny>>,
        notes: Vec<usize>,
    ) -> PyResult<()> {
        let annotate = || {
            let (bits, trainable) = (bits.map(number).transpose()?, trainable.map(number).transpose()?);
            self.program.annotate(layer, bits, trainable, notes)
        };
        annotate().map_err(|error| raise(py, error))
    }

    /// Says of a layer, or one inside, that its weights are those of another one; each is the position of the layer, and
    /// the number of the one inside, from 1 on, or 0.
    fn share(&mut self, py: Python<'_>, one: (usize, usize), other: (usize, usize)) -> PyResult<()> {
        let place = |(layer, inside)| Member { layer, inside };
        let shared = self.program.share(place(one), place(other));
        shared.map_err(|error| raise(py, error))
    }

    /// Says of a layer inside how many bits its weights take.
    fn annotate_inside(&mut self, py: Python<'_>, place: (usize, usize), bits: &Bound<'_, PyAny>) -> PyResult<()> {
        let (layer, inside) = place;
        let annotated = number(bits).and_then(|bits| self.program.annotate_inside(Member { layer, inside }, bits));
        annotated.map_err(|error| raise(py, error))
    }

    /// Says of a layer which masks its calls give behind its inputs, by their names.
    fn mask(&mut self, py: Python<'_>, layer: usize, masks: Vec<String>) -> PyResult<()> {
        let named =
            |name: &String| Mask::named(name).ok_or_else(|| Error::argument(format!("there is no mask '{name}'")));
        let masks = masks.iter().map(named).collect::<crate::Result<_>>();
        masks
            .and_then(|masks| self.program.mask(layer, masks))
            .map_err(|error| raise(py, error))
    }

    /// Applies a layer to tensors and returns the tensors that it writes: its output first, and this many in all.
    #[pyo3(signature = (guard, layer, inputs, outputs))]
    fn apply(
        &mut self,
        py: Python<'_>,
        guard: Guard,
        layer: usize,
        inputs: Vec<usize>,
        outputs: usize,
    ) -> PyResult<Vec<usize>> {
        let inputs = inputs.into_iter().map(Tensor).collect();
        let guard = self.guard(guard).map_err(|error| raise(py, error))?;
        let written = self.program.apply_for(guard, layer, inputs, outputs);
        let written = written.map_err(|error| raise(py, error))?;
        Ok(written.into_iter().map(|tensor| tensor.0).collect())
    }

    /// A tensor for `alias` to write.
    fn tensor(&mut self) -> usize {
        self.program.tensor().0
    }

    /// Gives a tensor a second name.
    #[pyo3(signature = (guard, source, target))]
    fn alias(&mut self, py: Python<'_>, guard: Guard, source: usize, target: usize) -> PyResult<()> {
        let alias = self
            .guard(guard)
            .and_then(|guard| self.program.alias(guard, Tensor(source), Tensor(target)));
        alias.map_err(|error| raise(py, error))
    }

    /// Refuses candidates for which the condition is 0; if it does not ask, only where all that it reads is taken. It
    /// may read the sides of a tensor.
    #[pyo3(signature = (guard, condition, source, text, *, asks))]
    fn require(
        &mut self,
        py: Python<'_>,
        guard: Guard,
        condition: &Bound<'_, PyAny>,
        source: Option<usize>,
        text: &str,
        asks: bool,
    ) -> PyResult<()> {
        let given = self.guard(guard).and_then(|guard| Ok((guard, number(condition)?)));
        let source = source.map(Tensor);
        let added = given.and_then(|(guard, condition)| self.program.require(guard, condition, source, text, asks));
        added.map_err(|error| raise(py, error))
    }

    /// Reads a decision that touches neither shape nor cost.
    #[pyo3(signature = (guard, decision))]
    fn read(&mut self, py: Python<'_>, guard: Guard, decision: usize) -> PyResult<()> {
        let read = self.guard(guard).and_then(|guard| self.program.read(guard, decision));
        read.map_err(|error| raise(py, error))
    }

    /// Ends the network with its outputs, which stay alive until then.
    fn returns(&mut self, py: Python<'_>, outputs: Vec<usize>) -> PyResult<()> {
        let returned = self.program.returns(outputs.into_iter().map(Tensor).collect());
        returned.map_err(|error| raise(py, error))
    }

    /// Compiles the program. The limits are numbers of arcs, arcs and nodes of one stage, bytes of all of them, and
    /// what is visited: in all, and before peaks are left to a diagram of their own.
    #[pyo3(signature = (*, stored=None, visited=None, nodes=None, memory=None, work=None, little=None))]
    #[allow(clippy::too_many_arguments)] // Each is a keyword.
    fn compile(
        &self,
        py: Python<'_>,
        stored: Option<usize>,
        visited: Option<usize>,
        nodes: Option<usize>,
        memory: Option<usize>,
        work: Option<u64>,
        little: Option<u64>,
    ) -> PyResult<super::diagram::Diagram> {
        let program = self.program.clone();
        let default = Limits::default();
        let limits = Limits {
            stored: stored.unwrap_or(default.stored),
            visited: visited.unwrap_or(default.visited),
            nodes: nodes.unwrap_or(default.nodes),
            memory: memory.unwrap_or(default.memory),
            work: work.unwrap_or(default.work),
            little: little.unwrap_or(default.little),
        };
        let diagrams = detached(py, |interrupt| diagram::Diagrams::compile(program, limits, interrupt))?;
        Ok(super::diagram::Diagram::new(diagrams))
    }
}

/// The hyperparameters of a layer as the engine takes them: lowered and checked once, whatever its input; decisions by
/// each of their values, at the slot that stands for their position.
#[pyclass(frozen, module = "archbudget._core")]
pub(super) struct Arguments {
    arguments: space::Arguments,
}

#[pymethods]
impl Arguments {
    #[new]
    fn new(py: Python<'_>, kind: &str, args: &Bound<'_, PyDict>) -> PyResult<Self> {
        let made = layer(kind, args).and_then(|(kind, args)| space::Arguments::new(kind, args));
        let placed = |error: Error| raise(py, Error::new(error.kind, format!("{kind}: {}", error.message)));
        made.map(|arguments| Self { arguments }).map_err(placed)
    }
}
