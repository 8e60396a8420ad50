//! The costs of many candidates: a walk through the fused tables, block by block.
#![allow(unsafe_code)] // The gathers: every key is proved in range when it is made, once, by `Column::add_to`.

use super::arcs::{DEAD, Diagram, Reader};
use super::input::Column;
use super::parallel::{Workers, work_off_until};
use super::table::{Costs, Group, LookupTables, Lookups, Source, position};
use crate::layers::MAX_RANK;
use crate::space::{Combine, Outcome};
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
    tables: LookupTables,
}

/// The costs and the output shape of each layer, for each candidate.
#[derive(Debug)]
pub struct LayerTable<'a> {
    /// For each metric, candidates x layers; 0 where a layer is not in the network.
    pub costs: Vec<&'a mut [i64]>,
    /// Candidates x layers x [`MAX_RANK`] sides; 0 where a layer is not in the network, and behind the last axis.
    pub shapes: &'a mut [i64],
}

/// What one call asks for.
struct Batch<'a> {
    diagram: &'a Diagram,
    columns: &'a [Column<'a>],
    recipes: Vec<Recipe>,
}

/// How an output is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recipe {
    /// From the tables of a metric, times a factor.
    Gather(usize, i64),
    /// From an earlier output, times a factor.
    Multiply(usize, i64),
}

