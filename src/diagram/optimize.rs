//! The cheapest and the dearest way to complete each node.

use super::{DEAD, Diagram, Fixed, Interrupt, ROOT};
use crate::space::Combine;
use crate::{Error, Result};
use std::sync::Arc;

/// For each node, and for the terminal, the range of one metric over all its completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extremes {
    /// The smallest cost to go; [`Extremes::NONE`] where there is no completion.
    pub smallest: Vec<i64>,
    /// The largest cost to go; negative where there is no completion.
    pub largest: Vec<i64>,
}

impl Extremes {
    /// The smallest cost to go of a node that cannot be completed.
    pub const NONE: i64 = i64::MAX;
}

/// Joins the costs of two parts of a network; saturating.
pub(crate) fn join(combine: Combine, a: i64, b: i64) -> i64 {
    match combine {
        Combine::Sum => a.saturating_add(b),
        Combine::Max => a.max(b),
    }
}

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
                largest: vec![-1; terminal + 1],
            })
            .collect();
        for extremes in &mut extremes {
            extremes.smallest[terminal] = 0;
            extremes.largest[terminal] = 0;
        }
        let mut reader = self.reader();
        let mut found = vec![(Extremes::NONE, -1); self.metrics()];
        for node in (0..self.terminal()).rev() {
            found.fill((Extremes::NONE, -1));
            for value in self.values(node, fixed) {
                if value % 1024 == 0 && interrupt() {
                    return Err(Error::interrupted());
                }
                let arc = reader.arc(node, value);
                if arc.next == DEAD || extremes[0].largest[arc.next as usize] < 0 {
                    continue;
                }
                for (metric, (smallest, largest)) in found.iter_mut().enumerate() {
                    let combine = self.program().combine(metric);
                    let to_go = &extremes[metric];
                    let cost = arc.cost[metric];
                    *smallest = join(combine, cost, to_go.smallest[arc.next as usize]).min(*smallest);
                    *largest = join(combine, cost, to_go.largest[arc.next as usize]).max(*largest);
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
            join(combine, base, extremes.smallest[root]),
            join(combine, base, extremes.largest[root]),
        ))
    }
}
