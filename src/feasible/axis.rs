//! The sums that prefixes may have come to in one constraint, up to what their completions can tell apart.
//!
//! Two sums are in one *class* of a node where no completion can tell them apart; the axis of a node lists a sum of
//! each class, ascending. There are three ways to know an axis exactly: the sums that prefixes really come to (few
//! near the root), the sums at which some completion ceases to fit (few near the terminal), or every number in between
//! (where most of them occur anyway). Where all three are too long, the axis is a coarser grid, and sums are rounded
//! to it.

use super::graph::Graph;
use crate::diagram::ROOT;
use crate::{Error, Interrupt, Result};

/// The classes of a node in one constraint, by a sum of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Axis {
    /// The sums that prefixes come to. A sum that stands for such a one, but is larger, belongs to the last that is not
    /// above it.
    Reached(Vec<i64>),
    /// The largest sum of each class: a sum belongs to the first that is not below it.
    Ends(Vec<i64>),
    /// `first`, `first + step`, ...: `len` of them. Below the first, every completion fits.
    Grid { first: i64, step: i64, len: usize },
}

/// What becomes of a sum between two items of a coarse grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// It becomes the smaller one: what fits is kept, and perhaps a little more.
    Down,
    /// It becomes the larger one: what does not fit is left out, and perhaps a little more. Where nothing lies between
    /// two items that completions can tell from the larger one, that is exact.
    Up,
}

/// The class that each class of a node gets into along an arc. Those that get nowhere are at the end, and left out.
#[derive(Debug, Clone)]
pub(super) enum Map {
    /// The first `zeros` get to class 0, all others to one that is `by` larger.
    Shift {
        zeros: usize,
        by: i64,
        len: usize,
    },
    Table(Vec<u32>),
}

impl Axis {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Reached(sums) | Self::Ends(sums) => sums.len(),
            Self::Grid { len, .. } => *len,
        }
    }

    /// The sum that stands for a class.
    #[inline]
    pub(super) fn at(&self, class: usize) -> i64 {
        match self {
            Self::Reached(sums) | Self::Ends(sums) => sums[class],
            Self::Grid { first, step, .. } => first + class as i64 * step,
        }
    }

    /// The class of a sum that is within the window; nothing where no prefix or no completion has such a sum.
    #[inline]
    pub(super) fn class(&self, sum: i64, rounding: Rounding) -> Option<usize> {
        match self {
            Self::Reached(sums) => sums.partition_point(|&known| known <= sum).checked_sub(1),
            Self::Ends(sums) => Some(sums.partition_point(|&end| end < sum)).filter(|&class| class < sums.len()),
            Self::Grid { first, step, len } => {
                let beyond = (sum - first).max(0);
                let class = match (*step, rounding) {
                    (1, _) => beyond,
                    (step, Rounding::Down) => quotient(beyond, step),
                    (step, Rounding::Up) => quotient(beyond + step - 1, step),
                };
                Some((class as usize).min(len - 1))
            }
        }
    }

    /// How many classes keep a bound after this cost, which may be that of a whole completion.
    #[inline]
    pub(super) fn within(&self, cost: i64, high: i64) -> usize {
        match self {
            Self::Reached(sums) | Self::Ends(sums) => sums.partition_point(|&sum| sum <= high - cost),
            Self::Grid { first, step, len } => {
                let room = (high - cost).saturating_sub(*first);
                if room < 0 {
                    0
                } else {
                    (*len).min(quotient(room, *step) as usize + 1)
                }
            }
        }
    }

    /// Where each class gets to along an arc of this cost.
    pub(super) fn map(&self, cost: i64, to: &Self, high: i64, rounding: Rounding) -> Map {
        let len = self.within(cost, high);
        if let (
            Self::Grid { first, step, .. },
            Self::Grid {
                first: target,
                step: other,
                len: most,
            },
        ) = (self, to)
            && step == other
        {
            let ahead = first + cost - target;
            let by = if rounding == Rounding::Down {
                ahead.div_euclid(*step)
            } else {
                -(-ahead).div_euclid(*step)
            };
            let zeros = (-by).clamp(0, len as i64) as usize;
            if len as i64 + by <= *most as i64 {
                return Map::Shift { zeros, by, len };
            }
        }
        let sums = (0..len).map(|class| self.at(class) + cost);
        let classes: Option<Vec<u32>> = match to {
            Self::Grid { .. } => sums
                .map(|sum| to.class(sum, rounding).map(|class| class as u32))
                .collect(),
            // Both ascend, so they are gone through together.
            Self::Reached(known) => {
                let mut after = 0;
                let classes = sums.map(|sum| {
                    while known.get(after).is_some_and(|&known| known <= sum) {
                        after += 1;
                    }
                    Some((after as u32).saturating_sub(1))
                });
                classes.collect()
            }
            Self::Ends(ends) => {
                let mut class = 0;
                let classes = sums.map_while(|sum| {
                    while ends.get(class).is_some_and(|&end| end < sum) {
                        class += 1;
                    }
                    (class < ends.len()).then_some(Some(class as u32))
                });
                classes.collect()
            }
        };
        Map::Table(classes.unwrap_or_default())
    }
}

