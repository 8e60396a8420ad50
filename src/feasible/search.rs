//! The best candidates within windows, in order: a best-first search with Lagrangian bounds.
//!
//! **Idea.** A partial candidate promises what its best completion may still come to, by the least of several bounds
//! (`dual`). The largest promise goes on first. What is known to be worse than candidates that were found is left out:
//! arcs before the search (variable fixing), partial candidates in it, and those that others of the same node dominate,
//! which have come to at least their value and leave at least as much of each window (Handler and Zang, *A dual
//! algorithm for the constrained shortest path problem*, 1980; Irnich and Desaulniers, *Shortest path problems with
//! resource constraints*, 2005).
//!
//! **Ties.** The search tells values only. The candidates of the last value are then found in the order of their ranks,
//! depth first, under the same bounds.

use super::dual::{Relaxed, prices};
use super::net::{Join, Net, Path};
use crate::{Error, Interrupt, Result};
use rustc_hash::FxHashSet;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What a search may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// The most partial candidates that are kept.
    pub(super) labels: usize,
}

/// The most partial candidates of a node that a new one is compared with.
const COMPARED: usize = 256;

/// How many partial candidates of a node the first, quick search keeps.
const BEAM: usize = 48;

/// What came of a search.
#[derive(Debug)]
pub(super) enum Found {
    /// These are the best, in order, by the arcs of the graph; fewer than asked for where no more fit.
    All(Vec<(i64, Path)>),
    /// It would take more than it may.
    Unknown,
}

/// No label.
const NONE: u32 = u32::MAX;

/// A partial candidate.
#[derive(Debug, Clone, Copy)]
struct Label {
    before: u32,
    arc: u32,
    node: u32,
    value: i64,
}

/// The labels of a search, and what each of them came to.
struct Labels {
    dims: usize,
    all: Vec<Label>,
    sums: Vec<i64>,
}

impl Labels {
    fn new(net: &Net, join: Join) -> Self {
        Self {
            dims: net.dims(),
            all: vec![Label {
                before: NONE,
                arc: NONE,
                node: net.start,
                value: join.nothing(),
            }],
            sums: vec![0; net.dims()],
        }
    }

    fn sums(&self, label: u32) -> &[i64] {
        &self.sums[label as usize * self.dims..(label as usize + 1) * self.dims]
    }

    fn push(&mut self, label: Label, sums: &[i64]) -> u32 {
        self.all.push(label);
        self.sums.extend_from_slice(sums);
        self.all.len() as u32 - 1
    }

    fn path(&self, mut label: u32) -> Vec<usize> {
        let mut path = Vec::new();
        while self.all[label as usize].before != NONE {
            path.push(self.all[label as usize].arc as usize);
            label = self.all[label as usize].before;
        }
        path.reverse();
        path
    }
}

/// A label in the queue.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    promise: i64,
    /// The promise without rounding, as a number to compare.
    fine: f64,
    node: u32,
    label: u32,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.promise.cmp(&other.promise);
        let order = order.then(self.fine.total_cmp(&other.fine));
        // The one that is nearest to its end, then the one that was found first.
        order
            .then(self.node.cmp(&other.node))
            .then(other.label.cmp(&self.label))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What is known of all completions.
struct Bounds {
    join: Join,
    /// For each node the best value of a completion, whatever the windows.
    best: Vec<i64>,
    by_value: Vec<Relaxed>,
    by_window: Vec<Relaxed>,
}

/// What a partial candidate promises.
#[derive(Debug, Clone, Copy)]
struct Promise {
    value: i64,
    fine: f64,
}

