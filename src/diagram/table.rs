//! The diagram as a few lookup tables: consecutive stages are fused while their joint table stays in cache.
//!
//! **Idea.** Along the arcs of a diagram a candidate waits for memory once a stage, as each arc says where the next
//! one is. Stages in a row over a few decisions are one function, from the node at which a candidate enters and the
//! joint index of its values to the node at which it leaves and the costs on the way. Written out, this function is a
//! table: its entry is `node * width + joint index`. So a batch of candidates takes one gather for each group of
//! stages and each metric, over keys that are sums of columns.
//!
//! **Bound.** A table of several stages has at most [`FUSED`] entries, that of a single stage at most [`SINGLE`], and all
//! tables together at most [`ALL`]. What lies behind them is walked arc by arc, and from an open stage on candidates are
//! run one by one. An entry takes 4 bytes for the next node, and 4 or 8 for each metric that is not always a multiple of
//! another one. Building a table follows one path of arcs for each of its entries.
//!
//! **Rising.** Where costs rise evenly with a decision, its table may be two numbers a row: see [`super::rising`].
//!
//! **Choice.** Fewer tables need fewer gathers, but larger tables lie further away. So of all ways to part the stages into
//! groups the best is taken, by dynamic programming over pairs of gathers and bytes, where a gather costs what it does in
//! the smallest cache that holds all tables together.

use super::arcs::{DEAD, Diagram};
use super::cache::Caches;
use super::kernel::Total;
use super::optimize::ANY;
use crate::Result;
use crate::space::Combine;

/// The most entries of a table that fuses several stages.
const FUSED: usize = 1 << 17;

/// The most entries of a table of one stage; a larger one is walked arc by arc.
const SINGLE: usize = 1 << 22;

/// The most entries of all tables; what lies behind them is walked arc by arc.
const ALL: usize = 1 << 23;

/// The costs of a table, as narrow as the largest total allows.
#[derive(Debug, Clone)]
pub(super) enum Costs {
    /// Totals below 2^32.
    Narrow(Vec<u32>),
    /// Any totals.
    Wide(Vec<i64>),
}

/// Costs and the slopes with which they rise, as narrow as the largest total allows.
#[derive(Debug, Clone)]
pub(super) enum Lines {
    /// Totals below 2^32.
    Narrow(Vec<<u32 as Total>::Line>),
    /// Any totals.
    Wide(Vec<<i64 as Total>::Line>),
}

/// How a metric is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From its own tables.
    Tables,
    /// It is always this many times another metric.
    Multiple(usize, i64),
}

/// Some consecutive stages.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The nodes at which candidates may enter it; a dead candidate enters after the last of them.
    pub(super) entries: Vec<u32>,
    /// The first stage behind it.
    pub(super) last: usize,
    /// Each decision of its keys, and what its index is multiplied with in them.
    pub(super) columns: Vec<(usize, u32)>,
    /// The entries of the table for each node.
    pub(super) width: usize,
    /// How the candidates get through it.
    pub(super) step: Lookups,
}

/// How candidates get through a group.
#[derive(Debug, Clone)]
pub(super) enum Lookups {
    /// By tables with an item for each entry and each joint choice.
    Tables {
        /// The entry of the next group, times its width; empty where it is always 0.
        next: Vec<u32>,
        /// The costs of each metric that has tables.
        costs: Vec<Option<Costs>>,
    },
    /// By tables without one decision, with which costs rise evenly.
    Rising {
        /// That decision.
        decision: usize,
        /// The entry of the next group, times its width, by the index of that decision; empty where it is always 0.
        next: Vec<u32>,
        /// The costs at its first index, and by how much they rise from each index to the next, of each metric that
        /// adds up and has tables.
        lines: Vec<Option<Lines>>,
    },
    /// Arc by arc: stages with too many arcs for tables.
    Arcs,
    /// To the end, one by one: from here on the diagram is open.
    Run,
}

