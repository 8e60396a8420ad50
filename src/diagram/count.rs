//! How many networks there are: paths from each node to the terminal.

use super::arcs::{DEAD, Diagram, Fixed, ROOT};
use crate::{Error, Interrupt, Result};
use num_bigint::BigUint;

impl Diagram {
    /// The number of distinct networks that can be built.
    ///
    /// # Errors
    /// `Limit` where the diagram is open; `Interrupted`.
    pub fn size(&self, interrupt: Interrupt<'_>) -> Result<BigUint> {
        self.paths(interrupt).map(|paths| paths[ROOT as usize].clone())
    }

    /// For each node, and for the terminal, the number of ways to complete it. O(arcs) the first time.
    pub(crate) fn paths(&self, interrupt: Interrupt<'_>) -> Result<&[BigUint]> {
        if let Some(paths) = self.paths.get() {
            return Ok(paths);
        }
        let paths = self.paths_where(&[], interrupt)?;
        Ok(self.paths.get_or_init(|| paths))
    }

    /// The same for the candidates in which some decisions have a fixed value. O(arcs).
    pub(crate) fn paths_where(&self, fixed: &Fixed, interrupt: Interrupt<'_>) -> Result<Vec<BigUint>> {
        self.require_closed()?;
        if let Some(small) = self.count_paths::<u128>(1, |a, b| a.checked_add(*b), fixed, interrupt)? {
            return Ok(small.into_iter().map(BigUint::from).collect());
        }
        let large = self.count_paths(BigUint::from(1_u8), |a, b| Some(a + b), fixed, interrupt)?;
        Ok(large.unwrap_or_default())
    }

    /// Counts with numbers of any type; nothing where a sum does not fit.
    fn count_paths<C: Clone + Default>(
        &self,
        one: C,
        add: impl Fn(&C, &C) -> Option<C>,
        fixed: &Fixed,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Vec<C>>> {
        let mut paths = vec![C::default(); self.terminal() as usize + 1];
        paths[self.terminal() as usize] = one;
        let mut reader = self.reader();
        for node in (0..self.terminal()).rev() {
            if node % 1024 == 0 && interrupt.stops() {
                return Err(Error::interrupted());
            }
            let mut sum = C::default();
            for value in self.values(node, fixed) {
                let next = reader.arc(node, value).next;
                if next != DEAD {
                    match add(&sum, &paths[next as usize]) {
                        Some(larger) => sum = larger,
                        None => return Ok(None),
                    }
                }
            }
            paths[node as usize] = sum;
        }
        Ok(Some(paths))
    }
}
