//! The costs of many candidates, and whether they fit: a walk through the fused tables, block by block.

use super::arcs::{DEAD, Diagram, Reader};
use super::cache::Caches;
use super::input::{Buffer, Column, Domain, Indices, Rows};
use super::instructions::Instructions;
use super::kernel::{self, Key, Keys};
use super::parallel::{Workers, work_off_until};
use super::table::{Costs, Group, Lines, LookupTables, Lookups, Source, position};
use crate::space::Combine;
use crate::{Error, Result, Task};
use num_integer::Integer;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The cost of a candidate that cannot be built: beyond every budget.
pub const INVALID: i64 = i64::MAX;

/// Candidates in a block: its keys, its totals and one column stay in the first-level cache.
const BLOCK: usize = 1024;
/// Candidates in a job for a thread.
const JOB: usize = 32 * BLOCK;

/// A thread takes about as long to begin as this many columns, keys and totals of candidates.
const WORTH: usize = 1 << 20;

/// From this many bytes on totals are written past the caches: they would not stay there, and need not be read first.
const STREAMED: usize = 32 << 20;

/// A diagram and its fused tables, ready for any number of batches.
#[derive(Debug)]
pub struct Evaluator {
    tables: LookupTables,
    /// Faster ones, where there are some, for metrics that add up.
    pub(super) rising: Option<LookupTables>,
    instructions: Instructions,
}

/// Where the totals of a metric go.
#[derive(Debug)]
pub enum Output<'a> {
    /// Invalid candidates get [`INVALID`].
    I64(&'a mut [i64]),
    /// For totals that are all below 2^32 - 1, which invalid candidates get.
    U32(&'a mut [u32]),
}

/// What is written for a batch.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// The totals of each metric that is asked for.
    pub totals: Vec<Output<'a>>,
    /// Whether each candidate can be built, if that is asked for.
    pub valid: Option<&'a mut [bool]>,
}

/// The values that a metric may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The metric.
    pub metric: usize,
    /// The least value.
    pub low: i64,
    /// The largest value.
    pub high: i64,
}

/// What one call reads.
struct Batch<'a> {
    diagram: &'a Diagram,
    tables: &'a LookupTables,
    columns: &'a [Column<'a>],
    /// The columns as rows, where they stand side by side.
    rows: Option<Rows<'a>>,
    /// The metrics that are looked up.
    metrics: Vec<usize>,
    /// The decisions that no group reads.
    unread: Vec<usize>,
}

/// How a metric is found: from a metric that is looked up, by its place among these, times a factor.
#[derive(Debug, Clone, Copy)]
struct Recipe {
    place: usize,
    factor: i64,
}

/// The totals of a metric in a block.
#[derive(Debug)]
enum Totals {
    /// Below 2^32.
    Narrow(Vec<u32>),
    /// Any.
    Wide(Vec<i64>),
}

/// What was found for a block.
struct Block<'a> {
    totals: &'a [Totals],
    /// 0 where a candidate can be built; nothing where all can.
    ends: Option<&'a [u32]>,
}

/// A condition on the totals that are looked up.
#[derive(Debug, Clone, Copy)]
enum Condition {
    /// No candidate meets it.
    Never,
    /// The totals at a place are from `low` to `high`.
    Within { place: usize, low: i64, high: i64 },
}

/// What a thread keeps from block to block.
struct Scratch<'a> {
    reader: Reader<'a>,
    buffer: Buffer,
    raw: Vec<u8>,
    apart: Vec<u8>,
    narrow: Vec<u16>,
    wide: Vec<u32>,
    /// Where each candidate stands: the entry of the next group, times its width.
    bases: Vec<u32>,
    totals: Vec<Totals>,
}

impl Output<'_> {
    fn len(&self) -> usize {
        match self {
            Self::I64(items) => items.len(),
            Self::U32(items) => items.len(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::I64(items) => size_of_val(*items),
            Self::U32(items) => size_of_val(*items),
        }
    }

    fn split(self, at: usize) -> (Self, Self) {
        match self {
            Self::I64(items) => {
                let (one, other) = items.split_at_mut(at);
                (Self::I64(one), Self::I64(other))
            }
            Self::U32(items) => {
                let (one, other) = items.split_at_mut(at);
                (Self::U32(one), Self::U32(other))
            }
        }
    }

    /// The parts of jobs.
    fn jobs(self) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let output = rest.take().filter(|output| output.len() > 0)?;
            let at = output.len().min(JOB);
            let (one, other) = output.split(at);
            rest = Some(other);
            Some(one)
        })
    }
}