/// The fused tables of a diagram.
#[derive(Debug)]
pub(super) struct LookupTables {
    pub(super) groups: Vec<Group>,
    pub(super) sources: Vec<Source>,
    /// The largest total of each metric; 2^63 - 1 where it is not known, or some costs are negative.
    pub(super) largest: Vec<i64>,
    /// Whether some candidate is invalid.
    pub(super) can_die: bool,
}

/// Where a node stands among the entries of a group; the dead stand after them.
pub(super) fn position(entries: &[u32], node: u32) -> u32 {
    if node == DEAD {
        entries.len() as u32
    } else {
        entries
            .binary_search(&node)
            .map_or(entries.len() as u32, |position| position as u32)
    }
}

/// Multiplies the entry that each group leads to with the width of the next group: a key begins with it.
pub(super) fn scale(groups: &mut [Group]) {
    for number in 1..groups.len() {
        let (before, after) = groups.split_at_mut(number);
        let (Some(before), Some(after)) = (before.last_mut(), after.first()) else {
            continue;
        };
        if let Lookups::Tables { next, .. } | Lookups::Rising { next, .. } = &mut before.step {
            for next in next {
                *next *= after.width as u32;
            }
        }
    }
}

impl Group {
    /// The decisions it reads.
    pub(super) fn decisions(&self) -> impl Iterator<Item = usize> + '_ {
        let rising = match &self.step {
            Lookups::Rising { decision, .. } => Some(*decision),
            _ => None,
        };
        self.columns.iter().map(|&(decision, _)| decision).chain(rising)
    }
}

impl LookupTables {
    pub(super) fn of(diagram: &Diagram, caches: Caches) -> Result<Self> {
        let closed = diagram.open.is_none();
        let (lives, ranges) = if closed {
            let extremes = diagram.extremes(ANY, &|| false)?;
            let lives: Vec<bool> = extremes.largest.iter().map(|&largest| largest >= 0).collect();
            let ranges: Vec<i64> = (0..diagram.metrics())
                .map(|metric| {
                    if diagram.base()[metric] < 0 || diagram.extremes(metric, &|| false)?.falls() {
                        return Ok(i64::MAX);
                    }
                    diagram.range(metric, &|| false).map(|(_, largest)| largest)
                })
                .collect::<Result<_>>()?;
            (lives, ranges)
        } else {
            (
                vec![true; diagram.terminal() as usize + 1],
                vec![i64::MAX; diagram.metrics()],
            )
        };
        let can_die = !closed || diagram.has_dead;
        let layout = Layout {
            diagram,
            lives: &lives,
            dead: usize::from(can_die),
        };
        let mut groups = Vec::new();
        let mut first = 0;
        let mut starts = layout.entries(0);
        let mut spent = 0;
        for part in layout.parts(caches) {
            if part.last <= first {
                continue;
            }
            if diagram.first_open() == first {
                groups.push(Group {
                    entries: starts,
                    last: diagram.stages.len(),
                    columns: (0..diagram.program().decisions().len())
                        .map(|decision| (decision, 0))
                        .collect(),
                    width: 1,
                    step: Lookups::Run,
                });
                break;
            }
            let mut last = part.last;
            let mut decisions = layout.decisions(first..last);
            let mut width = part.width;
            spent += (starts.len() + layout.dead) * width;
            let walked = part.implicit || spent > ALL;
            if walked && !part.implicit {
                last = diagram.first_open();
                decisions = layout.decisions(first..last);
            }
            if walked {
                width = 1;
            }
            let ends = layout.entries(last);
            let mut factor = width;
            let columns: Vec<_> = decisions
                .iter()
                .map(|&decision| {
                    if walked {
                        return (decision, 0);
                    }
                    factor /= diagram.program().decisions()[decision].size;
                    (decision, factor as u32)
                })
                .collect();
            let step = if walked {
                Lookups::Arcs
            } else {
                fuse(diagram, &lives, (&starts, &ends), last, &columns, width, &ranges)
            };
            groups.push(Group {
                entries: starts,
                last,
                columns,
                width,
                step,
            });
            starts = ends;
            first = last;
        }
        scale(&mut groups);
        let mut tables = Self {
            groups,
            sources: vec![Source::Tables; diagram.metrics()],
            largest: ranges,
            can_die,
        };
        tables.find_multiples(diagram);
        Ok(tables)
    }

