//! What a search for the best candidate walks over: the arcs that may still lie on it, in the simplest terms.
//!
//! It is a [`Graph`] with a value for each arc, and without everything that a table needs. Its arcs are struck one after
//! the other while bounds get better; each time, costs become what they add beyond the cheapest completion again, so
//! that windows get narrower too.

use super::graph::{Graph, Interval};
use crate::{Error, ErrorKind, Interrupt, Result};
use num_integer::Integer;

/// A path, by the arcs of the graph.
pub(super) type Path = Vec<usize>;

/// How values of arcs are joined, where the largest of all candidates is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Sum,
    Greater,
    Lesser,
}

impl Join {
    pub(super) fn of(self, a: i64, b: i64) -> i64 {
        match self {
            Self::Sum => a + b,
            Self::Greater => a.max(b),
            Self::Lesser => a.min(b),
        }
    }

    /// What changes nothing.
    pub(super) fn nothing(self) -> i64 {
        match self {
            Self::Sum => 0,
            Self::Greater => i64::MIN,
            Self::Lesser => i64::MAX,
        }
    }
}

/// Arcs with costs and values.
#[derive(Debug, Clone)]
pub(super) struct Net {
    /// The node where candidates start.
    pub(super) start: u32,
    /// The first arc of each node, and the number of arcs.
    pub(super) starts: Vec<usize>,
    pub(super) ends: Vec<u32>,
    /// For each arc its cost in each constraint; none is negative, and the cheapest completion of each node costs 0.
    pub(super) costs: Vec<i64>,
    pub(super) values: Vec<i64>,
    /// For each arc that of the graph.
    pub(super) origins: Vec<u32>,
    /// None begins below 0.
    pub(super) windows: Vec<Interval>,
    /// For each node and constraint the most that a completion comes to.
    pub(super) to_go: Vec<i64>,
    /// No candidate is left.
    pub(super) empty: bool,
}

impl Net {
    /// The candidates of a graph that go on from a node where they came to these sums, with values of which the sum over
    /// a candidate matters, or 0.
    pub(super) fn new(graph: &Graph, start: u32, sums: &[i64], values: &[i64]) -> Self {
        let windows = graph.windows.iter().zip(sums);
        let windows = windows.map(|(window, sum)| Interval {
            low: window.low - sum,
            high: window.high - sum,
        });
        let mut net = Self {
            start,
            starts: graph.starts.clone(),
            ends: graph.arcs.iter().map(|arc| arc.end).collect(),
            costs: graph.costs.clone(),
            values: values.to_vec(),
            origins: (0..graph.arcs.len() as u32).collect(),
            windows: windows.collect(),
            to_go: Vec::new(),
            empty: graph.empty,
        };
        net.tighten();
        net
    }

    pub(super) fn dims(&self) -> usize {
        self.windows.len()
    }