impl Evaluator {
    /// Prepares the tables of a diagram: at most some 100,000 entries for each group of stages that are fused, and some
    /// 8 million for all.
    ///
    /// # Errors
    /// None where the diagram compiled; `Limit` is passed on.
    pub fn new(diagram: &Diagram) -> Result<Self> {
        Self::with(diagram, Instructions::best())
    }

    /// The same with some instructions of this machine.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(diagram: &Diagram, instructions: Instructions) -> Result<Self> {
        Self::with_caches(diagram, instructions, Caches::here())
    }

    /// The same with tables as a machine with such caches takes them.
    fn with_caches(diagram: &Diagram, instructions: Instructions, caches: Caches) -> Result<Self> {
        let tables = LookupTables::of(diagram, caches)?;
        Ok(Self {
            rising: tables.rising(caches, |metric| diagram.program().combine(metric)),
            tables,
            instructions,
        })
    }

    /// The groups of stages that are looked up at once: for each its decisions, and the entries of its table.
    pub fn groups(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let groups = self.tables.groups.iter();
        groups.map(|group| (group.columns.len(), self.tables.items(group)))
    }

    /// Whether some candidate cannot be built, as far as the diagram knows.
    pub fn can_die(&self) -> bool {
        self.tables.can_die
    }

    /// Whether every total of a metric is below 2^32 - 1, so that they can be written as [`Output::U32`].
    pub fn is_narrow(&self, metric: usize) -> bool {
        self.tables.largest[metric] < i64::from(u32::MAX)
    }

    /// Writes the costs of each candidate, and whether it is valid.
    ///
    /// `columns` holds a column for each decision, of `n` rows; the totals are `n` items for each of `metrics`. Beside
    /// them a few blocks are needed for each thread, whatever the number of candidates. O(candidates * groups).
    ///
    /// # Errors
    /// `Argument` for columns that are too many, too few or not of one length, for an index outside its domain, by its
    /// row, and for an output that is too short, or too narrow for its metric; `Interrupted`.
    pub fn evaluate(
        &self,
        diagram: &Diagram,
        columns: &[Column<'_>],
        n: usize,
        metrics: &[usize],
        Outputs { totals: outputs, valid }: Outputs<'_>,
        workers: Workers<'_>,
    ) -> Result<()> {
        check_columns(diagram, columns, n)?;
        check_outputs(metrics, outputs.iter().map(Output::len), n)?;
        if valid.as_ref().is_some_and(|valid| valid.len() != n) {
            return Err(Error::argument(format!("valid needs {n} items")));
        }
        for (output, &metric) in outputs.iter().zip(metrics) {
            if matches!(output, Output::U32(_)) && !self.is_narrow(metric) {
                return Err(Error::argument(format!(
                    "the {} of a candidate may not be below 2^32 - 1: they need 64 bits",
                    diagram.program().metrics()[metric].name
                )));
            }
        }
        let bytes: usize = outputs.iter().map(Output::bytes).sum();
        let (batch, recipes) = self.batch(diagram, columns, metrics);
        let mut outputs: Vec<_> = outputs.into_iter().map(Output::jobs).collect();
        let mut valid = valid.map(|valid| valid.chunks_mut(JOB));
        let jobs = (0..n.div_ceil(JOB)).map(|_| {
            let outputs: Vec<_> = outputs.iter_mut().filter_map(Iterator::next).collect();
            (outputs, valid.as_mut().and_then(Iterator::next))
        });
        let instructions = self.instructions;
        let streams = !self.tables.can_die && bytes >= STREAMED;
        self.run(&batch, n, jobs, workers, |(outputs, valid), rows, block| {
            for (output, recipe) in outputs.iter_mut().zip(&recipes) {
                match output {
                    Output::I64(output) if streams => block.stream(instructions, *recipe, &mut output[rows.clone()]),
                    Output::U32(output) if streams => block.stream(instructions, *recipe, &mut output[rows.clone()]),
                    Output::I64(output) => block.write(instructions, *recipe, &mut output[rows.clone()]),
                    Output::U32(output) => block.write(instructions, *recipe, &mut output[rows.clone()]),
                }
            }
            if let Some(valid) = valid {
                let valid = &mut valid[rows];
                match block.ends {
                    Some(ends) => kernel::ended_well(instructions, ends, valid),
                    None => valid.fill(true),
                }
            }
        })
    }

    /// The number of candidates that can be built and have each of some metrics in its range; and which these are, if
    /// `mask` is given. No total is written. O(candidates * groups).
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn fit(
        &self,
        diagram: &Diagram,
        columns: &[Column<'_>],
        n: usize,
        ranges: &[Range],
        mask: Option<&mut [bool]>,
        workers: Workers<'_>,
    ) -> Result<usize> {
        check_columns(diagram, columns, n)?;
        if mask.as_ref().is_some_and(|mask| mask.len() != n) {
            return Err(Error::argument(format!("a mask needs {n} items")));
        }
        let metrics: Vec<usize> = ranges.iter().map(|range| range.metric).collect();
        let (batch, recipes) = self.batch(diagram, columns, &metrics);
        let conditions = ranges
            .iter()
            .zip(&recipes)
            .map(|(range, recipe)| recipe.condition(range));
        let conditions: Vec<_> = conditions.collect();
        let mut mask = mask.map(|mask| mask.chunks_mut(JOB));
        let jobs = (0..n.div_ceil(JOB)).map(|_| mask.as_mut().and_then(Iterator::next));
        let (instructions, found) = (self.instructions, AtomicUsize::new(0));
        self.run(&batch, n, jobs, workers, |mask, rows, block| {
            // Not in the caller's array, which others may write to: what is counted is what was found.
            let mut own = [false; BLOCK];
            let flags = &mut own[..rows.len()];
            block.flag(instructions, &conditions, flags);
            found.fetch_add(kernel::count(instructions, flags), Ordering::Relaxed);
            if let Some(mask) = mask {
                mask[rows].copy_from_slice(flags);
            }
        })?;
        Ok(found.into_inner())
    }

    /// What is read for some metrics, and how each of them is found.
    fn batch<'a>(
        &'a self,
        diagram: &'a Diagram,
        columns: &'a [Column<'a>],
        metrics: &[usize],
    ) -> (Batch<'a>, Vec<Recipe>) {
        let adds = |&metric: &usize| diagram.program().combine(metric) == Combine::Sum;
        let rising = self.rising.as_ref().filter(|_| metrics.iter().all(adds));
        let tables = rising.unwrap_or(&self.tables);
        let mut looked_up: Vec<usize> = Vec::new();
        let mut recipes = Vec::new();
        for &metric in metrics {
            let (own, factor) = match tables.sources[metric] {
                Source::Tables => (metric, 1),
                Source::Multiple(other, factor) => (other, factor),
            };
            let place = looked_up.iter().position(|&known| known == own).unwrap_or_else(|| {
                looked_up.push(own);
                looked_up.len() - 1
            });
            recipes.push(Recipe { place, factor });
        }
        let read = |decision: usize| {
            let mut groups = tables.groups.iter();
            groups.any(|group| group.decisions().any(|other| other == decision))
        };
        let batch = Batch {
            diagram,
            tables,
            columns,
            rows: Rows::of(columns),
            metrics: looked_up,
            unread: (0..columns.len()).filter(|&decision| !read(decision)).collect(),
        };
        (batch, recipes)
    }

    /// Finds the totals of all candidates, block by block, and hands each block to `finish`, with its rows in its job.
    fn run<J: Send>(
        &self,
        batch: &Batch<'_>,
        n: usize,
        jobs: impl Iterator<Item = J> + Send,
        workers: Workers<'_>,
        finish: impl Fn(&mut J, std::ops::Range<usize>, &Block<'_>) + Sync,
    ) -> Result<()> {
        let scratch = || Scratch {
            reader: batch.diagram.reader(),
            buffer: Buffer::default(),
            raw: Vec::new(),
            apart: batch
                .rows
                .as_ref()
                .map_or_else(Vec::new, |rows| vec![0; BLOCK * rows.width()]),
            narrow: vec![0; BLOCK],
            wide: vec![0; BLOCK],
            bases: vec![0; BLOCK],
            totals: batch
                .metrics
                .iter()
                .map(|&metric| {
                    if batch.tables.is_narrow(metric) {
                        Totals::Narrow(vec![0; BLOCK])
                    } else {
                        Totals::Wide(vec![0; BLOCK])
                    }
                })
                .collect(),
        };
        workers.interrupt.begin(Task::Evaluate, Some(n as u64));
        let paid = n.saturating_mul(batch.work()) / WORTH;
        work_off_until(
            jobs.enumerate(),
            Workers {
                threads: workers.threads.min(paid).max(1),
                ..workers
            },
            scratch,
            |scratch, (number, mut job), ended| {
                let start = number * JOB;
                let rows = JOB.min(n - start);
                for first in (0..rows).step_by(BLOCK) {
                    let rows = first..rows.min(first + BLOCK);
                    self.block(batch, start + first, rows.len(), scratch, ended)?;
                    if ended() {
                        break;
                    }
                    let block = Block {
                        totals: &scratch.totals,
                        ends: self.tables.can_die.then(|| &scratch.bases[..rows.len()]),
                    };
                    let done = rows.len() as u64;
                    finish(&mut job, rows, &block);
                    workers.interrupt.advance(done);
                }
                Ok(())
            },
        )
    }

    /// Finds the totals of a block.
    fn block(
        &self,
        batch: &Batch<'_>,
        start: usize,
        n: usize,
        scratch: &mut Scratch<'_>,
        ended: &dyn Fn() -> bool,
    ) -> Result<()> {
        if let Some(rows) = &batch.rows {
            let room = (&mut scratch.raw, &mut scratch.apart[..], BLOCK);
            rows.read(batch.columns, start, n, self.instructions, room);
        }
        let mut fresh = true;
        if batch.tables.is_entered(0) {
            scratch.bases[..n].fill(0);
        }
        for (number, group) in batch.tables.groups.iter().enumerate() {
            let goes_on = batch.tables.is_entered(number + 1);
            match &group.step {
                Lookups::Tables { .. } | Lookups::Rising { .. } => {
                    let narrow = batch.tables.places(group) <= usize::from(u16::MAX) + 1;
                    if narrow {
                        let mut keys = std::mem::take(&mut scratch.narrow);
                        let done = self.look_up(batch, (start, n), (group, goes_on), scratch, &mut keys, fresh);
                        scratch.narrow = keys;
                        done?;
                    } else {
                        let mut keys = std::mem::take(&mut scratch.wide);
                        let done = self.look_up(batch, (start, n), (group, goes_on), scratch, &mut keys, fresh);
                        scratch.wide = keys;
                        done?;
                    }
                }
                Lookups::Arcs | Lookups::Run => {
                    if fresh {
                        start_from(batch, scratch, n);
                    }
                    self.walk(number, batch, (start, n), scratch, ended)?;
                }
            }
            fresh = false;
        }
        if fresh {
            start_from(batch, scratch, n);
        }
        // An index outside its domain is a mistake, even where no stage reads it.
        for &decision in &batch.unread {
            batch.read(
                decision,
                start,
                n,
                self.instructions,
                &scratch.apart,
                &mut scratch.buffer,
            )?;
        }
        Ok(())
    }

    /// A group of tables.
    fn look_up<K: Key>(
        &self,
        batch: &Batch<'_>,
        (start, n): (usize, usize),
        (group, goes_on): (&Group, bool),
        scratch: &mut Scratch<'_>,
        keys: &mut [K],
        fresh: bool,
    ) -> Result<()> {
        let instructions = self.instructions;
        let keys = &mut keys[..n];
        let bases = &scratch.bases[..n];
        let mut begun = batch.tables.rows(group) > 1;
        if begun {
            kernel::narrow(instructions, bases, keys);
        }
        for &(decision, factor) in &group.columns {
            let indices = batch.read(decision, start, n, instructions, &scratch.apart, &mut scratch.buffer)?;
            match (indices, begun) {
                (Indices::U8(indices), false) => kernel::begin(instructions, indices, factor, keys),
                (Indices::U16(indices), false) => kernel::begin(instructions, indices, factor, keys),
                (Indices::U32(indices), false) => kernel::begin(instructions, indices, factor, keys),
                (Indices::U8(indices), true) => kernel::add(instructions, indices, factor, keys),
                (Indices::U16(indices), true) => kernel::add(instructions, indices, factor, keys),
                (Indices::U32(indices), true) => kernel::add(instructions, indices, factor, keys),
            }
            begun = true;
        }
        if !begun {
            keys.fill(K::default());
        }
        match &group.step {
            Lookups::Tables { next, costs } => {
                let keys = Keys::below(instructions, keys, batch.tables.items(group));
                self.add(batch, keys, (next, costs), scratch, fresh, goes_on);
                Ok(())
            }
            Lookups::Rising { decision, .. } => {
                let indices = batch.read(*decision, start, n, instructions, &scratch.apart, &mut scratch.buffer)?;
                let room = (&mut scratch.totals[..], &mut scratch.bases[..n]);
                match indices {
                    Indices::U8(indices) => self.rise(batch, (group, goes_on), keys, indices, room, fresh),
                    Indices::U16(indices) => self.rise(batch, (group, goes_on), keys, indices, room, fresh),
                    Indices::U32(indices) => self.rise(batch, (group, goes_on), keys, indices, room, fresh),
                }
                Ok(())
            }
            Lookups::Arcs | Lookups::Run => unreachable!("such a group is walked"),
        }
    }

    /// Adds costs to totals, and looks up where candidates go on.
    fn add<K: Key>(
        &self,
        batch: &Batch<'_>,
        keys: Keys<'_, K>,
        (next, costs): (&[u32], &[Option<Costs>]),
        scratch: &mut Scratch<'_>,
        fresh: bool,
        goes_on: bool,
    ) {
        let instructions = self.instructions;
        let n = keys.len();
        let bases = &mut scratch.bases[..n];
        for (&metric, totals) in batch.metrics.iter().zip(&mut scratch.totals) {
            let base = batch.diagram.base()[metric];
            let combine = batch.diagram.program().combine(metric);
            match (&costs[metric], totals) {
                (Some(Costs::Narrow(costs)), Totals::Narrow(totals)) => {
                    join(
                        instructions,
                        keys,
                        costs,
                        fresh.then_some(base as u32),
                        combine,
                        &mut totals[..n],
                    );
                }
                (Some(Costs::Wide(costs)), Totals::Wide(totals)) => {
                    join(
                        instructions,
                        keys,
                        costs,
                        fresh.then_some(base),
                        combine,
                        &mut totals[..n],
                    );
                }
                _ => unreachable!("a metric that is looked up has tables as wide as its totals"),
            }
        }
        match next {
            _ if !goes_on => {}
            [] => bases.fill(0),
            next => kernel::follow(instructions, keys, next, bases),
        }
    }

    /// Adds costs that rise with some indices, each inside of its domain, and looks up by them where candidates go on.
    fn rise<K: Key, I: kernel::Indexed>(
        &self,
        batch: &Batch<'_>,
        (group, goes_on): (&Group, bool),
        keys: &mut [K],
        indices: &[I],
        (totals, bases): (&mut [Totals], &mut [u32]),
        fresh: bool,
    ) {
        let Lookups::Rising { next, lines, .. } = &group.step else {
            unreachable!("a group that rises");
        };
        let (instructions, n) = (self.instructions, keys.len());
        let proved = Keys::below(instructions, keys, batch.tables.items(group));
        for (&metric, totals) in batch.metrics.iter().zip(totals) {
            let base = batch.diagram.base()[metric];
            match (&lines[metric], totals) {
                (Some(Lines::Narrow(lines)), Totals::Narrow(totals)) => {
                    let totals = &mut totals[..n];
                    if fresh {
                        kernel::begin_rising(instructions, proved, lines, indices, base as u32, totals);
                    } else {
                        kernel::add_rising(instructions, proved, lines, indices, totals);
                    }
                }
                (Some(Lines::Wide(lines)), Totals::Wide(totals)) => {
                    let totals = &mut totals[..n];
                    if fresh {
                        kernel::begin_rising(instructions, proved, lines, indices, base, totals);
                    } else {
                        kernel::add_rising(instructions, proved, lines, indices, totals);
                    }
                }
                _ => unreachable!("a metric that is looked up has tables as wide as its totals"),
            }
        }
        match &next[..] {
            _ if !goes_on => {}
            [] => bases.fill(0),
            next => {
                // Keys are wide enough for all places of this table, too.
                kernel::begin(instructions, indices, 1, keys);
                kernel::follow(instructions, Keys::below(instructions, keys, next.len()), next, bases);
            }
        }
    }

    /// A group without tables: arc by arc, or to the end.
    fn walk(
        &self,
        number: usize,
        batch: &Batch<'_>,
        (start, n): (usize, usize),
        scratch: &mut Scratch<'_>,
        ended: &dyn Fn() -> bool,
    ) -> Result<()> {
        let diagram = batch.diagram;
        let group = &batch.tables.groups[number];
        let terminal = [diagram.terminal()];
        let (ends, width) = match batch.tables.groups.get(number + 1) {
            Some(next) => (&next.entries[..], next.width),
            None => (&terminal[..], 1),
        };
        // Each index is read once: what is checked here is what the walk takes.
        let mut chosen: Vec<Vec<u32>> = vec![Vec::new(); batch.columns.len()];
        for &(decision, _) in &group.columns {
            let own = &mut chosen[decision];
            own.resize(n, 0);
            let apart = &scratch.apart;
            match batch.read(decision, start, n, self.instructions, apart, &mut scratch.buffer)? {
                Indices::U8(indices) => kernel::begin(self.instructions, indices, 1, own),
                Indices::U16(indices) => kernel::begin(self.instructions, indices, 1, own),
                Indices::U32(indices) => kernel::begin(self.instructions, indices, 1, own),
            }
        }
        let choose = |row: usize, decision: usize| chosen[decision][row];
        for (row, base) in scratch.bases[..n].iter_mut().enumerate() {
            if ended() {
                break;
            }
            let mut node = group.entries.get(*base as usize).copied().unwrap_or(DEAD);
            while group.reads(diagram, node) {
                let (next, cost) = if let Lookups::Run = group.step {
                    match scratch.reader.finish(node, |decision| Ok(choose(row, decision)))? {
                        Some(cost) => (diagram.terminal(), cost),
                        None => (DEAD, &[] as &[i64]),
                    }
                } else {
                    let arc = scratch
                        .reader
                        .arc(node, choose(row, diagram.stage(node).decision) as usize);
                    (arc.next, arc.cost)
                };
                node = next;
                if node == DEAD {
                    break;
                }
                for (&metric, totals) in batch.metrics.iter().zip(&mut scratch.totals) {
                    let combine = diagram.program().combine(metric);
                    match totals {
                        // The range of the metric is known: only a candidate that dies later may go beyond it.
                        Totals::Narrow(totals) => {
                            totals[row] = combine.join(i64::from(totals[row]), cost[metric]) as u32;
                        }
                        Totals::Wide(totals) => {
                            totals[row] = combine.join(totals[row], cost[metric]);
                            if totals[row] == i64::MAX {
                                return Err(diagram.overflow(metric));
                            }
                        }
                    }
                }
            }
            *base = position(ends, node) * width as u32;
        }
        Ok(())
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
pub(super) fn check_outputs(
    metrics: &[usize],
    mut lengths: impl ExactSizeIterator<Item = usize>,
    n: usize,
) -> Result<()> {
    if lengths.len() == metrics.len() && lengths.all(|length| length == n) {
        Ok(())
    } else {
        Err(Error::argument(format!("each metric needs an output of {n} items")))
    }
}

impl Batch<'_> {
    /// The columns, keys and totals that a candidate takes; without end where it may be run on its own.
    fn work(&self) -> usize {
        let groups = self.tables.groups.iter().map(|group| match group.step {
            Lookups::Tables { .. } | Lookups::Rising { .. } => group.decisions().count() + 1 + self.metrics.len(),
            Lookups::Arcs | Lookups::Run => usize::MAX,
        });
        groups.fold(1, usize::saturating_add)
    }

    /// The indices of a decision in a block, each inside of its domain.
    fn read<'r>(
        &self,
        decision: usize,
        start: usize,
        n: usize,
        instructions: Instructions,
        apart: &'r [u8],
        buffer: &'r mut Buffer,
    ) -> Result<Indices<'r>> {
        let domain = Domain::of(&self.diagram.program().decisions()[decision]);
        if let Some(rows) = &self.rows {
            let own = &apart[rows.place(decision) * BLOCK..][..n];
            domain.check(start, own, instructions)?;
            return Ok(Indices::U8(own));
        }
        self.columns[decision].read(start, n, domain, instructions, buffer)
    }
}

