//! The part of the diagram that a budget leaves, with the costs that it bounds.
//!
//! Each bounded metric becomes a *constraint* in the terms that make it easiest: the cost of an arc is what it adds
//! beyond the cheapest way to complete its node, in units of the greatest common divisor, so that costs are small, none
//! is negative, and what a prefix has come to is what it has used of the slack of the budget. What no budget bounds is
//! dropped, and so are arcs and nodes that no candidate within the budget uses.

use super::bound::Bound;
use crate::diagram::{DEAD, Diagram, Extremes, Fixed, ROOT};
use crate::space::Combine;
use crate::{Error, ErrorKind, Interrupt, Result};
use num_integer::Integer;

/// Leads to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arc {
    pub(super) end: u32,
    /// The value that it stands for; in a graph of composites, its position among those of its node.
    pub(super) label: u32,
}

/// What the sum of a constraint may come to, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low: i64,
    pub(super) high: i64,
}

/// The part of a diagram that a budget leaves. Nodes keep their numbers.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    /// Nothing is left.
    pub(super) empty: bool,
    pub(super) windows: Vec<Interval>,
    /// The first arc of each node; that of the terminal is the number of arcs.
    pub(super) starts: Vec<usize>,
    pub(super) arcs: Vec<Arc>,
    /// For each arc its cost in each constraint.
    pub(super) costs: Vec<i64>,
    /// For each arc how many ways it stands for; empty where it is one for all.
    pub(super) ways: Vec<u64>,
    /// For each node and constraint, the least and the most that a prefix comes to; the least above the most where
    /// there is no prefix.
    pub(super) so_far: Vec<(i64, i64)>,
    /// For each node and constraint, the most that a completion comes to, or one more than the window allows where that
    /// is less; the least is 0.
    pub(super) to_go: Vec<i64>,
}

const NONE: (i64, i64) = (i64::MAX, i64::MIN);

/// The costs of all arcs in one constraint, and its window.
struct Constraint {
    costs: Vec<i64>,
    window: Interval,
}

/// What becomes of a constraint.
enum Verdict {
    /// Every candidate keeps it.
    Kept,
    /// No candidate keeps it.
    Broken,
    Open(Constraint),
}

