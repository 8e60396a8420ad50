//! A compiled space, as Python sees it.

use super::arrays::{Borrowed, Totals, into_columns};
use super::feasible::Feasible;
use super::raise::{detached, raise};
use super::trace::{LayerTrace, Trace};
use crate::diagram::{self, Column, Evaluator, LayerTable, Outputs, Range, Workers, default_threads};
use crate::feasible;
use crate::space::{self, Program};
use num_bigint::BigUint;
use numpy::{PyArrayMethods, PyReadonlyArray1, PyReadwriteArray1, PyReadwriteArray2, PyReadwriteArray3};
use pyo3::prelude::*;
use std::sync::Arc;

/// A decision without a value, which decisions were read, and the value of each metric.
type Taken = (Option<usize>, Vec<bool>, Option<Vec<i64>>);

/// The decision diagrams of a space: mostly one, otherwise one without peaks and one with them, which is compiled when
/// it is asked for. Frozen; its methods release the GIL.
#[pyclass(frozen, module = "archbudget._core")]
pub(super) struct Diagram {
    diagrams: diagram::Diagrams,
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

impl Diagram {
    pub(super) fn new(diagrams: diagram::Diagrams) -> Self {
        Self { diagrams }
    }

    /// The diagram that knows some metrics, and their positions in it.
    fn of(&self, py: Python<'_>, metrics: &[String]) -> PyResult<(&diagram::Compiled, Vec<usize>)> {
        let positions = metric_positions(py, self.diagrams.program(), metrics)?;
        let compiled = detached(py, |interrupt| self.diagrams.of(&positions, interrupt))?;
        Ok((compiled, positions))
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
        detached(py, |interrupt| self.diagrams.size(interrupt))
    }

    /// The smallest and the largest value of a metric.
    fn range(&self, py: Python<'_>, metric: String) -> PyResult<(i64, i64)> {
        let (compiled, metrics) = self.of(py, &[metric])?;
        detached(py, |interrupt| compiled.diagram().range(metrics[0], interrupt))
    }

    /// How many networks have each value of a metric: the values, the numbers, and by how much a value may be too
    /// small.
    fn distribution(&self, py: Python<'_>, metric: String, memory: usize) -> PyResult<(Vec<i64>, Vec<BigUint>, i64)> {
        let (compiled, metrics) = self.of(py, &[metric])?;
        let diagram = compiled.diagram();
        let found = detached(py, |interrupt| diagram.distribution(metrics[0], memory, interrupt))?;
        Ok((found.values, found.counts, found.error))
    }

    /// For each combination of upper bounds on some metrics, ascending for each, the last metric changing fastest, how
    /// many networks keep all of them; `None` where that takes more memory or steps than are allowed.
    fn count_grid(
        &self,
        py: Python<'_>,
        bounds: Vec<(String, Vec<i64>)>,
        memory: usize,
        work: u64,
    ) -> PyResult<Option<Vec<BigUint>>> {
        let (metrics, bounds): (Vec<_>, Vec<_>) = bounds.into_iter().unzip();
        let (compiled, metrics) = self.of(py, &metrics)?;
        let diagram = compiled.diagram();
        detached(py, |interrupt| {
            diagram.count_grid(&metrics, &bounds, (memory, work), interrupt)
        })
    }

    /// The metrics that its arcs have costs for.
    fn metrics(&self) -> Vec<String> {
        let metrics = self.diagrams.any().diagram().program().metrics().iter();
        metrics.map(|metric| metric.name.to_string()).collect()
    }

    /// For each stage its decision, its number of nodes, its number of arcs, and whether its arcs are stored.
    fn stages(&self) -> Vec<(usize, usize, usize, bool)> {
        let diagram = self.diagrams.any().diagram();
        let stages = diagram.stages().enumerate();
        stages
            .map(|(stage, (decision, nodes, arcs))| (decision, nodes, arcs, !diagram.is_implicit(stage)))
            .collect()
    }

    /// Why it was not compiled to its end, so that its networks are not counted; `None` if it was.
    fn beyond(&self) -> Option<String> {
        let closed = self.diagrams.any().diagram().require_closed();
        closed.err().map(|error| error.message)
    }

    /// The bytes that its nodes and arcs take.
    fn memory(&self) -> usize {
        self.diagrams.any().diagram().memory()
    }

    /// How much was visited to compile it: steps, tensors and decisions.
    fn work(&self) -> u64 {
        self.diagrams.any().diagram().work()
    }

    /// All arcs, at most this many: the node that each leaves, the one that it leads to (the terminal has the next
    /// number after the last node; `None` where it is dead), the index of the value, and one cost for each metric.
    fn arcs(&self, py: Python<'_>, most: usize) -> PyResult<Vec<diagram::ListedArc>> {
        detached(py, |_| self.diagrams.any().diagram().arcs(most))
    }

