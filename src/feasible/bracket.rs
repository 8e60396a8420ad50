//! Bounds of a count, where an exact one would take too much memory or work.
//!
//! **Idea.** Prefixes are carried from the root down in *boxes*: prefixes of one node whose sums lie close together, how
//! many they are, and the least and the most that any of them comes to. Where completions are few enough to be gone
//! through, they are marked on a grid and added up, so that one look-up tells how many of them fit after a prefix of some
//! sums. Put together there, the least sums of the boxes give an upper bound, and the most sums a lower one. As in Dyer
//! (*Approximate counting by dynamic programming*, STOC 2003) only the sums are inexact, never the numbers; but what lies
//! in a box is not rounded to a grid that is known before: a box of equal sums costs nothing, and no table is kept, so
//! that the bounds are closer than those of a table of the same size.
//!
//! **Bound.** A node has at most `boxes` boxes; each is sent along each arc, so that the work is that of the arcs times
//! the boxes. Completions are marked for a node when they are asked for, and forgotten then: memory is that of the boxes
//! of all nodes and of a grid for each thread. Boxes are made finer until the bounds are close, or the work is too much.

use super::axis::{self, block_end};
use super::bound::{largest, ratio};
use super::graph::Graph;
use super::marked::{Completions, Marked};
use super::rounded::{Allowed, completions};
use super::table::Items;
use crate::diagram::{ROOT, Workers, work_off};
use crate::{Error, Result};
use num_bigint::BigUint;
use std::ops::{Add, Mul};
use std::sync::{Arc, Mutex};

/// The most look-ups and boxes that are sent on.
const WORK: usize = 1 << 30;

/// How close the bounds shall be: `upper / lower - 1`.
const CLOSE: f64 = 0.001;

/// The most completions that are marked, those of all nodes together.
const MARKED: usize = 1 << 29;

/// The most cells of a grid of one constraint.
const LINE: usize = 1 << 16;

/// A count is at least the first, and at most the second.
pub(super) type Ends = (BigUint, BigUint);

/// Bounds of the number of candidates; nothing where there are too many constraints, or numbers are beyond 128 bits.
pub(super) fn bracket(graph: &Graph, memory: usize, workers: Workers<'_>) -> Result<Option<Ends>> {
    match graph.dims() {
        1 => close::<1>(graph, memory, workers),
        2 => close::<2>(graph, memory, workers),
        3 => close::<3>(graph, memory, workers),
        _ => Ok(None),
    }
}

fn close<const D: usize>(graph: &Graph, memory: usize, workers: Workers<'_>) -> Result<Option<Ends>> {
    match Bracket::<D>::new(graph, memory) {
        None => Ok(None),
        Some(bracket) if bracket.few_prefixes => refine::<u64, D>(&bracket, workers).map(Some),
        Some(bracket) => refine::<u128, D>(&bracket, workers).map(Some),
    }
}

fn refine<W: Ways, const D: usize>(bracket: &Bracket<'_, D>, workers: Workers<'_>) -> Result<Ends> {
    let mut boxes = bracket.finest::<W>(WORK / 4 * 3);
    let (mut ends, mut work) = bracket.ends::<W>(boxes, workers)?;
    loop {
        let excess = ratio(&ends.1, &ends.0) - 1.0;
        // Where many cells of a grid stay empty, there are fewer boxes than there might be.
        let affordable = boxes as f64 * (WORK as f64 / work.max(1) as f64);
        let wanted = boxes as f64 * (excess / CLOSE * 1.1).min(64.0).powi(D as i32);
        let next = (wanted.min(affordable) as usize).min(bracket.memory_for_boxes::<W>());
        if excess <= CLOSE || next < boxes + boxes / 4 {
            return Ok(ends);
        }
        boxes = next;
        let (lower, upper);
        ((lower, upper), work) = bracket.ends::<W>(boxes, workers)?;
        ends = (ends.0.max(lower), ends.1.min(upper));
    }
}

/// This many boxes are put together with the completions along all arcs in turn.
const TOGETHER: usize = 128;

/// The fewest boxes of a node.
const LEAST: usize = 16;

/// A number of prefixes.
trait Ways: Copy + PartialEq + Send + Sync + From<u64> + Into<u128> + Add<Output = Self> + Mul<Output = Self> {}

impl Ways for u64 {}
impl Ways for u128 {}

/// Prefixes of one node.
#[derive(Debug, Clone, Copy)]
struct Prefixes<W, const D: usize> {
    least: [i64; D],
    most: [i64; D],
    ways: W,
}

