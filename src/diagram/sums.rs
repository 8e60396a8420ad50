//! Counting what keeps one bound on a sum: lists of distinct costs from both ends, which meet in the middle.
//!
//! Going forward, each node has the costs that its prefixes come to, and how many prefixes come to each; going backward,
//! the same of its completions. Whichever side is cheaper takes the next stage. Where they meet, the pairs that keep the
//! bound are counted by prefix sums.

use super::feasible::{Bound, Feasible, STATES, too_many};
use super::optimize::Extremes;
use super::{DEAD, Diagram, Interrupt, ROOT};
use crate::{Error, Result};
use num_bigint::BigUint;
use rustc_hash::FxHashMap;

/// Distinct costs, ascending, and how many partial candidates come to each.
type List = Vec<(i64, u128)>;

/// The lists of both ends.
pub(super) struct Sums<'a> {
    diagram: &'a Diagram,
    feasible: &'a Feasible,
    bound: Bound,
    /// The completions of each node.
    paths: &'a [u128],
    /// The range of the metric over the completions of each node.
    to_go: &'a Extremes,
    /// The range of the metric over the prefixes of each node; the least above the most where there is none.
    so_far: Vec<(i64, i64)>,
    forward: FxHashMap<u32, List>,
    backward: FxHashMap<u32, List>,
    total: u128,
}

impl<'a> Sums<'a> {
    /// Nothing counted yet.
    pub(super) fn new(feasible: &'a Feasible, bound: Bound, paths: &'a [u128]) -> Self {
        Self {
            diagram: &feasible.diagram,
            feasible,
            bound,
            paths,
            to_go: &feasible.extremes[0],
            so_far: Vec::new(),
            forward: FxHashMap::default(),
            backward: FxHashMap::default(),
            total: 0,
        }
    }

    /// The exact number of candidates that keep the bound.
    ///
    /// # Errors
    /// `Limit` where the lists would grow too long; `Interrupted`.
    pub(super) fn count(mut self, interrupt: Interrupt<'_>) -> Result<BigUint> {
        let base = self.diagram.base()[self.bound.metric];
        self.measure_prefixes(base, interrupt)?;
        self.spread(ROOT, 0, &[(base, 1)]);
        self.backward.insert(self.diagram.terminal(), vec![(0, 1)]);
        let (mut first, mut last) = (0, self.diagram.stages.len());
        while first < last {
            if interrupt() {
                return Err(Error::interrupted());
            }
            if self.forward_work(first) <= self.backward_work(last - 1) {
                self.step_forward(first, interrupt)?;
                first += 1;
            } else {
                last -= 1;
                self.step_backward(last, interrupt)?;
            }
            let kept = |lists: &FxHashMap<u32, List>| lists.values().map(Vec::len).sum::<usize>();
            if kept(&self.forward) + kept(&self.backward) > STATES {
                return Err(too_many());
            }
        }
        self.meet();
        Ok(BigUint::from(self.total))
    }

    /// The range of the metric over the prefixes of each node.
    fn measure_prefixes(&mut self, base: i64, interrupt: Interrupt<'_>) -> Result<()> {
        self.so_far = vec![(i64::MAX, i64::MIN); self.diagram.terminal() as usize + 1];
        self.so_far[ROOT as usize] = (base, base);
        let mut reader = self.diagram.reader();
        for node in 0..self.diagram.terminal() {
            let (least, most) = self.so_far[node as usize];
            if least > most {
                continue;
            }
            for value in self.diagram.values(node, &self.feasible.fixed) {
                if value % 1024 == 0 && interrupt() {
                    return Err(Error::interrupted());
                }
                let arc = reader.arc(node, value);
                if arc.next != DEAD {
                    let cost = arc.cost[self.bound.metric];
                    let range = &mut self.so_far[arc.next as usize];
                    *range = (
                        range.0.min(least.saturating_add(cost)),
                        range.1.max(most.saturating_add(cost)),
                    );
                }
            }
        }
        Ok(())
    }

    fn nodes(&self, stage: usize) -> std::ops::Range<u32> {
        self.diagram.stages[stage].nodes.clone()
    }

    fn forward_work(&self, stage: usize) -> usize {
        let lists = self.nodes(stage).filter_map(|node| self.forward.get(&node));
        lists.map(Vec::len).sum::<usize>() * self.diagram.stages[stage].size
    }

    fn backward_work(&self, stage: usize) -> usize {
        let mut reader = self.diagram.reader();
        if self.diagram.is_implicit(stage) {
            return usize::MAX;
        }
        let mut work = 0;
        for node in self.nodes(stage) {
            for value in self.diagram.values(node, &self.feasible.fixed) {
                let next = reader.arc(node, value).next;
                work += self.backward.get(&next).map_or(0, Vec::len);
            }
        }
        work
    }

