//! A table of rounded sums, where an exact one would take too much memory or work.
//!
//! **Idea.** Dyer (*Approximate counting by dynamic programming*, STOC 2003) counts the solutions of a knapsack by
//! rounding its costs, so that few sums are left to tell apart. Sums that are rounded down make a superset of the
//! feasible candidates, sums that are rounded up a subset: both are counted exactly, so that the two counts are
//! certified bounds, and a candidate of the superset that is tested against the true budget is a uniform sample.
//! Unlike there the grid is not chosen for a given error: it is refined until the bounds are close, or the limits of
//! memory and work are reached.
//!
//! Sums are rounded only where they have to be. Near the root the sums of all prefixes are listed, near the terminal
//! all completions are gone through one by one: both are exact. Only what lies between has a grid of sums, and a sum
//! is rounded each time that it comes to a node with one.
//!
//! **Bound.** In each constraint, the rounded sum of a candidate differs from its own by at most the sum, over the
//! grids on its path, of one less than their steps ([`Plans::errors`]). A node with a grid has `classes` to the power
//! of the number of constraints cells. What may be listed and gone through is a part of the memory: see [`Allowed`].

use super::axis::{self, Axis, Effort, Rounding};
use super::graph::Graph;
use super::table::{Cells, Items, Points, Special};
use crate::diagram::ROOT;
use crate::{Interrupt, Result};
use std::sync::Arc;

/// What may be kept and gone through, as parts of the memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    /// The most sums of the prefixes of a node that are listed.
    points: usize,
    /// The most completions of a node that are kept as a list.
    pub(super) items: usize,
    /// The most completions of a node that are gone through.
    pub(super) scattered: usize,
    /// The most cells of a node that needs no work for each of them.
    free: usize,
}

impl Allowed {
    /// For one GiB: 65,536 sums, as many completions, 8 and 4 million.
    pub(super) fn of(memory: usize) -> Self {
        Self {
            points: memory >> 14,
            items: memory >> 14,
            scattered: memory >> 7,
            free: memory >> 8,
        }
    }
}

/// How the cells of a node are made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Plan {
    /// An axis for each constraint, whatever the number of classes.
    Exact(Vec<Axis>),
    /// A grid.
    Grid,
}

/// How cells are made, whatever the number of classes.
pub(super) struct Plans {
    graph: Arc<Graph>,
    nodes: Vec<Plan>,
    special: Special,
    limits: Allowed,
    rounding: Vec<Rounding>,
}

impl Plans {
    /// Plans for a graph; `rounding` says what becomes of sums in each constraint. With `wraps`, numbers may go below
    /// zero on the way to a sum.
    pub(super) fn new(
        graph: &Arc<Graph>,
        rounding: Vec<Rounding>,
        memory: usize,
        wraps: bool,
        interrupt: Interrupt<'_>,
    ) -> Result<Self> {
        let limits = Allowed::of(memory);
        let graph = Arc::clone(graph);
        let may_scatter = wraps || graph.windows.iter().all(|window| window.low <= 0);
        let dims = graph.dims();
        let effort = Effort {
            node: (memory >> 14).max(16),
            all: (memory >> 6).max(1 << 10),
        };
        let mut points = listed(&graph, limits.points);
        let (items, passed) = completions(&graph, limits.items);
        let mut backward = Vec::new();
        for dim in 0..dims {
            backward.push(axis::breakpoints(&graph, dim, effort, true, interrupt)?);
        }
        let terminal = graph.terminal();
        let mut scattered = vec![false; terminal as usize + 1];
        // What completions can tell apart is known exactly.
        let mut exact = vec![false; terminal as usize + 1];
        let mut plans = vec![Plan::Exact(vec![Axis::Ends(Vec::new()); dims]); terminal as usize + 1];
        for node in (0..=terminal).rev() {
            let place = node as usize;
            if node == terminal {
                plans[place] = Plan::Exact((0..dims).map(|dim| Axis::Ends(axis::ends(&graph, dim))).collect());
                exact[place] = true;
                continue;
            }
            if !graph.is_live(node) && node != ROOT {
                // No prefix gets on from here, whatever it comes to.
                points[place] = None;
                continue;
            }
            if points[place].is_some() {
                continue;
            }
            let mut ends = graph.arcs_of(node).map(|arc| graph.arcs[arc].end as usize);
            scattered[place] =
                may_scatter && passed[place] <= limits.scattered && ends.all(|end| exact[end] && items[end].is_some());
            let lists: Option<Vec<_>> = backward.iter().map(|lists| lists[place].clone()).collect();
            plans[place] = Plan::Grid;
            if let Some(lists) = lists {
                let cells = lists.iter().map(Vec::len).fold(1, usize::saturating_mul);
                if scattered[place] && cells <= limits.free {
                    exact[place] = true;
                    plans[place] = Plan::Exact(lists.into_iter().map(Axis::Ends).collect());
                }
            }
        }
        // The terminal has its own cells, whatever is known of the prefixes that lead to it.
        points[terminal as usize] = None;
        Ok(Self {
            graph,
            nodes: plans,
            special: Special {
                points,
                items,
                scattered,
                ..Special::default()
            },
            limits,
            rounding,
        })
    }