/// `a / b` for numbers that are not negative.
#[inline]
pub(super) fn quotient(a: i64, b: i64) -> i64 {
    // Floating point divides several times faster, and is exact as long as the numbers are.
    if a < 1 << 51 {
        (a as f64 / b as f64) as i64
    } else {
        a / b
    }
}

impl Map {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Shift { len, .. } => *len,
            Self::Table(table) => table.len(),
        }
    }

    #[inline]
    pub(super) fn get(&self, class: usize) -> usize {
        match self {
            Self::Shift { zeros, by, .. } => {
                if class < *zeros {
                    0
                } else {
                    (class as i64 + by) as usize
                }
            }
            Self::Table(table) => table[class] as usize,
        }
    }
}

/// How much may be spent on finding axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// The most sums of one node before equal ones are joined.
    pub(super) node: usize,
    /// The most sums of all nodes.
    pub(super) all: usize,
}

/// Sorts numbers and drops equal ones.
fn distinct(mut sums: Vec<i64>) -> Vec<i64> {
    if sums.is_sorted_by(|a, b| a < b) {
        return sums;
    }
    let low = sums.iter().copied().min().unwrap_or(0);
    let high = sums.iter().copied().max().unwrap_or(0);
    if (high - low) as u64 / 32 <= sums.len() as u64 {
        // They lie so close together that marking them is faster than sorting.
        let mut marks = vec![0_u64; ((high - low) / 64 + 1) as usize];
        for sum in sums.drain(..) {
            let place = (sum - low) as u64;
            marks[(place / 64) as usize] |= 1 << (place % 64);
        }
        for (place, &word) in (0..).zip(&marks) {
            let mut word = word;
            while word != 0 {
                sums.push(low + place * 64 + i64::from(word.trailing_zeros()));
                word &= word - 1;
            }
        }
        return sums;
    }
    sums.sort_unstable();
    sums.dedup();
    sums
}

/// For each node the sums that prefixes come to, where they are few enough to be listed.
pub(super) fn reachable(graph: &Graph, dim: usize, effort: Effort, interrupt: Interrupt<'_>) -> Result<Lists> {
    let nodes = graph.terminal() as usize + 1;
    let mut lists: Lists = vec![None; nodes];
    let mut expected = vec![0_usize; nodes];
    let mut pending: Vec<Option<Vec<i64>>> = vec![Some(Vec::new()); nodes];
    let mut rest = effort.all;
    let high = graph.windows[dim].high;
    pending[ROOT as usize] = Some(vec![0]);
    let mut next = 0;
    while next < nodes {
        // Nodes that no arc joins are measured together, so that the effort is known before any of them is listed.
        let block = next..block_end(graph, next);
        for node in block.clone() {
            if interrupt.stops() {
                return Err(Error::interrupted());
            }
            interrupt.advance(1);
            lists[node] = pending[node].take().map(distinct);
            for arc in graph.arcs_of(node as u32) {
                let end = graph.arcs[arc].end as usize;
                match &lists[node] {
                    Some(list) => expected[end] = expected[end].saturating_add(list.len()),
                    None => pending[end] = None,
                }
            }
        }
        for node in block.clone() {
            let Some(list) = &lists[node] else { continue };
            for arc in graph.arcs_of(node as u32) {
                let end = graph.arcs[arc].end as usize;
                if expected[end] > effort.node.min(rest) {
                    pending[end] = None;
                }
                if let Some(sums) = &mut pending[end] {
                    let cost = graph.cost(arc)[dim];
                    let fit = list.partition_point(|&sum| sum + cost <= high);
                    rest = rest.saturating_sub(fit);
                    sums.extend(list[..fit].iter().map(|&sum| sum + cost));
                }
            }
        }
        next = block.end;
    }
    Ok(lists)
}

/// One more than the last of the nodes from this one on among which there is no arc.
pub(super) fn block_end(graph: &Graph, first: usize) -> usize {
    let nodes = graph.terminal() as usize + 1;
    let mut end = nodes;
    let mut node = first;
    while node < end {
        for arc in graph.arcs_of(node as u32) {
            end = end.min(graph.arcs[arc].end as usize);
        }
        node += 1;
    }
    end.max(first + 1)
}

