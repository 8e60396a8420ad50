//! The costs of many candidates: a walk through the fused tables, block by block.
#![allow(unsafe_code)] // The gathers: every key is proved in range when it is made, once, by `Column::add_to`.

use super::input::Column;
use super::optimize::join;
use super::parallel::work_off;
use super::table::{Costs, Group, Lookups, Source, Tables, position};
use super::{DEAD, Diagram, Interrupt, Reader};
use crate::layers::MAX_RANK;
use crate::space::{Combine, Outcome, Program};
use crate::{Error, Result};

/// The cost of a candidate that cannot be built: beyond every budget.
pub const INVALID: i64 = i64::MAX;

/// Candidates in a block: its keys and one metric stay in the first-level cache.
const BLOCK: usize = 2048;
/// Candidates in a job for a thread.
const JOB: usize = 16 * BLOCK;

/// A diagram and its fused tables, ready for any number of batches.
#[derive(Debug)]
pub struct Evaluator {
    tables: Tables,
}

/// The costs and the output shape of each layer, for each candidate.
#[derive(Debug)]
pub struct LayerTable<'a> {
    /// For each metric, candidates x layers; 0 where a layer is not in the network.
    pub costs: Vec<&'a mut [i64]>,
    /// Candidates x layers x [`MAX_RANK`] sides; 0 where a layer is not in the network, and behind the last axis.
    pub shapes: &'a mut [i64],
}

struct Job<'a> {
    start: usize,
    outputs: Vec<&'a mut [i64]>,
    valid: &'a mut [bool],
}

struct Scratch<'a> {
    reader: Reader<'a>,
    keys: Vec<u32>,
    entries: Vec<u32>,
}

impl Evaluator {
    /// Prepares the tables of a diagram. At most some 100,000 entries for each group of stages.
    ///
    /// # Errors
    /// None where the diagram compiled; `Limit` is passed on.
    pub fn new(diagram: &Diagram) -> Result<Self> {
        Ok(Self {
            tables: Tables::of(diagram)?,
        })
    }

    /// The groups of stages that are looked up at once: for each its decisions, and the entries of its table.
    pub fn groups(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let groups = self.tables.groups.iter();
        groups.map(|group| (group.columns.len(), (group.entries.len() + 1) * group.width))
    }

