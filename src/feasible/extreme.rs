//! The feasible candidate with the largest or the smallest value of a metric.

use super::answer::Answer;
use super::any_table::AnyTable;
use super::graph::Graph;
use super::number::Number;
use super::set::Feasible;
use super::table::Table;
use crate::diagram::ROOT;
use crate::space::Combine;
use crate::{Error, ErrorKind, Interrupt, Result};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Which end of the range of a metric is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The smallest value.
    Smallest,
    /// The largest value.
    Largest,
}

impl End {
    /// Whether the first value is nearer to this end.
    fn prefers(self, a: i64, b: i64) -> bool {
        match self {
            Self::Smallest => a < b,
            Self::Largest => a > b,
        }
    }

    fn of(self, a: i64, b: i64) -> i64 {
        if self.prefers(b, a) { b } else { a }
    }
}

/// The most partial candidates that a search visits.
const MOST: usize = 1 << 22;

impl Feasible {
    /// The feasible candidate at one end of the range of a metric, by the index of the value of each decision, 0 where it
    /// is inactive; nothing where none fits. O(cells) where the count is exact, otherwise a search.
    ///
    /// # Errors
    /// `Limit` where the search would look at too many partial candidates; `Interrupted`.
    pub fn extreme(&self, metric: usize, end: End, interrupt: Interrupt<'_>) -> Result<Option<Vec<u32>>> {
        let answer = self.answer(interrupt)?;
        let graph = self.graph(interrupt)?;
        let mut choices = vec![0; self.diagram.program().decisions().len()];
        if graph.empty {
            return Ok(None);
        }
        if graph.terminal() == ROOT {
            return Ok(Some(choices));
        }
        let values = graph.values(&self.diagram, metric, interrupt)?;
        let combine = self.diagram.program().combine(metric);
        let path = match answer {
            Answer { rounded: Some(_), .. } => self.search_extreme(graph, &values, metric, end, interrupt)?,
            Answer { table, .. } => match table {
                AnyTable::Narrow(table) => table.extreme(&values, combine, end, interrupt)?,
                AnyTable::Wide(table) => table.extreme(&values, combine, end, interrupt)?,
                AnyTable::Big(table) => table.extreme(&values, combine, end, interrupt)?,
            },
        };
        let Some(path) = path else { return Ok(None) };
        for (node, arc) in path {
            choices[self.diagram.stage(node).decision] = graph.arcs[arc].label;
        }
        Ok(Some(choices))
    }

