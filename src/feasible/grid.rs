//! How many candidates keep each combination of upper bounds on some metrics: all of them in one pass.
//!
//! Prefixes go down the diagram together where no completion and no bound can tell their sums apart. Which sums these
//! are is known in two ways: near the terminal the sums at which some completion ceases to keep some bound are listed;
//! elsewhere sums are equal where all completions lie between the same two bounds. What is left at the terminal is in one
//! class for each bound, and the numbers of these, added up along each metric, are those of the grid.

use super::any_table::Width;
use super::graph::Graph;
use super::number::Number;
use crate::diagram::{Diagram, ROOT};
use crate::space::Combine;
use crate::{Error, Interrupt, Result, Task};
use num_bigint::BigUint;
use rustc_hash::FxHashMap;

/// The most metrics of a grid that is counted in one pass.
const MOST_METRICS: usize = 4;

/// The most sums that are listed for a node.
const LISTED: usize = 1 << 12;

/// One metric of a grid.
struct Axis {
    combine: Combine,
    /// What each arc adds beyond the least, in the largest unit; or of a metric that is no sum, its value.
    costs: Vec<i64>,
    /// What a candidate without arcs has.
    start: i64,
    /// The bounds in these terms, ascending; several may be equal.
    ends: Vec<i64>,
    /// For each node the most that a completion adds.
    most: Vec<i64>,
    /// For each node the sums at which some completion ceases to keep some bound, where these are few.
    breaks: Vec<Option<Vec<i64>>>,
}

impl Axis {
    /// A metric with some upper bounds.
    fn new(diagram: &Diagram, graph: &Graph, metric: usize, bounds: &[i64], interrupt: Interrupt<'_>) -> Result<Self> {
        let combine = diagram.program().combine(metric);
        let mut costs = graph.values(diagram, metric, interrupt)?;
        let base = diagram.base()[metric];
        let (start, ends) = match combine {
            Combine::Sum => {
                let (least, unit) = graph.simplify(&mut costs);
                let ends = bounds
                    .iter()
                    .map(|bound| bound.saturating_sub(base + least).div_euclid(unit));
                (0, ends.collect())
            }
            Combine::Max => (base, bounds.to_vec()),
        };
        let nodes = graph.terminal() as usize + 1;
        let mut axis = Self {
            combine,
            costs,
            start,
            ends,
            most: vec![0; nodes],
            breaks: vec![None; nodes],
        };
        if combine == Combine::Sum {
            axis.look_ahead(graph, interrupt)?;
        }
        Ok(axis)
    }

    /// Finds what the completions of each node come to.
    fn look_ahead(&mut self, graph: &Graph, interrupt: Interrupt<'_>) -> Result<()> {
        let terminal = graph.terminal() as usize;
        let mut ends = self.ends.clone();
        ends.dedup();
        self.breaks[terminal] = Some(ends);
        for node in (0..terminal).rev() {
            if interrupt.stops() {
                return Err(Error::interrupted());
            }
            let arcs = graph.arcs_of(node as u32);
            let most = arcs
                .clone()
                .map(|arc| self.costs[arc] + self.most[graph.arcs[arc].end as usize]);
            self.most[node] = most.max().unwrap_or(0);
            let mut sums = Vec::new();
            let is_listed = arcs.into_iter().all(|arc| {
                let Some(after) = &self.breaks[graph.arcs[arc].end as usize] else {
                    return false;
                };
                // Sums below 0 are none of a prefix.
                let cost = self.costs[arc];
                sums.extend(after.iter().map(|end| end - cost).filter(|&sum| sum >= 0));
                sums.len() <= 4 * LISTED
            });
            if is_listed {
                sums.sort_unstable();
                sums.dedup();
                self.breaks[node] = Some(sums).filter(|sums| sums.len() <= LISTED);
            }
        }
        Ok(())
    }

    /// The largest sum that nothing can tell apart from this one at a node; nothing where no bound can be kept any more.
    #[inline]
    fn class(&self, node: usize, sum: i64) -> Option<i64> {
        if let Some(breaks) = &self.breaks[node] {
            return breaks.get(breaks.partition_point(|&last| last < sum)).copied();
        }
        let end = *self.ends.get(self.ends.partition_point(|&end| end < sum))?;
        if self.combine == Combine::Max {
            return Some(end);
        }
        // Whatever follows, the sum is at most this bound, and it is beyond the one before already.
        let last = end.saturating_sub(self.most[node]);
        Some(if sum <= last { last } else { sum })
    }
}

/// The prefixes of a node: how many come to each combination of classes.
type Prefixes<N, const D: usize> = FxHashMap<[i64; D], N>;