impl<W: Ways, const D: usize> Prefixes<W, D> {
    fn none() -> Self {
        Self {
            least: [i64::MAX; D],
            most: [i64::MIN; D],
            ways: W::from(0),
        }
    }

    /// After an arc; nothing where none of them fits.
    #[inline]
    fn after(&self, cost: &[i64; D], ways: u64, high: &[i64; D]) -> Option<Self> {
        let mut after = *self;
        for dim in 0..D {
            after.least[dim] += cost[dim];
            after.most[dim] += cost[dim];
            if after.least[dim] > high[dim] {
                return None;
            }
        }
        after.ways = after.ways * W::from(ways);
        Some(after)
    }

    #[inline]
    fn join(&mut self, other: &Self) {
        for dim in 0..D {
            self.least[dim] = self.least[dim].min(other.least[dim]);
            self.most[dim] = self.most[dim].max(other.most[dim]);
        }
        self.ways = self.ways + other.ways;
    }
}

/// At most and at least how many candidates keep within a room: prefixes, put together with completions.
#[inline]
fn put_together<W: Ways, C: Completions, const D: usize>(
    marked: &Marked<C, D>,
    room: &[i64; D],
    boxes: &[Prefixes<W, D>],
) -> (u128, u128) {
    let (mut upper, mut lower) = (0_u128, 0_u128);
    for own in boxes {
        let most = std::array::from_fn(|dim| room[dim] - own.least[dim]);
        if most.iter().any(|&left| left < 0) {
            continue;
        }
        let least = std::array::from_fn(|dim| room[dim] - own.most[dim]);
        let prefixes: u128 = own.ways.into();
        upper += prefixes * u128::from(marked.perhaps_within(&most));
        lower += prefixes * u128::from(marked.surely_within(&least));
    }
    (upper, lower)
}

/// The numbers of candidates that may fit, and that certainly do; each as what is added and what is subtracted.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    upper: [u128; 2],
    lower: [u128; 2],
}

/// What does not depend on the number of boxes.
struct Bracket<'a, const D: usize> {
    graph: &'a Graph,
    memory: usize,
    items: Vec<Option<Arc<Items>>>,
    passed: Vec<usize>,
    /// Where completions are marked: no prefix is sent on from there.
    joins: Vec<bool>,
    /// Prefixes of each node before those are fewer than 2^64.
    few_prefixes: bool,
    /// Nodes whose completions are fewer than 2^32.
    narrow: Vec<bool>,
    /// The nodes that prefixes are sent to.
    reached: Vec<bool>,
    /// The arcs into each node, and the nodes that they come from.
    into: Vec<(u32, usize)>,
    starts: Vec<usize>,
    high: [i64; D],
}

impl<'a, const D: usize> Bracket<'a, D> {
    fn new(graph: &'a Graph, memory: usize) -> Option<Self> {
        let limits = Allowed::of(memory);
        let terminal = graph.terminal();
        let (items, passed) = completions(graph, limits.items);
        // All numbers of candidates, and of the completions of a node, fit into 128 and 64 bits.
        let mut paths = vec![0_u128; terminal as usize + 1];
        paths[terminal as usize] = 1;
        for node in (0..terminal).rev() {
            for arc in graph.arcs_of(node) {
                let ways = paths[graph.arcs[arc].end as usize].checked_mul(u128::from(graph.ways(arc)))?;
                paths[node as usize] = paths[node as usize].checked_add(ways)?;
            }
        }
        // Corners of ranges are added up before others are subtracted.
        paths[ROOT as usize].checked_mul(1 << D)?;
        let may_join = |node: u32, most: usize| {
            node != ROOT
                && (node == terminal
                    || (passed[node as usize] <= most
                        && u64::try_from(paths[node as usize]).is_ok()
                        && graph
                            .arcs_of(node)
                            .all(|arc| items[graph.arcs[arc].end as usize].is_some())))
        };
        let plan = |most: usize| {
            let joins: Vec<bool> = (0..=terminal).map(|node| may_join(node, most)).collect();
            let mut reached = vec![false; joins.len()];
            reached[ROOT as usize] = true;
            let mut marked = 0_usize;
            for node in 0..=terminal {
                if !reached[node as usize] {
                    continue;
                }
                if joins[node as usize] {
                    marked = marked.saturating_add(if node == terminal { 1 } else { passed[node as usize] });
                    continue;
                }
                for arc in graph.arcs_of(node) {
                    reached[graph.arcs[arc].end as usize] = true;
                }
            }
            (joins, reached, marked)
        };
        let mut planned = plan(limits.scattered);
        if planned.2 > MARKED {
            planned = plan(limits.items.min(limits.scattered));
        }
        if planned.2 > MARKED {
            planned = plan(0);
        }
        let (joins, reached, _) = planned;
        let mut prefixes = vec![0_u128; terminal as usize + 1];
        prefixes[ROOT as usize] = 1;
        for node in (0..terminal).filter(|&node| reached[node as usize] && !joins[node as usize]) {
            for arc in graph.arcs_of(node) {
                prefixes[graph.arcs[arc].end as usize] += prefixes[node as usize] * u128::from(graph.ways(arc));
            }
        }
        let mut sent_on = prefixes.iter().zip(&joins).filter(|&(_, joins)| !joins);
        let few_prefixes = sent_on.all(|(&prefixes, _)| u64::try_from(prefixes).is_ok());
        let mut starts = vec![0; terminal as usize + 2];
        for arc in &graph.arcs {
            starts[arc.end as usize + 1] += 1;
        }
        for node in 0..=terminal as usize {
            starts[node + 1] += starts[node];
        }
        let mut places = starts.clone();
        let mut into = vec![(0, 0); graph.arcs.len()];
        for node in 0..terminal {
            for arc in graph.arcs_of(node) {
                let place = &mut places[graph.arcs[arc].end as usize];
                into[*place] = (node, arc);
                *place += 1;
            }
        }
        Some(Self {
            graph,
            memory,
            items,
            passed,
            joins,
            few_prefixes,
            narrow: paths.iter().map(|&paths| u32::try_from(paths).is_ok()).collect(),
            reached,
            into,
            starts,
            high: std::array::from_fn(|dim| graph.windows[dim].high),
        })
    }

