//! The distribution of a metric over all candidates.

use super::any_table::Width;
use super::axis::quotient;
use super::graph::Graph;
use super::number::Number;
use crate::diagram::{Diagram, ROOT};
use crate::space::Combine;
use crate::{Error, Interrupt, Result, Task};
use num_bigint::BigUint;
use rustc_hash::FxHashMap;

/// How many candidates have each value of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The values, ascending.
    pub values: Vec<i64>,
    /// How many candidates have each of them.
    pub counts: Vec<BigUint>,
    /// By how much a value may be too small: 0 where it is exact.
    pub error: i64,
}

/// The most steps of one arc from sum to sum, over all arcs, before sums are rounded.
const WORK: f64 = (1_u64 << 31) as f64;

/// The most sums of a node.
const SUMS: f64 = (1 << 22) as f64;

/// The sums that prefixes of a node come to, with how many prefixes come to each.
enum Sums<N> {
    /// In steps from a first one on.
    Dense {
        first: i64,
        step: i64,
        counts: Vec<N>,
    },
    Sparse(FxHashMap<i64, N>),
}

impl<N: Number> Sums<N> {
    fn add(&mut self, sum: i64, ways: &N) {
        match self {
            Self::Dense { first, step, counts } => counts[quotient(sum - *first, *step) as usize].add(ways),
            Self::Sparse(counts) => counts.entry(sum).or_default().add(ways),
        }
    }

    /// Adds all sums of a node before, after an arc.
    fn add_all(&mut self, before: &Self, combine: Combine, cost: i64) {
        if let (
            Self::Dense { first, step: 1, counts },
            Self::Dense {
                first: own,
                step: 1,
                counts: known,
            },
        ) = (&mut *self, before)
        {
            N::add_all(&mut counts[(own + cost - *first) as usize..], known, 1);
        } else {
            before.each(|sum, ways| self.add(combine.join(sum, cost), ways));
        }
    }

    fn each(&self, mut found: impl FnMut(i64, &N)) {
        match self {
            Self::Dense { first, step, counts } => {
                for (place, ways) in (0..).zip(counts).filter(|(_, ways)| !ways.is_nothing()) {
                    found(first + place * step, ways);
                }
            }
            Self::Sparse(counts) => counts.iter().for_each(|(&sum, ways)| found(sum, ways)),
        }
    }
}

impl Diagram {
    /// How many candidates have each value of a metric. Exact, unless there are too many
    /// sums to keep apart within some seconds.
    ///
    /// # Errors
    /// `Limit` where the diagram is open, or its arcs do not fit into `memory` bytes; `Interrupted`.
    pub fn distribution(&self, metric: usize, memory: usize, interrupt: Interrupt<'_>) -> Result<Distribution> {
        let graph = Graph::new(self, &[], &[], memory, interrupt)?;
        let costs = graph.values(self, metric, interrupt)?;
        match Width::of_all(&graph) {
            Width::Narrow => self.distribution_of::<u64>(&graph, costs, metric, interrupt),
            Width::Wide => self.distribution_of::<u128>(&graph, costs, metric, interrupt),
            Width::Big(_) => self.distribution_of::<BigUint>(&graph, costs, metric, interrupt),
        }
    }

    fn distribution_of<N: Number>(
        &self,
        graph: &Graph,
        mut costs: Vec<i64>,
        metric: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Distribution> {
        let terminal = graph.terminal();
        let nodes = terminal as usize + 1;
        let combine = self.program().combine(metric);
        let (mut offset, mut unit) = (self.base()[metric], 1);
        if combine == Combine::Sum {
            let (least, divisor) = graph.simplify(&mut costs);
            offset += least;
            unit = divisor;
        }
        let start = if combine == Combine::Sum { 0 } else { offset };
        interrupt.begin(Task::Distribution, Some(graph.arcs.len() as u64));
        let (ranges, prefixes) = prefixes(graph, &costs, start, combine);
        let most = finest(graph, &ranges, &prefixes);
        let mut errors = vec![0_i64; nodes];
        let mut sums: Vec<Option<Sums<N>>> = (0..nodes).map(|_| None).collect();
        let make = |node: usize| {
            let (first, last) = ranges[node];
            let width = (last - first) as f64 + 1.0;
            if combine == Combine::Max || prefixes[node].min(most) * 16.0 < width && prefixes[node] <= most {
                return (Sums::Sparse(FxHashMap::default()), 0);
            }
            let step = ((width / most).ceil() as i64).max(1);
            let counts = vec![N::default(); ((last - first) / step) as usize + 1];
            (Sums::Dense { first, step, counts }, step - 1)
        };
        let mut root = make(ROOT as usize).0;
        root.add(start, &N::of(1));
        sums[ROOT as usize] = Some(root);
        for node in 0..terminal {
            let Some(own) = sums[node as usize].take() else {
                interrupt.advance(graph.arcs_of(node).len() as u64);
                continue;
            };
            for arc in graph.arcs_of(node) {
                if interrupt.stops() {
                    return Err(Error::interrupted());
                }
                interrupt.advance(1);
                let end = graph.arcs[arc].end as usize;
                let (target, error) = match sums[end].take() {
                    Some(Sums::Dense { first, step, counts }) => (Sums::Dense { first, step, counts }, step - 1),
                    Some(sparse) => (sparse, 0),
                    None => make(end),
                };
                let target = sums[end].insert(target);
                errors[end] = errors[end].max(errors[node as usize] + error);
                target.add_all(&own, combine, costs[arc]);
            }
        }
        let mut found = Vec::new();
        if let Some(sums) = &sums[terminal as usize] {
            sums.each(|sum, ways| found.push((sum, ways.big())));
        }
        found.sort_unstable_by_key(|&(sum, _)| sum);
        let value = |sum: i64| match combine {
            Combine::Sum => offset + sum * unit,
            Combine::Max => sum,
        };
        Ok(Distribution {
            values: found.iter().map(|&(sum, _)| value(sum)).collect(),
            counts: found.into_iter().map(|(_, ways)| ways).collect(),
            error: errors[terminal as usize] * unit,
        })
    }
}

/// For each node the range of the sums of its prefixes, and about how many prefixes there are.
fn prefixes(graph: &Graph, costs: &[i64], start: i64, combine: Combine) -> (Vec<(i64, i64)>, Vec<f64>) {
    let nodes = graph.terminal() as usize + 1;
    let mut ranges = vec![(i64::MAX, i64::MIN); nodes];
    let mut prefixes = vec![0.0; nodes];
    ranges[ROOT as usize] = (start, start);
    prefixes[ROOT as usize] = 1.0;
    for node in 0..graph.terminal() {
        let (least, most) = ranges[node as usize];
        for arc in graph.arcs_of(node) {
            let end = graph.arcs[arc].end as usize;
            let range = &mut ranges[end];
            *range = (
                range.0.min(combine.join(least, costs[arc])),
                range.1.max(combine.join(most, costs[arc])),
            );
            prefixes[end] += prefixes[node as usize];
        }
    }
    (ranges, prefixes)
}

/// The most sums that each node may tell apart.
fn finest(graph: &Graph, ranges: &[(i64, i64)], prefixes: &[f64]) -> f64 {
    let work = |most: f64| -> f64 {
        (0..graph.terminal())
            .map(|node| {
                let (first, last) = ranges[node as usize];
                let sums = prefixes[node as usize].min((last.saturating_sub(first)) as f64 + 1.0);
                sums.min(most) * graph.arcs_of(node).len() as f64
            })
            .sum()
    };
    let mut most = SUMS;
    while most > 1024.0 && work(most) > WORK {
        most /= 2.0;
    }
    most
}