/// Some candidates for one thread.
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
    /// Prepares the tables of a diagram. At most some 100,000 entries for each group of stages that are fused, and some
    /// 8 million for all.
    ///
    /// # Errors
    /// None where the diagram compiled; `Limit` is passed on.
    pub fn new(diagram: &Diagram) -> Result<Self> {
        Ok(Self {
            tables: LookupTables::of(diagram)?,
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
        workers: Workers<'_>,
    ) -> Result<()> {
        let n = valid.len();
        check_columns(diagram, columns, n)?;
        check_outputs(metrics, outputs.iter().map(|output| output.len()), n)?;
        let batch = Batch {
            diagram,
            columns,
            recipes: self.recipes(metrics),
        };
        let mut outputs: Vec<_> = outputs.iter_mut().map(|output| output.chunks_mut(JOB)).collect();
        let jobs = valid.chunks_mut(JOB).enumerate().map(|(number, valid)| Job {
            start: number * JOB,
            outputs: outputs.iter_mut().filter_map(Iterator::next).collect(),
            valid,
        });
        let scratch = || Scratch {
            reader: diagram.reader(),
            keys: vec![0; BLOCK],
            entries: vec![0; BLOCK],
        };
        work_off_until(jobs, workers, scratch, |scratch, mut job, ended| {
            for start in (0..job.valid.len()).step_by(BLOCK) {
                let rows = start..job.valid.len().min(start + BLOCK);
                let outputs = job.outputs.iter_mut().map(|output| &mut output[rows.clone()]);
                let mut block = Job {
                    start: job.start + start,
                    outputs: outputs.collect(),
                    valid: &mut job.valid[rows.clone()],
                };
                self.block(&batch, &mut block, scratch, ended)?;
            }
            Ok(())
        })
    }

    /// How each of these metrics is found: a multiple of one that is found before it is not looked up again.
    fn recipes(&self, metrics: &[usize]) -> Vec<Recipe> {
        let mut recipes: Vec<Recipe> = Vec::new();
        for &metric in metrics {
            let (own, factor) = match self.tables.sources[metric] {
                Source::Tables => (metric, 1),
                Source::Multiple(other, factor) => (other, factor),
            };
            let before = recipes.iter().position(|&recipe| recipe == Recipe::Gather(own, 1));
            recipes.push(before.map_or(Recipe::Gather(own, factor), |place| Recipe::Multiply(place, factor)));
        }
        recipes
    }

    fn block(
        &self,
        batch: &Batch<'_>,
        block: &mut Job<'_>,
        scratch: &mut Scratch<'_>,
        ended: &dyn Fn() -> bool,
    ) -> Result<()> {
        let diagram = batch.diagram;
        let n = block.valid.len();
        let entries = &mut scratch.entries[..n];
        let keys = &mut scratch.keys[..n];
        entries.fill(0);
        let mut fresh = true;
        let mut unread = vec![true; batch.columns.len()];
        for (number, group) in self.tables.groups.iter().enumerate() {
            let Lookups::Tables { next, costs } = &group.step else {
                if std::mem::take(&mut fresh) {
                    start_from(batch, block);
                }
                self.walk(number, batch, block, entries, &mut scratch.reader, ended)?;
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
                batch.add_to(decision, block.start, factor, keys)?;
                unread[decision] = false;
            }
            for (recipe, output) in batch.recipes.iter().zip(&mut block.outputs) {
                if let &Recipe::Gather(metric, _) = recipe
                    && let Some(costs) = &costs[metric]
                {
                    let base = fresh.then_some(diagram.base()[metric]);
                    gather(costs, keys, output, base, diagram.program().combine(metric));
                }
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
            start_from(batch, block);
        }
        // An index outside its domain is a mistake, even where no stage reads it.
        for decision in (0..unread.len()).filter(|&decision| unread[decision]) {
            batch.add_to(decision, block.start, 0, keys)?;
        }
        for (place, &recipe) in batch.recipes.iter().enumerate() {
            let (before, after) = block.outputs.split_at_mut(place);
            match recipe {
                Recipe::Gather(_, 1) => {}
                Recipe::Gather(_, factor) => after[0].iter_mut().for_each(|cost| *cost *= factor),
                Recipe::Multiply(source, factor) => {
                    for (cost, &other) in after[0].iter_mut().zip(before[source].iter()) {
                        *cost = other * factor;
                    }
                }
            }
        }
        if !self.tables.can_die {
            block.valid.fill(true);
            return Ok(());
        }
        for (valid, &entry) in block.valid.iter_mut().zip(entries.iter()) {
            *valid = entry == 0;
        }
        for output in &mut block.outputs {
            for (cost, &valid) in output.iter_mut().zip(block.valid.iter()) {
                *cost = if valid { *cost } else { INVALID };
            }
        }
        Ok(())
    }

    /// A group without tables: arc by arc, or to the end.
    fn walk(
        &self,
        number: usize,
        batch: &Batch<'_>,
        block: &mut Job<'_>,
        entries: &mut [u32],
        reader: &mut Reader<'_>,
        ended: &dyn Fn() -> bool,
    ) -> Result<()> {
        let diagram = batch.diagram;
        let group = &self.tables.groups[number];
        let terminal = [diagram.terminal()];
        let ends = self
            .tables
            .groups
            .get(number + 1)
            .map_or(&terminal[..], |next| &next.entries);
        // Each index is read once: what is checked here is what the walk takes.
        let mut chosen: Vec<Vec<u32>> = vec![Vec::new(); batch.columns.len()];
        for &(decision, _) in &group.columns {
            let own = &mut chosen[decision];
            own.resize(entries.len(), 0);
            batch.add_to(decision, block.start, 1, own)?;
        }
        let choose = |row: usize, decision: usize| chosen[decision][row];
        for (row, entry) in entries.iter_mut().enumerate() {
            if ended() {
                break;
            }
            let mut node = group.entries.get(*entry as usize).copied().unwrap_or(DEAD);
            while group.reads(diagram, node) {
                let (next, cost) = if let Lookups::Run = group.step {
                    match reader.finish(node, |decision| Ok(choose(row, decision)))? {
                        Some(cost) => (diagram.terminal(), cost),
                        None => (DEAD, &[] as &[i64]),
                    }
                } else {
                    let arc = reader.arc(node, choose(row, diagram.stage(node).decision) as usize);
                    (arc.next, arc.cost)
                };
                node = next;
                if node == DEAD {
                    break;
                }
                for (recipe, output) in batch.recipes.iter().zip(&mut block.outputs) {
                    if let &Recipe::Gather(metric, _) = recipe {
                        output[row] = diagram.program().combine(metric).join(output[row], cost[metric]);
                        if output[row] == i64::MAX {
                            return Err(diagram.overflow(metric));
                        }
                    }
                }
            }
            *entry = position(ends, node);
        }
        Ok(())
    }

    /// Writes what each layer of each candidate costs, and its output shape; by running each candidate alone, if it
    /// can be built: custom functions are asked about no other.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_layers(
        diagram: &Diagram,
        columns: &[Column<'_>],
        metrics: &[usize],
        table: LayerTable<'_>,
        workers: Workers<'_>,
    ) -> Result<()> {
        const ROWS: usize = 256;
        let program = diagram.program();
        let layers = program.layers().len();
        let n = table.shapes.len() / (layers * MAX_RANK);
        check_columns(diagram, columns, n)?;
        check_outputs(metrics, table.costs.iter().map(|costs| costs.len()), n * layers)?;
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
        work_off_until(
            jobs,
            workers,
            scratch,
            |(state, choices), (start, mut costs, shapes), ended| {
                shapes.fill(0);
                for costs in &mut costs {
                    costs.fill(0);
                }
                for row in 0..shapes.len() / (layers * MAX_RANK) {
                    if ended() {
                        break;
                    }
                    for (decision, choice) in choices.iter_mut().enumerate() {
                        let mut key = [0];
                        let known = &program.decisions()[decision];
                        columns[decision].add_to(start + row, known.size, 1, &mut key, &known.name)?;
                        *choice = key[0];
                    }
                    let chosen: Vec<_> = choices.iter().copied().map(Some).collect();
                    if diagram.cost(&chosen)?.is_none() {
                        continue;
                    }
                    state.reset();
                    let outcome = program.follow(state, choices, |applied, _| {
                        let place = row * layers + applied.layer;
                        for (costs, &metric) in costs.iter_mut().zip(metrics) {
                            let cost = applied.cost[metric];
                            costs[place] = diagram.program().combine(metric).join(costs[place], cost);
                        }
                        let shape = &mut shapes[place * MAX_RANK..(place + 1) * MAX_RANK];
                        shape.fill(0);
                        shape[..applied.output_shape.rank()].copy_from_slice(&applied.output_shape);
                    })?;
                    if let Outcome::Refused { step, refusal } = outcome {
                        return Err(program.error(step, &refusal, state));
                    }
                }
                Ok(())
            },
        )
    }
}

impl Group {
    /// Whether a node that is entered belongs to a stage of this group, rather than passing through it.
    fn reads(&self, diagram: &Diagram, node: u32) -> bool {
        let stage = diagram.stage_of.get(node as usize);
        stage.is_some_and(|&stage| (stage as usize) < self.last)
    }
}

/// Refuses columns that are not one for each decision, of `n` rows each.
pub(super) fn check_columns(diagram: &Diagram, columns: &[Column<'_>], n: usize) -> Result<()> {
    let decisions = diagram.program().decisions();
    if columns.len() != decisions.len() {
        return Err(Error::argument(format!(
            "{} columns given for {} decisions",
            columns.len(),
            decisions.len()
        )));
    }
    match columns.iter().position(|column| column.len() != n) {
        None => Ok(()),
        Some(odd) => Err(Error::argument(format!(
            "the column of decision '{}' has {} rows, not {n}",
            decisions[odd].name,
            columns[odd].len()
        ))),
    }
}

/// Refuses outputs that are not one for each metric, of `n` items each.
fn check_outputs(metrics: &[usize], mut lengths: impl ExactSizeIterator<Item = usize>, n: usize) -> Result<()> {
    if lengths.len() == metrics.len() && lengths.all(|length| length == n) {
        Ok(())
    } else {
        Err(Error::argument(format!("each metric needs an output of {n} items")))
    }
}

impl Batch<'_> {
    /// Adds the indices of a decision, times a factor, to keys.
    fn add_to(&self, decision: usize, start: usize, factor: u32, keys: &mut [u32]) -> Result<()> {
        let known = &self.diagram.program().decisions()[decision];
        self.columns[decision].add_to(start, known.size, factor, keys, &known.name)
    }
}

fn start_from(batch: &Batch<'_>, block: &mut Job<'_>) {
    for (recipe, output) in batch.recipes.iter().zip(&mut block.outputs) {
        if let &Recipe::Gather(metric, _) = recipe {
            output.fill(batch.diagram.base()[metric]);
        }
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
                *cost = combine.join(*cost, costs.get(key as usize));
            }
        }
    }
}

#[allow(clippy::inline_always)] // It is compiled into each instruction set's own copy.
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
