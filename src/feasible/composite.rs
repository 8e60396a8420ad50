//! A graph with fewer nodes: where all paths pass through a few nodes, what lies between becomes composite arcs.
//!
//! **Idea.** A rounded table loses a little at each node where sums are rounded, so its error grows with the number of
//! these nodes (Dyer, *Approximate counting by dynamic programming*, STOC 2003, rounds once for each item of a
//! knapsack). Between two narrow places of a graph, costs are therefore added up exactly, and equal ones joined: a
//! composite arc stands for all paths between two nodes that come to the same costs, and keeps how many they are.
//! Which paths these are is found again when one is asked for, by the same numbers: see [`Composites::expand`].
//!
//! **Bound.** A narrow place is one at which at most [`NARROW`] nodes behind it are entered from before it. From each
//! such place on, the part up to a later one is joined as long as no node has more than [`ARCS`] composite arcs (or
//! eight times as many before equal ones are joined), and no number of paths exceeds 64 bits. Joining a part takes its
//! arcs times the composite arcs of a node, and is done again for each narrow place that the part grows by. Memory: at
//! most `ARCS` items a node, each with an end, a cost for each constraint and a number. Expanding an arc of the result
//! looks up, at each node on the way, the items of all its arcs by binary search.

use super::graph::{Arc, Graph};
use crate::diagram::ROOT;
use crate::{Error, Interrupt, Result};
use std::ops::Range;

/// The most nodes through which all paths pass at a narrow place.
const NARROW: usize = 4;

/// The most composite arcs of one node.
const ARCS: usize = 1 << 12;

/// The ways from a node to another that come to the same costs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Composite {
    end: u32,
    costs: Box<[i64]>,
    ways: u64,
}

/// A graph, and the same graph with composite arcs.
#[derive(Debug)]
pub(super) struct Composites {
    pub(super) fine: Graph,
    pub(super) graph: std::sync::Arc<Graph>,
    /// For each node its composite arcs, in order of their ends and costs; those of the nodes that are left out too.
    items: Vec<Vec<Composite>>,
    /// The part of each node.
    part: Vec<u32>,
}

impl Composites {
    /// Joins what lies between narrow places, where that makes few arcs.
    pub(super) fn new(fine: Graph, interrupt: Interrupt<'_>) -> Result<Self> {
        let nodes = fine.terminal() as usize + 1;
        let mut items: Vec<Vec<Composite>> = vec![Vec::new(); nodes];
        // The nodes that are entered from before the part of the graph that they lie in.
        let mut kept = vec![false; nodes];
        let first_before = first_before(&fine);
        let places = narrow_places(&first_before);
        let mut part_of: Vec<u32> = (0..nodes as u32).collect();
        let mut from = 0;
        while from + 1 < places.len() {
            let mut joined = None;
            for to in from + 1..places.len() {
                if interrupt.stops() {
                    return Err(Error::interrupted());
                }
                let part = places[from]..places[to];
                match join(&fine, part.clone()) {
                    Some(found) => joined = Some((to, part, found)),
                    None => break,
                }
            }
            if let Some((to, part, found)) = joined {
                for (node, own) in part.zip(found) {
                    items[node] = own;
                    kept[node] = node == ROOT as usize || first_before[node] < places[from];
                    part_of[node] = places[from] as u32;
                }
                from = to;
            } else {
                for node in places[from]..places[from + 1] {
                    items[node] = single(&fine, node);
                    kept[node] = true;
                }
                from += 1;
            }
        }
        let mut graph = Graph {
            starts: Vec::with_capacity(nodes),
            arcs: Vec::new(),
            costs: Vec::new(),
            ways: Vec::new(),
            empty: fine.empty,
            windows: fine.windows.clone(),
            so_far: fine.so_far.clone(),
            to_go: fine.to_go.clone(),
        };
        for (items, kept) in items.iter().zip(&kept) {
            graph.starts.push(graph.arcs.len());
            for (label, item) in (0..).zip(items.iter().filter(|_| *kept)) {
                graph.arcs.push(Arc { end: item.end, label });
                graph.costs.extend_from_slice(&item.costs);
                graph.ways.push(item.ways);
            }
        }
        Ok(Self {
            fine,
            graph: std::sync::Arc::new(graph),
            items,
            part: part_of,
        })
    }

    /// The arcs of one of the ways that a composite arc stands for, one after the other.
    pub(super) fn expand(&self, node: u32, label: u32, mut number: u64, mut found: impl FnMut(u32, usize)) {
        let item = &self.items[node as usize][label as usize];
        let (mut node, target, mut costs) = (node, item.end, item.costs.clone());
        let mut rest = costs.clone();
        while node != target {
            let mut arcs = self.fine.arcs_of(node);
            let next = arcs.find(|&arc| {
                for ((rest, cost), own) in rest.iter_mut().zip(&costs).zip(self.fine.cost(arc)) {
                    *rest = cost - own;
                }
                let ways = self.ways_on(node, arc, target, &rest);
                let found = number < ways;
                if !found {
                    number -= ways;
                }
                found
            });
            let Some(arc) = next else {
                debug_assert!(false, "a composite arc stands for as many ways as it says");
                return;
            };
            found(node, arc);
            node = self.fine.arcs[arc].end;
            std::mem::swap(&mut costs, &mut rest);
        }
    }

