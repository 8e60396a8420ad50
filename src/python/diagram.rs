//! A compiled space, as Python sees it.

use super::arrays::Borrowed;
use super::convert::values;
use super::raise::{detached, raise};
use crate::diagram::{self, Column, Evaluator, LayerTable, Workers, default_threads};
use crate::feasible::{self, Count, End, Taken};
use crate::layers::{Formula, Kind};
use crate::space::{self, Program};
use num_bigint::BigUint;
use numpy::{PyArray2, PyArrayMethods, PyReadwriteArray1, PyReadwriteArray2, PyReadwriteArray3};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::{Arc, OnceLock};

/// The decision diagram of a space. Frozen; its methods release the GIL.
#[pyclass(frozen, module = "archbudget._core")]
pub(super) struct Diagram {
    diagram: Arc<diagram::Diagram>,
    evaluator: OnceLock<Evaluator>,
}

/// A formula: its text, its value, and each of its numbers with its meaning.
type FormulaParts = (String, i64, Vec<(i64, String)>);

fn parts(formula: &Formula) -> FormulaParts {
    let numbers = formula.numbers().into_iter();
    let numbers = numbers.map(|(number, meaning)| (number, meaning.to_owned()));
    (formula.to_string(), formula.value(), numbers.collect())
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
    input_shapes: Vec<Vec<i64>>,
    /// The tensor it wrote.
    output: usize,
    /// Its shape, without the batch axis.
    output_shape: Vec<i64>,
    /// The tensors it wrote beside that, with their shapes.
    extra: Vec<(usize, Vec<i64>)>,
    /// Its own value of each metric.
    cost: Vec<i64>,
    /// Whether an earlier use counted its weights.
    reused: bool,
    /// Its trainable weights.
    trainable: FormulaParts,
    /// Its other weights.
    non_trainable: FormulaParts,
    /// Its multiply-accumulates.
    macs: FormulaParts,
}

impl LayerTrace {
    pub(super) fn of(py: Python<'_>, kind: &Kind, trace: &space::LayerTrace) -> PyResult<Self> {
        Ok(Self {
            layer: trace.layer,
            args: values(py, kind, &trace.args)?,
            bits: trace.bits,
            notes: trace.notes.clone(),
            inputs: trace.inputs.iter().map(|tensor| tensor.0).collect(),
            input_shapes: trace.input_shapes.iter().map(|shape| shape.to_vec()).collect(),
            output: trace.output.0,
            output_shape: trace.output_shape.to_vec(),
            extra: trace
                .extra
                .iter()
                .map(|(tensor, shape)| (tensor.0, shape.to_vec()))
                .collect(),
            cost: trace.cost.clone(),
            reused: trace.reused,
            trainable: parts(&trace.trainable),
            non_trainable: parts(&trace.non_trainable),
            macs: parts(&trace.macs),
        })
    }
}

/// A complete network.
#[pyclass(frozen, get_all, module = "archbudget._core")]
pub(super) struct Trace {
    /// The value of each metric.
    cost: Vec<i64>,
    /// For each decision whether the network depends on it.
    active: Vec<bool>,
    /// Its layers, in order.
    layers: Vec<Py<LayerTrace>>,
    /// Pairs of a tensor and its second name.
    aliases: Vec<(usize, usize)>,
}

/// A candidate whose decisions are taken one by one.
#[pyclass(module = "archbudget._core")]
pub(super) struct Walk {
    diagram: Arc<diagram::Diagram>,
    walk: diagram::Walk,
}

#[pymethods]
impl Walk {
    /// The position of the decision that is asked for; `None` when the network is complete.
    #[getter]
    fn open(&self) -> Option<usize> {
        self.walk.open()
    }

    /// Takes the open decision, by the index of its value.
    fn choose(&mut self, py: Python<'_>, index: u32) -> PyResult<()> {
        let chosen = self.walk.choose(self.diagram.running(), index);
        chosen.map_err(|error| raise(py, error))
    }
}

/// The candidates that keep some bounds.
#[pyclass(frozen, module = "archbudget._core")]
pub(super) struct Feasible {
    feasible: feasible::Feasible,
}

/// Runs a method that draws into a 2-D array of any index type: `$work` gets the number of rows and the columns.
macro_rules! into_columns {
    ($py:expr, $columns:expr, |$n:ident, $slice:ident| $work:expr) => {{
        macro_rules! of {
            ($kind:ty) => {
                if let Ok(array) = $columns.cast::<PyArray2<$kind>>() {
                    let mut columns = array.try_readwrite()?;
                    let $n = array.dims()[1];
                    let $slice = columns.as_slice_mut()?;
                    return $work;
                }
            };
        }
        of!(u8);
        of!(u16);
        of!(u32);
        Err(raise(
            $py,
            crate::Error::argument("the columns must be a 2-D array of uint8, uint16 or uint32"),
        ))
    }};
}