impl Graph {
    /// What some bounds leave of a diagram. O(arcs).
    ///
    /// # Errors
    /// `Limit` where the diagram is open or the arcs that are left do not fit into `memory` bytes; `Interrupted`.
    pub(super) fn new(
        diagram: &Diagram,
        bounds: &[Bound],
        fixed: &Fixed,
        memory: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Self> {
        diagram.require_closed()?;
        let terminal = diagram.terminal();
        let mut graph = Self {
            empty: false,
            windows: Vec::new(),
            starts: Vec::with_capacity(terminal as usize + 1),
            arcs: Vec::new(),
            costs: Vec::new(),
            ways: Vec::new(),
            so_far: Vec::new(),
            to_go: Vec::new(),
        };
        let mut raw = Raw::new(diagram, bounds, interrupt)?;
        if !raw.within(ROOT) {
            return Ok(graph.nothing(terminal));
        }
        let mut columns: Vec<Vec<i64>> = vec![Vec::new(); raw.counted.len()];
        let mut reader = diagram.reader();
        for node in 0..terminal {
            graph.starts.push(graph.arcs.len());
            if !raw.is_reached(node) {
                continue;
            }
            for value in diagram.values(node, fixed) {
                if value % 1024 == 0 && interrupt.stops() {
                    return Err(Error::interrupted());
                }
                let arc = reader.arc(node, value);
                if arc.next == DEAD || !raw.spread(node, arc.next, arc.cost) {
                    continue;
                }
                graph.arcs.push(Arc {
                    end: arc.next,
                    label: value as u32,
                });
                for (column, counted) in columns.iter_mut().zip(&raw.counted) {
                    column.push(counted.cost(arc.cost));
                }
            }
            let bytes = graph.arcs.len() * (size_of::<Arc>() + columns.len() * size_of::<i64>());
            if bytes > memory {
                return Err(Error::new(
                    ErrorKind::Limit,
                    format!(
                        "the choices of this space that are left within the budget take more than {memory} bytes; \
                         allow more memory"
                    ),
                ));
            }
        }
        graph.starts.push(graph.arcs.len());
        let counted = std::mem::take(&mut raw.counted);
        drop(raw);
        graph.drop_dead_ends(&mut columns);
        if terminal != ROOT && graph.arcs_of(ROOT).is_empty() {
            return Ok(graph.nothing(terminal));
        }
        let mut left: Vec<Constraint> = Vec::new();
        for (costs, counted) in columns.into_iter().zip(counted) {
            match graph.normalize(costs, counted.low, counted.high)? {
                Verdict::Kept => {}
                Verdict::Broken => return Ok(graph.nothing(terminal)),
                Verdict::Open(column) => match left.iter_mut().find(|other| other.costs == column.costs) {
                    Some(same) => {
                        same.window.low = same.window.low.max(column.window.low);
                        same.window.high = same.window.high.min(column.window.high);
                    }
                    None => left.push(column),
                },
            }
        }
        if left.iter().any(|column| column.window.low > column.window.high) {
            return Ok(graph.nothing(terminal));
        }
        graph.bind(left);
        Ok(graph)
    }

    fn nothing(mut self, terminal: u32) -> Self {
        self.empty = true;
        self.windows.clear();
        self.arcs.clear();
        self.costs.clear();
        self.starts = vec![0; terminal as usize + 1];
        self
    }

    /// The number of constraints.
    pub(super) fn dims(&self) -> usize {
        self.windows.len()
    }

    pub(super) fn terminal(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    /// The arcs of a node, by position.
    pub(super) fn arcs_of(&self, node: u32) -> std::ops::Range<usize> {
        let next = self.starts.get(node as usize + 1).copied();
        self.starts[node as usize]..next.unwrap_or(self.arcs.len())
    }

    /// The costs of an arc.
    pub(super) fn cost(&self, arc: usize) -> &[i64] {
        let dims = self.dims();
        &self.costs[arc * dims..(arc + 1) * dims]
    }

    /// How many ways an arc stands for.
    pub(super) fn ways(&self, arc: usize) -> u64 {
        self.ways.get(arc).copied().unwrap_or(1)
    }

    /// The arc of a node that stands for a value.
    pub(super) fn find(&self, node: u32, value: u32) -> Option<usize> {
        let arcs = self.arcs_of(node);
        let place = self.arcs[arcs.clone()].binary_search_by_key(&value, |arc| arc.label);
        place.ok().map(|place| arcs.start + place)
    }

    /// Whether a candidate with these nodes and arcs keeps every constraint.
    pub(super) fn keeps(&self, path: &[(u32, usize)]) -> bool {
        self.windows.iter().enumerate().all(|(dim, window)| {
            let sum: i64 = path.iter().map(|&(_, arc)| self.cost(arc)[dim]).sum();
            (window.low..=window.high).contains(&sum)
        })
    }

    pub(super) fn so_far(&self, node: u32, dim: usize) -> (i64, i64) {
        self.so_far[node as usize * self.dims() + dim]
    }

    pub(super) fn to_go(&self, node: u32, dim: usize) -> i64 {
        self.to_go[node as usize * self.dims() + dim]
    }

    /// Whether some prefix leads to a node and some completion from it.
    pub(super) fn is_live(&self, node: u32) -> bool {
        !self.empty && (node == self.terminal() || !self.arcs_of(node).is_empty())
    }

    /// Keeps the arcs of which `keep` says so, given their node and position.
    fn retain(&mut self, columns: &mut [Vec<i64>], mut keep: impl FnMut(u32, usize, Arc) -> bool) {
        let mut kept = 0;
        for node in 0..self.terminal() {
            let arcs = self.arcs_of(node);
            self.starts[node as usize] = kept;
            for arc in arcs {
                if keep(node, arc, self.arcs[arc]) {
                    self.arcs[kept] = self.arcs[arc];
                    for column in &mut *columns {
                        column[kept] = column[arc];
                    }
                    kept += 1;
                }
            }
        }
        let terminal = self.terminal() as usize;
        self.starts[terminal] = kept;
        self.arcs.truncate(kept);
        for column in columns {
            column.truncate(kept);
        }
    }

    /// Drops the arcs that lead to nodes without completions.
    fn drop_dead_ends(&mut self, columns: &mut [Vec<i64>]) {
        let mut live = vec![false; self.terminal() as usize + 1];
        live[self.terminal() as usize] = true;
        for node in (0..self.terminal()).rev() {
            live[node as usize] = self.arcs_of(node).any(|arc| live[self.arcs[arc].end as usize]);
        }
        self.retain(columns, |node, _, arc| live[node as usize] && live[arc.end as usize]);
    }

    /// For each node the extreme cost of its completions: `pick` is the smaller or the larger of two.
    fn completions(&self, costs: &[i64], pick: impl Fn(i64, i64) -> i64) -> Vec<i64> {
        let mut found = vec![0; self.terminal() as usize + 1];
        for node in (0..self.terminal()).rev() {
            let sums = self
                .arcs_of(node)
                .map(|arc| costs[arc] + found[self.arcs[arc].end as usize]);
            found[node as usize] = sums.reduce(&pick).unwrap_or(0);
        }
        found
    }

    /// A constraint in its simplest terms.
    fn normalize(&self, mut costs: Vec<i64>, low: i64, high: i64) -> Result<Verdict> {
        let root = ROOT as usize;
        let least = self.completions(&costs, i64::min);
        self.reduce(&mut costs, |from, cost, to| cost + least[to] - least[from]);
        let most = self.completions(&costs, i64::max);
        let mut low = low.saturating_sub(least[root]).max(0);
        let mut high = high.saturating_sub(least[root]);
        if high < 0 || low > most[root] {
            return Ok(Verdict::Broken);
        }
        high = high.min(most[root]);
        if high == most[root] {
            if low == 0 {
                return Ok(Verdict::Kept);
            }
            // Only a lower bound: count what is missing of the most instead.
            self.reduce(&mut costs, |from, cost, to| most[from] - cost - most[to]);
            (low, high) = (0, most[root] - low);
        }
        let unit = costs.iter().fold(0_i64, |unit, cost| unit.gcd(cost)).max(1);
        for cost in &mut costs {
            *cost /= unit;
        }
        if high / unit > i64::MAX / 4 {
            return Err(Error::new(
                ErrorKind::Limit,
                "candidates within the budget differ by more than 2^61, beyond what sets of them are counted by",
            ));
        }
        let window = Interval {
            low: Integer::div_ceil(&low, &unit),
            high: high / unit,
        };
        if window.low > window.high {
            return Ok(Verdict::Broken);
        }
        Ok(Verdict::Open(Constraint { costs, window }))
    }

    /// For each arc the value of a metric of the layers that it finishes.
    pub(super) fn values(&self, diagram: &Diagram, metric: usize, interrupt: Interrupt<'_>) -> Result<Vec<i64>> {
        let mut reader = diagram.reader();
        let mut values = Vec::with_capacity(self.arcs.len());
        for node in 0..self.terminal() {
            if interrupt.stops() {
                return Err(Error::interrupted());
            }
            for arc in self.arcs_of(node) {
                values.push(reader.arc(node, self.arcs[arc].label as usize).cost[metric]);
            }
        }
        Ok(values)
    }

    /// Makes costs what they add beyond the least, in the largest possible unit; returns the least sum and the unit.
    pub(super) fn simplify(&self, costs: &mut [i64]) -> (i64, i64) {
        let least = self.completions(costs, i64::min);
        self.reduce(costs, |from, cost, to| cost + least[to] - least[from]);
        let unit = costs.iter().fold(0_i64, |unit, cost| unit.gcd(cost)).max(1);
        for cost in costs {
            *cost /= unit;
        }
        (least[ROOT as usize], unit)
    }

    /// Gives each arc another cost: of its node, its cost, and the node it leads to.
    fn reduce(&self, costs: &mut [i64], cost: impl Fn(usize, i64, usize) -> i64) {
        for node in 0..self.terminal() {
            for arc in self.arcs_of(node) {
                costs[arc] = cost(node as usize, costs[arc], self.arcs[arc].end as usize);
            }
        }
    }

    /// Takes these constraints, and drops the arcs that no candidate within them uses.
    fn bind(&mut self, columns: Vec<Constraint>) {
        let dims = columns.len();
        let nodes = self.terminal() as usize + 1;
        self.windows = columns.iter().map(|column| column.window).collect();
        let mut columns: Vec<_> = columns.into_iter().map(|column| column.costs).collect();
        let most: Vec<_> = columns.iter().map(|costs| self.completions(costs, i64::max)).collect();
        let mut so_far = vec![NONE; nodes * dims];
        so_far[..dims].fill((0, 0));
        let mut reached = vec![false; nodes];
        reached[ROOT as usize] = true;
        let windows = self.windows.clone();
        let costs = columns.clone();
        self.retain(&mut columns, |node, arc, Arc { end, .. }| {
            let (node, end) = (node as usize, end as usize);
            if !reached[node] {
                return false;
            }
            let keeps = windows.iter().enumerate().all(|(dim, window)| {
                let (least_before, most_before) = so_far[node * dims + dim];
                let cost = costs[dim][arc];
                least_before.saturating_add(cost) <= window.high
                    && most_before.saturating_add(cost).saturating_add(most[dim][end]) >= window.low
            });
            if keeps {
                reached[end] = true;
                for dim in 0..dims {
                    let (least_before, most_before) = so_far[node * dims + dim];
                    let after = &mut so_far[end * dims + dim];
                    let cost = costs[dim][arc];
                    let within = most_before.saturating_add(cost).min(windows[dim].high);
                    *after = (after.0.min(least_before + cost), after.1.max(within));
                }
            }
            keeps
        });
        self.drop_dead_ends(&mut columns);
        if self.terminal() != ROOT && self.arcs_of(ROOT).is_empty() {
            self.empty = true;
            self.windows.clear();
            return;
        }
        self.so_far = so_far;
        let most: Vec<_> = columns.iter().map(|costs| self.completions(costs, i64::max)).collect();
        // Beyond the window all are alike; and so sums of a prefix, an arc, and what is to go stay below 2^63.
        self.to_go = (0..nodes * dims)
            .map(|place| most[place % dims][place / dims].min(self.windows[place % dims].high + 1))
            .collect();
        self.costs = (0..self.arcs.len() * dims)
            .map(|place| columns[place % dims][place / dims])
            .collect();
    }

    /// The candidates that use an arc.
    pub(super) fn through(&self, node: u32, arc: usize) -> Self {
        let dims = self.dims();
        let after = self.arcs[arc].end;
        let columns = (0..dims).map(|dim| (0..self.arcs.len()).map(|arc| self.costs[arc * dims + dim]).collect());
        let mut columns: Vec<Vec<i64>> = columns.collect();
        let mut part = self.clone();
        part.retain(&mut columns, |from, position, Arc { end, .. }| {
            if from == node {
                position == arc
            } else {
                (from < node && end <= node) || from >= after
            }
        });
        part.drop_dead_ends(&mut columns);
        let columns = columns.into_iter().zip(&self.windows);
        part.bind(columns.map(|(costs, &window)| Constraint { costs, window }).collect());
        part
    }

    /// The same graph with other windows, none of them beyond what its arcs allow.
    pub(super) fn with_windows(&self, windows: Vec<Interval>) -> Self {
        Self {
            windows,
            ..self.clone()
        }
    }
}

/// A metric whose sum is bounded, or a metric of which the largest value has to reach a bound.
struct Counted {
    metric: usize,
    low: i64,
    high: i64,
    /// For the largest value: what it has to reach.
    reach: Option<i64>,
}

impl Counted {
    fn cost(&self, cost: &[i64]) -> i64 {
        match self.reach {
            None => cost[self.metric],
            Some(reach) => i64::from(cost[self.metric] >= reach),
        }
    }
}

/// What is known of prefixes while arcs are read: enough to leave most of those out that no budget allows.
struct Raw<'a> {
    diagram: &'a Diagram,
    bounds: &'a [Bound],
    extremes: Vec<std::sync::Arc<Extremes>>,
    /// For each node and bound, the least and the most that a prefix comes to.
    so_far: Vec<(i64, i64)>,
    counted: Vec<Counted>,
    /// What a prefix comes to behind the current arc, by bound.
    found: Vec<(i64, i64)>,
}

impl<'a> Raw<'a> {
    fn new(diagram: &'a Diagram, bounds: &'a [Bound], interrupt: Interrupt<'_>) -> Result<Self> {
        let mut raw = Self {
            diagram,
            bounds,
            extremes: bounds
                .iter()
                .map(|bound| diagram.extremes(bound.metric, interrupt).cloned())
                .collect::<Result<_>>()?,
            so_far: vec![NONE; (diagram.terminal() as usize + 1) * (bounds.len() + 1)],
            counted: Vec::new(),
            found: Vec::new(),
        };
        for (place, &Bound { metric, low, high }) in bounds.iter().enumerate() {
            let base = diagram.base()[metric];
            raw.so_far[place] = (base, base);
            match diagram.program().combine(metric) {
                Combine::Sum => raw.counted.push(Counted {
                    metric,
                    low: low.saturating_sub(base),
                    high: high.saturating_sub(base),
                    reach: None,
                }),
                Combine::Max if base < low => raw.counted.push(Counted {
                    metric,
                    low: 1,
                    high: i64::MAX,
                    reach: Some(low),
                }),
                Combine::Max => {}
            }
        }
        raw.so_far[bounds.len()] = (0, 0);
        Ok(raw)
    }

