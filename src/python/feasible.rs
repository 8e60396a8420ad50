//! The candidates that fit a budget, as Python sees them.

use super::arrays::into_columns;
use super::raise::{detached, raise};
use crate::diagram::{Workers, default_threads};
use crate::feasible::{self, Count, End, Taken};
use num_bigint::BigUint;
use numpy::PyArrayMethods;
use pyo3::prelude::*;

/// The candidates that keep some bounds.
#[pyclass(frozen, module = "archbudget._core")]
pub(super) struct Feasible {
    pub(super) feasible: feasible::Feasible,
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

    /// The first candidates from one end of the range of a metric, at most this many, by indices.
    fn best(&self, py: Python<'_>, metric: &str, largest: bool, most: usize) -> PyResult<Vec<Vec<u32>>> {
        let program = self.feasible.diagram().program();
        let metric = program.metric(metric).map_err(|error| raise(py, error))?;
        let end = if largest { End::Largest } else { End::Smallest };
        detached(py, |interrupt| self.feasible.best(metric, end, most, interrupt))
    }
}