#[pymethods]
impl Feasible {
    /// The number of candidates that fit, and nothing; or the least and the most that it may be.
    fn count(&self, py: Python<'_>) -> PyResult<(BigUint, Option<BigUint>)> {
        let count = detached(py, |interrupt| self.feasible.count(interrupt))?;
        Ok(match count {
            Count::Exact(count) => (count, None),
            Count::Between { lower, upper } => (lower, Some(upper)),
        })
    }

    /// Whether the number is known exactly, and candidates have ranks.
    fn is_exact(&self, py: Python<'_>) -> PyResult<bool> {
        detached(py, |interrupt| self.feasible.is_exact(interrupt))
    }

    /// Those of them in which some decisions have a fixed value: an index for each decision, or `None`.
    fn fix(&self, py: Python<'_>, fixed: Vec<Option<u32>>) -> PyResult<Self> {
        let feasible = self.feasible.fix(fixed).map_err(|error| raise(py, error))?;
        Ok(Self { feasible })
    }

    /// Whether no candidate fits.
    fn is_empty(&self, py: Python<'_>) -> PyResult<bool> {
        detached(py, |interrupt| self.feasible.is_empty(interrupt))
    }

    /// The decision after a prefix of indices, and for each of its values whether a completion fits; `None` when the
    /// candidate is complete.
    fn allowed(&self, py: Python<'_>, prefix: Vec<u32>) -> PyResult<Option<(usize, Vec<bool>)>> {
        detached(py, |interrupt| {
            self.feasible.allowed(Taken::InOrder(&prefix), interrupt)
        })
    }

    /// The same after choices by decision, `None` where one is not taken; up to the decision to stop at.
    fn allowed_after(
        &self,
        py: Python<'_>,
        choices: Vec<Option<u32>>,
        stop: Option<usize>,
    ) -> PyResult<Option<(usize, Vec<bool>)>> {
        let taken = Taken::ByDecision(&choices, stop);
        detached(py, |interrupt| self.feasible.allowed(taken, interrupt))
    }

    /// The decision after a prefix of indices, and for each of its values the share of the completions that take it.
    fn shares(&self, py: Python<'_>, prefix: Vec<u32>) -> PyResult<Option<(usize, Vec<f64>)>> {
        detached(py, |interrupt| self.feasible.shares(Taken::InOrder(&prefix), interrupt))
    }

    /// Draws candidates uniformly into a contiguous (decisions, n) array of 8, 16 or 32 bits.
    #[pyo3(signature = (columns, seed, *, threads=None))]
    fn sample(&self, py: Python<'_>, columns: &Bound<'_, PyAny>, seed: u64, threads: Option<usize>) -> PyResult<()> {
        let threads = threads.unwrap_or_else(default_threads);
        into_columns!(py, columns, |n, slice| detached(py, |interrupt| {
            self.feasible.sample(seed, n, slice, Workers { threads, interrupt })
        }))
    }

    /// How many candidates were drawn so far, and how many of them fitted.
    fn drawn(&self) -> (u64, u64) {
        self.feasible.drawn()
    }

    /// Writes the candidates from a rank on into a contiguous (decisions, n) array of 8, 16 or 32 bits.
    #[pyo3(signature = (columns, start, *, threads=None))]
    fn members(
        &self,
        py: Python<'_>,
        columns: &Bound<'_, PyAny>,
        start: BigUint,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let threads = threads.unwrap_or_else(default_threads);
        into_columns!(py, columns, |n, slice| detached(py, |interrupt| {
            self.feasible.members(&start, n, slice, Workers { threads, interrupt })
        }))
    }

    /// The rank of a candidate, by the index of the value of each decision; `None` where it does not fit.
    fn rank(&self, py: Python<'_>, choices: Vec<u32>) -> PyResult<Option<BigUint>> {
        detached(py, |interrupt| self.feasible.rank(&choices, interrupt))
    }

    /// For each decision and value how many candidates take it; how many there are; and whether all of these fit.
    fn marginals(&self, py: Python<'_>) -> PyResult<(Vec<Vec<BigUint>>, BigUint, bool)> {
        let marginals = detached(py, |interrupt| self.feasible.marginals(interrupt))?;
        Ok((marginals.counts.clone(), marginals.total.clone(), marginals.exact))
    }

