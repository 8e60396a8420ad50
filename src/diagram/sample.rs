//! Uniform samples of the whole space.
//!
//! Each node knows how many networks complete it, so that a walk from the root that chooses its arcs by these numbers
//! draws every network with the same chance. KUS (Sharma, Gupta, Roy and Meel, LPAR 2018) and WAPS (Gupta, Sharma, Roy
//! and Meel, TACAS 2019) do the same on d-DNNF, the latter with weights.

use super::arcs::{Arcs, DEAD, Diagram, ROOT, Reader, Stage};
use super::blocks::{Ahead, BLOCK, Index, Words, below, blocks, stream};
use super::kept::{Draw, Sampler};
use super::levels::{Levels, Walks, settle, share};
use super::parallel::{Workers, work_off, work_off_until};
use crate::space::Outcome;
use crate::{Error, ErrorKind, Interrupt, Result, Task};
use num_bigint::BigUint;
use num_traits::Zero;

impl Diagram {
    fn sampler(&self, interrupt: Interrupt<'_>) -> Result<&Sampler> {
        if let Some(sampler) = self.sampler.get() {
            return Ok(sampler);
        }
        let paths = self.paths(interrupt)?;
        let sampler = if self.is_stored() {
            Sampler::Levels(self.levels(paths, interrupt)?)
        } else {
            self.one_by_one(paths, interrupt)?
        };
        Ok(self.sampler.get_or_init(|| sampler))
    }

    fn levels(&self, paths: &[BigUint], interrupt: Interrupt<'_>) -> Result<Levels> {
        let mut levels = Levels::default();
        for stage in &self.stages {
            let Arcs::Stored(first) = stage.arcs else { continue };
            levels.begin(stage.decision, stage.nodes.start);
            let next = &self.next[first..first + stage.nodes.len() * stage.size];
            let is_even = next.chunks(stage.size).all(|next| {
                let mut ways = next.iter().map(|&next| paths.get(next as usize));
                let first = ways.next().flatten();
                first.is_some_and(|first| !first.is_zero() && ways.all(|ways| ways == Some(first)))
            });
            if is_even {
                levels.even(stage.size, stage.nodes.len() as u32, next.iter().copied());
                continue;
            }
            for next in next.chunks(stage.size) {
                if interrupt.stops() {
                    return Err(Error::interrupted());
                }
                levels.state((0..).zip(next.iter().copied()), &sums(next.iter().copied(), paths));
            }
        }
        levels.finish();
        Ok(levels)
    }

