//! Samples of the feasible candidates.
//!
//! **Idea.** A candidate of a uniform rank is a uniform candidate; the numbers of completions lead from a rank to its
//! candidate, as in the samplers KUS (2018) and WAPS (2019). A rounded table holds a superset: its candidates are
//! drawn in the same way, and those that do not fit are rejected, so that samples stay exactly uniform (Dyer 2003).

use super::answer::{Answer, Rounded};
use super::any_table::AnyTable;
use super::graph::Graph;
use super::listed::Members;
use super::members::{Choice, Rank, Ranks, Start};
use super::number::Number;
use super::set::Feasible;
use super::table::Table;
use crate::diagram::{BLOCK, Index, ROOT, Walks, Workers, below, blocks, stream, work_off};
use crate::{Error, ErrorKind, Interrupt, Result, Task};
use num_bigint::BigUint;
use num_traits::Zero;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often a candidate is drawn again before it counts as too rare to be drawn.
const TRIES: usize = 1 << 20;

/// By how much a superset may be larger than what is drawn, so that drawing from it is still faster.
const LARGER: u64 = 32;

/// This many rows are drawn in turn: while one waits for memory, the others go on.
const TOGETHER: usize = 16;

impl Feasible {
    /// Draws `n` candidates uniformly and independently among those that fit; as [`crate::diagram::Diagram::sample`].
    ///
    /// Where the table is exact, no candidate is drawn in vain. Otherwise they are drawn from a superset, and those
    /// that do not fit are drawn again: from the rounded table, or, with several bounds, from the exact table of one
    /// of them, where that is not much larger: it is a hundred times faster.
    ///
    /// # Errors
    /// `Argument` where nothing fits; `Limit` where none of many candidates of the superset fits; `Interrupted`.
    pub fn sample<T: Index>(&self, seed: u64, n: usize, columns: &mut [T], workers: Workers<'_>) -> Result<()> {
        self.check_columns(n, columns.len())?;
        let answer = self.answer(workers.interrupt)?;
        if n > 0 && answer.total().is_zero() {
            return Err(Error::new(
                ErrorKind::Argument,
                "no candidate fits the budget, so none can be drawn",
            ));
        }
        let superset = match &answer.rounded {
            None => None,
            Some(_) => self.superset(answer.count().lower(), workers.interrupt)?,
        };
        let drawn = superset.map_or(Ok(answer), |superset| superset.answer(workers.interrupt))?;
        workers.interrupt.begin(Task::Sample, Some(n as u64));
        match &drawn.table {
            AnyTable::Narrow(table) => self.sample_from(drawn, table, seed, n, columns, workers),
            AnyTable::Wide(table) => self.sample_from(drawn, table, seed, n, columns, workers),
            AnyTable::Big(table) => self.sample_from(drawn, table, seed, n, columns, workers),
        }
    }

    /// The set that keeps only one of the bounds, if it is exact and not much larger than this many candidates.
    fn superset(&self, lower: &BigUint, interrupt: Interrupt<'_>) -> Result<Option<&Self>> {
        if let Some(known) = self.superset.get() {
            return Ok(known.as_deref());
        }
        let mut found: Option<(BigUint, Box<Self>)> = None;
        for &bound in self.bounds.iter().filter(|_| self.bounds.len() > 1) {
            let mut part = Self::new(Arc::clone(&self.diagram), vec![bound], self.memory)?;
            part.fixed.clone_from(&self.fixed);
            let graph = match part.graph(interrupt) {
                // One bound leaves more choices than all of them.
                Err(error) if error.kind == ErrorKind::Limit => continue,
                graph => graph?,
            };
            let Some(answer) = part.exact(graph, interrupt)? else {
                continue;
            };
            let count = answer.total();
            if count <= lower * LARGER && found.as_ref().is_none_or(|(least, _)| &count < least) {
                part.answer = answer.into();
                found = Some((count, Box::new(part)));
            }
        }
        let found = found.map(|(_, part)| part);
        Ok(self.superset.get_or_init(|| found).as_deref())
    }

