//! All members in order, written into columns.
//!
//! Members that share their first choices stand in rows next to each other, so a choice is written to a range of rows
//! at once. The completions of a cell are the same rows whatever comes before it: those that are met again are copied.

use super::answer::Answer;
use super::any_table::AnyTable;
use super::members::{Start, Walker};
use super::number::Number;
use super::set::Feasible;
use super::table::Table;
use crate::diagram::{BLOCK, Diagram, Index, ROOT, Workers, blocks, work_off};
use crate::{Error, Result, Task};
use num_bigint::BigUint;
use rustc_hash::FxHashMap;
use std::ops::Range;

/// How many completions of a cell are worth being remembered.
const REMEMBERED: std::ops::RangeInclusive<usize> = 8..=1024;

/// The most indices and the most cells that a thread remembers.
const MEMORY: (usize, usize) = (1 << 22, 1 << 16);

impl Feasible {
    /// Writes `n` candidates, those of rank `start` and the following, into columns as
    /// [`Diagram::sample`]. O(n).
    ///
    /// # Errors
    /// `Argument` where there are fewer; `Limit` where the count is not exact; `Interrupted`.
    pub fn members<T: Index>(&self, start: &BigUint, n: usize, columns: &mut [T], workers: Workers<'_>) -> Result<()> {
        let answer = self.answer(workers.interrupt)?;
        answer.require_exact("the candidate of a rank")?;
        self.check_columns(n, columns.len())?;
        let total = answer.total();
        if start + n > total {
            return Err(Error::argument(format!(
                "ranks {start} to {} are asked for, but {total} candidates fit",
                start + n
            )));
        }
        match &answer.table {
            AnyTable::Narrow(table) => self.write_members(answer, table, start, n, columns, workers),
            AnyTable::Wide(table) => self.write_members(answer, table, start, n, columns, workers),
            AnyTable::Big(table) => self.write_members(answer, table, start, n, columns, workers),
        }
    }

    fn write_members<T: Index, N: Number>(
        &self,
        answer: &Answer,
        table: &Table<N>,
        start: &BigUint,
        n: usize,
        columns: &mut [T],
        workers: Workers<'_>,
    ) -> Result<()> {
        workers.interrupt.begin(Task::Members, Some(n as u64));
        let work = |known: &mut Remembered<T>, (block, mut columns): (usize, Vec<&mut [T]>)| {
            for column in &mut columns {
                column.fill(T::of(0));
            }
            let rows = (n - block * BLOCK).min(BLOCK);
            if table.cells.graph.terminal() == ROOT {
                workers.interrupt.advance(rows as u64);
                return Ok(());
            }
            let rank = answer.ranks.rank(&(start + block * BLOCK));
            let mut writer = Writer {
                diagram: &self.diagram,
                table,
                columns: &mut columns,
                known,
            };
            writer.members(table.place(&answer.ranks, &rank), rows);
            workers.interrupt.advance(rows as u64);
            Ok(())
        };
        work_off(blocks(n, columns), workers, Remembered::default, work)
    }
}

/// For each decision that is not 0 everywhere, its indices in the rows of the completions of a cell.
type Completions<T> = Vec<(usize, Box<[T]>)>;

/// The completions of cells that were met before.
struct Remembered<T> {
    /// Nothing where a cell was met once.
    cells: FxHashMap<(u32, usize), Option<Completions<T>>>,
    /// How many indices there are.
    size: usize,
    /// The decisions that were written since the first of the cells that are being remembered began.
    written: Vec<usize>,
    /// How many cells are being remembered.
    open: usize,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self {
            cells: FxHashMap::default(),
            size: 0,
            written: Vec::new(),
            open: 0,
        }
    }
}

struct Writer<'a, 'b, N, T> {
    diagram: &'a Diagram,
    table: &'a Table<N>,
    /// Zeros, where nothing was written yet.
    columns: &'a mut [&'b mut [T]],
    known: &'a mut Remembered<T>,
}