    /// The rows of the tables of a group: its entries, and one for the dead where there may be some.
    pub(super) fn rows(&self, group: &Group) -> usize {
        group.entries.len() + usize::from(self.can_die)
    }

    /// Whether something asks where candidates enter a group, or the end.
    pub(super) fn is_entered(&self, number: usize) -> bool {
        match self.groups.get(number) {
            None => self.can_die,
            Some(group) => match group.step {
                Lookups::Tables { .. } | Lookups::Rising { .. } => self.rows(group) > 1,
                Lookups::Arcs | Lookups::Run => true,
            },
        }
    }

    /// The items of the tables of a group.
    pub(super) fn items(&self, group: &Group) -> usize {
        self.rows(group) * group.width
    }

    /// The most that a key of a group may point to.
    pub(super) fn places(&self, group: &Group) -> usize {
        let other = match &group.step {
            Lookups::Rising { next, .. } => next.len(),
            _ => 0,
        };
        self.items(group).max(other)
    }

    /// Whether totals of a metric fit into 32 bits.
    pub(super) fn is_narrow(&self, metric: usize) -> bool {
        u32::try_from(self.largest[metric]).is_ok()
    }

    /// Finds the metrics that are always a multiple of another one, and drops their tables.
    fn find_multiples(&mut self, diagram: &Diagram) {
        let all_tables = self
            .groups
            .iter()
            .all(|group| matches!(group.step, Lookups::Tables { .. }));
        if !all_tables {
            return;
        }
        let combine = |metric| diagram.program().combine(metric);
        for metric in 1..diagram.metrics() {
            if combine(metric) == Combine::Max {
                continue;
            }
            for other in 0..metric {
                if self.sources[other] != Source::Tables || combine(other) == Combine::Max {
                    continue;
                }
                if let Some(factor) = self.factor(metric, other, diagram.base()) {
                    self.sources[metric] = Source::Multiple(other, factor);
                    break;
                }
            }
        }
        for group in &mut self.groups {
            if let Lookups::Tables { costs, .. } = &mut group.step {
                for (cost, source) in costs.iter_mut().zip(&self.sources) {
                    if *source != Source::Tables {
                        *cost = None;
                    }
                }
            }
        }
    }

    /// The number that one metric is always the multiple by of another, if there is one.
    fn factor(&self, metric: usize, other: usize, base: &[i64]) -> Option<i64> {
        let pairs = || {
            let tables = self.groups.iter().filter_map(|group| match &group.step {
                Lookups::Tables { costs, .. } => Some((costs[metric].as_ref()?, costs[other].as_ref()?)),
                _ => None,
            });
            tables
                .flat_map(|(a, b)| (0..a.len()).map(|item| (a.get(item), b.get(item))))
                .chain(std::iter::once((base[metric], base[other])))
        };
        let (a, b) = pairs().find(|&(_, b)| b != 0)?;
        let factor = a / b;
        let multiple = pairs().all(|(a, b)| b.checked_mul(factor) == Some(a));
        (factor >= 0 && multiple).then_some(factor)
    }
}

/// Some consecutive stages that may become a group.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The first stage behind it.
    last: usize,
    /// The joint choices of its decisions.
    width: usize,
    /// Whether it is a stage that has no table.
    implicit: bool,
}

/// The gathers and the bytes of a way to part the stages, and its last part.
#[derive(Debug, Clone, Copy)]
struct Parting {
    gathers: usize,
    bytes: usize,
    first: usize,
    part: Part,
    /// Where the way to `first` stands among those that were kept.
    before: usize,
}