    fn sample_from<T: Index, N: Number>(
        &self,
        answer: &Answer,
        table: &Table<N>,
        seed: u64,
        n: usize,
        columns: &mut [T],
        workers: Workers<'_>,
    ) -> Result<()> {
        let total = table.total();
        let is_single = table.cells.graph.terminal() == ROOT;
        let is_exact = self.answer.get().is_some_and(|own| own.rounded.is_none());
        if is_exact
            && !is_single
            && let Some(members) = self.listed(table, workers.interrupt)?
        {
            return work_off(
                blocks(n, columns),
                workers,
                Walks::default,
                |walks, (block, mut columns)| {
                    let rows = (n - block * BLOCK).min(BLOCK);
                    for column in &mut columns {
                        column.fill(T::of(0));
                    }
                    members.levels.draw((seed, block), rows, &mut columns, walks, |state| {
                        let (node, cell) = members.cells[state as usize];
                        table.sums(node, cell)
                    });
                    self.drawn.fetch_add(rows as u64, Ordering::Relaxed);
                    self.accepted.fetch_add(rows as u64, Ordering::Relaxed);
                    workers.interrupt.advance(rows as u64);
                    Ok(())
                },
            );
        }
        let work = |(): &mut (), (block, mut columns): (usize, Vec<&mut [T]>)| {
            let mut rng = stream(seed, block as u64);
            let rows = (n - block * BLOCK).min(BLOCK);
            for column in &mut columns {
                column.fill(T::of(0));
            }
            if is_single {
                workers.interrupt.advance(rows as u64);
                return Ok(());
            }
            let mut next = || table.place(&answer.ranks, &draw(&mut rng, &answer.ranks, &total));
            let drawn = if is_exact {
                self.draw_exact(table, &mut next, rows, &mut columns);
                rows
            } else if let Some(Rounded { composites, .. }) = &answer.rounded {
                let expand = |(node, arc, way): Choice, path: &mut Vec<_>| {
                    let label = table.cells.graph.arcs[arc].label;
                    composites.expand(node, label, way, |node, arc| path.push((node, arc)));
                };
                let keeps = |path: &[(u32, usize)]| composites.fine.keeps(path);
                self.draw_until(table, &composites.fine, expand, keeps, &mut next, rows, &mut columns)?
            } else {
                let graph = &*table.cells.graph;
                let expand = |(node, arc, _): Choice, path: &mut Vec<_>| path.push((node, arc));
                let keeps = |path: &[(u32, usize)]| self.keeps(graph, path);
                self.draw_until(table, graph, expand, keeps, &mut next, rows, &mut columns)?
            };
            self.drawn.fetch_add(drawn as u64, Ordering::Relaxed);
            self.accepted.fetch_add(rows as u64, Ordering::Relaxed);
            workers.interrupt.advance(rows as u64);
            Ok(())
        };
        work_off(blocks(n, columns), workers, || (), work)
    }

    /// The members of an exact table by their levels, if their cells have few enough arcs.
    fn listed<N: Number>(&self, table: &Table<N>, interrupt: Interrupt<'_>) -> Result<Option<&Members>> {
        if let Some(known) = self.members.get() {
            return Ok(known.as_ref());
        }
        let first_node = |node: u32| self.diagram.stage(node).nodes.start;
        let decision = |node: u32| self.diagram.stage(node).decision;
        let members = table.listed(first_node, decision, self.memory, interrupt)?;
        Ok(self.members.get_or_init(|| members).as_ref())
    }

