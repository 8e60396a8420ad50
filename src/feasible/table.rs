//! How many completions fit, for each class of each node.
//!
//! **Idea.** A *cell* of a node is a class in each constraint. Two prefixes in one cell have the same completions
//! within the budget, so the cells are the nodes of a diagram of the feasible candidates alone, and every question
//! about them is a pass over it. With one constraint this is the dynamic programming over a knapsack, run along the
//! arcs of the diagram.
//!
//! **Bound.** With one constraint (or rounded sums) all classes of all axes are cells, and an arc is an addition of
//! arrays, one shifted against the other by its cost: work in the order of the cells of a node for each of its arcs.
//! With several constraints only the combinations that prefixes come to are cells, found from the root on. Memory: one
//! number for each cell, as wide as the largest number of completions needs; numbers beyond 128 bits are big integers.

use super::axis::{self, Axis, Effort, Map, Rounding};
use super::graph::Graph;
use super::number::Number;
use crate::diagram::{ROOT, Workers, work_off};
use crate::{Error, Interrupt, Result};
use num_bigint::BigUint;
use num_traits::Zero;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Leads to no cell.
const NOWHERE: u32 = u32::MAX;

/// The most items of maps that are kept.
const MAPS: usize = 1 << 24;

/// The cells of each node, and where its arcs lead from each of them.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) graph: Arc<Graph>,
    layout: Layout,
    /// What becomes of sums between two items of a coarse grid, in each constraint.
    rounding: Vec<Rounding>,
}

#[derive(Debug)]
enum Layout {
    /// All combinations of the classes of the axes; those of each constraint, node by node. Where there is one
    /// constraint and they are small, the maps of all arcs.
    All {
        axes: Vec<Vec<Axis>>,
        maps: Vec<Map>,
        special: Special,
    },
    /// Those that prefixes come to: how many at each node, and for each arc where it leads from each of them.
    Reached { counts: Vec<usize>, next: Vec<Box<[u32]>> },
}

/// What is different for some nodes of a table of all combinations.
#[derive(Debug, Clone, Default)]
pub(super) struct Special {
    /// Nodes that prefixes come to with few sums; empty where there are none. Their cells are these alone.
    pub(super) points: Vec<Option<Arc<Points>>>,
    /// What completions come to, for nodes that have few of them; empty where it does not matter.
    pub(super) items: Vec<Option<Arc<Items>>>,
    /// Nodes whose completions are better gone through one by one.
    pub(super) scattered: Vec<bool>,
    /// For each node and each row of its cells along the last constraint, the range in which the cells lie that
    /// prefixes come to; empty where all of them may.
    pub(super) rows: Vec<Vec<Range<u32>>>,
}

/// The sums that prefixes of a node come to, in each constraint.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// One after the other.
    pub(super) sums: Vec<i64>,
    pub(super) places: FxHashMap<Box<[i64]>, u32>,
}

/// The costs that completions of a node come to.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// In each constraint, one completion after the other.
    pub(super) costs: Vec<i64>,
    /// How many completions come to these costs.
    pub(super) ways: Vec<u64>,
}

impl Special {
    fn points(&self, node: u32) -> Option<&Points> {
        self.points.get(node as usize)?.as_deref()
    }

    pub(super) fn items(&self, node: u32) -> Option<&Items> {
        self.items.get(node as usize)?.as_deref()
    }
}

impl Cells {
    /// All combinations of classes.
    pub(super) fn all(graph: Arc<Graph>, axes: Vec<Vec<Axis>>, special: Special, rounding: Vec<Rounding>) -> Self {
        Self {
            graph,
            layout: Layout::All {
                axes,
                maps: Vec::new(),
                special,
            },
            rounding,
        }
    }

    /// Makes what every pass needs again; worth its time where a table is made.
    fn prepare(&mut self) {
        if self.graph.dims() > 1 {
            self.find_rows();
        } else {
            self.keep_maps();
        }
    }