/// The stages of a diagram, about to be parted into groups.
struct Layout<'a> {
    diagram: &'a Diagram,
    lives: &'a [bool],
    /// 1 where a table has entries for the dead.
    dead: usize,
}

impl Layout<'_> {
    /// The stages at which a node may be entered: from the one after its earliest predecessor on, until its own.
    fn span(&self, node: u32) -> (usize, usize) {
        let own = self.diagram.stage_of.get(node as usize);
        (
            self.diagram.entered[node as usize] as usize,
            own.map_or(self.diagram.stages.len(), |&own| own as usize),
        )
    }

    /// The nodes at which candidates may enter a stage.
    fn entries(&self, stage: usize) -> Vec<u32> {
        (0..=self.diagram.terminal())
            .filter(|&node| {
                let (entered, own) = self.span(node);
                self.lives[node as usize] && entered <= stage && own >= stage
            })
            .collect()
    }

    /// The number of these for each stage, and behind the last.
    fn widths(&self) -> Vec<usize> {
        let mut steps = vec![0_isize; self.diagram.stages.len() + 2];
        for node in (0..=self.diagram.terminal()).filter(|&node| self.lives[node as usize]) {
            let (entered, own) = self.span(node);
            if entered <= own {
                steps[entered] += 1;
                steps[own + 1] -= 1;
            }
        }
        let mut sum = 0;
        let sums = steps.iter().map(|step| {
            sum += step;
            sum as usize
        });
        sums.collect()
    }

    /// The distinct decisions of some stages, in their order.
    fn decisions(&self, stages: std::ops::Range<usize>) -> Vec<usize> {
        let mut decisions = Vec::new();
        for stage in &self.diagram.stages[stages] {
            if !decisions.contains(&stage.decision) {
                decisions.push(stage.decision);
            }
        }
        decisions
    }

    /// The best way to part the stages before the first open one.
    fn parts(&self, caches: Caches) -> Vec<Part> {
        let widths = self.widths();
        let stages = self.diagram.first_open();
        // For each stage the ways to come there, of which none has as few gathers and bytes as another.
        let mut ways: Vec<Vec<Parting>> = vec![Vec::new(); stages + 1];
        for first in 0..stages {
            let before: Vec<_> = if first == 0 {
                vec![(0, 0)]
            } else {
                ways[first].iter().map(|way| (way.gathers, way.bytes)).collect()
            };
            for part in self.parts_from(first, widths[first]) {
                let entries = (widths[first] + self.dead).saturating_mul(part.width);
                let tables = match (part.implicit, widths[part.last], self.dead) {
                    (true, ..) => 0,
                    (_, 1, 0) => 1,
                    _ => 2,
                };
                for (place, &(gathers, bytes)) in before.iter().enumerate() {
                    let way = Parting {
                        gathers: gathers + tables,
                        bytes: bytes.saturating_add(4 * tables * entries),
                        first,
                        part,
                        before: place,
                    };
                    keep(&mut ways[part.last], way);
                }
            }
        }
        let cost = |way: &Parting| way.gathers as f64 * caches.gather(way.bytes);
        let best = (0..ways[stages].len()).min_by(|&one, &other| {
            let (one, other) = (&ways[stages][one], &ways[stages][other]);
            cost(one).total_cmp(&cost(other))
        });
        let mut parts = Vec::new();
        let (mut stage, mut way) = (stages, best.unwrap_or(0));
        while stage > 0 {
            let taken = ways[stage][way];
            parts.push(taken.part);
            (stage, way) = (taken.first, taken.before);
        }
        parts.reverse();
        if stages < self.diagram.stages.len() {
            parts.push(Part {
                last: self.diagram.stages.len(),
                width: 1,
                implicit: true,
            });
        }
        parts
    }

    /// The groups that may begin at a stage, which so many nodes enter.
    fn parts_from(&self, first: usize, entries: usize) -> Vec<Part> {
        let stages = &self.diagram.stages;
        let rows = entries + self.dead;
        let mut width = stages[first].size;
        let mut parts = vec![Part {
            last: first + 1,
            width,
            implicit: self.diagram.is_implicit(first) || width.saturating_mul(rows) > SINGLE,
        }];
        if parts[0].implicit {
            return parts;
        }
        for last in first + 1..self.diagram.first_open() {
            if self.diagram.is_implicit(last) {
                break;
            }
            if !stages[first..last]
                .iter()
                .any(|stage| stage.decision == stages[last].decision)
            {
                width = width.saturating_mul(stages[last].size);
            }
            if width.saturating_mul(rows) > FUSED {
                break;
            }
            parts.push(Part {
                last: last + 1,
                width,
                implicit: false,
            });
        }
        parts
    }
}