    /// Draws rows that all fit.
    fn draw_exact<T: Index, N: Number>(
        &self,
        table: &Table<N>,
        next: &mut impl FnMut() -> Start<N>,
        rows: usize,
        columns: &mut [&mut [T]],
    ) {
        let graph = &table.cells.graph;
        let mut walkers = Vec::with_capacity(TOGETHER);
        for start in (0..rows).step_by(TOGETHER) {
            for row in start..rows.min(start + TOGETHER) {
                if let Some((walker, (node, arc, _))) = table.begin(next()) {
                    self.write(graph, &[(node, arc)], row, columns);
                    walkers.push((row, walker));
                }
            }
            while !walkers.is_empty() {
                walkers.retain_mut(|(row, walker)| match table.step(walker) {
                    Some((node, arc, _)) => {
                        self.write(graph, &[(node, arc)], *row, columns);
                        true
                    }
                    None => false,
                });
            }
        }
    }

    /// Draws rows, each until it fits; returns how many were drawn. `expand` adds the arcs of `graph` that a step of
    /// the table stands for to a path, and `keeps` says whether a path fits.
    #[allow(clippy::too_many_arguments)] // Two ways of drawing differ in three of them.
    fn draw_until<T: Index, N: Number>(
        &self,
        table: &Table<N>,
        graph: &Graph,
        expand: impl Fn(Choice, &mut Vec<(u32, usize)>),
        keeps: impl Fn(&[(u32, usize)]) -> bool,
        next: &mut impl FnMut() -> Start<N>,
        rows: usize,
        columns: &mut [&mut [T]],
    ) -> Result<usize> {
        let mut drawn = 0;
        let mut path = Vec::new();
        for row in 0..rows {
            let fits = (0..TRIES).any(|_| {
                path.clear();
                drawn += 1;
                table.member(next(), |step| expand(step, &mut path));
                keeps(&path)
            });
            if !fits {
                return Err(Error::new(
                    ErrorKind::Limit,
                    format!("none of {TRIES} candidates drawn from the superset of this set fits; allow more memory"),
                ));
            }
            self.write(graph, &path, row, columns);
        }
        Ok(drawn)
    }

    /// Whether a candidate, by its nodes and arcs, keeps all bounds.
    fn keeps(&self, graph: &Graph, path: &[(u32, usize)]) -> bool {
        let mut total = self.diagram.base().to_vec();
        let mut reader = self.diagram.reader();
        for &(node, arc) in path {
            let cost = reader.arc(node, graph.arcs[arc].label as usize).cost;
            for ((total, &cost), metric) in total.iter_mut().zip(cost).zip(self.diagram.program().metrics()) {
                *total = metric.combine.join(*total, cost);
            }
        }
        let mut bounds = self.bounds.iter();
        bounds.all(|bound| (bound.low..=bound.high).contains(&total[bound.metric]))
    }

    /// Writes the choices of a candidate, by nodes and arcs, into a row.
    fn write<T: Index>(&self, graph: &Graph, path: &[(u32, usize)], row: usize, columns: &mut [&mut [T]]) {
        for &(node, arc) in path {
            columns[self.diagram.stage(node).decision][row] = T::of(graph.arcs[arc].label);
        }
    }
}

/// A uniform rank.
fn draw(rng: &mut ChaCha8Rng, ranks: &Ranks, total: &BigUint) -> Rank {
    let Some(total) = ranks.total() else {
        return Rank::Big(draw_big(rng, total));
    };
    if let Ok(total) = u64::try_from(total) {
        return Rank::Small(u128::from(below(rng, total)));
    }
    let bits = total.leading_zeros();
    loop {
        let word = (u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())) >> bits;
        if word < total {
            return Rank::Small(word);
        }
    }
}

fn draw_big(rng: &mut ChaCha8Rng, total: &BigUint) -> BigUint {
    let bits = total.bits();
    loop {
        let words: Vec<u32> = (0..bits.div_ceil(32)).map(|_| rng.next_u32()).collect();
        let number = BigUint::new(words) >> (bits.div_ceil(32) * 32 - bits);
        if &number < total {
            return number;
        }
    }
}