impl Bounds {
    fn new(net: &Net, join: Join, by_value: &[Vec<f64>], by_window: &[Vec<f64>]) -> Self {
        let mut best = vec![join.nothing(); net.terminal() as usize + 1];
        for node in (net.start..net.terminal()).rev() {
            let arcs = net.arcs_of(node);
            let found = arcs.map(|arc| join.of(net.values[arc], best[net.ends[arc] as usize]));
            best[node as usize] = found.reduce(i64::max).unwrap_or(join.nothing());
        }
        let relaxed = |multipliers: &[Vec<f64>], by_value| {
            let all = multipliers.iter().map(|own| Relaxed::new(net, own, by_value));
            all.flatten().collect::<Vec<_>>()
        };
        Self {
            join,
            best,
            by_value: relaxed(by_value, true),
            by_window: relaxed(by_window, false),
        }
    }

    /// What a partial candidate promises; nothing where no completion keeps the windows.
    #[inline]
    fn promise(&self, net: &Net, node: u32, value: i64, sums: &[i64]) -> Option<Promise> {
        for (dim, (&sum, window)) in sums.iter().zip(&net.windows).enumerate() {
            if sum > window.high || sum.saturating_add(net.to_go(node, dim)) < window.low {
                return None;
            }
        }
        if self.by_window.iter().any(|relaxed| relaxed.bound(node, 0, sums) < 0) {
            return None;
        }
        let plain = self.join.of(value, self.best[node as usize]);
        let mut promise = Promise {
            value: plain,
            fine: plain as f64,
        };
        for relaxed in &self.by_value {
            let bound = relaxed.bound(node, value, sums);
            // The largest whole number that is not above the bound: the scale is a power of two.
            let whole = bound >> relaxed.scale.trailing_zeros();
            let whole = whole.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
            if whole < promise.value {
                promise.value = whole;
            }
            promise.fine = promise.fine.min(bound as f64 / relaxed.scale as f64);
        }
        Some(promise)
    }
}

/// The values of the best candidates that were found, at most as many as are asked for.
struct Best {
    most: usize,
    /// Descending.
    found: Vec<(i64, Path)>,
    known: FxHashSet<Path>,
}

impl Best {
    /// What a candidate has to surpass.
    fn least(&self) -> Option<i64> {
        (self.found.len() == self.most).then(|| self.found[self.most - 1].0)
    }

    fn is_better(&self, value: i64) -> bool {
        self.least().is_none_or(|least| value > least)
    }

    /// Takes a candidate, unless it is known.
    fn add(&mut self, value: i64, path: Path) {
        if self.is_better(value) && self.known.insert(path.clone()) {
            let place = self.found.partition_point(|&(known, _)| known >= value);
            self.found.insert(place, (value, path));
            self.found.truncate(self.most);
        }
    }
}

/// A prefix whose completions are gone through in the order of their ranks.
struct Visit {
    node: u32,
    value: i64,
    sums: Box<[i64]>,
    arcs: std::ops::Range<usize>,
    /// How many candidates were found before it.
    found: usize,
}

/// A search for the best candidates of a net.
pub(super) struct Search<'a> {
    net: Net,
    join: Join,
    bounds: Bounds,
    best: Best,
    effort: Effort,
    interrupt: Interrupt<'a>,
}

/// Finds the `most` best candidates of a net, by the largest value first, then the lowest rank. With `any`, any one of
/// those with the largest value will do.
///
/// # Errors
/// `Interrupted`.
pub(super) fn best(
    net: Net,
    join: Join,
    most: usize,
    any: bool,
    effort: Effort,
    interrupt: Interrupt<'_>,
) -> Result<Found> {
    if net.empty || most == 0 {
        return Ok(Found::All(Vec::new()));
    }
    if net.start == net.terminal() {
        return Ok(Found::All(vec![(join.nothing(), Vec::new())]));
    }
    let mut search = Search {
        bounds: Bounds::new(&net, join, &[], &[]),
        net,
        join,
        best: Best {
            most,
            found: Vec::new(),
            known: FxHashSet::default(),
        },
        effort,
        interrupt,
    };
    search.prepare()?;
    if search.net.empty {
        return Ok(Found::All(search.best.found));
    }
    if !search.go()? {
        return Ok(Found::Unknown);
    }
    search.in_order(any)
}