/// Totals of what precedes the first decision.
fn start_from(batch: &Batch<'_>, scratch: &mut Scratch<'_>, n: usize) {
    for (&metric, totals) in batch.metrics.iter().zip(&mut scratch.totals) {
        let base = batch.diagram.base()[metric];
        match totals {
            Totals::Narrow(totals) => totals[..n].fill(base as u32),
            Totals::Wide(totals) => totals[..n].fill(base),
        }
    }
}

/// Joins the cost at each key to its total; a first group starts from `base` instead.
fn join<K: Key, T: kernel::Total>(
    instructions: Instructions,
    keys: Keys<'_, K>,
    costs: &[T],
    base: Option<T>,
    combine: Combine,
    totals: &mut [T],
) {
    match (base, combine) {
        (Some(base), Combine::Sum) => kernel::begin_totals(instructions, keys, costs, base, totals),
        (None, Combine::Sum) => kernel::add_totals(instructions, keys, costs, totals),
        (base, Combine::Max) => {
            if let Some(base) = base {
                totals.fill(base);
            }
            kernel::raise_totals(instructions, keys, costs, totals);
        }
    }
}

impl Recipe {
    /// A range of a metric as one of the totals that it is found from.
    fn condition(self, range: &Range) -> Condition {
        let (low, high) = match self.factor {
            0 if (range.low..=range.high).contains(&0) => (i64::MIN, i64::MAX),
            0 => return Condition::Never,
            factor => (
                Integer::div_ceil(&range.low, &factor),
                Integer::div_floor(&range.high, &factor),
            ),
        };
        if low > high {
            return Condition::Never;
        }
        let place = self.place;
        Condition::Within { place, low, high }
    }
}