/// For each node a list of sums, where it is known.
pub(super) type Lists = Vec<Option<Vec<i64>>>;

/// For each node the sums at which some completion ceases to fit, where they are few enough to be listed. Those that no
/// prefix comes to are left out; with `rounded`, prefixes come to anything.
pub(super) fn breakpoints(
    graph: &Graph,
    dim: usize,
    effort: Effort,
    rounded: bool,
    interrupt: Interrupt<'_>,
) -> Result<Lists> {
    let terminal = graph.terminal() as usize;
    let mut lists: Lists = vec![None; terminal + 1];
    let mut rest = effort.all;
    lists[terminal] = Some(ends(graph, dim));
    for node in (0..terminal).rev() {
        if interrupt.stops() {
            return Err(Error::interrupted());
        }
        interrupt.advance(1);
        let arcs = graph.arcs_of(node as u32);
        let known: Option<Vec<_>> = arcs
            .map(|arc| Some((graph.cost(arc)[dim], lists[graph.arcs[arc].end as usize].as_ref()?)))
            .collect();
        let Some(known) = known else { continue };
        let expected: usize = known.iter().map(|(_, list)| list.len()).sum();
        if known.is_empty() || expected > effort.node.min(rest) {
            continue;
        }
        rest -= expected;
        let (least, most) = if rounded {
            // Rounded sums may be below all that prefixes come to, too.
            (i64::MIN, graph.windows[dim].high)
        } else {
            graph.so_far(node as u32, dim)
        };
        let mut sums = Vec::with_capacity(expected);
        for (cost, list) in known {
            let first = list.partition_point(|&sum| sum - cost < least);
            let last = list.len().min(list.partition_point(|&sum| sum - cost < most) + 1);
            if first < last {
                sums.extend(list[first..last].iter().map(|&sum| sum - cost));
            }
        }
        let mut sums = distinct(sums);
        sums.truncate(sums.partition_point(|&sum| sum < most) + 1);
        lists[node] = Some(sums);
    }
    Ok(lists)
}

/// The classes of the terminal: what is below the window, if anything is, and the window.
pub(super) fn ends(graph: &Graph, dim: usize) -> Vec<i64> {
    let window = graph.windows[dim];
    if window.low > 0 {
        vec![window.low - 1, window.high]
    } else {
        vec![window.high]
    }
}

/// The first and the last sum of a node that matter: below the first, every completion fits.
pub(super) fn span(graph: &Graph, node: u32, dim: usize) -> (i64, i64) {
    let window = graph.windows[dim];
    let (least, most) = graph.so_far(node, dim);
    let first = if least >= window.low {
        least.max(window.high - graph.to_go(node, dim))
    } else {
        least
    };
    (first, most.min(window.high).max(first))
}

/// The exact axis of each node.
pub(super) fn exact(graph: &Graph, dim: usize, effort: Effort, interrupt: Interrupt<'_>) -> Result<Vec<Axis>> {
    let mut forward = reachable(graph, dim, effort, interrupt)?;
    let mut backward = breakpoints(graph, dim, effort, false, interrupt)?;
    let terminal = graph.terminal();
    Ok((0..=terminal)
        .map(|node| {
            let reached = forward[node as usize].take().map(Axis::Reached);
            let ends_known = backward[node as usize].take().map(Axis::Ends);
            if node == terminal {
                return Axis::Ends(ends(graph, dim));
            }
            if !graph.is_live(node) {
                return Axis::Ends(Vec::new());
            }
            let (first, last) = span(graph, node, dim);
            let grid = usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1);
            match reached.into_iter().chain(ends_known).min_by_key(Axis::len) {
                // A grid is read in order, which makes up for some items that no prefix comes to.
                Some(list) if list.len() < grid / 4 || node == ROOT => list,
                _ => Axis::Grid {
                    first,
                    step: 1,
                    len: grid,
                },
            }
        })
        .collect())
}

/// A grid of at most `most` classes for a node of a graph without lower bounds.
pub(super) fn grid(graph: &Graph, node: u32, dim: usize, most: usize) -> Axis {
    let high = graph.windows[dim].high;
    let (first, _) = span(graph, node, dim);
    // Where the end of a range is moved for rounded sums, it may come to lie below all that prefixes come to.
    let width = (high - first).max(0) as u64;
    let step = width.div_ceil(most.max(2) as u64 - 1).max(1);
    let steps = width.div_ceil(step);
    Axis::Grid {
        first: high - (steps * step) as i64,
        step: step as i64,
        len: steps as usize + 1,
    }
}
