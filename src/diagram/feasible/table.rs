//! How many completions fit, for each class of each node.
//!
//! A *cell* of a node is a class in each constraint. Two prefixes in one cell have the same completions within the
//! budget, so the cells are the nodes of a diagram of the feasible candidates alone, and every question about them is a
//! pass over it.

use super::axis::{self, Axis, Effort, Map, Rounding};
use super::graph::Graph;
use super::number::Number;
use crate::diagram::parallel::{Workers, work_off};
use crate::diagram::{Interrupt, ROOT};
use crate::{Error, Result};
use num_bigint::BigUint;
use num_traits::Zero;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Leads to no cell.
pub(super) const NOWHERE: u32 = u32::MAX;

/// The cells of each node, and where its arcs lead from each of them.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) graph: Arc<Graph>,
    kind: Kind,
    pub(super) rounding: Rounding,
}

#[derive(Debug)]
enum Kind {
    /// All combinations of the classes of the axes; those of each constraint, node by node.
    All(Vec<Vec<Axis>>),
    /// Those that prefixes come to: how many at each node, and for each arc where it leads from each of them.
    Reached { counts: Vec<usize>, next: Vec<Box<[u32]>> },
}

impl Cells {
    /// All combinations of classes.
    pub(super) fn all(graph: Arc<Graph>, axes: Vec<Vec<Axis>>, rounding: Rounding) -> Self {
        Self {
            graph,
            kind: Kind::All(axes),
            rounding,
        }
    }