impl<N: Number, T: Index> Writer<'_, '_, N, T> {
    /// Writes the members from one on into the first rows. No arc stands for several ways.
    fn members(&mut self, (place, _, rest): Start<N>, rows: usize) {
        let table = self.table;
        let mut at = 0;
        let mut skip = rest;
        for arc in table.cells.graph.arcs_of(ROOT).skip(place) {
            if at >= rows {
                return;
            }
            if let Some(cell) = table.cells.follow(ROOT, 0, arc) {
                at = self.along((ROOT, arc, cell), &mut skip, at..rows);
            }
        }
    }

    /// Writes the members along an arc; returns the row after the last one written. `skip` of them are left out first.
    fn along(&mut self, (node, arc, cell): (u32, usize, usize), skip: &mut N, rows: Range<usize>) -> usize {
        let table = self.table;
        let graph = &table.cells.graph;
        let end = graph.arcs[arc].end;
        let all = table.of(end, cell);
        if *skip >= *all {
            skip.subtract(all);
            return rows.start;
        }
        let first = skip.is_nothing();
        let left = if first {
            all.at_most(rows.len())
        } else {
            let mut left = all.clone();
            left.subtract(skip);
            left.at_most(rows.len())
        };
        let rows = rows.start..rows.start + left;
        self.write(node, graph.arcs[arc].label, rows.clone());
        if end == graph.terminal() {
            *skip = N::default();
        } else if left == 1 && first {
            // The first completion alone: no need to look at what else there is.
            let mut walker = Walker {
                node: end,
                cell,
                rest: N::default(),
            };
            while let Some((node, arc, _)) = table.step(&mut walker) {
                self.write(node, graph.arcs[arc].label, rows.clone());
            }
        } else if first && REMEMBERED.contains(&left) && all.at_most(left + 1) == left {
            self.whole(end, cell, rows.clone());
        } else {
            self.completions(end, cell, skip, rows.clone());
        }
        rows.end
    }

    /// Writes the completions of a cell, as many as there are rows.
    fn completions(&mut self, node: u32, cell: usize, skip: &mut N, rows: Range<usize>) {
        let table = self.table;
        let mut at = rows.start;
        for arc in table.cells.graph.arcs_of(node) {
            if at >= rows.end {
                break;
            }
            if let Some(next) = table.cells.follow(node, cell, arc) {
                at = self.along((node, arc, next), skip, at..rows.end);
            }
        }
    }

    /// Writes all completions of a cell, copied if they are known, and remembered if the cell is met again.
    fn whole(&mut self, node: u32, cell: usize, rows: Range<usize>) {
        let known = &mut *self.known;
        match known.cells.get(&(node, cell)) {
            Some(Some(completions)) => {
                for (decision, indices) in completions {
                    self.columns[*decision][rows.clone()].copy_from_slice(indices);
                    if known.open > 0 {
                        known.written.push(*decision);
                    }
                }
            }
            Some(None) if known.size < MEMORY.0 => {
                let start = known.written.len();
                known.open += 1;
                self.completions(node, cell, &mut N::default(), rows.clone());
                let known = &mut *self.known;
                known.open -= 1;
                let mut decisions = known.written[start..].to_vec();
                decisions.sort_unstable();
                decisions.dedup();
                known.written.truncate(start);
                if known.open > 0 {
                    known.written.extend_from_slice(&decisions);
                }
                known.size += decisions.len() * rows.len();
                let columns = &*self.columns;
                let copies = decisions
                    .into_iter()
                    .map(|decision| (decision, columns[decision][rows.clone()].into()));
                known.cells.insert((node, cell), Some(copies.collect()));
            }
            known_once => {
                if known_once.is_none() && known.cells.len() < MEMORY.1 {
                    known.cells.insert((node, cell), None);
                }
                self.completions(node, cell, &mut N::default(), rows);
            }
        }
    }

    fn write(&mut self, node: u32, label: u32, rows: Range<usize>) {
        if label == 0 {
            return;
        }
        let decision = self.diagram.stage(node).decision;
        if self.known.open > 0 {
            self.known.written.push(decision);
        }
        let column = &mut self.columns[decision];
        if rows.len() == 1 {
            column[rows.start] = T::of(label);
        } else {
            column[rows].fill(T::of(label));
        }
    }
}
