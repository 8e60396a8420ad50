//! How many feasible candidates take each arc.

use super::answer::{Answer, Rounded};
use super::any_table::AnyTable;
use super::bound::{Count, Marginals};
use super::number::Number;
use super::set::Feasible;
use super::table::Table;
use crate::diagram::ROOT;
use crate::{Error, Interrupt, Result, Task};
use num_bigint::BigUint;
use num_traits::ToPrimitive;

impl Feasible {
    /// How many candidates take each value of each decision.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub fn marginals(&self, interrupt: Interrupt<'_>) -> Result<&Marginals> {
        if let Some(known) = self.marginals.get() {
            return Ok(known);
        }
        let answer = self.answer(interrupt)?;
        let total = answer.total();
        let narrow = total.to_u64().is_some();
        let counts = match &answer.table {
            AnyTable::Narrow(table) if narrow => self.by_value(answer, &table.through(|&n| n, interrupt)?),
            AnyTable::Narrow(table) => self.by_value(answer, &table.through(|&n| u128::from(n), interrupt)?),
            AnyTable::Wide(table) if total.to_u128().is_some() => {
                self.by_value(answer, &table.through(|&n| n, interrupt)?)
            }
            AnyTable::Wide(table) => self.by_value(answer, &table.through(Number::big, interrupt)?),
            AnyTable::Big(table) => self.by_value(answer, &table.through(Clone::clone, interrupt)?),
        };
        let exact = matches!(answer.count(), Count::Exact(_));
        Ok(self.marginals.get_or_init(|| Marginals { counts, total, exact }))
    }

    /// Adds up what goes through arcs by the values that they stand for.
    fn by_value<W: Number>(&self, answer: &Answer, through: &[W]) -> Vec<Vec<BigUint>> {
        let decisions = self.diagram.program().decisions();
        let mut counts: Vec<Vec<W>> = decisions.iter().map(|known| vec![W::default(); known.size]).collect();
        let spread;
        let (graph, through) = match &answer.rounded {
            None => (self.graph.get().map(|graph| &**graph), through),
            Some(Rounded { composites, .. }) => {
                spread = composites.spread(through);
                (Some(&composites.fine), &spread[..])
            }
        };
        if let Some(graph) = graph {
            for node in 0..graph.terminal() {
                let own = &mut counts[self.diagram.stage(node).decision];
                for arc in graph.arcs_of(node) {
                    own[graph.arcs[arc].label as usize].add(&through[arc]);
                }
            }
        }
        counts.iter().map(|own| own.iter().map(Number::big).collect()).collect()
    }
}

impl<N: Number> Table<N> {
    /// For each arc of the graph, how many candidates use it; for one of its ways. `W` holds the number of all
    /// candidates.
    pub(super) fn through<W: Number>(&self, widen: impl Fn(&N) -> W, interrupt: Interrupt<'_>) -> Result<Vec<W>> {
        let graph = &self.cells.graph;
        let terminal = graph.terminal();
        let mut through = vec![W::default(); graph.arcs.len()];
        interrupt.begin(Task::Marginals, Some(graph.arcs.len() as u64));
        if graph.empty || terminal == ROOT {
            return Ok(through);
        }
        // How many prefixes come to each cell of a node; and to each of its completions, where these are gone through.
        let mut prefixes: Vec<Vec<W>> = vec![Vec::new(); terminal as usize + 1];
        let mut before: Vec<Vec<W>> = vec![Vec::new(); terminal as usize + 1];
        prefixes[ROOT as usize] = vec![W::of(1)];
        for node in 0..terminal {
            let mut own = std::mem::take(&mut prefixes[node as usize]);
            let weights = std::mem::take(&mut before[node as usize]);
            if self.cells.is_scattered(node) {
                let mut completion = 0;
                if !own.is_empty() {
                    self.cells.sum_before(node, &mut own);
                }
                for arc in graph.arcs_of(node) {
                    if interrupt.stops() {
                        return Err(Error::interrupted());
                    }
                    interrupt.advance(1);
                    let next = &mut before[graph.arcs[arc].end as usize];
                    let each = W::of(graph.ways(arc));
                    self.cells.each_completion(node, arc, |item, ways, ranges| {
                        let mut prefixes = weights.get(completion).cloned().unwrap_or_default();
                        completion += 1;
                        if !own.is_empty() {
                            let mut beyond = W::default();
                            self.cells.each_corner(node, ranges, |last, subtract| {
                                let sum = if subtract { &mut beyond } else { &mut prefixes };
                                sum.wrapping_add(&own[last]);
                            });
                            prefixes.wrapping_subtract(&beyond);
                        }
                        if !prefixes.is_nothing() {
                            through[arc].add_product(&prefixes, &W::of(ways));
                            if next.len() <= item {
                                next.resize(item + 1, W::default());
                            }
                            next[item].add_product(&prefixes, &each);
                        }
                    });
                }
                continue;
            }
            if own.is_empty() {
                interrupt.advance(graph.arcs_of(node).len() as u64);
                continue;
            }
            for arc in graph.arcs_of(node) {
                if interrupt.stops() {
                    return Err(Error::interrupted());
                }
                interrupt.advance(1);
                let end = graph.arcs[arc].end;
                let next = &mut prefixes[end as usize];
                if next.is_empty() {
                    next.resize(self.cells.count(end), W::default());
                }
                let completions = &self.completions[end as usize];
                let ways = W::of(graph.ways(arc));
                let is_one = graph.ways(arc) == 1;
                let mut sum = W::default();
                self.cells.each(node, arc, |from, to| {
                    let (before, after) = (&own[from], &completions[to]);
                    if before.is_nothing() || after.is_nothing() {
                        return;
                    }
                    sum.add_product(before, &widen(after));
                    if is_one {
                        next[to].add(before);
                    } else {
                        next[to].add_product(before, &ways);
                    }
                });
                through[arc] = sum;
            }
        }
        Ok(through)
    }
}
