//! The diagram as a few lookup tables: consecutive stages are fused while their joint table stays in cache.
//!
//! **Idea.** Along the arcs of a diagram a candidate waits for memory once a stage, as each arc says where the next
//! one is. Stages in a row over a few decisions are one function, from the node at which a candidate enters and the
//! joint index of its values to the node at which it leaves and the costs on the way. Written out, this function is a
//! table: its entry is `node * width + joint index`. So a batch of candidates takes one gather for each group of
//! stages and each metric, over keys that are sums of columns.
//!
//! **Bound.** Stages are fused while their table has at most [`FUSED`] entries (512 KiB for each metric, which stay in
//! the second-level cache); a single stage has a table of at most [`SINGLE`] entries, and all tables together have at
//! most [`ALL`]. What lies behind them is walked arc by arc, and from an open stage on candidates are run one by one.
//! An entry takes 4 bytes for the next node, and 4 or 8 for each metric that is not always a multiple of another one.
//! Building a table follows one path of arcs for each of its entries.

use super::arcs::{DEAD, Diagram};
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
#[derive(Debug)]
pub(super) enum Costs {
    /// Totals below 2^32.
    Narrow(Vec<u32>),
    /// Any totals.
    Wide(Vec<i64>),
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
#[derive(Debug)]
pub(super) struct Group {
    /// The nodes at which candidates may enter it; a dead candidate enters after the last of them.
    pub(super) entries: Vec<u32>,
    /// The first stage behind it.
    pub(super) last: usize,
    /// Each decision it reads, and what its index is multiplied with in a key.
    pub(super) columns: Vec<(usize, u32)>,
    /// The entries of the table for each node.
    pub(super) width: usize,
    /// How the candidates get through it.
    pub(super) step: Lookups,
}

/// How candidates get through a group.
#[derive(Debug)]
pub(super) enum Lookups {
    /// By tables with an item for each entry and each joint choice.
    Tables {
        /// The entry of the next group; empty where it is always 0.
        next: Vec<u32>,
        /// The costs of each metric that has tables.
        costs: Vec<Option<Costs>>,
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

impl LookupTables {
    pub(super) fn of(diagram: &Diagram) -> Result<Self> {
        let closed = diagram.open.is_none();
        let (lives, ranges) = if closed {
            let extremes = diagram.extremes(ANY, &|| false)?;
            let lives: Vec<bool> = extremes.largest.iter().map(|&largest| largest >= 0).collect();
            let ranges: Vec<i64> = (0..diagram.metrics())
                .map(|metric| diagram.range(metric, &|| false).map(|(_, largest)| largest))
                .collect::<Result<_>>()?;
            (lives, ranges)
        } else {
            (
                vec![true; diagram.terminal() as usize + 1],
                vec![i64::MAX; diagram.metrics()],
            )
        };
        let can_die = !closed || diagram.has_dead;
        // A node may be entered from the stage after its earliest predecessor on, until its own stage.
        let entries = |stage: usize| -> Vec<u32> {
            let own = |node: u32| {
                diagram
                    .stage_of
                    .get(node as usize)
                    .map_or(usize::MAX, |&own| own as usize)
            };
            let entered = |node: u32| diagram.entered[node as usize] as usize;
            (0..=diagram.terminal())
                .filter(|&node| own(node) >= stage && lives[node as usize] && entered(node) <= stage)
                .collect()
        };

        let mut groups = Vec::new();
        let mut first = 0;
        let mut starts = entries(0);
        let mut spent = 0;
        while first < diagram.stages.len() {
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
            let mut decisions: Vec<usize> = vec![diagram.stages[first].decision];
            let mut width = diagram.stages[first].size;
            let mut last = first + 1;
            let implicit = diagram.is_implicit(first) || width.saturating_mul(starts.len() + 1) > SINGLE;
            while !implicit && last < diagram.stages.len() && !diagram.is_implicit(last) {
                let stage = &diagram.stages[last];
                let wider = if decisions.contains(&stage.decision) {
                    width
                } else {
                    width.saturating_mul(stage.size)
                };
                if wider.saturating_mul(starts.len() + usize::from(can_die)) > FUSED {
                    break;
                }
                if wider != width || !decisions.contains(&stage.decision) {
                    decisions.push(stage.decision);
                }
                width = wider;
                last += 1;
            }
            spent += (starts.len() + 1) * width;
            let walked = implicit || spent > ALL;
            if !implicit && walked {
                last = diagram.first_open();
                decisions = diagram.stages[first..last].iter().map(|stage| stage.decision).collect();
                decisions.sort_unstable();
                decisions.dedup();
                width = 1;
            }
            let ends = entries(last);
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
        let mut tables = Self {
            groups,
            sources: vec![Source::Tables; diagram.metrics()],
            can_die,
        };
        tables.find_multiples(diagram);
        Ok(tables)
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
        pairs().all(|(a, b)| b.checked_mul(factor) == Some(a)).then_some(factor)
    }
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
    let items = (starts.len() + 1) * width;
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
        next: if !diagram.has_dead && next[..starts.len() * width].iter().all(|&next| next == 0) {
            Vec::new()
        } else {
            next
        },
    }
}
