//! Tables without a decision with which costs rise evenly.
//!
//! **Idea.** The weights of a layer are mostly a constant and a multiple of its own width: `(9 * a + 1) * b` for the `b`
//! filters of a convolution behind `a` channels. Then a row of the table, for one `a` and all `b`, is an arithmetic
//! progression, and two numbers stand for it: what it begins with, and by how much it rises. They are looked up with
//! what is known before `b`, and the index of `b` is multiplied. Two widths of 512 values need 2 * 512 numbers in place
//! of 512 * 512, and no table says where a candidate goes on after `a`.
//!
//! **Exact.** Every row is looked at. Numbers are taken modulo 2^32 or 2^64, as totals are, which fit: so a cost may
//! fall, and what a row begins with may be added to the costs of the group before.
//!
//! **Choice.** A group takes this form where all its costs that add up allow it, and where that is faster by the sizes of
//! the caches. The largest of several numbers does not rise so: peaks are looked up in the plain tables, and with them
//! all that is asked for beside.

use super::cache::Caches;
use super::kernel::Total;
use super::table::{Costs, Group, Lines, LookupTables, Lookups, Source, scale};
use crate::space::Combine;

/// What the rows of a table begin with, and by how much they rise.
type Rows = (Costs, Costs);

/// A group of one decision with which all costs that add up rise evenly.
struct Even {
    decision: usize,
    /// For each metric that adds up the row of each entry.
    rows: Vec<Option<Rows>>,
    /// The entry of the next group by the index; empty where it is always 0.
    next: Vec<u32>,
}

impl LookupTables {
    /// Tables for the metrics that add up, with groups that rise evenly; `None` where no such group is faster.
    pub(super) fn rising(&self, caches: Caches, combine: impl Fn(usize) -> Combine) -> Option<Self> {
        if self.can_die {
            return None;
        }
        let adds = |metric: usize| self.sources[metric] == Source::Tables && combine(metric) == Combine::Sum;
        let evens: Vec<_> = (0..self.groups.len()).map(|number| self.even(number, adds)).collect();
        if evens.iter().all(Option::is_none) {
            return None;
        }
        let mut groups = Vec::new();
        while groups.last().map_or(0, |&(_, behind)| behind) < self.groups.len() {
            let number = groups.last().map_or(0, |&(_, behind)| behind);
            groups.push(self.fastest(number, &evens, caches, adds));
        }
        let mut groups: Vec<Group> = groups.into_iter().map(|(group, _)| group).collect();
        if !groups.iter().any(|group| matches!(group.step, Lookups::Rising { .. })) {
            return None;
        }
        scale(&mut groups);
        Some(Self {
            groups,
            sources: self.sources.clone(),
            largest: self.largest.clone(),
            can_die: false,
        })
    }

    /// The fastest form of a group, which may take in the one behind it, and the first group behind that.
    fn fastest(
        &self,
        number: usize,
        evens: &[Option<Even>],
        caches: Caches,
        adds: impl Fn(usize) -> bool + Copy,
    ) -> (Group, usize) {
        let group = &self.groups[number];
        let entries = group.entries.len();
        // The numbers that are looked up for one metric, as tables of all entries and joint choices.
        let plain = 2.0 * caches.gather(8 * entries * group.width);
        let alone = evens[number].as_ref().map(|even| {
            let tables = if even.next.is_empty() { 2 } else { 3 };
            (even, tables as f64 * caches.gather(4 * tables * entries))
        });
        let behind = evens.get(number + 1).and_then(Option::as_ref);
        let behind = behind.map(|even| (even, 2.0 * caches.gather(8 * self.groups[number + 1].entries.len())));
        let merged = behind.and_then(|(even, apart)| Some((self.merged(number, even, adds)?, apart)));
        match (merged, alone) {
            (Some((merged, apart)), alone) if alone.is_none_or(|(_, alone)| plain <= alone + apart) => {
                (merged, number + 2)
            }
            (_, Some((even, alone))) if alone < plain => (self.alone(number, even), number + 1),
            _ => (self.plain(number, adds), number + 1),
        }
    }

