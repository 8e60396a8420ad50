//! The cheapest and the dearest way to complete each node.

use super::arcs::{DEAD, Diagram, Fixed, ROOT};
use super::kept::Extremes;
use crate::space::BuiltIn;
use crate::{Error, Interrupt, Result};
use std::sync::Arc;

/// The metric that is asked whether a node can be completed, of which each says the same.
pub(super) const ANY: usize = BuiltIn::Params.index();

impl Diagram {
    /// The range of a metric over the completions of each node. O(arcs) the first time, for all metrics at once.
    ///
    /// # Errors
    /// `Limit` where the diagram is open; `Interrupted`.
    pub fn extremes(&self, metric: usize, interrupt: Interrupt<'_>) -> Result<&Arc<Extremes>> {
        if let Some(known) = self.extremes.get() {
            return Ok(&known[metric]);
        }
        let extremes = self.extremes_where(&[], interrupt)?;
        Ok(&self.extremes.get_or_init(|| extremes)[metric])
    }

    /// The same for the candidates in which some decisions have a fixed value, for each metric. O(arcs).
    pub(crate) fn extremes_where(&self, fixed: &Fixed, interrupt: Interrupt<'_>) -> Result<Vec<Arc<Extremes>>> {
        self.require_closed()?;
        let terminal = self.terminal() as usize;
        let mut extremes: Vec<_> = (0..self.metrics())
            .map(|_| Extremes {
                smallest: vec![Extremes::NONE; terminal + 1],
                largest: vec![Extremes::NOWHERE; terminal + 1],
            })
            .collect();
        for extremes in &mut extremes {
            extremes.smallest[terminal] = 0;
            extremes.largest[terminal] = 0;
        }
        let mut reader = self.reader();
        let mut found = vec![(Extremes::NONE, Extremes::NOWHERE); self.metrics()];
        for node in (0..self.terminal()).rev() {
            found.fill((Extremes::NONE, Extremes::NOWHERE));
            for value in self.values(node, fixed) {
                if value % 1024 == 0 && interrupt.stops() {
                    return Err(Error::interrupted());
                }
                let arc = reader.arc(node, value);
                if arc.next == DEAD || extremes[ANY].largest[arc.next as usize] < 0 {
                    continue;
                }
                for (metric, (smallest, largest)) in found.iter_mut().enumerate() {
                    let combine = self.program().combine(metric);
                    let to_go = &extremes[metric];
                    let cost = arc.cost[metric];
                    *smallest = combine.join(cost, to_go.smallest[arc.next as usize]).min(*smallest);
                    *largest = combine.join(cost, to_go.largest[arc.next as usize]).max(*largest);
                }
            }
            for (extremes, &(smallest, largest)) in extremes.iter_mut().zip(&found) {
                extremes.smallest[node as usize] = smallest;
                extremes.largest[node as usize] = largest;
            }
        }
        Ok(extremes.into_iter().map(Arc::new).collect())
    }

    /// The smallest and the largest value of a metric over the whole space.
    ///
    /// # Errors
    /// `Limit` where the diagram is open; `Interrupted`.
    pub fn range(&self, metric: usize, interrupt: Interrupt<'_>) -> Result<(i64, i64)> {
        let combine = self.program().combine(metric);
        let extremes = self.extremes(metric, interrupt)?;
        let (base, root) = (self.base()[metric], ROOT as usize);
        Ok((
            combine.join(base, extremes.smallest[root]),
            combine.join(base, extremes.largest[root]),
        ))
    }
}