    /// The cells that prefixes come to; nothing where they are more than `most`, or lead to one another in more ways
    /// than `most_arcs`.
    pub(super) fn reached(
        graph: Arc<Graph>,
        most: usize,
        most_arcs: usize,
        effort: Effort,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Self>> {
        let dims = graph.dims();
        let axes = (0..dims)
            .map(|dim| axis::exact(&graph, dim, effort, interrupt))
            .collect::<Result<Vec<_>>>()?;
        let nodes = graph.terminal() as usize + 1;
        let mut found: Vec<FxHashMap<u128, u32>> = vec![FxHashMap::default(); nodes];
        let mut sums: Vec<Vec<i64>> = vec![Vec::new(); nodes];
        let mut counts = vec![0; nodes];
        let mut next: Vec<Box<[u32]>> = Vec::with_capacity(graph.arcs.len());
        sums[ROOT as usize] = vec![0; dims];
        counts[ROOT as usize] = 1;
        let (mut cells, mut arcs) = (1, 0);
        for node in 0..graph.terminal() {
            if interrupt() {
                return Err(Error::interrupted());
            }
            let own = std::mem::take(&mut sums[node as usize]);
            found[node as usize] = FxHashMap::default();
            arcs += graph.arcs_of(node).len() * counts[node as usize];
            if arcs > most_arcs {
                return Ok(None);
            }
            for arc in graph.arcs_of(node) {
                let end = graph.arcs[arc].end;
                let costs = graph.cost(arc);
                let follow = |sum: &[i64]| {
                    let mut key = 0_u128;
                    for (dim, (&sum, &cost)) in sum.iter().zip(costs).enumerate() {
                        let (sum, window) = (sum + cost, graph.windows[dim]);
                        if sum > window.high || sum + graph.to_go(end, dim) < window.low {
                            return NOWHERE;
                        }
                        let axis = &axes[dim][end as usize];
                        let Some(class) = axis.class(sum, Rounding::Up) else {
                            return NOWHERE;
                        };
                        key = key * axis.len() as u128 + class as u128;
                    }
                    let known = &mut found[end as usize];
                    let new = known.len() as u32;
                    let cell = *known.entry(key).or_insert(new);
                    if cell == new {
                        let mut rest = key;
                        let start = sums[end as usize].len();
                        for dim in (0..dims).rev() {
                            let axis = &axes[dim][end as usize];
                            let len = axis.len() as u128;
                            sums[end as usize].push(axis.at((rest % len) as usize));
                            rest /= len;
                        }
                        sums[end as usize][start..].reverse();
                        counts[end as usize] += 1;
                        cells += 1;
                    }
                    cell
                };
                next.push(own.chunks_exact(dims).map(follow).collect());
                if cells > most {
                    return Ok(None);
                }
            }
        }
        let terminal = graph.terminal() as usize;
        // The terminal has one cell for what fits; see `completions`.
        let fits = (0..dims).fold(0_u128, |key, dim| {
            let len = axes[dim][terminal].len() as u128;
            key * len + len - 1
        });
        let fitting = found[terminal].get(&fits).copied();
        for (arc, next) in next.iter_mut().enumerate() {
            if graph.arcs[arc].end as usize == terminal {
                for cell in next {
                    *cell = if Some(*cell) == fitting && *cell != NOWHERE { 0 } else { NOWHERE };
                }
            }
        }
        counts[terminal] = 1;
        Ok(Some(Self {
            graph,
            kind: Kind::Reached { counts, next },
            rounding: Rounding::Up,
        }))
    }

    /// How many cells a node has.
    pub(super) fn count(&self, node: u32) -> usize {
        match &self.kind {
            Kind::All(axes) => axes
                .iter()
                .map(|axes| axes[node as usize].len())
                .fold(1, usize::saturating_mul),
            Kind::Reached { counts, .. } => counts[node as usize],
        }
    }

    /// How many cells all nodes have, and how many ways lead from one to another.
    pub(super) fn size(&self) -> (usize, usize) {
        let graph = &self.graph;
        (0..=graph.terminal()).fold((0, 0), |(cells, ways), node| {
            let count = self.count(node);
            let own = count.saturating_mul(graph.arcs_of(node).len());
            (cells.saturating_add(count), ways.saturating_add(own))
        })
    }

    /// The cell of the terminal in which every constraint is kept.
    fn fitting(&self) -> usize {
        self.count(self.graph.terminal()) - 1
    }

    fn maps(&self, axes: &[Vec<Axis>], node: u32, arc: usize) -> Vec<Map> {
        let end = self.graph.arcs[arc].end as usize;
        let costs = self.graph.cost(arc);
        let windows = &self.graph.windows;
        let dims = axes.iter().zip(costs).zip(windows);
        dims.map(|((axes, &cost), window)| axes[node as usize].map(cost, &axes[end], window.high, self.rounding))
            .collect()
    }

    /// Calls back with each cell of a node from which an arc leads on, and the cell it leads to.
    pub(super) fn each(&self, node: u32, arc: usize, mut found: impl FnMut(usize, usize)) {
        match &self.kind {
            Kind::Reached { next, .. } => {
                for (cell, &next) in next[arc].iter().enumerate() {
                    if next != NOWHERE {
                        found(cell, next as usize);
                    }
                }
            }
            Kind::All(axes) => {
                let end = self.graph.arcs[arc].end as usize;
                let maps = self.maps(axes, node, arc);
                let lens: Vec<_> = axes.iter().map(|axes| (axes[node as usize].len(), axes[end].len())).collect();
                each_row(&maps, &lens, &mut |from, to, map| match map {
                    None => found(from, to),
                    Some(map) => {
                        for class in 0..map.len() {
                            found(from + class, to + map.get(class));
                        }
                    }
                });
            }
        }
    }

    /// Adds the numbers of the cells that an arc leads to, times its ways, to those of the cells that it leads from.
    fn add<N: Number>(&self, node: u32, arc: usize, own: &mut [N], next: &[N]) {
        let ways = self.graph.ways(arc);
        let Kind::All(axes) = &self.kind else {
            debug_assert_eq!(ways, 1);
            self.each(node, arc, |from, to| own[from].add(&next[to]));
            return;
        };
        let end = self.graph.arcs[arc].end as usize;
        let maps = self.maps(axes, node, arc);
        let lens: Vec<_> = axes.iter().map(|axes| (axes[node as usize].len(), axes[end].len())).collect();
        each_row(&maps, &lens, &mut |from, to, map| match map {
            None => N::add_all(&mut own[from..=from], &next[to..=to], ways),
            Some(Map::Shift { zeros, by, len }) => {
                let (low, high) = own[from..from + len].split_at_mut((*zeros).min(*len));
                for own in low {
                    N::add_all(std::slice::from_mut(own), &next[to..=to], ways);
                }
                let first = to as i64 + *zeros as i64 + by;
                if !high.is_empty() {
                    N::add_all(high, &next[first as usize..], ways);
                }
            }
            Some(Map::Table(table)) => {
                let next = &next[to..];
                if ways == 1 {
                    for (own, &class) in own[from..].iter_mut().zip(table) {
                        own.add(&next[class as usize]);
                    }
                } else {
                    let ways = N::of(ways);
                    for (own, &class) in own[from..].iter_mut().zip(table) {
                        own.add_product(&next[class as usize], &ways);
                    }
                }
            }
        });
    }

    /// The cell that an arc leads to.
    #[inline]
    pub(super) fn follow(&self, node: u32, cell: usize, arc: usize) -> Option<usize> {
        match &self.kind {
            Kind::Reached { next, .. } => Some(next[arc][cell]).filter(|&next| next != NOWHERE).map(|next| next as usize),
            Kind::All(axes) => {
                let end = self.graph.arcs[arc].end as usize;
                let mut rest = cell;
                let mut scale = 1;
                let mut target = 0;
                for (dim, axes) in axes.iter().enumerate().rev() {
                    let (own, next) = (&axes[node as usize], &axes[end]);
                    let sum = own.at(rest % own.len()) + self.graph.cost(arc)[dim];
                    rest /= own.len();
                    if sum > self.graph.windows[dim].high {
                        return None;
                    }
                    target += scale * next.class(sum, self.rounding)?;
                    scale *= next.len();
                }
                Some(target)
            }
        }
    }
}

/// Calls back with each row of cells along the last constraint: the first cell of it, that of the row it leads to, and
/// the map between them; nothing where there is no constraint.
fn each_row(maps: &[Map], lens: &[(usize, usize)], row: &mut impl FnMut(usize, usize, Option<&Map>)) {
    fn go(
        maps: &[Map],
        lens: &[(usize, usize)],
        (from, to): (usize, usize),
        row: &mut impl FnMut(usize, usize, Option<&Map>),
    ) {
        match (maps, lens) {
            ([map], _) => row(from, to, Some(map)),
            ([map, maps @ ..], [_, lens @ ..]) => {
                let scale = lens.iter().fold((1, 1), |scale, len| (scale.0 * len.0, scale.1 * len.1));
                for class in 0..map.len() {
                    go(maps, lens, (from + class * scale.0, to + map.get(class) * scale.1), row);
                }
            }
            _ => row(from, to, None),
        }
    }
    go(maps, lens, (0, 0), row);
}

/// How many completions fit, for each cell of each node.
#[derive(Debug)]
pub(super) struct Table<N> {
    pub(super) cells: Cells,
    /// Node by node; nothing at the root, where the numbers are the largest.
    pub(super) completions: Vec<Vec<N>>,
    /// For each arc of the root, how many candidates use it or an earlier one.
    pub(super) sums: Vec<BigUint>,
}

/// Fewer ways than this are not worth a thread.
const WORTH_A_THREAD: usize = 1 << 18;

impl<N: Number> Table<N> {
    pub(super) fn new(cells: Cells, workers: Workers<'_>) -> Result<Self> {
        let graph = Arc::clone(&cells.graph);
        let terminal = graph.terminal();
        let mut completions: Vec<Vec<N>> = vec![Vec::new(); terminal as usize + 1];
        if !graph.empty {
            let mut ends = vec![N::default(); cells.count(terminal)];
            ends[cells.fitting()] = N::of(1);
            completions[terminal as usize] = ends;
        }
        let mut last = terminal;
        while last > 1 {
            // The nodes before `last` among which there is no arc.
            let mut first = last;
            let mut work = 0;
            while first > 1 && graph.arcs_of(first - 1).all(|arc| graph.arcs[arc].end >= last) {
                first -= 1;
                work += graph.arcs_of(first).len() * cells.count(first);
            }
            let (own, later) = completions.split_at_mut(last as usize);
            let jobs = (first..last).zip(&mut own[first as usize..]);
            let cells = &cells;
            let threads = if work < WORTH_A_THREAD { 1 } else { workers.threads };
            let interrupt = workers.interrupt;
            work_off(jobs, Workers { threads, interrupt }, || (), |(), (node, own)| {
                if !graph.is_live(node) {
                    return Ok(());
                }
                own.resize(cells.count(node), N::default());
                for arc in graph.arcs_of(node) {
                    cells.add(node, arc, own, &later[(graph.arcs[arc].end - last) as usize]);
                }
                Ok(())
            })?;
            last = first;
        }
        let mut sums = Vec::new();
        let mut sum = BigUint::zero();
        for arc in graph.arcs_of(ROOT) {
            if let Some(cell) = cells.follow(ROOT, 0, arc) {
                let ways = completions[graph.arcs[arc].end as usize][cell].big();
                sum += ways * graph.ways(arc);
            }
            sums.push(sum.clone());
        }
        if terminal == ROOT && !graph.empty {
            sums.push(BigUint::from(1_u8));
        }
        Ok(Self {
            cells,
            completions,
            sums,
        })
    }

    /// How many candidates fit.
    pub(super) fn total(&self) -> BigUint {
        self.sums.last().cloned().unwrap_or_default()
    }

    /// How many completions of a cell fit; of a node that is not the root.
    pub(super) fn of(&self, node: u32, cell: usize) -> &N {
        &self.completions[node as usize][cell]
    }

    /// Whether some completion along an arc fits.
    #[inline]
    pub(super) fn leads_on(&self, node: u32, cell: usize, arc: usize) -> Option<usize> {
        let next = self.cells.follow(node, cell, arc)?;
        let end = self.cells.graph.arcs[arc].end;
        (!self.of(end, next).is_nothing()).then_some(next)
    }
}