    fn stride(&self) -> usize {
        self.bounds.len() + 1
    }

    fn is_reached(&self, node: u32) -> bool {
        // The last place of each node is no bound: it only tells that a prefix leads there.
        let (least, most) = self.so_far[(node as usize + 1) * self.stride() - 1];
        least <= most
    }

    /// Whether a prefix of a node may be completed within each bound by itself.
    fn within(&self, node: u32) -> bool {
        let so_far = &self.so_far[node as usize * self.stride()..];
        let mut ranges = self.bounds.iter().zip(&self.extremes).zip(so_far);
        ranges.all(|((bound, extremes), &(least, most))| {
            let combine = self.diagram.program().combine(bound.metric);
            let join = |a, b| combine.join(a, b);
            let (smallest, largest) = (extremes.smallest[node as usize], extremes.largest[node as usize]);
            largest != Extremes::NOWHERE && join(least, smallest) <= bound.high && join(most, largest) >= bound.low
        })
    }

    /// Takes an arc, unless no candidate within the bounds uses it.
    fn spread(&mut self, from: u32, to: u32, cost: &[i64]) -> bool {
        let stride = self.stride();
        let (before, after) = (from as usize * stride, to as usize * stride);
        self.found.clear();
        for (place, (bound, extremes)) in self.bounds.iter().zip(&self.extremes).enumerate() {
            let combine = self.diagram.program().combine(bound.metric);
            let join = |a, b| combine.join(a, b);
            let (least, most) = self.so_far[before + place];
            let (least, most) = (join(least, cost[bound.metric]), join(most, cost[bound.metric]));
            let (smallest, largest) = (extremes.smallest[to as usize], extremes.largest[to as usize]);
            let nowhere = largest == Extremes::NOWHERE;
            if nowhere || join(least, smallest) > bound.high || join(most, largest) < bound.low {
                return false;
            }
            if combine == Combine::Max && cost[bound.metric] > bound.high {
                return false;
            }
            self.found.push((least, most));
        }
        self.found.push((0, 0));
        for (place, found) in self.found.iter().enumerate() {
            let known = &mut self.so_far[after + place];
            *known = (known.0.min(found.0), known.1.max(found.1));
        }
        true
    }
}