    /// Finds the part of each row that prefixes come to.
    fn find_rows(&mut self) {
        let graph = Arc::clone(&self.graph);
        let terminal = graph.terminal();
        let Layout::All { axes, special, .. } = &self.layout else {
            return;
        };
        let Some(last) = axes.last() else { return };
        let row_of = |node: u32, cell: usize| {
            let len = last[node as usize].len();
            (cell / len, (cell % len) as u32)
        };
        let nowhere = Range {
            start: u32::MAX,
            end: 0,
        };
        let empty = |node: u32| match special.points(node) {
            Some(_) => 0,
            None => self.count(node) / last[node as usize].len().max(1),
        };
        let mut rows: Vec<Vec<Range<u32>>> = (0..=terminal).map(|node| vec![nowhere.clone(); empty(node)]).collect();
        for node in 0..terminal {
            let own = std::mem::take(&mut rows[node as usize]);
            for arc in graph.arcs_of(node) {
                let end = graph.arcs[arc].end;
                if special.points(end).is_some() {
                    continue;
                }
                let target = &mut rows[end as usize];
                let mut reach = |cell: usize| {
                    let (row, class) = row_of(end, cell);
                    let range = &mut target[row];
                    *range = range.start.min(class)..range.end.max(class + 1);
                };
                if let Some(points) = special.points(node) {
                    self.each_point(points, arc, |_, next| reach(next));
                    continue;
                }
                let maps = self.maps(axes, &[], node, arc);
                each_row(&maps, &self.lens(axes, node, arc), &mut |from, to, map| {
                    let range = &own[row_of(node, from).0];
                    let Some(map) = map else { return };
                    let range = range.start as usize..(range.end as usize).min(map.len());
                    if !range.is_empty() {
                        reach(to + map.get(range.start));
                        reach(to + map.get(range.end - 1));
                    }
                });
            }
            rows[node as usize] = own;
        }
        if let Layout::All { special, .. } = &mut self.layout {
            special.rows = rows;
        }
    }

    /// The part of the row of a cell that prefixes come to, of the classes that get on.
    fn row(special: &Special, axes: &[Vec<Axis>], node: u32, cell: usize, map: &Map) -> Range<usize> {
        match (special.rows.get(node as usize), axes.last()) {
            (Some(rows), Some(last)) if !rows.is_empty() => {
                let row = &rows[cell / last[node as usize].len()];
                let end = (row.end as usize).min(map.len());
                (row.start as usize).min(end)..end
            }
            _ => 0..map.len(),
        }
    }