    /// The groups of stages that are looked up at once: for each its decisions and the entries of its table.
    fn groups(&self, py: Python<'_>) -> PyResult<Vec<(usize, usize)>> {
        let evaluator = self.diagrams.any().evaluator().map_err(|error| raise(py, error))?;
        Ok(evaluator.groups().collect())
    }

    /// One network, by the index of the value of each decision.
    fn trace(&self, py: Python<'_>, choices: Vec<u32>) -> PyResult<Trace> {
        let space::Trace {
            cost,
            active,
            layers,
            aliases,
        } = self.diagrams.trace(&choices).map_err(|error| raise(py, error))?;
        let layers = layers.iter().map(|trace| {
            let kind = &self.diagrams.program().layers()[trace.layer].kind;
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
        self.diagrams.cost(&choices).map_err(|error| raise(py, error))
    }

    /// One network, by the index of the value of each decision, or `None`: the first decision that it reads and that has
    /// none, which decisions it read, and the value of each metric where it read no such decision.
    fn take(&self, py: Python<'_>, choices: Vec<Option<u32>>) -> PyResult<Taken> {
        let take = || {
            let program = self.diagrams.running();
            let mut walk = diagram::Walk::new(program)?;
            let mut active = vec![false; program.decisions().len()];
            while let Some(decision) = walk.open() {
                let Some(index) = choices.get(decision).copied().flatten() else {
                    return Ok((Some(decision), active, None));
                };
                active[decision] = true;
                walk.choose(program, index)?;
            }
            Ok((None, active, walk.cost().map(<[i64]>::to_vec)))
        };
        take().map_err(|error| raise(py, error))
    }

    /// Whether decisions are asked for in the same order where some metrics are bounded as where none is.
    fn is_asked_alike(&self, py: Python<'_>, metrics: Vec<String>) -> PyResult<bool> {
        let positions = metric_positions(py, self.diagrams.program(), &metrics)?;
        Ok(self.diagrams.is_any(&positions))
    }

    /// A candidate without any decision taken; they are asked for in the order of the diagram that knows some metrics.
    fn walk(&self, py: Python<'_>, metrics: Vec<String>) -> PyResult<Walk> {
        let diagram = self.of(py, &metrics)?.0.diagram();
        let walk = diagram::Walk::new(diagram.running()).map_err(|error| raise(py, error))?;
        Ok(Walk {
            diagram: Arc::clone(diagram),
            walk,
        })
    }

    /// The candidates that keep bounds: triples of a metric, the least and the most it may be. They can be asked about
    /// these metrics, and more.
    #[pyo3(signature = (bounds, memory, more=Vec::new()))]
    fn within(
        &self,
        py: Python<'_>,
        bounds: Vec<(String, i64, i64)>,
        memory: usize,
        more: Vec<String>,
    ) -> PyResult<Feasible> {
        let mut metrics: Vec<_> = bounds.iter().map(|(metric, ..)| metric.clone()).collect();
        metrics.extend(more);
        let (compiled, positions) = self.of(py, &metrics)?;
        let bounds = bounds.iter().zip(positions);
        let bounds = bounds.map(|(&(_, low, high), metric)| feasible::Bound { metric, low, high });
        let bounds = bounds.collect();
        let diagram = Arc::clone(compiled.diagram());
        let feasible = feasible::Feasible::new(diagram, bounds, memory).map_err(|error| raise(py, error))?;
        Ok(Feasible { feasible })
    }

    /// Draws candidates uniformly into a contiguous (decisions, n) array of 8, 16 or 32 bits.
    #[pyo3(signature = (columns, seed, *, threads=None))]
    fn sample(&self, py: Python<'_>, columns: &Bound<'_, PyAny>, seed: u64, threads: Option<usize>) -> PyResult<()> {
        let threads = threads.unwrap_or_else(default_threads);
        into_columns!(py, columns, |n, slice| detached(py, |interrupt| {
            self.diagrams
                .any()
                .diagram()
                .sample(seed, n, slice, Workers { threads, interrupt })
        }))
    }

    /// Whether some candidate cannot be built, as far as is known without looking at it, where these metrics are counted.
    fn can_fail(&self, py: Python<'_>, metrics: Vec<String>) -> PyResult<bool> {
        let (compiled, _) = self.of(py, &metrics)?;
        let evaluator = compiled.evaluator().map_err(|error| raise(py, error))?;
        Ok(evaluator.can_die())
    }

    /// For each of some metrics whether every total is below 2^32 - 1, where these are counted.
    fn are_narrow(&self, py: Python<'_>, metrics: Vec<String>) -> PyResult<Vec<bool>> {
        let (compiled, positions) = self.of(py, &metrics)?;
        let evaluator = compiled.evaluator().map_err(|error| raise(py, error))?;
        Ok(positions
            .into_iter()
            .map(|metric| evaluator.is_narrow(metric))
            .collect())
    }

    /// Counts candidates, given a column for each decision, into contiguous arrays of int64 or uint32; see
    /// `archbudget.Space.evaluate`.
    #[pyo3(signature = (columns, n, metrics, totals, valid=None, *, threads=None))]
    #[allow(clippy::too_many_arguments)]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<Bound<'py, PyAny>>,
        n: usize,
        metrics: Vec<String>,
        totals: Vec<Bound<'py, PyAny>>,
        valid: Option<PyReadwriteArray1<'py, bool>>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let (compiled, metrics) = self.of(py, &metrics)?;
        let borrowed = borrow(&columns).map_err(|error| raise(py, error))?;
        let columns = read(&borrowed).map_err(|error| raise(py, error))?;
        let totals = totals.iter().map(Totals::of).collect::<crate::Result<Vec<_>>>();
        let mut totals = totals.map_err(|error| raise(py, error))?;
        let outputs = totals.iter_mut().map(Totals::output).collect::<PyResult<Vec<_>>>()?;
        let mut valid = valid;
        let valid = valid.as_mut().map(|valid| valid.as_slice_mut()).transpose()?;
        let outputs = Outputs { totals: outputs, valid };
        let threads = threads.unwrap_or_else(default_threads);
        detached(py, |interrupt| {
            let workers = Workers { threads, interrupt };
            let evaluator = compiled.evaluator()?;
            evaluator.evaluate(compiled.diagram(), &columns, n, &metrics, outputs, workers)
        })
    }

    /// The number of candidates that can be built and keep bounds, triples of a metric, the least and the most it may
    /// be; which these are is written into `mask`, a contiguous array.
    #[pyo3(signature = (columns, n, bounds, mask=None, *, threads=None))]
    fn fit<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<Bound<'py, PyAny>>,
        n: usize,
        bounds: Vec<(String, i64, i64)>,
        mask: Option<PyReadwriteArray1<'py, bool>>,
        threads: Option<usize>,
    ) -> PyResult<usize> {
        let metrics: Vec<_> = bounds.iter().map(|(metric, ..)| metric.clone()).collect();
        let (compiled, positions) = self.of(py, &metrics)?;
        let ranges = bounds.iter().zip(positions);
        let ranges: Vec<_> = ranges
            .map(|(&(_, low, high), metric)| Range { metric, low, high })
            .collect();
        let borrowed = borrow(&columns).map_err(|error| raise(py, error))?;
        let columns = read(&borrowed).map_err(|error| raise(py, error))?;
        let mut mask = mask;
        let mask = mask.as_mut().map(|mask| mask.as_slice_mut()).transpose()?;
        let threads = threads.unwrap_or_else(default_threads);
        detached(py, |interrupt| {
            let workers = Workers { threads, interrupt };
            let evaluator = compiled.evaluator()?;
            evaluator.fit(compiled.diagram(), &columns, n, &ranges, mask, workers)
        })
    }