    /// How many ways lead on from an arc to a node at these costs.
    fn ways_on(&self, node: u32, arc: usize, target: u32, costs: &[i64]) -> u64 {
        let end = self.fine.arcs[arc].end;
        if end == target {
            return u64::from(costs.iter().all(|&cost| cost == 0));
        }
        if self.part[end as usize] != self.part[node as usize] {
            return 0;
        }
        let items = &self.items[end as usize];
        self.find(end, target, costs).map_or(0, |place| items[place].ways)
    }

    fn find(&self, node: u32, target: u32, costs: &[i64]) -> Option<usize> {
        self.items[node as usize]
            .binary_search_by(|item| (item.end, &*item.costs).cmp(&(target, costs)))
            .ok()
    }

    /// Hands numbers of composite arcs on to the arcs that they are made of: `through` has for each composite arc how
    /// many candidates use one way of it; the result, for each arc of the fine graph, how many use it.
    pub(super) fn spread<N: super::number::Number>(&self, through: &[N]) -> Vec<N> {
        let fine = &self.fine;
        let mut weights: Vec<Vec<N>> = self.items.iter().map(|items| vec![N::default(); items.len()]).collect();
        let mut found = vec![N::default(); fine.arcs.len()];
        let mut costs = vec![0; fine.dims()];
        for node in 0..fine.terminal() {
            for arc in self.graph.arcs_of(node) {
                weights[node as usize][self.graph.arcs[arc].label as usize].add(&through[arc]);
            }
            let own = std::mem::take(&mut weights[node as usize]);
            for (item, weight) in self.items[node as usize].iter().zip(own) {
                if weight.is_nothing() {
                    continue;
                }
                for arc in fine.arcs_of(node) {
                    for ((rest, cost), own) in costs.iter_mut().zip(&item.costs).zip(fine.cost(arc)) {
                        *rest = cost - own;
                    }
                    let ways = self.ways_on(node, arc, item.end, &costs);
                    if ways == 0 {
                        continue;
                    }
                    found[arc].add_product(&weight, &N::of(ways));
                    let end = fine.arcs[arc].end;
                    if end != item.end
                        && let Some(place) = self.find(end, item.end, &costs)
                    {
                        weights[end as usize][place].add(&weight);
                    }
                }
            }
        }
        found
    }
}

/// For each node the first one from which an arc leads to it; `usize::MAX` where there is none.
fn first_before(graph: &Graph) -> Vec<usize> {
    let terminal = graph.terminal();
    let mut first_before = vec![usize::MAX; terminal as usize + 1];
    for node in 0..terminal {
        for arc in graph.arcs_of(node) {
            let first = &mut first_before[graph.arcs[arc].end as usize];
            *first = (*first).min(node as usize);
        }
    }
    first_before
}

/// The first nodes of the parts of a graph that few nodes are entered through, and the terminal.
fn narrow_places(first_before: &[usize]) -> Vec<usize> {
    let terminal = first_before.len() - 1;
    let mut change = vec![0_i64; terminal + 2];
    for (node, &first) in first_before.iter().enumerate() {
        if first != usize::MAX {
            change[first + 1] += 1;
            change[node + 1] -= 1;
        }
    }
    let mut crossing = 0;
    let mut places = vec![0];
    for (place, change) in change.iter().enumerate().take(terminal + 1).skip(1) {
        crossing += change;
        if crossing as usize <= NARROW || place == terminal {
            places.push(place);
        }
    }
    places
}

fn single(graph: &Graph, node: usize) -> Vec<Composite> {
    let arcs = graph.arcs_of(node as u32);
    merged(arcs.map(|arc| Composite {
        end: graph.arcs[arc].end,
        costs: graph.cost(arc).into(),
        ways: 1,
    }))
    .unwrap_or_default()
}

fn merged(items: impl Iterator<Item = Composite>) -> Option<Vec<Composite>> {
    let mut items: Vec<_> = items.collect();
    items.sort_unstable();
    let mut fits = true;
    items.dedup_by(|next, kept| {
        let equal = next.end == kept.end && next.costs == kept.costs;
        if equal {
            match kept.ways.checked_add(next.ways) {
                Some(ways) => kept.ways = ways,
                None => fits = false,
            }
        }
        equal
    });
    fits.then_some(items)
}

/// For each node of a part its composite arcs out of it; nothing where they are too many.
fn join(graph: &Graph, part: Range<usize>) -> Option<Vec<Vec<Composite>>> {
    let mut found: Vec<Vec<Composite>> = vec![Vec::new(); part.len()];
    for node in part.clone().rev() {
        let mut items = Vec::new();
        for arc in graph.arcs_of(node as u32) {
            let end = graph.arcs[arc].end;
            let costs = graph.cost(arc);
            if part.contains(&(end as usize)) {
                let joined = found[end as usize - part.start].iter().map(|item| Composite {
                    end: item.end,
                    costs: item.costs.iter().zip(costs).map(|(a, b)| a + b).collect(),
                    ways: item.ways,
                });
                // What no prefix may take is left out, so that sums of prefixes and items stay small.
                items.extend(joined.filter(|item| {
                    item.costs
                        .iter()
                        .zip(&graph.windows)
                        .all(|(&cost, window)| cost <= window.high)
                }));
            } else {
                items.push(Composite {
                    end,
                    costs: costs.into(),
                    ways: 1,
                });
            }
            if items.len() > 8 * ARCS {
                return None;
            }
        }
        let items = merged(items.into_iter())?;
        if items.len() > ARCS {
            return None;
        }
        found[node - part.start] = items;
    }
    Some(found)
}
