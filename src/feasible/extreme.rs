//! The feasible candidate with the largest or the smallest value of a metric.

use super::answer::Answer;
use super::any_table::AnyTable;
use super::graph::Graph;
use super::net::{Join, Net, simplified};
use super::number::Number;
use super::search::{self, Effort};
use super::set::Feasible;
use super::table::Table;
use crate::diagram::ROOT;
use crate::space::Combine;
use crate::{Error, ErrorKind, Interrupt, Result};

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

/// The most partial candidates of a search that is tried before a table is made.
pub(super) const QUICK: usize = 1 << 18;

/// The bytes of a partial candidate, without what it comes to in each constraint.
const LABEL: usize = 128;

impl Feasible {
    /// The feasible candidate at one end of the range of a metric, by the index of the value of each decision, 0 where it
    /// is inactive; of several the one of the lowest rank, and nothing where none fits. A search with Lagrangian bounds,
    /// or O(cells) where a table is known.
    ///
    /// # Errors
    /// `Limit` where the search would look at too many partial candidates; `Interrupted`.
    pub fn extreme(&self, metric: usize, end: End, interrupt: Interrupt<'_>) -> Result<Option<Vec<u32>>> {
        let graph = self.graph(interrupt)?;
        if graph.empty || graph.terminal() == ROOT {
            return Ok((!graph.empty).then(|| self.choices(&[])));
        }
        let values = self.values(graph, metric, interrupt)?;
        let is_exact = |answer: &&Answer| answer.rounded.is_none();
        let mut known = self.answer.get().filter(is_exact);
        if known.is_none() {
            let quick = Effort { labels: QUICK };
            if let search::Found::All(found) = self.best_of(graph, &values, metric, end, 1, quick, interrupt)? {
                return Ok(found.first().map(|(_, path)| self.choices(path)));
            }
            known = Some(self.answer(interrupt)?).filter(is_exact);
        }
        let Some(table) = known else {
            let effort = self.search_effort(graph);
            return match self.best_of(graph, &values, metric, end, 1, effort, interrupt)? {
                search::Found::All(found) => Ok(found.first().map(|(_, path)| self.choices(path))),
                search::Found::Unknown => Err(gave_up(if end == End::Largest { "largest" } else { "smallest" })),
            };
        };
        let combine = self.diagram.program().combine(metric);
        let path = match &table.table {
            AnyTable::Narrow(table) => table.extreme(&values, combine, end, interrupt)?,
            AnyTable::Wide(table) => table.extreme(&values, combine, end, interrupt)?,
            AnyTable::Big(table) => table.extreme(&values, combine, end, interrupt)?,
        };
        Ok(path.map(|path| self.choices(&path.into_iter().map(|(_, arc)| arc).collect::<Vec<_>>())))
    }

    /// The `most` feasible candidates that come first from one end of the range of a metric, equal ones by their ranks;
    /// fewer where fewer fit.
    ///
    /// # Errors
    /// As [`Self::extreme`].
    pub fn best(&self, metric: usize, end: End, most: usize, interrupt: Interrupt<'_>) -> Result<Vec<Vec<u32>>> {
        let graph = self.graph(interrupt)?;
        if graph.empty || graph.terminal() == ROOT {
            let all = (!graph.empty).then(|| self.choices(&[]));
            return Ok(all.into_iter().take(most).collect());
        }
        let values = self.values(graph, metric, interrupt)?;
        let effort = self.search_effort(graph);
        match self.best_of(graph, &values, metric, end, most, effort, interrupt)? {
            search::Found::All(found) => Ok(found.iter().map(|(_, path)| self.choices(path)).collect()),
            search::Found::Unknown => Err(gave_up("next best")),
        }
    }

    /// For each arc the value of a metric; where the largest counts, not below what precedes all arcs.
    fn values(&self, graph: &Graph, metric: usize, interrupt: Interrupt<'_>) -> Result<Vec<i64>> {
        let mut values = graph.values(&self.diagram, metric, interrupt)?;
        if self.diagram.program().combine(metric) == Combine::Max {
            let base = self.diagram.base()[metric];
            for value in &mut values {
                *value = base.max(*value);
            }
        }
        Ok(values)
    }

    /// How much a search may take that nothing else can replace.
    pub(super) fn search_effort(&self, graph: &Graph) -> Effort {
        let each = LABEL + graph.dims() * size_of::<i64>();
        Effort {
            labels: (self.memory / each).clamp(QUICK, 1 << 22),
        }
    }

    /// The index of the value of each decision of a path, 0 where it is inactive.
    pub(super) fn choices(&self, path: &[usize]) -> Vec<u32> {
        let mut choices = vec![0; self.diagram.program().decisions().len()];
        let Some(graph) = self.graph.get() else { return choices };
        let mut node = ROOT;
        for &arc in path {
            choices[self.diagram.stage(node).decision] = graph.arcs[arc].label;
            node = graph.arcs[arc].end;
        }
        choices
    }

    /// The first candidates from one end of the range of a metric, whose value each arc has in `values`.
    #[allow(clippy::too_many_arguments)]
    fn best_of(
        &self,
        graph: &Graph,
        values: &[i64],
        metric: usize,
        end: End,
        most: usize,
        effort: Effort,
        interrupt: Interrupt<'_>,
    ) -> Result<search::Found> {
        let sign = if end == End::Largest { 1 } else { -1 };
        let start = vec![0; graph.dims()];
        if self.diagram.program().combine(metric) == Combine::Sum {
            let values: Vec<_> = values.iter().map(|&value| i128::from(sign * value)).collect();
            let (values, ..) = simplified(graph, &values, interrupt)?;
            let net = Net::new(graph, ROOT, &start, &values);
            return search::best(net, Join::Sum, most, false, effort, interrupt);
        }
        let values: Vec<_> = values.iter().map(|&value| sign * value).collect();
        let join = if end == End::Largest {
            Join::Greater
        } else {
            Join::Lesser
        };
        let net = Net::new(graph, ROOT, &start, &values);
        search::best(net, join, most, false, effort, interrupt)
    }
}

/// A search that took more than it may.
pub(super) fn gave_up(which: &str) -> Error {
    Error::new(
        ErrorKind::Limit,
        format!(
            "the {which} network within these bounds was not found among the partial ones that a search may keep; allow \
             more memory, give wider bounds, or fix some decisions"
        ),
    )
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
            if interrupt.stops() {
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
        // What the prefix came to: where it decides which value is the largest, all that follows may be equal.
        let mut reached = 0;
        while node != terminal {
            let arcs = graph.arcs_of(node).filter_map(|arc| {
                let next = self.leads_on(node, cell, arc)?;
                let value = combine.join(values[arc], best[graph.arcs[arc].end as usize][next]);
                Some((combine.join(reached, value), arc, next))
            });
            let Some((_, arc, next)) = arcs.reduce(|a, b| if end.prefers(b.0, a.0) { b } else { a }) else {
                return Ok(None);
            };
            path.push((node, arc));
            reached = combine.join(reached, values[arc]);
            (node, cell) = (graph.arcs[arc].end, next);
        }
        Ok(Some(path))
    }
}