    /// For each decision and value whether some candidate takes it.
    fn occurring(&self, py: Python<'_>) -> PyResult<Vec<Vec<bool>>> {
        detached(py, |interrupt| self.feasible.occurring(interrupt))
    }

    /// The candidate with the largest or the smallest value of a metric, by indices; `None` where nothing fits.
    fn extreme(&self, py: Python<'_>, metric: &str, largest: bool) -> PyResult<Option<Vec<u32>>> {
        let program = self.feasible.diagram().program();
        let metric = program.metric(metric).map_err(|error| raise(py, error))?;
        let end = if largest { End::Largest } else { End::Smallest };
        detached(py, |interrupt| self.feasible.extreme(metric, end, interrupt))
    }
}

impl Diagram {
    pub(super) fn new(diagram: diagram::Diagram) -> Self {
        Self {
            diagram: Arc::new(diagram),
            evaluator: OnceLock::new(),
        }
    }

    fn evaluator(&self) -> crate::Result<&Evaluator> {
        if let Some(evaluator) = self.evaluator.get() {
            return Ok(evaluator);
        }
        let evaluator = Evaluator::new(&self.diagram)?;
        Ok(self.evaluator.get_or_init(|| evaluator))
    }
}

fn metric_positions(py: Python<'_>, program: &Program, metrics: &[String]) -> PyResult<Vec<usize>> {
    metrics
        .iter()
        .map(|metric| program.metric(metric).map_err(|error| raise(py, error)))
        .collect()
}

fn borrow<'py>(columns: &[Bound<'py, PyAny>]) -> crate::Result<Vec<Borrowed<'py>>> {
    columns.iter().map(Borrowed::of).collect()
}