    /// For each constraint, by how much the rounded sum of a candidate may differ from its own, with this many
    /// classes.
    pub(super) fn errors(&self, classes: usize) -> Vec<i64> {
        let graph = &self.graph;
        let terminal = graph.terminal();
        let dims = (0..graph.dims()).map(|dim| {
            let mut errors = vec![0; terminal as usize + 1];
            for node in 0..terminal {
                let mut error = errors[node as usize];
                if self.nodes[node as usize] == Plan::Grid
                    && let Axis::Grid { step, .. } = axis::grid(graph, node, dim, self.classes_of(node, classes))
                {
                    error = i64::saturating_add(error, step - 1);
                }
                for arc in graph.arcs_of(node) {
                    let after: &mut i64 = &mut errors[graph.arcs[arc].end as usize];
                    *after = (*after).max(error);
                }
            }
            errors[terminal as usize]
        });
        dims.collect()
    }

    /// How many classes the grid of a node has, where others have this many.
    fn classes_of(&self, node: u32, classes: usize) -> usize {
        if !self.special.scattered[node as usize] {
            return classes;
        }
        let most = (self.limits.free as f64).powf(1.0 / self.graph.dims() as f64) as usize;
        classes.saturating_mul(4).min(most).max(classes)
    }

    /// The cells with this many classes in each constraint.
    pub(super) fn cells(&self, classes: usize) -> Cells {
        let dims = self.graph.dims();
        let axes = (0..dims).map(|dim| {
            let nodes = (0..).zip(&self.nodes);
            let axes = nodes.map(|(node, plan)| match plan {
                Plan::Exact(axes) => axes[dim].clone(),
                Plan::Grid => axis::grid(&self.graph, node, dim, self.classes_of(node, classes)),
            });
            axes.collect()
        });
        Cells::all(
            Arc::clone(&self.graph),
            axes.collect(),
            self.special.clone(),
            self.rounding.clone(),
        )
    }
}

/// For each node the sums that its prefixes come to, where they are few.
fn listed(graph: &Graph, most: usize) -> Vec<Option<Arc<Points>>> {
    let nodes = graph.terminal() as usize + 1;
    let mut found: Vec<Option<Points>> = (0..nodes).map(|_| Some(Points::default())).collect();
    let start: Box<[i64]> = vec![0; graph.dims()].into();
    found[ROOT as usize] = Some(Points {
        sums: start.to_vec(),
        places: std::iter::once((start, 0)).collect(),
    });
    let mut left = most.saturating_mul(8);
    for node in 0..graph.terminal() {
        let (before, after) = found.split_at_mut(node as usize + 1);
        let own = &before[node as usize];
        for arc in graph.arcs_of(node) {
            let target = &mut after[graph.arcs[arc].end as usize - node as usize - 1];
            let Some(own) = own else {
                *target = None;
                continue;
            };
            let Some(points) = target else { continue };
            let costs = graph.cost(arc);
            for sums in own.sums.chunks_exact(costs.len()) {
                let sums: Box<[i64]> = sums.iter().zip(costs).map(|(a, b)| a + b).collect();
                if sums.iter().zip(&graph.windows).all(|(&sum, window)| sum <= window.high) {
                    let new = points.places.len() as u32;
                    let place = *points.places.entry(sums.clone()).or_insert(new);
                    if place == new {
                        points.sums.extend_from_slice(&sums);
                    }
                }
            }
            left = left.saturating_sub(own.places.len());
            if left == 0 || points.places.len() > most {
                *target = None;
            }
        }
    }
    found.into_iter().map(|points| points.map(Arc::new)).collect()
}

/// For each node what its completions come to, where they are few; and how many there are.
pub(super) fn completions(graph: &Graph, most: usize) -> (Vec<Option<Arc<Items>>>, Vec<usize>) {
    let terminal = graph.terminal() as usize;
    let dims = graph.dims();
    let mut found: Vec<Option<Arc<Items>>> = vec![None; terminal + 1];
    let mut passed = vec![usize::MAX; terminal + 1];
    found[terminal] = Some(Arc::new(Items {
        costs: vec![0; dims],
        ways: vec![1],
    }));
    let mut left = most.saturating_mul(64);
    for node in (0..terminal as u32).rev() {
        let arcs = graph.arcs_of(node);
        let ends: Option<Vec<_>> = arcs
            .clone()
            .map(|arc| found[graph.arcs[arc].end as usize].as_ref())
            .collect();
        let Some(ends) = ends else { continue };
        let all: usize = ends.iter().map(|items| items.ways.len()).sum();
        passed[node as usize] = all;
        if all > most.min(left) {
            continue;
        }
        left -= all;
        let mut own = Items::default();
        let mut fits = true;
        for (arc, items) in arcs.zip(ends) {
            let costs = graph.cost(arc);
            for (after, &ways) in items.costs.chunks_exact(dims).zip(&items.ways) {
                own.costs.extend(after.iter().zip(costs).map(|(a, b)| a + b));
                let ways = ways.checked_mul(graph.ways(arc));
                fits &= ways.is_some();
                own.ways.push(ways.unwrap_or(0));
            }
        }
        found[node as usize] = fits.then(|| Arc::new(own));
    }
    (found, passed)
}