impl Block<'_> {
    fn write<O: kernel::Output>(&self, instructions: Instructions, recipe: Recipe, output: &mut [O]) {
        let factor = recipe.factor;
        match (&self.totals[recipe.place], self.ends) {
            (Totals::Narrow(totals), None) => kernel::write(instructions, totals, factor, output),
            (Totals::Wide(totals), None) => kernel::write(instructions, totals, factor, output),
            (Totals::Narrow(totals), Some(ends)) => kernel::write_valid(instructions, totals, ends, factor, output),
            (Totals::Wide(totals), Some(ends)) => kernel::write_valid(instructions, totals, ends, factor, output),
        }
    }

    fn stream<O: kernel::Output>(&self, instructions: Instructions, recipe: Recipe, output: &mut [O]) {
        match &self.totals[recipe.place] {
            Totals::Narrow(totals) => kernel::stream(instructions, &totals[..output.len()], recipe.factor, output),
            Totals::Wide(totals) => kernel::stream(instructions, &totals[..output.len()], recipe.factor, output),
        }
    }

    /// Sets the flags of the candidates that meet all conditions.
    fn flag(&self, instructions: Instructions, conditions: &[Condition], flags: &mut [bool]) {
        let mut begun = false;
        for condition in conditions {
            match *condition {
                Condition::Never => {
                    flags.fill(false);
                    return;
                }
                Condition::Within { place, low, high } => match &self.totals[place] {
                    Totals::Narrow(totals) => {
                        let (low, high) = (low.max(0), high.min(i64::from(u32::MAX)));
                        if low > high {
                            flags.fill(false);
                            return;
                        }
                        let (low, span) = (low as u32, (high - low) as u32);
                        if begun {
                            kernel::within(instructions, totals, low, span, flags);
                        } else {
                            kernel::begin_within(instructions, totals, low, span, flags);
                        }
                    }
                    Totals::Wide(totals) => {
                        let span = high.wrapping_sub(low);
                        if begun {
                            kernel::within(instructions, totals, low, span, flags);
                        } else {
                            kernel::begin_within(instructions, totals, low, span, flags);
                        }
                    }
                },
            }
            begun = true;
        }
        if !begun {
            flags.fill(true);
        }
        if let Some(ends) = self.ends {
            kernel::clear_dead(instructions, ends, flags);
        }
    }
}