    /// A group as one with which costs rise evenly, if it is one.
    fn even(&self, number: usize, adds: impl Fn(usize) -> bool + Copy) -> Option<Even> {
        let group = &self.groups[number];
        let (&[(decision, _)], Lookups::Tables { next, costs }) = (&group.columns[..], &group.step) else {
            return None;
        };
        let rows = costs.iter().enumerate().map(|(metric, costs)| match costs {
            Some(costs) if adds(metric) => costs.progressions(group.width).map(Some),
            _ => Some(None),
        });
        let rows = rows.collect::<Option<_>>()?;
        let next = self.entries_behind(number, next);
        let row = &next[..next.len().min(group.width)];
        let by_index = next.chunks(group.width).all(|other| other == row);
        by_index.then(|| Even {
            decision,
            rows,
            next: row.to_vec(),
        })
    }

    /// Where a group leads to, not yet times the width of the next one.
    fn entries_behind(&self, number: usize, next: &[u32]) -> Vec<u32> {
        let width = self.groups.get(number + 1).map_or(1, |group| group.width);
        next.iter().map(|next| next / width as u32).collect()
    }

    /// A group as it is, for the metrics that add up.
    fn plain(&self, number: usize, adds: impl Fn(usize) -> bool + Copy) -> Group {
        let mut group = self.groups[number].clone();
        if let Lookups::Tables { next, costs } = &mut group.step {
            *next = self.entries_behind(number, next);
            for (metric, costs) in costs.iter_mut().enumerate() {
                if !adds(metric) {
                    *costs = None;
                }
            }
        }
        group
    }

    /// A group that rises evenly by itself: its rows are looked up by where candidates enter it.
    fn alone(&self, number: usize, even: &Even) -> Group {
        let group = &self.groups[number];
        Group {
            entries: group.entries.clone(),
            last: group.last,
            columns: Vec::new(),
            width: 1,
            step: even.step(even.rows.iter().cloned()),
        }
    }

    /// A group of tables together with the one behind it, which rises evenly with another decision.
    fn merged(&self, number: usize, even: &Even, adds: impl Fn(usize) -> bool + Copy) -> Option<Group> {
        let group = &self.groups[number];
        let Lookups::Tables { next, costs } = &group.step else {
            return None;
        };
        if group.columns.iter().any(|&(decision, _)| decision == even.decision) {
            return None;
        }
        let next = self.entries_behind(number, next);
        let rows = costs.iter().zip(&even.rows).enumerate().map(|(metric, (costs, rows))| {
            let costs = costs.as_ref().filter(|_| adds(metric))?;
            Some(costs.before(&next, rows.as_ref()?))
        });
        Some(Group {
            entries: group.entries.clone(),
            last: self.groups[number + 1].last,
            columns: group.columns.clone(),
            width: group.width,
            step: even.step(rows),
        })
    }
}

impl Even {
    fn step(&self, rows: impl Iterator<Item = Option<Rows>>) -> Lookups {
        Lookups::Rising {
            decision: self.decision,
            next: self.next.clone(),
            lines: rows.map(|rows| rows.map(lines)).collect(),
        }
    }
}

/// Rows as they are looked up.
fn lines(rows: Rows) -> Lines {
    fn joined<T: Total>(costs: Vec<T>, slopes: Vec<T>) -> Vec<T::Line> {
        costs
            .into_iter()
            .zip(slopes)
            .map(|(cost, slope)| T::line(cost, slope))
            .collect()
    }
    match rows {
        (Costs::Narrow(costs), Costs::Narrow(slopes)) => Lines::Narrow(joined(costs, slopes)),
        (Costs::Wide(costs), Costs::Wide(slopes)) => Lines::Wide(joined(costs, slopes)),
        _ => unreachable!("slopes are as wide as the costs"),
    }
}

impl Costs {
    /// What each row of so many items begins with and rises by, if all are arithmetic progressions.
    fn progressions(&self, width: usize) -> Option<Rows> {
        match self {
            Self::Narrow(costs) => {
                progressions(costs, width).map(|(first, slopes)| (Self::Narrow(first), Self::Narrow(slopes)))
            }
            Self::Wide(costs) => {
                progressions(costs, width).map(|(first, slopes)| (Self::Wide(first), Self::Wide(slopes)))
            }
        }
    }