    /// Best first: a partial candidate promises the value of its best completion, whatever the bounds, or the bound on
    /// the metric itself.
    fn search_extreme(
        &self,
        graph: &Graph,
        values: &[i64],
        metric: usize,
        end: End,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Vec<(u32, usize)>>> {
        let combine = self.diagram.program().combine(metric);
        let nodes = graph.terminal() as usize + 1;
        let mut best = vec![0; nodes];
        for node in (0..graph.terminal()).rev() {
            let found = graph
                .arcs_of(node)
                .map(|arc| combine.join(values[arc], best[graph.arcs[arc].end as usize]));
            best[node as usize] = found.reduce(|a, b| end.of(a, b)).unwrap_or(0);
        }
        let base = self.diagram.base()[metric];
        let bound = self.bounds.iter().find(|bound| bound.metric == metric);
        let promise = |spent: i64, node: u32| {
            let promised = combine.join(spent, best[node as usize]);
            match (bound, end) {
                (Some(bound), End::Largest) => promised.min(bound.high),
                (Some(bound), End::Smallest) => promised.max(bound.low),
                (None, _) => promised,
            }
        };
        let mut steps: Vec<(usize, u32, usize)> = Vec::new();
        let mut waiting = BinaryHeap::new();
        waiting.push(Partial {
            promise: if end == End::Largest {
                promise(base, ROOT)
            } else {
                -promise(base, ROOT)
            },
            node: ROOT,
            spent: base,
            sums: vec![0; graph.dims()].into(),
            step: usize::MAX,
        });
        while let Some(partial) = waiting.pop() {
            if partial.node == graph.terminal() {
                let mut path = Vec::new();
                let mut step = partial.step;
                while let Some(&(before, node, arc)) = steps.get(step) {
                    path.push((node, arc));
                    step = before;
                }
                return Ok(Some(path));
            }
            if interrupt() {
                return Err(Error::interrupted());
            }
            if steps.len() > MOST {
                return Err(Error::new(
                    ErrorKind::Limit,
                    format!(
                        "the {} network within these bounds was not found among {MOST} partial ones; allow more memory",
                        if end == End::Largest { "largest" } else { "smallest" }
                    ),
                ));
            }
            for arc in graph.arcs_of(partial.node) {
                let next = graph.arcs[arc].end;
                let sums: Box<[i64]> = partial.sums.iter().zip(graph.cost(arc)).map(|(a, b)| a + b).collect();
                let mut fits = sums.iter().zip(&graph.windows).enumerate();
                if !fits.all(|(dim, (&sum, window))| sum <= window.high && sum + graph.to_go(next, dim) >= window.low) {
                    continue;
                }
                let spent = combine.join(partial.spent, values[arc]);
                let promise = promise(spent, next);
                steps.push((partial.step, partial.node, arc));
                waiting.push(Partial {
                    promise: if end == End::Largest { promise } else { -promise },
                    node: next,
                    spent,
                    sums,
                    step: steps.len() - 1,
                });
            }
        }
        Ok(None)
    }
}

/// A partial candidate that waits for its turn: the largest promise first, then the one that is nearest to its end.
#[derive(PartialEq, Eq)]
struct Partial {
    promise: i64,
    node: u32,
    spent: i64,
    sums: Box<[i64]>,
    step: usize,
}

impl Ord for Partial {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.promise, self.node, self.step).cmp(&(other.promise, other.node, other.step))
    }
}

impl PartialOrd for Partial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<N: Number> Table<N> {
    /// The arcs of the candidate at one end of the range of a metric, whose value each arc has in `values`.
    fn extreme(
        &self,
        values: &[i64],
        combine: Combine,
        end: End,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Vec<(u32, usize)>>> {
        let graph = &self.cells.graph;
        let terminal = graph.terminal();
        let worst = match end {
            End::Smallest => i64::MAX,
            End::Largest => i64::MIN,
        };
        let mut best: Vec<Vec<i64>> = vec![Vec::new(); terminal as usize + 1];
        best[terminal as usize] = vec![0; self.cells.count(terminal)];
        for node in (1..terminal).rev() {
            if interrupt() {
                return Err(Error::interrupted());
            }
            let mut own = vec![worst; if graph.is_live(node) { self.cells.count(node) } else { 0 }];
            for arc in graph.arcs_of(node) {
                let next = graph.arcs[arc].end;
                let (after, completions) = (&best[next as usize], &self.completions[next as usize]);
                self.cells.each(node, arc, |from, to| {
                    if !completions[to].is_nothing() {
                        own[from] = end.of(own[from], combine.join(values[arc], after[to]));
                    }
                });
            }
            best[node as usize] = own;
        }
        let mut path = Vec::new();
        let (mut node, mut cell) = (ROOT, 0);
        while node != terminal {
            let arcs = graph.arcs_of(node).filter_map(|arc| {
                let next = self.leads_on(node, cell, arc)?;
                let value = combine.join(values[arc], best[graph.arcs[arc].end as usize][next]);
                Some((value, arc, next))
            });
            let Some((_, arc, next)) = arcs.reduce(|a, b| if end.prefers(b.0, a.0) { b } else { a }) else {
                return Ok(None);
            };
            path.push((node, arc));
            (node, cell) = (graph.arcs[arc].end, next);
        }
        Ok(Some(path))
    }
}