    /// Writes the costs of each candidate, and whether it is valid.
    ///
    /// `columns` holds a column for each decision. `outputs` holds a slice of the same length for each of `metrics`;
    /// invalid candidates get [`INVALID`]. Beside them a few blocks are needed for each thread, whatever the number of
    /// candidates. O(candidates * groups).
    ///
    /// # Errors
    /// `Argument` for columns that are too many, too few or not of one length, and for an index outside its domain, by
    /// its row; `Interrupted`.
    pub fn evaluate(
        &self,
        diagram: &Diagram,
        columns: &[Column<'_>],
        metrics: &[usize],
        outputs: &mut [&mut [i64]],
        valid: &mut [bool],
        threads: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        let n = check_columns(diagram, columns)?;
        assert!(metrics.len() == outputs.len() && outputs.iter().all(|output| output.len() == n) && valid.len() == n);
        let mut outputs: Vec<_> = outputs.iter_mut().map(|output| output.chunks_mut(JOB)).collect();
        let jobs = valid.chunks_mut(JOB).enumerate().map(|(number, valid)| Job {
            start: number * JOB,
            outputs: outputs.iter_mut().filter_map(Iterator::next).collect(),
            valid,
        });
        let threads = threads.min(n.div_ceil(JOB)).max(1);
        let scratch = || Scratch {
            reader: diagram.reader(),
            keys: vec![0; BLOCK],
            entries: vec![0; BLOCK],
        };
        work_off(jobs, threads, interrupt, scratch, |scratch, mut job| {
            for start in (0..job.valid.len()).step_by(BLOCK) {
                let rows = start..job.valid.len().min(start + BLOCK);
                let mut block: Vec<&mut [i64]> =
                    job.outputs.iter_mut().map(|output| &mut output[rows.clone()]).collect();
                let valid = &mut job.valid[rows];
                self.block(diagram, columns, job.start + start, metrics, &mut block, valid, scratch)?;
            }
            Ok(())
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn block(
        &self,
        diagram: &Diagram,
        columns: &[Column<'_>],
        start: usize,
        metrics: &[usize],
        outputs: &mut [&mut [i64]],
        valid: &mut [bool],
        scratch: &mut Scratch<'_>,
    ) -> Result<()> {
        let n = valid.len();
        let entries = &mut scratch.entries[..n];
        let keys = &mut scratch.keys[..n];
        entries.fill(0);
        let mut fresh = true;
        let mut read = vec![false; columns.len()];
        for group in &self.tables.groups {
            let Lookups::Tables { next, costs } = &group.step else {
                if std::mem::take(&mut fresh) {
                    start_from(diagram.base(), metrics, outputs);
                }
                self.walk(diagram, group, columns, start, metrics, outputs, entries, &mut scratch.reader)?;
                for column in &mut read {
                    *column |= matches!(group.step, Lookups::Run);
                }
                continue;
            };
            if group.entries.len() == 1 && !self.tables.can_die {
                keys.fill(0);
            } else {
                for (key, &entry) in keys.iter_mut().zip(entries.iter()) {
                    *key = entry * group.width as u32;
                }
            }
            for &(decision, factor) in &group.columns {
                let known = &diagram.program().decisions()[decision];
                columns[decision].add_to(start, known.size, factor, keys, &known.name)?;
                read[decision] = true;
            }
            for (&metric, output) in metrics.iter().zip(outputs.iter_mut()) {
                let (Source::Tables, Some(costs)) = (self.tables.sources[metric], &costs[metric]) else {
                    continue;
                };
                let base = diagram.base()[metric];
                gather(costs, keys, output, fresh.then_some(base), Program::METRICS[metric].combine);
            }
            fresh = false;
            if next.is_empty() {
                entries.fill(0);
            } else {
                for (entry, &key) in entries.iter_mut().zip(keys.iter()) {
                    *entry = next[key as usize];
                }
            }
        }
        if fresh {
            start_from(diagram.base(), metrics, outputs);
        }
        // A decision that no stage reads is always inactive, but an index outside its domain is still a mistake.
        for (decision, column) in columns.iter().enumerate().filter(|&(decision, _)| !read[decision]) {
            let known = &diagram.program().decisions()[decision];
            column.add_to(start, known.size, 0, keys, &known.name)?;
        }
        self.derive(diagram, columns, start, metrics, outputs, scratch)?;
        if !self.tables.can_die {
            valid.fill(true);
            return Ok(());
        }
        for (valid, &entry) in valid.iter_mut().zip(&scratch.entries[..n]) {
            *valid = entry == 0;
        }
        for output in outputs {
            for (cost, &valid) in output.iter_mut().zip(valid.iter()) {
                *cost = if valid { *cost } else { INVALID };
            }
        }
        Ok(())
    }

    /// The metrics that are a multiple of another.
    fn derive(
        &self,
        diagram: &Diagram,
        columns: &[Column<'_>],
        start: usize,
        metrics: &[usize],
        outputs: &mut [&mut [i64]],
        scratch: &mut Scratch<'_>,
    ) -> Result<()> {
        for (place, &metric) in metrics.iter().enumerate() {
            let Source::Multiple(other, factor) = self.tables.sources[metric] else {
                continue;
            };
            match metrics[..place].iter().position(|&metric| metric == other) {
                Some(source) => {
                    let (before, after) = outputs.split_at_mut(place);
                    for (cost, &other) in after[0].iter_mut().zip(before[source].iter()) {
                        *cost = other * factor;
                    }
                }
                None => {
                    // The metric that it is a multiple of was not asked for: count it in its place.
                    let n = outputs[place].len();
                    let mut valid = vec![true; n];
                    let entries = scratch.entries.clone();
                    self.block(diagram, columns, start, &[other], &mut [&mut *outputs[place]], &mut valid, scratch)?;
                    scratch.entries = entries;
                    for cost in outputs[place].iter_mut() {
                        *cost = cost.wrapping_mul(factor);
                    }
                }
            }
        }
        Ok(())
    }

    /// A group without tables: arc by arc, or to the end.
    #[allow(clippy::too_many_arguments)]
    fn walk(
        &self,
        diagram: &Diagram,
        group: &Group,
        columns: &[Column<'_>],
        start: usize,
        metrics: &[usize],
        outputs: &mut [&mut [i64]],
        entries: &mut [u32],
        reader: &mut Reader<'_>,
    ) -> Result<()> {
        let ends = self
            .tables
            .groups
            .iter()
            .skip_while(|other| !std::ptr::eq(*other, group))
            .nth(1)
            .map_or(&[] as &[u32], |next| &next.entries);
        let terminal = [diagram.terminal()];
        let ends = if ends.is_empty() { &terminal } else { ends };
        let own = group.columns.iter().map(|&(decision, _)| decision);
        let checked: Vec<usize> = match group.step {
            Lookups::Run => (0..columns.len()).collect(),
            _ => own.collect(),
        };
        let mut ignored = vec![0; entries.len()];
        for decision in checked {
            let known = &diagram.program().decisions()[decision];
            columns[decision].add_to(start, known.size, 0, &mut ignored, &known.name)?;
        }
        let choose = |row: usize, decision: usize| columns[decision].index(start + row).unwrap_or(0);
        for (row, entry) in entries.iter_mut().enumerate() {
            let Some(&node) = group.entries.get(*entry as usize) else {
                *entry = ends.len() as u32;
                continue;
            };
            if node == diagram.terminal() {
                *entry = position(ends, node);
                continue;
            }
            let mut add = |cost: &[i64]| {
                for (&metric, output) in metrics.iter().zip(outputs.iter_mut()) {
                    output[row] = join(Program::METRICS[metric].combine, output[row], cost[metric]);
                }
            };
            *entry = if let Lookups::Run = group.step {
                match reader.finish(node, |decision| choose(row, decision))? {
                    Some(cost) => {
                        add(cost);
                        0
                    }
                    None => 1,
                }
            } else {
                let own = diagram.stage(node).decision;
                if group.columns.iter().any(|&(decision, _)| decision == own) && group.reads(diagram, node) {
                    let arc = reader.arc(node, choose(row, own) as usize);
                    if arc.next != DEAD {
                        add(arc.cost);
                    }
                    position(ends, arc.next)
                } else {
                    position(ends, node)
                }
            };
        }
        Ok(())
    }

    /// Writes what each layer of each candidate costs, and its output shape; by running each candidate alone.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_layers(
        diagram: &Diagram,
        columns: &[Column<'_>],
        metrics: &[usize],
        table: LayerTable<'_>,
        threads: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        const ROWS: usize = 256;
        let n = check_columns(diagram, columns)?;
        let program = diagram.program();
        let layers = program.layers().len();
        assert!(table.costs.len() == metrics.len() && table.shapes.len() == n * layers * MAX_RANK);
        let mut costs: Vec<_> = table
            .costs
            .into_iter()
            .map(|costs| costs.chunks_mut((ROWS * layers).max(1)))
            .collect();
        let shapes = table.shapes.chunks_mut((ROWS * layers * MAX_RANK).max(1));
        let jobs = shapes.enumerate().map(|(number, shapes)| {
            let costs: Vec<&mut [i64]> = costs.iter_mut().filter_map(Iterator::next).collect();
            (number * ROWS, costs, shapes)
        });
        let scratch = || (program.start(), vec![0; columns.len()]);
        work_off(jobs, threads, interrupt, scratch, |(state, choices), (start, mut costs, shapes)| {
            shapes.fill(0);
            for costs in &mut costs {
                costs.fill(0);
            }
            for row in 0..shapes.len() / (layers * MAX_RANK) {
                for (decision, choice) in choices.iter_mut().enumerate() {
                    let mut key = [0];
                    let known = &program.decisions()[decision];
                    columns[decision].add_to(start + row, known.size, 1, &mut key, &known.name)?;
                    *choice = key[0];
                }
                state.reset();
                let outcome = program.follow(state, choices, |applied| {
                    let place = row * layers + applied.layer;
                    for (costs, &metric) in costs.iter_mut().zip(metrics) {
                        let cost = applied.cost[metric];
                        costs[place] = join(Program::METRICS[metric].combine, costs[place], cost);
                    }
                    let shape = &mut shapes[place * MAX_RANK..(place + 1) * MAX_RANK];
                    shape.fill(0);
                    shape[..applied.output_shape.rank()].copy_from_slice(&applied.output_shape);
                })?;
                if let Outcome::Refused { step, refusal } = outcome
                    && refusal.is_overflow()
                {
                    return Err(program.error(step, &refusal, state));
                }
            }
            Ok(())
        })
    }
}

impl Group {
    /// Whether a node belongs to a stage of this group, rather than passing through it.
    fn reads(&self, diagram: &Diagram, node: u32) -> bool {
        // A group without tables is one stage: its own nodes are the first of its entries.
        self.entries
            .first()
            .is_some_and(|&first| diagram.stage_of[first as usize] == diagram.stage_of[node as usize])
    }
}

/// The number of candidates, if the columns are one for each decision and of one length.
fn check_columns(diagram: &Diagram, columns: &[Column<'_>]) -> Result<usize> {
    let decisions = diagram.program().decisions();
    if columns.len() != decisions.len() {
        return Err(Error::argument(format!(
            "{} columns given for {} decisions",
            columns.len(),
            decisions.len()
        )));
    }
    let n = columns.first().map_or(0, Column::len);
    match columns.iter().position(|column| column.len() != n) {
        None => Ok(n),
        Some(odd) => Err(Error::argument(format!(
            "the column of decision '{}' has {} rows, that of '{}' has {n}",
            decisions[odd].name,
            columns[odd].len(),
            decisions[0].name
        ))),
    }
}

fn start_from(base: &[i64], metrics: &[usize], outputs: &mut [&mut [i64]]) {
    for (&metric, output) in metrics.iter().zip(outputs) {
        output.fill(base[metric]);
    }
}

/// Joins the cost at each key to its output; a first group starts from `base` instead.
fn gather(costs: &Costs, keys: &[u32], output: &mut [i64], base: Option<i64>, combine: Combine) {
    match (costs, combine) {
        (Costs::Narrow(table), Combine::Sum) => gather_sum(table, keys, output, base),
        (costs, combine) => {
            if let Some(base) = base {
                output.fill(base);
            }
            for (cost, &key) in output.iter_mut().zip(keys) {
                *cost = join(combine, *cost, costs.get(key as usize));
            }
        }
    }
}

#[inline(always)]
fn gather_sum_plain(table: &[u32], keys: &[u32], output: &mut [i64], base: Option<i64>) {
    debug_assert!(keys.iter().all(|&key| (key as usize) < table.len()));
    // SAFETY: a key is `entry * width + joint`. `entry` is at most the number of entries, because it is 0 or was read
    // from the `next` of the group before; `joint` is below `width`, because `Column::add_to` refused every index
    // outside its domain; and a table has `(entries + 1) * width` items.
    let cost = |key: u32| i64::from(unsafe { *table.get_unchecked(key as usize) });
    match base {
        Some(base) => {
            for (output, &key) in output.iter_mut().zip(keys) {
                *output = base + cost(key);
            }
        }
        None => {
            for (output, &key) in output.iter_mut().zip(keys) {
                *output += cost(key);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn gather_sum_avx512(table: &[u32], keys: &[u32], output: &mut [i64], base: Option<i64>) {
    gather_sum_plain(table, keys, output, base);
}

/// Plain loops, compiled once for each instruction set.
fn gather_sum(table: &[u32], keys: &[u32], output: &mut [i64], base: Option<i64>) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
    {
        // SAFETY: the instructions are there.
        return unsafe { gather_sum_avx512(table, keys, output, base) };
    }
    gather_sum_plain(table, keys, output, base);
}
