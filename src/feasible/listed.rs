//! The members of an exact table, listed cell by cell, so that they are drawn as a space is: level by level.

use super::number::Number;
use super::table::Table;
use crate::diagram::{Levels, ROOT};
use crate::{Error, Interrupt, Result};
use num_bigint::BigUint;
use num_traits::Zero;
use rustc_hash::FxHashMap;

/// The most arcs of cells that members are drawn by level by level: some hundredths of a second to list them.
const ARCS: usize = 1 << 19;

/// The members of a set, to be drawn level by level.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) levels: Levels,
    /// The node and the cell of each state.
    pub(super) cells: Vec<(u32, usize)>,
}

impl<N: Number> Table<N> {
    /// For each arc that leads on from a cell, how many completions use it or an earlier one.
    pub(super) fn sums(&self, node: u32, cell: usize) -> Vec<BigUint> {
        let graph = &self.cells.graph;
        let mut sum = BigUint::zero();
        let arcs = graph.arcs_of(node).filter_map(|arc| {
            let next = self.leads_on(node, cell, arc)?;
            sum += self.of(graph.arcs[arc].end, next).big();
            Some(sum.clone())
        });
        arcs.collect()
    }

    /// The members, by the cells that they come by, if these have few enough arcs. For each node, `first_node` tells the
    /// first of its stage, and `decision` what is decided there.
    pub(super) fn listed(
        &self,
        first_node: impl Fn(u32) -> u32,
        decision: impl Fn(u32) -> usize,
        memory: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Members>> {
        let graph = &self.cells.graph;
        let terminal = graph.terminal();
        // The cells of each node that members come by, as they are found.
        let mut found: Vec<Vec<usize>> = vec![Vec::new(); terminal as usize + 1];
        let mut places: Vec<FxHashMap<usize, u32>> = vec![FxHashMap::default(); terminal as usize + 1];
        found[ROOT as usize].push(0);
        // The value of each arc, the node that it leads to, and which of the cells there.
        let mut arcs: Vec<(u32, u32, u32)> = Vec::new();
        let mut ends = Vec::new();
        for node in 0..terminal {
            if interrupt.stops() {
                return Err(Error::interrupted());
            }
            let own = std::mem::take(&mut found[node as usize]);
            for &cell in &own {
                for arc in graph.arcs_of(node) {
                    let Some(next) = self.leads_on(node, cell, arc) else {
                        continue;
                    };
                    let end = graph.arcs[arc].end;
                    let cells = &mut found[end as usize];
                    let place = *places[end as usize].entry(next).or_insert_with(|| {
                        cells.push(next);
                        cells.len() as u32 - 1
                    });
                    arcs.push((graph.arcs[arc].label, end, place));
                }
                ends.push(arcs.len());
                if arcs.len() > ARCS.min(memory / 64) {
                    return Ok(None);
                }
            }
            found[node as usize] = own;
        }
        let mut first = vec![0; terminal as usize + 1];
        for node in 0..terminal as usize {
            first[node + 1] = first[node] + found[node].len() as u32;
        }
        let mut levels = Levels::default();
        let (mut stage, mut start, mut cells) = (None, 0, Vec::new());
        for node in 0..terminal {
            for &cell in &found[node as usize] {
                if stage != Some(first_node(node)) {
                    stage = Some(first_node(node));
                    levels.begin(decision(node), cells.len() as u32);
                }
                let end = ends[cells.len()];
                let next = arcs[start..end]
                    .iter()
                    .map(|&(value, end, place)| (value, first[end as usize] + place));
                levels.state(next, &self.sums(node, cell));
                start = end;
                cells.push((node, cell));
            }
        }
        levels.finish();
        Ok(Some(Members { levels, cells }))
    }
}