    /// The first candidate that has a gap where its network reads a decision, as its row and the decision.
    ///
    /// `gaps` holds contiguous flags for each decision, or `None` where no candidate has a gap.
    #[pyo3(signature = (columns, gaps, *, threads=None))]
    fn first_gap<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<Bound<'py, PyAny>>,
        gaps: Vec<Option<PyReadonlyArray1<'py, bool>>>,
        threads: Option<usize>,
    ) -> PyResult<Option<(usize, usize)>> {
        let borrowed = borrow(&columns).map_err(|error| raise(py, error))?;
        let columns = read(&borrowed).map_err(|error| raise(py, error))?;
        let flags = gaps
            .iter()
            .map(|gaps| gaps.as_ref().map(|gaps| gaps.as_slice()).transpose());
        let flags = flags.collect::<Result<Vec<_>, _>>()?;
        let threads = threads.unwrap_or_else(default_threads);
        detached(py, |interrupt| {
            diagram::first_gap(
                self.diagrams.any().diagram(),
                &columns,
                &flags,
                Workers { threads, interrupt },
            )
        })
    }

    /// Counts each layer of candidates, given a column for each decision, into contiguous arrays, and returns the most
    /// axes that an output has; see `archbudget.Space.evaluate`.
    #[pyo3(signature = (columns, metrics, totals, shapes, *, threads=None))]
    fn evaluate_layers<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<Bound<'py, PyAny>>,
        metrics: Vec<String>,
        totals: Vec<PyReadwriteArray2<'py, i64>>,
        mut shapes: PyReadwriteArray3<'py, i64>,
        threads: Option<usize>,
    ) -> PyResult<usize> {
        let (compiled, metrics) = self.of(py, &metrics)?;
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
            Evaluator::evaluate_layers(compiled.diagram(), &columns, &metrics, table, workers)
        })
    }
}