    /// Adds prefixes to a node, after an arc of this cost: what no completion can mend is dropped, and what none can
    /// break is counted.
    fn spread(&mut self, node: u32, cost: i64, list: &[(i64, u128)]) {
        let (least, most) = (self.to_go.smallest[node as usize], self.to_go.largest[node as usize]);
        if most < 0 {
            return;
        }
        let Bound { low, high, .. } = self.bound;
        let reaches = |spent: i64, rest: i64| spent.saturating_add(cost).saturating_add(rest);
        // The costs ascend, so each of these is true up to some place.
        let alive = list.partition_point(|&(spent, _)| reaches(spent, most) < low)
            ..list.partition_point(|&(spent, _)| reaches(spent, least) <= high);
        let settled = list.partition_point(|&(spent, _)| reaches(spent, least) < low)
            ..list.partition_point(|&(spent, _)| reaches(spent, most) <= high);
        if alive.is_empty() {
            return;
        }
        let settled = settled.start.clamp(alive.start, alive.end)..settled.end.clamp(alive.start, alive.end);
        let open = if settled.is_empty() {
            [alive, 0..0]
        } else {
            let ways: u128 = list[settled.clone()].iter().map(|&(_, ways)| ways).sum();
            self.total += ways * self.paths[node as usize];
            [alive.start..settled.start, settled.end..alive.end]
        };
        let target = self.forward.entry(node).or_default();
        for part in open {
            target.extend(list[part].iter().map(|&(spent, ways)| (spent + cost, ways)));
        }
    }

    fn step_forward(&mut self, stage: usize, interrupt: Interrupt<'_>) -> Result<()> {
        let diagram = self.diagram;
        let mut reader = diagram.reader();
        for node in self.nodes(stage) {
            let Some(mut list) = self.forward.remove(&node) else {
                continue;
            };
            merge(&mut list);
            for value in diagram.values(node, &self.feasible.fixed) {
                if interrupt() {
                    return Err(Error::interrupted());
                }
                let arc = reader.arc(node, value);
                if arc.next != DEAD {
                    let (next, cost) = (arc.next, arc.cost[self.bound.metric]);
                    self.spread(next, cost, &list);
                    // Long lists are merged before they become too long to hold.
                    if let Some(list) = self.forward.get_mut(&next)
                        && list.len() > STATES
                    {
                        merge(list);
                    }
                }
            }
        }
        Ok(())
    }

    fn step_backward(&mut self, stage: usize, interrupt: Interrupt<'_>) -> Result<()> {
        let diagram = self.diagram;
        let mut reader = diagram.reader();
        for node in self.nodes(stage) {
            let (least, most) = self.so_far[node as usize];
            if least > most {
                continue;
            }
            let mut list = List::new();
            for value in diagram.values(node, &self.feasible.fixed) {
                if interrupt() {
                    return Err(Error::interrupted());
                }
                let arc = reader.arc(node, value);
                let Some(rest) = self.backward.get(&arc.next).filter(|_| arc.next != DEAD) else {
                    continue;
                };
                let cost = arc.cost[self.bound.metric];
                let reaches = |spent: i64, rest: i64| spent.saturating_add(cost).saturating_add(rest);
                let start = rest.partition_point(|&(rest, _)| reaches(most, rest) < self.bound.low);
                let end = rest.partition_point(|&(rest, _)| reaches(least, rest) <= self.bound.high);
                if start < end {
                    list.extend(rest[start..end].iter().map(|&(rest, ways)| (rest + cost, ways)));
                }
                if list.len() > STATES {
                    merge(&mut list);
                    if list.len() > STATES {
                        return Err(too_many());
                    }
                }
            }
            merge(&mut list);
            self.backward.insert(node, list);
        }
        Ok(())
    }

    /// Counts the pairs of a prefix and a completion that keep the bound.
    fn meet(&mut self) {
        for (node, mut prefixes) in std::mem::take(&mut self.forward) {
            merge(&mut prefixes);
            let Some(completions) = self.backward.get(&node) else {
                continue;
            };
            let mut sums = Vec::with_capacity(completions.len() + 1);
            sums.push(0_u128);
            for &(_, ways) in completions {
                sums.push(sums[sums.len() - 1] + ways);
            }
            // As the prefixes ascend, both ends of the completions that go with them descend.
            let (mut start, mut end) = (completions.len(), completions.len());
            for &(spent, ways) in &prefixes {
                while end > 0 && spent.saturating_add(completions[end - 1].0) > self.bound.high {
                    end -= 1;
                }
                while start > 0 && spent.saturating_add(completions[start - 1].0) >= self.bound.low {
                    start -= 1;
                }
                if start < end {
                    self.total += ways * (sums[end] - sums[start]);
                }
            }
        }
    }
}

/// Sorts a list by cost and joins equal costs.
fn merge(list: &mut List) {
    if list.is_sorted_by(|a, b| a.0 < b.0) {
        return;
    }
    list.sort_unstable_by_key(|&(cost, _)| cost);
    list.dedup_by(|next, kept| {
        let equal = next.0 == kept.0;
        if equal {
            kept.1 += next.1;
        }
        equal
    });
}