impl Diagram {
    /// For each combination of upper bounds on some metrics, the last metric changing fastest, how many candidates keep
    /// all of them. The bounds of each metric are ascending. Nothing where that takes more than `work` steps from sum to
    /// sum or `memory` bytes, or where there are more than four metrics or none.
    ///
    /// # Errors
    /// `Limit` where the diagram is open, or its arcs do not fit into `memory` bytes; `Interrupted`.
    pub fn count_grid(
        &self,
        metrics: &[usize],
        bounds: &[Vec<i64>],
        (memory, work): (usize, u64),
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Vec<BigUint>>> {
        if metrics.is_empty() || metrics.len() > MOST_METRICS || metrics.len() != bounds.len() {
            return Ok(None);
        }
        let graph = Graph::new(self, &[], &[], memory, interrupt)?;
        let axes = metrics.iter().zip(bounds);
        let axes = axes.map(|(&metric, bounds)| Axis::new(self, &graph, metric, bounds, interrupt));
        let axes = axes.collect::<Result<Vec<_>>>()?;
        let limits = (memory, work);
        match Width::of_all(&graph) {
            Width::Narrow => counted::<u64>(&graph, &axes, limits, interrupt),
            Width::Wide => counted::<u128>(&graph, &axes, limits, interrupt),
            Width::Big(_) => counted::<BigUint>(&graph, &axes, limits, interrupt),
        }
    }
}

fn counted<N: Number>(
    graph: &Graph,
    axes: &[Axis],
    limits: (usize, u64),
    interrupt: Interrupt<'_>,
) -> Result<Option<Vec<BigUint>>> {
    match axes {
        [_] => count::<N, 1>(graph, axes, limits, interrupt),
        [_, _] => count::<N, 2>(graph, axes, limits, interrupt),
        [_, _, _] => count::<N, 3>(graph, axes, limits, interrupt),
        _ => count::<N, MOST_METRICS>(graph, axes, limits, interrupt),
    }
}

fn count<N: Number, const D: usize>(
    graph: &Graph,
    axes: &[Axis],
    (memory, work): (usize, u64),
    interrupt: Interrupt<'_>,
) -> Result<Option<Vec<BigUint>>> {
    let terminal = graph.terminal() as usize;
    // A table has room for twice what is in it, and a byte for each place.
    let most = memory / (2 * (size_of::<([i64; D], N)>() + 1));
    let class = |node: usize, sums: [i64; D]| -> Option<[i64; D]> {
        let mut found = sums;
        for (sum, axis) in found.iter_mut().zip(axes) {
            *sum = axis.class(node, *sum)?;
        }
        Some(found)
    };
    let mut known: Vec<Prefixes<N, D>> = (0..=terminal).map(|_| Prefixes::default()).collect();
    if !graph.empty
        && let Some(sums) = class(ROOT as usize, std::array::from_fn(|dim| axes[dim].start))
    {
        known[ROOT as usize].insert(sums, N::of(1));
    }
    interrupt.begin(Task::Grid, Some(graph.arcs.len() as u64));
    let (mut kept, mut steps) = (1, 0);
    for node in 0..graph.terminal() {
        let own = std::mem::take(&mut known[node as usize]);
        for arc in graph.arcs_of(node) {
            steps += own.len() as u64;
            if steps > work {
                return Ok(None);
            }
            let end = graph.arcs[arc].end as usize;
            let next = &mut known[end];
            let before = next.len();
            for (number, (sums, ways)) in own.iter().enumerate() {
                if number % (1 << 12) == 0 && interrupt.stops() {
                    return Err(Error::interrupted());
                }
                let after = std::array::from_fn(|dim| axes[dim].combine.join(sums[dim], axes[dim].costs[arc]));
                if let Some(after) = class(end, after) {
                    next.entry(after).or_default().add(ways);
                }
            }
            kept += next.len() - before;
            if kept > most {
                return Ok(None);
            }
            interrupt.advance(1);
        }
        kept -= own.len();
    }
    Ok(Some(added_up(axes, &known[terminal])))
}

/// The numbers of the grid: of the candidates of each combination of classes and of all below it.
fn added_up<N: Number, const D: usize>(axes: &[Axis], last: &Prefixes<N, D>) -> Vec<BigUint> {
    let lens: Vec<usize> = axes.iter().map(|axis| axis.ends.len()).collect();
    let mut grid = vec![BigUint::ZERO; lens.iter().product()];
    for (sums, ways) in last {
        let place = sums.iter().zip(axes).fold(0, |place, (sum, axis)| {
            place * axis.ends.len() + axis.ends.partition_point(|end| end < sum)
        });
        grid[place] += ways.big();
    }
    let mut stride = 1;
    for len in lens.into_iter().rev() {
        let block = stride * len;
        for block in grid.chunks_exact_mut(block.max(1)) {
            for place in stride..block.len() {
                let (before, after) = block.split_at_mut(place);
                after[0] += &before[place - stride];
            }
        }
        stride = block;
    }
    grid
}