    /// The arcs that prefixes are sent along to a node.
    fn arcs_into(&self, node: usize) -> impl Iterator<Item = (u32, usize)> + '_ {
        let arcs = &self.into[self.starts[node]..self.starts[node + 1]];
        let sent = arcs.iter().copied();
        sent.filter(|&(from, _)| self.reached[from as usize] && !self.joins[from as usize])
    }

    fn cost(&self, arc: usize) -> [i64; D] {
        std::array::from_fn(|dim| self.graph.costs[arc * D + dim])
    }

    fn memory_for_boxes<W>(&self) -> usize {
        self.memory / 8 / size_of::<Prefixes<W, D>>()
    }

    /// The most boxes of a node with which the work and the memory are within their limits.
    fn finest<W>(&self, most_work: usize) -> usize {
        let terminal = self.graph.terminal() as usize;
        let fits = |boxes: usize| {
            let mut count = vec![0_usize; terminal + 1];
            count[ROOT as usize] = 1;
            let (mut work, mut kept) = (0_usize, 0_usize);
            for node in 1..=terminal {
                let sent = self
                    .arcs_into(node)
                    .fold(0_usize, |sum, (from, _)| sum.saturating_add(count[from as usize]));
                work = work.saturating_add(sent);
                if !self.joins[node] {
                    count[node] = sent.min(boxes);
                    kept = kept.saturating_add(count[node]);
                }
            }
            work <= most_work && kept <= self.memory / 4 / size_of::<Prefixes<W, D>>()
        };
        largest(LEAST..self.memory_for_boxes::<W>().max(LEAST + 1), 16, fits)
    }

    /// Bounds with this many boxes for each node, and how often a box was sent along an arc.
    fn ends<W: Ways>(&self, boxes: usize, workers: Workers<'_>) -> Result<(Ends, usize)> {
        let graph = self.graph;
        let nodes = graph.terminal() as usize + 1;
        let mut known: Vec<Vec<Prefixes<W, D>>> = vec![Vec::new(); nodes];
        known[ROOT as usize] = vec![Prefixes {
            least: [0; D],
            most: [0; D],
            ways: W::from(1),
        }];
        let mut work = 0_usize;
        let sums = Mutex::new(Sums::default());
        let mut next = 1;
        while next < nodes {
            let block = next..block_end(graph, next);
            let (before, own) = known.split_at_mut(block.start);
            let sent = |node: usize| {
                self.arcs_into(node)
                    .map(|(from, _)| before[from as usize].len())
                    .sum::<usize>()
            };
            let steps = block.clone().map(sent).sum::<usize>();
            workers.interrupt.advance(steps as u64);
            work += steps;
            let reached = block.clone().zip(own).filter(|&(node, _)| self.reached[node]);
            let (joined, passed): (Vec<_>, Vec<_>) = reached.partition(|&(node, _)| self.joins[node]);
            work_off(passed.into_iter(), workers, Vec::new, |cells, (node, own)| {
                *own = self.arrive(node, before, boxes, cells, workers)?;
                Ok(())
            })?;
            if joined.len() < 2 * workers.threads {
                for (node, _) in joined {
                    let arcs: Vec<_> = self.arcs_into(node).collect();
                    let parts = arcs.chunks(arcs.len().div_ceil(64).max(1));
                    self.join(node, sent(node), parts, before, &sums, workers)?;
                }
            } else {
                let alone = Workers { threads: 1, ..workers };
                work_off(
                    joined.into_iter(),
                    workers,
                    || (),
                    |(), (node, _)| {
                        let arcs: Vec<_> = self.arcs_into(node).collect();
                        self.join(node, sent(node), std::iter::once(&arcs[..]), before, &sums, alone)
                    },
                )?;
            }
            next = block.end;
        }
        let sums = sums.into_inner().map_err(|_| Error::interrupted())?;
        let [lower, upper] = [sums.lower, sums.upper].map(|[plus, minus]| BigUint::from(plus.saturating_sub(minus)));
        Ok(((lower, upper), work))
    }

    /// The boxes of a node.
    fn arrive<W: Ways>(
        &self,
        node: usize,
        before: &[Vec<Prefixes<W, D>>],
        boxes: usize,
        cells: &mut Vec<Prefixes<W, D>>,
        workers: Workers<'_>,
    ) -> Result<Vec<Prefixes<W, D>>> {
        let graph = self.graph;
        let sent: usize = self.arcs_into(node).map(|(from, _)| before[from as usize].len()).sum();
        let arrivals = self.arcs_into(node).flat_map(|(from, arc)| {
            let (cost, ways) = (self.cost(arc), graph.ways(arc));
            before[from as usize]
                .iter()
                .filter_map(move |own| own.after(&cost, ways, &self.high))
        });
        // About a quarter of the cells of a grid of two constraints are taken, and less of those of more.
        if sent.saturating_mul(1 << (2 * (D - 1))) <= boxes {
            let mut own: Vec<_> = arrivals.collect();
            own.sort_unstable_by_key(|prefixes| (prefixes.least, prefixes.most));
            own.dedup_by(|next, kept| {
                let equal = next.least == kept.least && next.most == kept.most;
                if equal {
                    kept.ways = kept.ways + next.ways;
                }
                equal
            });
            return Ok(own);
        }
        // Below the first of these sums every completion fits.
        let spans: [(i64, i64); D] = std::array::from_fn(|dim| axis::span(graph, node as u32, dim));
        let lens = sides(spans.map(|(first, last)| last - first), boxes, &self.high);
        let per_unit: [f64; D] =
            std::array::from_fn(|dim| lens[dim] as f64 / ((spans[dim].1 - spans[dim].0) as f64 + 1.0));
        cells.clear();
        cells.resize(lens.iter().product(), Prefixes::none());
        for (number, arrival) in arrivals.enumerate() {
            if number % (1 << 16) == 0 && workers.interrupt.stops() {
                return Err(Error::interrupted());
            }
            let mut cell = 0;
            for dim in 0..D {
                let middle = arrival.least[dim] + (arrival.most[dim] - arrival.least[dim]) / 2;
                let place = ((middle - spans[dim].0) as f64 * per_unit[dim]) as usize;
                cell = cell * lens[dim] + place.min(lens[dim] - 1);
            }
            cells[cell].join(&arrival);
        }
        Ok(cells.iter().filter(|cell| cell.ways != W::from(0)).copied().collect())
    }

    /// Adds the candidates whose prefixes come along these arcs to a node whose completions are marked.
    fn join<'b, W: Ways>(
        &self,
        node: usize,
        lookups: usize,
        parts: impl Iterator<Item = &'b [(u32, usize)]> + Send,
        before: &[Vec<Prefixes<W, D>>],
        sums: &Mutex<Sums>,
        workers: Workers<'_>,
    ) -> Result<()> {
        if self.narrow[node] {
            let marked = self.mark::<u32>(node as u32, lookups)?;
            work_off(
                parts,
                workers,
                || (),
                |(), arcs| self.put_together(&marked, arcs, before, sums, workers),
            )
        } else {
            let marked = self.mark::<u64>(node as u32, lookups)?;
            work_off(
                parts,
                workers,
                || (),
                |(), arcs| self.put_together(&marked, arcs, before, sums, workers),
            )
        }
    }

    /// Marks the completions of a node, for this many look-ups.
    fn mark<C: Completions>(&self, node: u32, lookups: usize) -> Result<Marked<C, D>> {
        let graph = self.graph;
        let place = node as usize;
        let passed = if node == graph.terminal() {
            1
        } else {
            self.passed[place]
        };
        let most = std::array::from_fn(|dim| graph.to_go(node, dim).min(self.high[dim]));
        let worth = lookups.saturating_add(passed).saturating_mul(8).max(1 << 10);
        let cells = (self.memory / 64).min(worth);
        let mut marked = Marked::new(most, if D == 1 { cells.min(LINE) } else { cells }, &self.high);
        let mut mark = |costs: &[i64; D], ways: u64| {
            if costs.iter().zip(&self.high).all(|(cost, high)| cost <= high) {
                marked.mark(costs, ways);
            }
        };
        if node == graph.terminal() {
            mark(&[0; D], 1);
        }
        for arc in graph.arcs_of(node) {
            let (cost, each) = (self.cost(arc), graph.ways(arc));
            let Some(items) = &self.items[graph.arcs[arc].end as usize] else {
                return Err(Error::interrupted());
            };
            for (after, ways) in items.costs.as_chunks::<D>().0.iter().zip(&items.ways) {
                mark(&std::array::from_fn(|dim| cost[dim] + after[dim]), ways * each);
            }
        }
        marked.add_up();
        Ok(marked)
    }

    /// Adds the candidates whose prefixes come along some arcs to a node with marked completions.
    fn put_together<W: Ways, C: Completions>(
        &self,
        marked: &Marked<C, D>,
        arcs: &[(u32, usize)],
        before: &[Vec<Prefixes<W, D>>],
        sums: &Mutex<Sums>,
        workers: Workers<'_>,
    ) -> Result<()> {
        let windows = &self.graph.windows;
        let ranges: Vec<usize> = (0..D).filter(|&dim| windows[dim].low > 0).collect();
        let mut found = Sums::default();
        // A few boxes meet all arcs before the next ones, so that what is looked up stays in the cache.
        for arcs in arcs.chunk_by(|(one, _), (other, _)| one == other) {
            for boxes in before[arcs[0].0 as usize].chunks(TOGETHER) {
                if workers.interrupt.stops() {
                    return Err(Error::interrupted());
                }
                for &(_, arc) in arcs {
                    let (cost, ways) = (self.cost(arc), u128::from(self.graph.ways(arc)));
                    // What is below a range is subtracted: each corner of the ranges is a bound of its own.
                    for corner in 0..1_usize << ranges.len() {
                        let mut room: [i64; D] = std::array::from_fn(|dim| self.high[dim] - cost[dim]);
                        for (place, &dim) in ranges.iter().enumerate() {
                            if corner >> place & 1 == 1 {
                                room[dim] = windows[dim].low - 1 - cost[dim];
                            }
                        }
                        let (upper, lower) = put_together(marked, &room, boxes);
                        let (upper, lower) = (upper * ways, lower * ways);
                        if corner.count_ones() % 2 == 0 {
                            found.upper[0] += upper;
                            found.lower[0] += lower;
                        } else {
                            found.upper[1] += lower;
                            found.lower[1] += upper;
                        }
                    }
                }
            }
        }
        let mut sums = sums.lock().map_err(|_| Error::interrupted())?;
        for place in 0..2 {
            sums.upper[place] += found.upper[place];
            sums.lower[place] += found.lower[place];
        }
        Ok(())
    }
}

/// How many cells a grid has in each constraint, for sums that differ by at most these, and this many cells together. The
/// cells are as wide in each constraint as in the others, as parts of its budget: a prefix may use up little of the one
/// and much of the other.
fn sides<const D: usize>(most: [i64; D], cells: usize, high: &[i64; D]) -> [usize; D] {
    let share = |dim: usize| ((most[dim].max(0) as f64 + 1.0) / (high[dim] as f64 + 1.0)).max(f64::MIN_POSITIVE);
    // Those that need the fewest leave more to the others.
    let mut order: [usize; D] = std::array::from_fn(|dim| dim);
    order.sort_unstable_by_key(|&dim| most[dim]);
    let mut left = cells as f64;
    let mut sides = [1; D];
    for (place, &dim) in order.iter().enumerate() {
        let rest = &order[place..];
        let mean = rest.iter().map(|&dim| share(dim).ln()).sum::<f64>() / rest.len() as f64;
        let side = left.powf(1.0 / rest.len() as f64) * (share(dim).ln() - mean).exp();
        sides[dim] = (side.min(most[dim].max(0) as f64 + 1.0).min(left) as usize).max(1);
        left = (left / sides[dim] as f64).max(1.0);
    }
    sides
}