impl Search<'_> {
    /// Finds bounds and first candidates, and strikes arcs.
    fn prepare(&mut self) -> Result<()> {
        for _ in 0..3 {
            let arcs = self.net.ends.len();
            let mut by_value = Vec::new();
            let mut by_window = Vec::new();
            if self.net.dims() > 0 {
                let inside = prices(&self.net, false, self.interrupt)?;
                self.take(inside.paths);
                by_window.extend(inside.best.into_iter().take(1));
                if self.join == Join::Sum {
                    let outside = prices(&self.net, true, self.interrupt)?;
                    self.take(outside.paths);
                    if let Some(best) = outside.best.first() {
                        by_value = around(best);
                    }
                }
            }
            self.bounds = Bounds::new(&self.net, self.join, &by_value, &by_window);
            self.beam()?;
            self.strike();
            if self.net.empty || self.net.ends.len() == arcs {
                break;
            }
            // Costs are others now, and so are bounds.
            self.bounds = Bounds::new(&self.net, self.join, &by_value, &by_window);
            if self.net.ends.len() > arcs - arcs / 8 {
                break;
            }
        }
        Ok(())
    }

    /// The value of a path.
    fn value(&self, path: &[usize]) -> i64 {
        let values = path.iter().map(|&arc| self.net.values[arc]);
        values.fold(self.join.nothing(), |a, b| self.join.of(a, b))
    }

    fn take(&mut self, paths: Vec<Vec<usize>>) {
        for path in paths {
            let value = self.value(&path);
            self.best.add(value, self.net.origin(&path));
        }
    }

    /// Strikes the arcs that no candidate uses which is as good as those that were found. Equal ones stay: one of them may
    /// have a lower rank.
    fn strike(&mut self) {
        let net = &self.net;
        let mut keep = vec![true; net.ends.len()];
        for relaxed in &self.bounds.by_window {
            for (keep, bound) in keep.iter_mut().zip(relaxed.through(net)) {
                *keep &= bound >= 0;
            }
        }
        if let Some(least) = self.best.least()
            && self.join == Join::Sum
        {
            for relaxed in &self.bounds.by_value {
                let least = i128::from(least) * i128::from(relaxed.scale);
                for (keep, bound) in keep.iter_mut().zip(relaxed.through(net)) {
                    *keep &= bound >= least;
                }
            }
        }
        if !keep.iter().all(|&kept| kept) {
            self.net.restrict(|_, arc| keep[arc]);
        }
    }

    /// Goes down node by node, and keeps the most promising prefixes of each.
    fn beam(&mut self) -> Result<()> {
        let net = &self.net;
        let width = BEAM.max(self.best.most.min(1 << 12));
        let mut labels = Labels::new(net, self.join);
        let nodes = net.terminal() as usize + 1;
        let mut at: Vec<Vec<(Promise, u32)>> = vec![Vec::new(); nodes];
        let promised = |promise: &Promise| (promise.value, promise.fine);
        let order = |a: &(Promise, u32), b: &(Promise, u32)| {
            let ((a, fine), (b, other)) = (promised(&a.0), promised(&b.0));
            b.cmp(&a).then(other.total_cmp(&fine))
        };
        if let Some(promise) = self.bounds.promise(net, net.start, self.join.nothing(), labels.sums(0)) {
            at[net.start as usize].push((promise, 0));
        }
        let mut sums = vec![0; net.dims()];
        for node in net.start..net.terminal() {
            if self.interrupt.stops() {
                return Err(Error::interrupted());
            }
            let mut own = std::mem::take(&mut at[node as usize]);
            own.sort_by(order);
            own.truncate(width);
            for (_, label) in own {
                for arc in net.arcs_of(node) {
                    let Some((promise, next)) = self.follow(&labels, label, arc, &mut sums) else {
                        continue;
                    };
                    let list = &mut at[next.node as usize];
                    let next = labels.push(next, &sums);
                    list.push((promise, next));
                    if list.len() >= 8 * width {
                        list.sort_by(order);
                        list.truncate(width);
                    }
                }
            }
        }
        for (_, label) in std::mem::take(&mut at[net.terminal() as usize]) {
            let path = labels.path(label);
            let value = labels.all[label as usize].value;
            self.best.add(value, net.origin(&path));
        }
        Ok(())
    }

    /// Best first, until nothing better is left. Whether that was within the effort.
    fn go(&mut self) -> Result<bool> {
        let net = &self.net;
        let dims = net.dims();
        let mut labels = Labels::new(net, self.join);
        let mut settled: Vec<Vec<u32>> = vec![Vec::new(); net.terminal() as usize + 1];
        let mut waiting = BinaryHeap::new();
        if let Some(promise) = self.bounds.promise(net, net.start, self.join.nothing(), labels.sums(0)) {
            waiting.push(Waiting {
                promise: promise.value,
                fine: promise.fine,
                node: net.start,
                label: 0,
            });
        }
        let mut sums = vec![0; dims];
        let mut rounds = 0_usize;
        while let Some(Waiting {
            promise, label, node, ..
        }) = waiting.pop()
        {
            if !self.best.is_better(promise) {
                break;
            }
            rounds += 1;
            if rounds.is_multiple_of(256) && self.interrupt.stops() {
                return Err(Error::interrupted());
            }
            let value = labels.all[label as usize].value;
            if node == net.terminal() {
                let path = labels.path(label);
                self.best.add(value, net.origin(&path));
                continue;
            }
            if self.is_dominated(&labels, label, &mut settled[node as usize]) {
                continue;
            }
            settled[node as usize].push(label);
            for arc in net.arcs_of(node) {
                let Some((promise, next)) = self.follow(&labels, label, arc, &mut sums) else {
                    continue;
                };
                if labels.all.len() >= self.effort.labels {
                    return Ok(false);
                }
                waiting.push(Waiting {
                    promise: promise.value,
                    fine: promise.fine,
                    node: next.node,
                    label: labels.push(next, &sums),
                });
            }
        }
        Ok(true)
    }

    /// What an arc makes of a label, with its sums, if that may still become better than what is known.
    fn follow(&self, labels: &Labels, label: u32, arc: usize, sums: &mut [i64]) -> Option<(Promise, Label)> {
        let net = &self.net;
        for ((sum, own), cost) in sums.iter_mut().zip(labels.sums(label)).zip(net.cost(arc)) {
            *sum = own + cost;
        }
        let node = net.ends[arc];
        let value = self.join.of(labels.all[label as usize].value, net.values[arc]);
        let promise = self.bounds.promise(net, node, value, sums)?;
        self.best.is_better(promise.value).then_some((
            promise,
            Label {
                before: label,
                arc: arc as u32,
                node,
                value,
            },
        ))
    }

    /// Whether as many labels of a node as are asked for have come to at least the value of another one, and leave every
    /// completion of it that keeps the windows.
    fn is_dominated(&self, labels: &Labels, label: u32, settled: &mut [u32]) -> bool {
        let mut left = self.best.most;
        if settled.len() < left {
            return false;
        }
        let own = &labels.all[label as usize];
        let sums = labels.sums(label);
        for place in 0..settled.len().min(COMPARED.max(2 * left)) {
            let other = settled[place];
            if labels.all[other as usize].value >= own.value && self.leaves(own.node, labels.sums(other), sums) {
                left -= 1;
                settled.swap(place, place / 2);
                if left == 0 {
                    return true;
                }
            }
        }
        false
    }

    /// Whether each completion of a node that keeps the windows behind `sums` keeps them behind `other`, too.
    fn leaves(&self, node: u32, other: &[i64], sums: &[i64]) -> bool {
        let windows = self.net.windows.iter().zip(other.iter().zip(sums)).enumerate();
        windows.into_iter().all(|(dim, (window, (&other, &sum)))| {
            let (low, high) = (sum.min(window.low), sum.max(window.high - self.net.to_go(node, dim)));
            (low..=high).contains(&other)
        })
    }

    /// The candidates that were found; of those with the last value the ones with the lowest ranks.
    fn in_order(mut self, any: bool) -> Result<Found> {
        let mut found = std::mem::take(&mut self.best.found);
        let Some(&(last, _)) = found.last() else {
            return Ok(Found::All(found));
        };
        if any {
            return Ok(Found::All(found));
        }
        let better = found.iter().take_while(|&&(value, _)| value > last).count();
        // Where fewer are there than asked for, these are all.
        if found.len() == self.best.most {
            let wanted = found.len() - better;
            let Some(ties) = self.ties(last, wanted, better == 0)? else {
                return Ok(Found::Unknown);
            };
            found.truncate(better);
            found.extend(ties.into_iter().map(|path| (last, path)));
        }
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        Ok(Found::All(found))
    }

    /// The first candidates of a value in the order of their ranks; `is_best` says that there is no larger value.
    fn ties(&self, wanted: i64, most: usize, is_best: bool) -> Result<Option<Vec<Path>>> {
        let net = &self.net;
        let mut found = Vec::new();
        // Prefixes without such a candidate, by node, value and sums.
        let mut barren: FxHashSet<(u32, i64, Box<[i64]>)> = FxHashSet::default();
        let mut refused: Vec<Vec<(i64, Box<[i64]>)>> = vec![Vec::new(); net.terminal() as usize + 1];
        let mut path: Vec<usize> = Vec::new();
        let mut visits = vec![Visit {
            node: net.start,
            value: self.join.nothing(),
            sums: vec![0; net.dims()].into(),
            arcs: net.arcs_of(net.start),
            found: 0,
        }];
        let mut visited = 0_usize;
        while let Some(last) = visits.last_mut() {
            let Some(arc) = last.arcs.next() else {
                if let Some(Visit {
                    node,
                    value,
                    sums,
                    found: before,
                    ..
                }) = visits.pop()
                    && found.len() == before
                {
                    if refused[node as usize].len() < COMPARED {
                        refused[node as usize].push((value, sums.clone()));
                    }
                    barren.insert((node, value, sums));
                }
                path.pop();
                continue;
            };
            visited += 1;
            if visited.is_multiple_of(1024) && self.interrupt.stops() {
                return Err(Error::interrupted());
            }
            if visited > 16 * self.effort.labels || barren.len() > self.effort.labels {
                return Ok(None);
            }
            let end = net.ends[arc];
            let value = self.join.of(last.value, net.values[arc]);
            let sums: Box<[i64]> = last.sums.iter().zip(net.cost(arc)).map(|(a, b)| a + b).collect();
            let promise = self.bounds.promise(net, end, value, &sums);
            if promise.is_none_or(|promise| promise.value < wanted) {
                continue;
            }
            if end == net.terminal() {
                if value == wanted {
                    path.push(arc);
                    found.push(net.origin(&path));
                    path.pop();
                    if found.len() == most {
                        break;
                    }
                }
                continue;
            }
            // A prefix that came to as much and leaves as much has no candidate of this value, and there is none larger.
            let hopeless = is_best
                && refused[end as usize]
                    .iter()
                    .any(|(known, other)| *known >= value && self.leaves(end, other, &sums));
            let key = (end, value, sums);
            if hopeless || barren.contains(&key) {
                continue;
            }
            path.push(arc);
            visits.push(Visit {
                node: end,
                value,
                sums: key.2,
                arcs: net.arcs_of(end),
                found: found.len(),
            });
        }
        Ok(Some(found))
    }
}

/// These multipliers, and others that are larger or smaller in one constraint: they bound prefixes better that have used
/// much or little of it.
fn around(best: &[f64]) -> Vec<Vec<f64>> {
    let mut all = vec![best.to_vec()];
    if best.len() > 4 {
        return all;
    }
    for dim in 0..best.len() {
        if best[dim] != 0.0 {
            for factor in [0.7, 1.4] {
                let mut other = best.to_vec();
                other[dim] *= factor;
                all.push(other);
            }
        }
    }
    all
}