    fn keep_maps(&mut self) {
        let Layout::All { axes, maps, .. } = &mut self.layout else {
            return;
        };
        let [axes] = &axes[..] else { return };
        let graph = &self.graph;
        let high = graph.windows[0].high;
        let mut items = 0;
        for node in 0..graph.terminal() {
            let own = &axes[node as usize];
            for arc in graph.arcs_of(node) {
                let map = own.map(
                    graph.cost(arc)[0],
                    &axes[graph.arcs[arc].end as usize],
                    high,
                    self.rounding[0],
                );
                items += match &map {
                    Map::Shift { .. } => 0,
                    Map::Table(table) => table.len(),
                };
                if items > MAPS {
                    *maps = Vec::new();
                    return;
                }
                maps.push(map);
            }
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
        let combinations = |node: usize| {
            let mut lens = axes.iter().map(|axes| axes[node].len() as u128);
            lens.try_fold(1_u128, u128::checked_mul)
        };
        if (0..nodes).any(|node| combinations(node).is_none()) {
            return Ok(None);
        }
        let mut found: Vec<FxHashMap<u128, u32>> = vec![FxHashMap::default(); nodes];
        let mut sums: Vec<Vec<i64>> = vec![Vec::new(); nodes];
        let mut counts = vec![0; nodes];
        let mut next: Vec<Box<[u32]>> = Vec::with_capacity(graph.arcs.len());
        sums[ROOT as usize] = vec![0; dims];
        counts[ROOT as usize] = 1;
        let (mut cells, mut arcs) = (1, 0);
        for node in 0..graph.terminal() {
            if interrupt.stops() {
                return Err(Error::interrupted());
            }
            interrupt.advance(1);
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
                    *cell = if Some(*cell) == fitting && *cell != NOWHERE {
                        0
                    } else {
                        NOWHERE
                    };
                }
            }
        }
        counts[terminal] = 1;
        Ok(Some(Self {
            graph,
            layout: Layout::Reached { counts, next },
            rounding: vec![Rounding::Up; dims],
        }))
    }

    /// How many cells a node has.
    pub(super) fn count(&self, node: u32) -> usize {
        match &self.layout {
            Layout::All { axes, special, .. } => match special.points(node) {
                Some(points) => points.places.len(),
                None => axes
                    .iter()
                    .map(|axes| axes[node as usize].len())
                    .fold(1, usize::saturating_mul),
            },
            Layout::Reached { counts, .. } => counts[node as usize],
        }
    }

    /// How many cells all nodes have, and how many ways lead from one to another.
    pub(super) fn size(&self) -> (usize, usize) {
        let graph = &self.graph;
        (0..=graph.terminal()).fold((0, 0), |(cells, ways), node| {
            let count = self.count(node);
            let own = if self.is_scattered(node) {
                count
            } else {
                count.saturating_mul(graph.arcs_of(node).len())
            };
            (cells.saturating_add(count), ways.saturating_add(own))
        })
    }

    /// Whether the completions of a node are gone through one by one.
    pub(super) fn is_scattered(&self, node: u32) -> bool {
        match &self.layout {
            Layout::All { special, .. } => special.scattered.get(node as usize).copied().unwrap_or(false),
            Layout::Reached { .. } => false,
        }
    }

    /// What stands for a cell in each constraint; of a node whose cells are all combinations.
    fn at(axes: &[Vec<Axis>], node: u32, mut cell: usize) -> Vec<i64> {
        let mut sums = Vec::with_capacity(axes.len());
        for axes in axes.iter().rev() {
            let axis = &axes[node as usize];
            sums.push(axis.at(cell % axis.len()));
            cell /= axis.len();
        }
        sums.reverse();
        sums
    }

    /// The cell of some sums.
    fn cell_of(&self, axes: &[Vec<Axis>], special: &Special, node: u32, sums: &[i64]) -> Option<usize> {
        if sums
            .iter()
            .zip(&self.graph.windows)
            .any(|(&sum, window)| sum > window.high)
        {
            return None;
        }
        if let Some(points) = special.points(node) {
            return points.places.get(sums).map(|&place| place as usize);
        }
        let mut sums = sums.iter().zip(axes).zip(&self.rounding);
        sums.try_fold(0, |cell, ((&sum, axes), &rounding)| {
            let axis = &axes[node as usize];
            Some(cell * axis.len() + axis.class(sum, rounding)?)
        })
    }

    /// Calls back with each cell of a node that lists its sums, and the cell that an arc leads to.
    fn each_point(&self, points: &Points, arc: usize, mut found: impl FnMut(usize, usize)) {
        let Layout::All { axes, special, .. } = &self.layout else {
            return;
        };
        let end = self.graph.arcs[arc].end;
        let costs = self.graph.cost(arc);
        let mut after = vec![0; costs.len()];
        for (cell, sums) in points.sums.chunks_exact(costs.len()).enumerate() {
            for ((after, sum), cost) in after.iter_mut().zip(sums).zip(costs) {
                *after = sum + cost;
            }
            if let Some(next) = self.cell_of(axes, special, end, &after) {
                found(cell, next);
            }
        }
    }

    /// The cell of the terminal in which every constraint is kept.
    fn fitting(&self) -> usize {
        self.count(self.graph.terminal()) - 1
    }

    /// The map of an arc in each constraint.
    fn maps<'a>(&self, axes: &[Vec<Axis>], kept: &'a [Map], node: u32, arc: usize) -> Cow<'a, [Map]> {
        if let Some(map) = kept.get(arc) {
            return Cow::Borrowed(std::slice::from_ref(map));
        }
        let end = self.graph.arcs[arc].end as usize;
        let costs = self.graph.cost(arc);
        let windows = &self.graph.windows;
        let dims = axes.iter().zip(costs).zip(windows);
        dims.zip(&self.rounding)
            .map(|(((axes, &cost), window), &rounding)| {
                axes[node as usize].map(cost, &axes[end], window.high, rounding)
            })
            .collect()
    }

    /// How many classes the axes of the two nodes of an arc have.
    fn lens(&self, axes: &[Vec<Axis>], node: u32, arc: usize) -> Vec<(usize, usize)> {
        let end = self.graph.arcs[arc].end as usize;
        axes.iter()
            .map(|axes| (axes[node as usize].len(), axes[end].len()))
            .collect()
    }

    /// Calls back with each cell of a node from which an arc leads on, and the cell it leads to.
    pub(super) fn each(&self, node: u32, arc: usize, mut found: impl FnMut(usize, usize)) {
        match &self.layout {
            Layout::Reached { next, .. } => {
                for (cell, &next) in next[arc].iter().enumerate() {
                    if next != NOWHERE {
                        found(cell, next as usize);
                    }
                }
            }
            Layout::All { axes, maps, special } => {
                if let Some(points) = special.points(node) {
                    self.each_point(points, arc, found);
                    return;
                }
                let maps = self.maps(axes, maps, node, arc);
                each_row(&maps, &self.lens(axes, node, arc), &mut |from, to, map| match map {
                    None => found(from, to),
                    Some(map) => {
                        for class in Self::row(special, axes, node, from, map) {
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
        let (axes, maps, special) = match &self.layout {
            Layout::All { axes, maps, special } if special.points(node).is_none() => (axes, maps, special),
            _ => {
                let ways = N::of(ways);
                self.each(node, arc, |from, to| own[from].add_product(&next[to], &ways));
                return;
            }
        };
        let maps = self.maps(axes, maps, node, arc);
        each_row(&maps, &self.lens(axes, node, arc), &mut |from, to, map| match map {
            None => N::add_all(&mut own[from..=from], &next[to..=to], ways),
            Some(map) => {
                let row = Self::row(special, axes, node, from, map);
                let own = &mut own[from + row.start..from + row.end];
                match map {
                    Map::Shift { zeros, .. } => {
                        let zeros = zeros.saturating_sub(row.start).min(own.len());
                        let (low, high) = own.split_at_mut(zeros);
                        for own in low {
                            N::add_all(std::slice::from_mut(own), &next[to..=to], ways);
                        }
                        if !high.is_empty() {
                            N::add_all(high, &next[to + map.get(row.start + zeros)..], ways);
                        }
                    }
                    Map::Table(table) => {
                        let (next, table) = (&next[to..], &table[row]);
                        if ways == 1 {
                            for (own, &class) in own.iter_mut().zip(table) {
                                own.add(&next[class as usize]);
                            }
                        } else {
                            let ways = N::of(ways);
                            for (own, &class) in own.iter_mut().zip(table) {
                                own.add_product(&next[class as usize], &ways);
                            }
                        }
                    }
                }
            }
        });
    }

    /// The cell that an arc leads to.
    #[inline]
    pub(super) fn follow(&self, node: u32, cell: usize, arc: usize) -> Option<usize> {
        match &self.layout {
            Layout::Reached { next, .. } => Some(next[arc][cell])
                .filter(|&next| next != NOWHERE)
                .map(|next| next as usize),
            Layout::All { axes, maps, special } => {
                let points = special.points(node);
                // A node that lists its sums has no classes, so that maps of its arcs would lead nowhere.
                if points.is_none()
                    && let Some(map) = maps.get(arc)
                {
                    return (cell < map.len()).then(|| map.get(cell));
                }
                let mut sums = match points {
                    Some(points) => points.sums[cell * axes.len()..(cell + 1) * axes.len()].to_vec(),
                    None => Self::at(axes, node, cell),
                };
                for (sum, cost) in sums.iter_mut().zip(self.graph.cost(arc)) {
                    *sum += cost;
                }
                self.cell_of(axes, special, self.graph.arcs[arc].end, &sums)
            }
        }
    }

    /// Calls back with each completion along an arc of a node whose completions are gone through: its place among
    /// those of the next node, how many ways it stands for, and the range of the classes in which it fits, in each
    /// constraint.
    pub(super) fn each_completion(&self, node: u32, arc: usize, mut found: impl FnMut(usize, u64, &[Range<usize>])) {
        let Layout::All { axes, special, .. } = &self.layout else {
            return;
        };
        let graph = &self.graph;
        let Some(items) = special.items(graph.arcs[arc].end) else {
            return;
        };
        let cost = graph.cost(arc);
        let dims = axes.len();
        if let ([axes], [cost], [window]) = (&axes[..], cost, &graph.windows[..])
            && window.low <= 0
        {
            // The usual case, several times faster than the same in general.
            let axis = &axes[node as usize];
            for (item, (after, &ways)) in items.costs.iter().zip(&items.ways).enumerate() {
                let range = 0..axis.within(cost + after, window.high);
                found(item, ways, std::slice::from_ref(&range));
            }
            return;
        }
        let mut ranges = vec![0..0; dims];
        for (item, (costs, &ways)) in items.costs.chunks_exact(dims).zip(&items.ways).enumerate() {
            for (dim, range) in ranges.iter_mut().enumerate() {
                let (axis, window) = (&axes[dim][node as usize], graph.windows[dim]);
                let own = cost[dim] + costs[dim];
                let below = if window.low > 0 {
                    axis.within(own, window.low - 1)
                } else {
                    0
                };
                *range = below..axis.within(own, window.high).max(below);
            }
            found(item, ways, &ranges);
        }
    }

    /// Calls back with the last cell of each part whose cells up to it, added and subtracted in turn, make up some
    /// ranges of classes; and whether it is to be subtracted.
    pub(super) fn each_corner(&self, node: u32, ranges: &[Range<usize>], mut found: impl FnMut(usize, bool)) {
        let Layout::All { axes, .. } = &self.layout else { return };
        if let [range] = ranges
            && range.start == 0
        {
            if let Some(last) = range.end.checked_sub(1) {
                found(last, false);
            }
            return;
        }
        for corner in 0..1_usize << ranges.len() {
            let last = ranges
                .iter()
                .zip(axes)
                .enumerate()
                .try_fold(0, |cell, (dim, (range, axes))| {
                    let end = if corner >> dim & 1 == 1 { range.start } else { range.end };
                    Some(cell * axes[node as usize].len() + end.checked_sub(1)?)
                });
            if let Some(last) = last {
                found(last, corner.count_ones() % 2 == 1);
            }
        }
    }

    /// Counts the completions of each cell of a node by going through them.
    fn scatter<N: Number>(&self, node: u32, own: &mut [N]) {
        for arc in self.graph.arcs_of(node) {
            let each = N::of(self.graph.ways(arc));
            self.each_completion(node, arc, |_, ways, ranges| {
                let mut all = N::default();
                all.add_product(&N::of(ways), &each);
                self.each_corner(node, ranges, |last, subtract| {
                    if subtract {
                        own[last].wrapping_subtract(&all);
                    } else {
                        own[last].wrapping_add(&all);
                    }
                });
            });
        }
        // From each cell to all before it, one constraint after the other.
        self.each_block(node, own, |stride, block| {
            for cell in (stride..block.len()).rev() {
                let (before, after) = block.split_at_mut(cell);
                before[cell - stride].wrapping_add(&after[0]);
            }
        });
    }

    /// Makes the number of each cell of a node that of all cells up to it.
    pub(super) fn sum_before<N: Number>(&self, node: u32, own: &mut [N]) {
        self.each_block(node, own, |stride, block| {
            for cell in stride..block.len() {
                let (before, after) = block.split_at_mut(cell);
                after[0].add(&before[cell - stride]);
            }
        });
    }

    /// For each constraint, calls back with each block of cells that differ in it or in later ones, and with how far
    /// its classes are apart.
    fn each_block<N>(&self, node: u32, own: &mut [N], mut work: impl FnMut(usize, &mut [N])) {
        let Layout::All { axes, .. } = &self.layout else { return };
        let mut stride = 1;
        for axes in axes.iter().rev() {
            let block = stride * axes[node as usize].len();
            if block == 0 {
                return;
            }
            own.chunks_exact_mut(block).for_each(|block| work(stride, block));
            stride = block;
        }
    }
}

/// Calls back with each row of cells along the last constraint: the first cell of it, that of the row it leads to, and
/// the map between them; nothing where there is no constraint. Nodes without cells have no rows.
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
                let scale = lens
                    .iter()
                    .fold((1, 1), |scale, len| (scale.0 * len.0, scale.1 * len.1));
                for class in 0..map.len() {
                    go(maps, lens, (from + class * scale.0, to + map.get(class) * scale.1), row);
                }
            }
            _ => row(from, to, None),
        }
    }
    if lens.iter().any(|&(from, to)| from == 0 || to == 0) {
        return;
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
    pub(super) fn new(mut cells: Cells, workers: Workers<'_>) -> Result<Self> {
        cells.prepare();
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
            work_off(
                jobs,
                Workers { threads, interrupt },
                || (),
                |(), (node, own)| {
                    if !graph.is_live(node) {
                        return Ok(());
                    }
                    own.resize(cells.count(node), N::default());
                    if cells.is_scattered(node) {
                        cells.scatter(node, own);
                        interrupt.advance(own.len() as u64);
                        return Ok(());
                    }
                    for arc in graph.arcs_of(node) {
                        if interrupt.stops() {
                            return Err(Error::interrupted());
                        }
                        cells.add(node, arc, own, &later[(graph.arcs[arc].end - last) as usize]);
                        interrupt.advance(own.len() as u64);
                    }
                    Ok(())
                },
            )?;
            last = first;
        }
        workers.interrupt.advance(graph.arcs_of(ROOT).len() as u64);
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
