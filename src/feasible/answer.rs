//! The table that answers, exact or rounded.

use super::any_table::AnyTable;
use super::bound::Count;
use super::composite::Composites;
use super::members::Ranks;
use crate::{Error, ErrorKind, Result};
use num_bigint::BigUint;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) table: AnyTable,
    pub(super) ranks: Ranks,
    /// Where the table is not that of the graph.
    pub(super) rounded: Option<Rounded>,
}

/// What a table of composite arcs and rounded sums needs beside it.
#[derive(Debug)]
pub(super) struct Rounded {
    /// The graph without rounding.
    pub(super) composites: Arc<Composites>,
    /// How many candidates fit for certain; nothing where no sum was rounded after all, so that the table is exact.
    pub(super) lower: Option<BigUint>,
}

impl Answer {
    pub(super) fn total(&self) -> BigUint {
        self.table.total()
    }

    pub(super) fn count(&self) -> Count {
        let upper = self.total();
        match &self.rounded {
            Some(Rounded { lower: Some(lower), .. }) => Count::Between {
                lower: lower.clone(),
                upper,
            },
            _ => Count::Exact(upper),
        }
    }

    /// Refuses what a rounded table cannot tell.
    pub(super) fn require_exact(&self, what: &str) -> Result<()> {
        if self.rounded.is_none() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Limit,
            format!("this set is counted within bounds only, and {what} needs the exact count; allow more memory"),
        ))
    }
}