    pub(super) fn terminal(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    #[inline]
    pub(super) fn arcs_of(&self, node: u32) -> std::ops::Range<usize> {
        if node == self.terminal() {
            return self.ends.len()..self.ends.len();
        }
        self.starts[node as usize]..self.starts[node as usize + 1]
    }

    #[inline]
    pub(super) fn cost(&self, arc: usize) -> &[i64] {
        let dims = self.dims();
        &self.costs[arc * dims..(arc + 1) * dims]
    }

    #[inline]
    pub(super) fn to_go(&self, node: u32, dim: usize) -> i64 {
        self.to_go[node as usize * self.dims() + dim]
    }

    /// Whether these arcs, from the start to the terminal, keep every window.
    pub(super) fn keeps(&self, path: &[usize]) -> bool {
        self.windows.iter().enumerate().all(|(dim, window)| {
            let sum = path
                .iter()
                .fold(0_i64, |sum, &arc| sum.saturating_add(self.cost(arc)[dim]));
            (window.low..=window.high).contains(&sum)
        })
    }

    /// The same arcs as those of the graph.
    pub(super) fn origin(&self, path: &[usize]) -> Path {
        path.iter().map(|&arc| self.origins[arc] as usize).collect()
    }

    /// Keeps the arcs of which `keep` says so, and what is then left within the windows.
    pub(super) fn restrict(&mut self, keep: impl Fn(u32, usize) -> bool) {
        self.retain(keep);
        self.tighten();
    }

    fn retain(&mut self, keep: impl Fn(u32, usize) -> bool) {
        let dims = self.dims();
        let mut kept = 0;
        for node in 0..self.terminal() {
            let arcs = self.arcs_of(node);
            self.starts[node as usize] = kept;
            if node < self.start {
                continue;
            }
            for arc in arcs {
                if keep(node, arc) {
                    self.ends[kept] = self.ends[arc];
                    self.values[kept] = self.values[arc];
                    self.origins[kept] = self.origins[arc];
                    self.costs.copy_within(arc * dims..(arc + 1) * dims, kept * dims);
                    kept += 1;
                }
            }
        }
        let terminal = self.terminal() as usize;
        self.starts[terminal] = kept;
        self.ends.truncate(kept);
        self.values.truncate(kept);
        self.origins.truncate(kept);
        self.costs.truncate(kept * dims);
    }

    /// For each node the extreme cost of its completions in one constraint.
    fn completions(&self, dim: usize, pick: impl Fn(i64, i64) -> i64) -> Vec<i64> {
        let mut found = vec![0; self.terminal() as usize + 1];
        for node in (self.start..self.terminal()).rev() {
            let sums = self
                .arcs_of(node)
                .map(|arc| self.cost(arc)[dim].saturating_add(found[self.ends[arc] as usize]));
            found[node as usize] = sums.reduce(&pick).unwrap_or(0);
        }
        found
    }

    /// Strikes the arcs that lead nowhere, or nothing leads to.
    fn connect(&mut self) {
        let terminal = self.terminal() as usize;
        let mut live = vec![false; terminal + 1];
        live[terminal] = true;
        for node in (self.start..self.terminal()).rev() {
            live[node as usize] = self.arcs_of(node).any(|arc| live[self.ends[arc] as usize]);
        }
        let mut reached = vec![false; terminal + 1];
        reached[self.start as usize] = true;
        for node in self.start..self.terminal() {
            if reached[node as usize] {
                for arc in self.arcs_of(node) {
                    let end = self.ends[arc] as usize;
                    reached[end] |= live[end];
                }
            }
        }
        self.empty |= !live[self.start as usize];
        let ends = std::mem::take(&mut self.ends);
        let keep: Vec<_> = ends.iter().map(|&end| live[end as usize]).collect();
        self.ends = ends;
        self.retain(|node, arc| reached[node as usize] && keep[arc]);
    }

    /// Brings costs and windows into their simplest terms, and strikes the arcs that no candidate within them uses.
    fn tighten(&mut self) {
        let dims = self.dims();
        loop {
            self.connect();
            if self.empty {
                return;
            }
            let start = self.start as usize;
            let mut most = Vec::with_capacity(dims);
            for dim in 0..dims {
                let least = self.completions(dim, i64::min);
                for node in self.start..self.terminal() {
                    for arc in self.arcs_of(node) {
                        self.costs[arc * dims + dim] += least[self.ends[arc] as usize] - least[node as usize];
                    }
                }
                let dearest = self.completions(dim, i64::max);
                let window = &mut self.windows[dim];
                window.low = window.low.saturating_sub(least[start]).max(0);
                window.high = window.high.saturating_sub(least[start]).min(dearest[start]);
                if window.high < window.low {
                    self.empty = true;
                    return;
                }
                most.push(dearest);
            }
            let nodes = self.terminal() as usize + 1;
            let mut before = vec![(i64::MAX, i64::MIN); nodes * dims];
            before[start * dims..(start + 1) * dims].fill((0, 0));
            let mut keep = vec![false; self.ends.len()];
            let mut reached = vec![false; nodes];
            reached[start] = true;
            for node in self.start..self.terminal() {
                if !reached[node as usize] {
                    continue;
                }
                for arc in self.arcs_of(node) {
                    let end = self.ends[arc] as usize;
                    let sums = |before: &[(i64, i64)], dim: usize| {
                        let (least, dearest) = before[node as usize * dims + dim];
                        let cost = self.costs[arc * dims + dim];
                        (least.saturating_add(cost), dearest.saturating_add(cost))
                    };
                    keep[arc] = (0..dims).all(|dim| {
                        let (least, dearest) = sums(&before, dim);
                        least <= self.windows[dim].high
                            && dearest.saturating_add(most[dim][end]) >= self.windows[dim].low
                    });
                    if keep[arc] {
                        reached[end] = true;
                        for dim in 0..dims {
                            let (least, dearest) = sums(&before, dim);
                            let known = &mut before[end * dims + dim];
                            *known = (known.0.min(least), known.1.max(dearest.min(self.windows[dim].high)));
                        }
                    }
                }
            }
            if keep.iter().all(|&kept| kept) {
                self.to_go = (0..nodes * dims)
                    .map(|place| most[place % dims][place / dims])
                    .collect();
                return;
            }
            self.retain(|_, arc| keep[arc]);
        }
    }
}

/// Values of arcs of which the sum over a candidate matters, in the simplest terms: what an arc takes away from the best
/// completion is the same for all prefixes, so values become that, in the largest unit. Returns the values, and what the
/// sum of a candidate is: `least + unit * sum`.
///
/// # Errors
/// `Limit` where sums leave 62 bits.
pub(super) fn simplified(graph: &Graph, values: &[i128], interrupt: Interrupt<'_>) -> Result<(Vec<i64>, i128, i128)> {
    let terminal = graph.terminal();
    let mut least = vec![0_i128; terminal as usize + 1];
    for node in (0..terminal).rev() {
        if interrupt.stops() {
            return Err(Error::interrupted());
        }
        let sums = graph
            .arcs_of(node)
            .map(|arc| values[arc] + least[graph.arcs[arc].end as usize]);
        least[node as usize] = sums.reduce(i128::min).unwrap_or(0);
    }
    let mut reduced = Vec::with_capacity(values.len());
    let mut most = vec![0_i128; terminal as usize + 1];
    for node in 0..terminal {
        for arc in graph.arcs_of(node) {
            reduced.push(values[arc] + least[graph.arcs[arc].end as usize] - least[node as usize]);
        }
    }
    for node in (0..terminal).rev() {
        let sums = graph
            .arcs_of(node)
            .map(|arc| reduced[arc] + most[graph.arcs[arc].end as usize]);
        most[node as usize] = sums.reduce(i128::max).unwrap_or(0);
    }
    let unit = reduced.iter().fold(0_i128, |unit, value| unit.gcd(value)).max(1);
    let root = crate::diagram::ROOT as usize;
    let beyond = || {
        Error::new(
            ErrorKind::Limit,
            "the values of networks within the budget differ by more than 2^62, beyond what is compared",
        )
    };
    if most.iter().any(|&most| most / unit > 1 << 62) {
        return Err(beyond());
    }
    let values = reduced.iter().map(|value| i64::try_from(value / unit));
    let values = values.collect::<std::result::Result<_, _>>().map_err(|_| beyond())?;
    Ok((values, least[root], unit))
}