    /// The rows that these costs lead to, and that begin with them.
    fn before(&self, next: &[u32], rows: &Rows) -> Rows {
        match (self, rows) {
            (Self::Narrow(costs), (Self::Narrow(first), Self::Narrow(slopes))) => {
                let (first, slopes) = before(costs, next, first, slopes);
                (Self::Narrow(first), Self::Narrow(slopes))
            }
            (Self::Wide(costs), (Self::Wide(first), Self::Wide(slopes))) => {
                let (first, slopes) = before(costs, next, first, slopes);
                (Self::Wide(first), Self::Wide(slopes))
            }
            _ => unreachable!("all tables of a metric are as wide as its totals"),
        }
    }
}

fn progressions<T: Total>(costs: &[T], width: usize) -> Option<(Vec<T>, Vec<T>)> {
    let rows = costs.chunks(width).map(|row| {
        let slope = row.get(1).map_or(row[0].minus(row[0]), |second| second.minus(row[0]));
        let evenly = (0_u32..)
            .zip(row)
            .all(|(index, &cost)| cost == row[0].risen(slope, index));
        evenly.then_some((row[0], slope))
    });
    rows.collect()
}

fn before<T: Total>(costs: &[T], next: &[u32], first: &[T], slopes: &[T]) -> (Vec<T>, Vec<T>) {
    let entries = (0..costs.len()).map(|item| next.get(item).map_or(0, |&entry| entry as usize));
    let rows = costs.iter().zip(entries);
    rows.map(|(cost, entry)| (cost.plus(first[entry]), slopes[entry]))
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagram::{Column, Diagram, Evaluator, Instructions, Limits, Output, Outputs, Range, Strided, Workers};
    use crate::layers::{Kind, UNSET};
    use crate::space::{BUILT_IN, BuiltIn, Expr, Program, Settings};

    const NEVER: crate::Interrupt<'static> = &|| false;
    const ROWS: usize = 3000;

    /// Dense layers in a row, each with the units of a decision of its own.
    fn dense(widths: &[Vec<i64>]) -> Diagram {
        let mut program = Program::new(Settings::default());
        let apply = |program: &mut Program, kind: &str, args: Vec<Expr>, tensor| {
            let kind = Kind::named(kind).unwrap();
            let layer = program.layer(&kind.name, kind, args, true).unwrap();
            program.apply(Vec::new(), layer, Vec::from_iter(tensor)).unwrap()
        };
        let mut tensor = apply(&mut program, "Input", vec![Expr::Constant(7)], None);
        for (number, values) in widths.iter().enumerate() {
            let decision = program.decision(&format!("w{number}"), values.len()).unwrap();
            let values = values.as_slice().into();
            let units = Expr::Lookup { decision, values };
            let args = vec![units, Expr::Constant(1), Expr::Constant(UNSET)];
            tensor = apply(&mut program, "Dense", args, Some(tensor));
        }
        Diagram::compile(program, Limits::default(), NEVER).unwrap()
    }

    fn even(most: i64) -> Vec<i64> {
        (1..=most).collect()
    }

    fn uneven(most: i64) -> Vec<i64> {
        (1..=most).map(|width| width * width % 1009 + 1).collect()
    }

    /// The groups that rise, and all, where each candidate costs the same as alone.
    fn check(diagram: &Diagram) -> Option<(usize, usize)> {
        let decisions = diagram.program().decisions();
        let draw = |row: usize, size: usize, decision: usize| match row {
            0 => 0,
            1 => size - 1,
            _ => (row * 2_654_435_761 + decision * 40_503) / 7 % size,
        };
        let columns = decisions.iter().enumerate().map(|(decision, known)| {
            let column = (0..ROWS).map(|row| draw(row, known.size, decision) as u32);
            column.collect::<Vec<_>>()
        });
        let wide: Vec<_> = columns.collect();
        let half: Vec<Vec<u16>> = wide
            .iter()
            .map(|column| column.iter().map(|&index| index as u16).collect())
            .collect();
        let right: Vec<_> = (0..ROWS)
            .map(|row| {
                let choices: Vec<_> = wide.iter().map(|column| Some(column[row])).collect();
                diagram.cost(&choices).unwrap().unwrap()
            })
            .collect();
        let workers = Workers {
            threads: 2,
            interrupt: NEVER,
        };
        let metrics: Vec<usize> = (0..BUILT_IN.len()).collect();
        let mut found = None;
        for instructions in Instructions::all() {
            let evaluator = Evaluator::with(diagram, instructions).unwrap();
            found = evaluator.rising.as_ref().map(|tables| {
                let rises = |group: &&Group| matches!(group.step, Lookups::Rising { .. });
                (tables.groups.iter().filter(rises).count(), tables.groups.len())
            });
            let halves = half.iter().map(|column| Column::U16(Strided::new(column, 0, 1, ROWS)));
            let words = wide.iter().map(|column| Column::U32(Strided::new(column, 0, 1, ROWS)));
            let mut forms: Vec<Vec<_>> = vec![words.collect()];
            if decisions.iter().all(|decision| decision.size <= 1 << 16) {
                forms.push(halves.collect());
            }
            for columns in forms {
                for asked in [
                    &metrics[..],
                    &metrics[..BuiltIn::PeakActivationBytes.index()],
                    &metrics[..1],
                    &metrics[2..3],
                ] {
                    let mut totals = vec![vec![0; ROWS]; asked.len()];
                    let outputs = totals.iter_mut().map(|totals| Output::I64(totals)).collect();
                    let outputs = Outputs {
                        totals: outputs,
                        valid: None,
                    };
                    evaluator
                        .evaluate(diagram, &columns, ROWS, asked, outputs, workers)
                        .unwrap();
                    for (&metric, totals) in asked.iter().zip(&totals) {
                        assert!(right.iter().zip(totals).all(|(right, &total)| right[metric] == total));
                    }
                }
                let high = right[ROWS / 2][0];
                let range = Range {
                    metric: 0,
                    low: 0,
                    high,
                };
                let fit = evaluator.fit(diagram, &columns, ROWS, &[range], None, workers).unwrap();
                assert_eq!(fit, right.iter().filter(|cost| cost[0] <= high).count());
            }
        }
        found
    }

    #[test]
    fn two_wide_layers_are_one_group() {
        assert_eq!(check(&dense(&[even(512), even(512)])), Some((1, 1)));
        assert_eq!(check(&dense(&[uneven(512), even(400)])), Some((1, 1)));
    }

    #[test]
    fn a_row_of_wide_layers_needs_no_table_of_two_widths() {
        let (rising, all) = check(&dense(&[even(400), even(512), even(300), even(450)])).unwrap();
        assert!(rising >= 2 && rising == all, "{rising} of {all}");
    }

    #[test]
    fn uneven_widths_are_looked_up() {
        assert_eq!(check(&dense(&[even(512), uneven(512)])), None);
        assert!(check(&dense(&[even(300), uneven(512), even(512), uneven(300), even(512)])).is_some());
    }

    #[test]
    fn totals_beyond_32_bits_and_falling_costs_rise_too() {
        let large = |most| (1..=most).map(|width| width * 1000).collect();
        let falling = |most| (1..=most).rev().collect();
        assert!(check(&dense(&[large(400), large(512), even(3)])).is_some());
        assert_eq!(check(&dense(&[falling(512), falling(400)])), Some((1, 1)));
    }

    #[test]
    fn a_decision_of_more_than_65_536_values_keeps_its_places() {
        assert!(check(&dense(&[even(3), even(70_000), even(3)])).is_some());
    }

    #[test]
    fn rows_that_rise_evenly_are_found() {
        assert_eq!(
            progressions(&[5_u32, 3, 1, 7, 7, 7], 3),
            Some((vec![5, 7], vec![2_u32.wrapping_neg(), 0]))
        );
        assert_eq!(progressions(&[1_i64, 2, 3, 5], 4), None);
        assert_eq!(progressions(&[1_i64, 2], 1), Some((vec![1, 2], vec![0, 0])));
    }
}