    fn one_by_one(&self, paths: &[BigUint], interrupt: Interrupt<'_>) -> Result<Sampler> {
        let (mut draws, mut shares) = (Vec::with_capacity(self.terminal() as usize), Vec::new());
        let mut reader = self.reader();
        for node in 0..self.terminal() {
            if node % 1024 == 0 && interrupt.stops() {
                return Err(Error::interrupted());
            }
            let ways = |reader: &mut Reader<'_>, value| match reader.arc(node, value).next {
                DEAD => &BigUint::ZERO,
                next => &paths[next as usize],
            };
            let size = self.stage(node).size;
            let first = ways(&mut reader, 0);
            if (1..size).all(|value| ways(&mut reader, value) == first) {
                draws.push(Draw::Even);
                continue;
            }
            draws.push(Draw::Shares(shares.len()));
            let total = &paths[node as usize];
            let mut sum = BigUint::ZERO;
            for value in 0..size {
                sum += ways(&mut reader, value);
                shares.push(share(&sum, total));
            }
        }
        Ok(Sampler::OneByOne { draws, shares })
    }

    /// Draws `n` candidates, uniformly and independently among all networks that can be built.
    ///
    /// `columns` holds a column of `n` indices for each decision, one after the other; inactive decisions get index 0.
    /// The draw depends on the seed alone, not on the number of threads. O(n * stages).
    ///
    /// # Errors
    /// `Limit` where the diagram is open; `Interrupted`.
    #[allow(clippy::needless_range_loop)] // A row stands in every column.
    pub fn sample<T: Index>(&self, seed: u64, n: usize, columns: &mut [T], workers: Workers<'_>) -> Result<()> {
        let decisions = self.program().decisions().len();
        if columns.len() != n * decisions {
            return Err(Error::argument(format!(
                "{decisions} columns of {n} indices are needed"
            )));
        }
        if self.open.is_some() {
            return self.sample_by_rejection(seed, n, columns, workers);
        }
        let paths = self.paths(workers.interrupt)?;
        let sampler = self.sampler(workers.interrupt)?;
        workers.interrupt.begin(Task::Sample, Some(n as u64));
        work_off(
            blocks(n, columns),
            workers,
            || (self.reader(), Walks::default()),
            |(reader, walks), (block, mut columns)| {
                for column in &mut columns {
                    column.fill(T::of(0));
                }
                let rows = (n - block * BLOCK).min(BLOCK);
                if let Sampler::Levels(levels) = sampler {
                    levels.draw((seed, block), rows, &mut columns, walks, |node| {
                        let arcs = 0..self.stage(node).size as u32;
                        let arcs = arcs.filter_map(|value| self.stored_arc(node, value));
                        sums(arcs.map(|arc| self.next[arc]), paths)
                    });
                    workers.interrupt.advance(rows as u64);
                    return Ok(());
                }
                let mut rng = Ahead::of(seed, block as u64);
                for row in 0..rows {
                    let mut node = ROOT;
                    while node != self.terminal() {
                        let Stage { decision, size, .. } = *self.stage(node);
                        let value = sampler.draw(paths, reader, node, size, &mut rng);
                        columns[decision][row] = T::of(value as u32);
                        node = reader.arc(node, value).next;
                    }
                }
                workers.interrupt.advance(rows as u64);
                Ok(())
            },
        )
    }

    /// The same where the diagram is open: combinations of values are drawn until one can be built and has index 0 for
    /// each inactive decision, so that every network is as likely as any other.
    fn sample_by_rejection<T: Index>(
        &self,
        seed: u64,
        n: usize,
        columns: &mut [T],
        workers: Workers<'_>,
    ) -> Result<()> {
        const TRIES: usize = 100_000;
        // Where a try takes long there are fewer of them: all take some seconds at most.
        const WORK: u64 = 1 << 28;
        let program = self.program();
        let decisions = program.decisions();
        let scratch = || (program.start(), vec![0; decisions.len()]);
        workers.interrupt.begin(Task::Sample, Some(n as u64));
        work_off_until(
            blocks(n, columns),
            workers,
            scratch,
            |(state, choices), (block, mut columns), ended| {
                let mut rng = stream(seed, block as u64);
                let rows = (n - block * BLOCK).min(BLOCK);
                for row in 0..rows {
                    let (mut found, mut tries, end) = (false, 0, state.work() + WORK);
                    while tries < TRIES && state.work() < end {
                        tries += 1;
                        if ended() {
                            return Ok(());
                        }
                        for (choice, decision) in choices.iter_mut().zip(decisions) {
                            *choice = below(&mut rng, decision.size as u64) as u32;
                        }
                        state.reset();
                        let outcome = program.follow(state, choices, |_, _| {})?;
                        if let Outcome::Refused { step, refusal } = &outcome
                            && refusal.failure().is_some()
                        {
                            return Err(program.error(*step, refusal, state));
                        }
                        let unread = |(chosen, choice): (&u32, &u32)| chosen == choice || *choice == 0;
                        found = outcome == Outcome::Complete && state.chosen.iter().zip(choices.iter()).all(unread);
                        if found {
                            break;
                        }
                    }
                    if !found {
                        return Err(Error::new(
                            ErrorKind::Limit,
                            format!(
                                "none of {tries} combinations of values drawn from this very wide space fits together, \
                                 decisions that do not matter with their first values; give fewer values or \
                                 repetitions, or tie decisions, so that its diagram can be compiled"
                            ),
                        ));
                    }
                    for (column, &choice) in columns.iter_mut().zip(choices.iter()) {
                        column[row] = T::of(choice);
                    }
                }
                workers.interrupt.advance(rows as u64);
                Ok(())
            },
        )
    }
}

impl Sampler {
    fn draw(&self, paths: &[BigUint], reader: &mut Reader<'_>, node: u32, size: usize, rng: &mut impl Words) -> usize {
        let Self::OneByOne { draws, shares } = self else {
            return 0;
        };
        match draws[node as usize] {
            Draw::Even => below(rng, size as u64) as usize,
            Draw::Shares(start) => {
                let shares = &shares[start..start + size];
                let word = rng.word();
                let value = shares.partition_point(|&share| share < word);
                if value == size || shares[value] != word {
                    return value.min(size - 1);
                }
                let arcs = (0..size).map(|value| reader.arc(node, value).next);
                settle(word, &sums(arcs, paths), rng)
            }
        }
    }
}

/// For each arc, by the node that it leads to, how many networks are behind it and those before.
fn sums(next: impl Iterator<Item = u32>, paths: &[BigUint]) -> Vec<BigUint> {
    let mut sum = BigUint::ZERO;
    let sums = next.map(|next| {
        if next != DEAD {
            sum += &paths[next as usize];
        }
        sum.clone()
    });
    sums.collect()
}
