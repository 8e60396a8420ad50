//! How many feasible candidates take each arc.

use super::number::Number;
use super::table::Table;
use crate::diagram::{Interrupt, ROOT};
use crate::{Error, Result};

impl<N: Number> Table<N> {
    /// For each arc of the graph, how many prefixes lead to it, times how many completions fit; for one of its ways. `W`
    /// holds the number of all candidates.
    pub(super) fn through<W: Number>(&self, widen: impl Fn(&N) -> W, interrupt: Interrupt<'_>) -> Result<Vec<W>> {
        let graph = &self.cells.graph;
        let terminal = graph.terminal();
        let mut through = vec![W::default(); graph.arcs.len()];
        let mut prefixes: Vec<Vec<W>> = vec![Vec::new(); terminal as usize + 1];
        if graph.empty || terminal == ROOT {
            return Ok(through);
        }
        prefixes[ROOT as usize] = vec![W::of(1)];
        for node in 0..terminal {
            if interrupt() {
                return Err(Error::interrupted());
            }
            let own = std::mem::take(&mut prefixes[node as usize]);
            if own.is_empty() {
                continue;
            }
            for arc in graph.arcs_of(node) {
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