fn read<'a>(borrowed: &'a [Borrowed<'_>]) -> crate::Result<Vec<Column<'a>>> {
    borrowed.iter().map(Borrowed::column).collect()
}

#[pymethods]
impl Diagram {
    /// The number of distinct networks that can be built.
    fn size(&self, py: Python<'_>) -> PyResult<BigUint> {
        detached(py, |interrupt| self.diagram.size(interrupt))
    }

    /// The smallest and the largest value of a metric.
    fn range(&self, py: Python<'_>, metric: &str) -> PyResult<(i64, i64)> {
        let metric = self
            .diagram
            .program()
            .metric(metric)
            .map_err(|error| raise(py, error))?;
        detached(py, |interrupt| self.diagram.range(metric, interrupt))
    }

    /// How many networks have each value of a metric: the values, the numbers, and by how much a value may be too
    /// small.
    fn distribution(&self, py: Python<'_>, metric: &str, memory: usize) -> PyResult<(Vec<i64>, Vec<BigUint>, i64)> {
        let metric = self
            .diagram
            .program()
            .metric(metric)
            .map_err(|error| raise(py, error))?;
        let found = detached(py, |interrupt| self.diagram.distribution(metric, memory, interrupt))?;
        Ok((found.values, found.counts, found.error))
    }

    /// For each stage its decision, its number of nodes, its number of arcs, and whether its arcs are stored.
    fn stages(&self) -> Vec<(usize, usize, usize, bool)> {
        let stages = self.diagram.stages().enumerate();
        stages
            .map(|(stage, (decision, nodes, arcs))| (decision, nodes, arcs, !self.diagram.is_implicit(stage)))
            .collect()
    }

    /// The bytes that its nodes and arcs take.
    fn memory(&self) -> usize {
        self.diagram.memory()
    }

    /// How much was visited to compile it: steps, tensors and decisions.
    fn work(&self) -> u64 {
        self.diagram.work()
    }

    /// All arcs, at most this many: the node that each leaves, the one that it leads to (the terminal has the next
    /// number after the last node; `None` where it is dead), the index of the value, and one cost for each metric.
    fn arcs(&self, py: Python<'_>, most: usize) -> PyResult<Vec<diagram::ListedArc>> {
        detached(py, |_| self.diagram.arcs(most))
    }

    /// The groups of stages that are looked up at once: for each its decisions and the entries of its table.
    fn groups(&self, py: Python<'_>) -> PyResult<Vec<(usize, usize)>> {
        let evaluator = self.evaluator().map_err(|error| raise(py, error))?;
        Ok(evaluator.groups().collect())
    }

    /// One network, by the index of the value of each decision.
    fn trace(&self, py: Python<'_>, choices: Vec<u32>) -> PyResult<Trace> {
        let space::Trace {
            cost,
            active,
            layers,
            aliases,
        } = self.diagram.trace(&choices).map_err(|error| raise(py, error))?;
        let layers = layers.iter().map(|trace| {
            let kind = &self.diagram.program().layers()[trace.layer].kind;
            Py::new(py, LayerTrace::of(py, kind, trace)?)
        });
        Ok(Trace {
            cost,
            active,
            layers: layers.collect::<PyResult<_>>()?,
            aliases: aliases.into_iter().map(|(from, to)| (from.0, to.0)).collect(),
        })
    }

    /// The value of each metric for one candidate, or `None` if it is invalid; inactive decisions may be `None`.
    fn cost(&self, py: Python<'_>, choices: Vec<Option<u32>>) -> PyResult<Option<Vec<i64>>> {
        self.diagram.cost(&choices).map_err(|error| raise(py, error))
    }

    /// A candidate without any decision taken.
    fn walk(&self, py: Python<'_>) -> PyResult<Walk> {
        let walk = diagram::Walk::new(self.diagram.running()).map_err(|error| raise(py, error))?;
        Ok(Walk {
            diagram: Arc::clone(&self.diagram),
            walk,
        })
    }

    /// The candidates that keep bounds: triples of a metric, the least and the most it may be.
    #[pyo3(signature = (bounds, memory))]
    fn within(&self, py: Python<'_>, bounds: Vec<(String, i64, i64)>, memory: usize) -> PyResult<Feasible> {
        let bounds = bounds.iter().map(|(metric, low, high)| {
            self.diagram.program().metric(metric).map(|metric| feasible::Bound {
                metric,
                low: *low,
                high: *high,
            })
        });
        let bounds = bounds.collect::<crate::Result<_>>().map_err(|error| raise(py, error))?;
        let diagram = Arc::clone(&self.diagram);
        let feasible = feasible::Feasible::new(diagram, bounds, memory).map_err(|error| raise(py, error))?;
        Ok(Feasible { feasible })
    }

    /// Draws candidates uniformly into a contiguous (decisions, n) array of 8, 16 or 32 bits.
    #[pyo3(signature = (columns, seed, *, threads=None))]
    fn sample(&self, py: Python<'_>, columns: &Bound<'_, PyAny>, seed: u64, threads: Option<usize>) -> PyResult<()> {
        let threads = threads.unwrap_or_else(default_threads);
        into_columns!(py, columns, |n, slice| detached(py, |interrupt| {
            self.diagram.sample(seed, n, slice, Workers { threads, interrupt })
        }))
    }

    /// Counts candidates, given a column for each decision, into contiguous arrays; see `archbudget.Space.evaluate`.
    #[pyo3(signature = (columns, metrics, totals, valid, *, threads=None))]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<Bound<'py, PyAny>>,
        metrics: Vec<String>,
        totals: Vec<PyReadwriteArray1<'py, i64>>,
        mut valid: PyReadwriteArray1<'py, bool>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let metrics = metric_positions(py, self.diagram.program(), &metrics)?;
        let borrowed = borrow(&columns).map_err(|error| raise(py, error))?;
        let columns = read(&borrowed).map_err(|error| raise(py, error))?;
        let mut totals = totals;
        let mut outputs = Vec::new();
        for array in &mut totals {
            outputs.push(array.as_slice_mut()?);
        }
        let valid = valid.as_slice_mut()?;
        let threads = threads.unwrap_or_else(default_threads);
        detached(py, |interrupt| {
            let workers = Workers { threads, interrupt };
            let evaluator = self.evaluator()?;
            evaluator.evaluate(&self.diagram, &columns, &metrics, &mut outputs, valid, workers)
        })
    }

    /// Counts each layer of candidates, given a column for each decision, into contiguous arrays; see
    /// `archbudget.Space.evaluate`.
    #[pyo3(signature = (columns, metrics, totals, shapes, *, threads=None))]
    fn evaluate_layers<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<Bound<'py, PyAny>>,
        metrics: Vec<String>,
        totals: Vec<PyReadwriteArray2<'py, i64>>,
        mut shapes: PyReadwriteArray3<'py, i64>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let metrics = metric_positions(py, self.diagram.program(), &metrics)?;
        let borrowed = borrow(&columns).map_err(|error| raise(py, error))?;
        let columns = read(&borrowed).map_err(|error| raise(py, error))?;
        let mut totals = totals;
        let mut costs = Vec::new();
        for array in &mut totals {
            costs.push(array.as_slice_mut()?);
        }
        let table = LayerTable {
            costs,
            shapes: shapes.as_slice_mut()?,
        };
        let threads = threads.unwrap_or_else(default_threads);
        detached(py, |interrupt| {
            let workers = Workers { threads, interrupt };
            Evaluator::evaluate_layers(&self.diagram, &columns, &metrics, table, workers)
        })
    }
}
