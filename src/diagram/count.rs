//! How many networks there are: paths from each node to the terminal.

use super::{DEAD, Diagram, Interrupt};
use crate::{Error, Result};
use num_bigint::BigUint;

impl Diagram {
    /// The number of distinct networks that can be built.
    ///
    /// # Errors
    /// `Limit` where the diagram is open; `Interrupted`.
    pub fn size(&self, interrupt: Interrupt<'_>) -> Result<BigUint> {
        self.paths(interrupt).map(|paths| paths[self.root() as usize].clone())
    }

    /// For each node, and for the terminal, the number of ways to complete it. O(arcs) the first time.
    pub(crate) fn paths(&self, interrupt: Interrupt<'_>) -> Result<&[BigUint]> {
        if let Some(paths) = self.paths.get() {
            return Ok(paths);
        }
        self.require_closed()?;
        let paths = match self.count_paths::<u128>(1, |a, b| a.checked_add(*b), interrupt)? {
            Some(small) => small.into_iter().map(BigUint::from).collect(),
            None => self
                .count_paths(BigUint::from(1_u8), |a, b| Some(a + b), interrupt)?
                .unwrap_or_default(),
        };
        Ok(self.paths.get_or_init(|| paths))
    }

    /// Counts with numbers of any type; nothing where a sum does not fit.
    fn count_paths<C: Clone + Default>(
        &self,
        one: C,
        add: impl Fn(&C, &C) -> Option<C>,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Vec<C>>> {
        let mut paths = vec![C::default(); self.terminal() as usize + 1];
        paths[self.terminal() as usize] = one;
        let mut reader = self.reader();
        for node in (0..self.terminal()).rev() {
            if node % 1024 == 0 && interrupt() {
                return Err(Error::interrupted());
            }
            let mut sum = C::default();
            for value in 0..self.stage(node).size {
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