/// Keeps a way unless another one has as few gathers and as few bytes; and drops those that it makes needless.
fn keep(ways: &mut Vec<Parting>, way: Parting) {
    if ways
        .iter()
        .any(|other| other.gathers <= way.gathers && other.bytes <= way.bytes)
    {
        return;
    }
    ways.retain(|other| other.gathers < way.gathers || other.bytes < way.bytes);
    ways.push(way);
}

impl Costs {
    fn len(&self) -> usize {
        match self {
            Self::Narrow(costs) => costs.len(),
            Self::Wide(costs) => costs.len(),
        }
    }

    pub(super) fn get(&self, item: usize) -> i64 {
        match self {
            Self::Narrow(costs) => i64::from(costs[item]),
            Self::Wide(costs) => costs[item],
        }
    }
}

/// The tables of a group of stored stages, up to stage `last`.
fn fuse(
    diagram: &Diagram,
    lives: &[bool],
    (starts, ends): (&[u32], &[u32]),
    last: usize,
    columns: &[(usize, u32)],
    width: usize,
    ranges: &[i64],
) -> Lookups {
    let can_die = diagram.open.is_some() || diagram.has_dead;
    let items = (starts.len() + usize::from(can_die)) * width;
    let mut next = Vec::with_capacity(items);
    let mut costs = vec![Vec::with_capacity(items); diagram.metrics()];
    let mut total = vec![0; diagram.metrics()];
    let mut reader = diagram.reader();
    let mut choices = vec![0; diagram.program().decisions().len()];
    for &start in starts {
        for joint in 0..width {
            let mut rest = joint;
            for &(decision, factor) in columns {
                choices[decision] = rest / factor as usize;
                rest %= factor as usize;
            }
            let mut node = start;
            total.fill(0);
            while node != DEAD
                && diagram
                    .stage_of
                    .get(node as usize)
                    .is_some_and(|&stage| (stage as usize) < last)
            {
                let arc = reader.arc(node, choices[diagram.stage(node).decision]);
                node = arc.next;
                if node != DEAD && !lives[node as usize] {
                    node = DEAD;
                }
                for ((total, &cost), metric) in total.iter_mut().zip(arc.cost).zip(diagram.program().metrics()) {
                    *total = metric.combine.join(*total, cost);
                }
            }
            next.push(position(ends, node));
            for (costs, total) in costs.iter_mut().zip(&total) {
                costs.push(if node == DEAD { 0 } else { *total });
            }
        }
    }
    // The dead stay dead, at no cost.
    next.resize(items, ends.len() as u32);
    for costs in &mut costs {
        costs.resize(items, 0);
    }
    let costs = costs.into_iter().zip(ranges).map(|(costs, &largest)| {
        Some(if u32::try_from(largest).is_ok() {
            Costs::Narrow(costs.into_iter().map(|cost| cost as u32).collect())
        } else {
            Costs::Wide(costs)
        })
    });
    Lookups::Tables {
        costs: costs.collect(),
        next: if !can_die && next.iter().all(|&next| next == 0) {
            Vec::new()
        } else {
            next
        },
    }
}
