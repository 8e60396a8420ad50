//! A table whose numbers are as wide as the numbers of completions need.

use super::graph::Graph;
use super::members::Ranks;
use super::table::{Cells, Table};
use crate::diagram::{ROOT, Workers, default_threads};
use crate::{Interrupt, Result};
use num_bigint::BigUint;

#[derive(Debug)]
pub(super) enum AnyTable {
    Narrow(Table<u64>),
    Wide(Table<u128>),
    Big(Table<BigUint>),
}

/// Does the same with a table of any numbers.
macro_rules! with {
    ($any:expr, $table:ident => $work:expr) => {
        match &$any {
            AnyTable::Narrow($table) => $work,
            AnyTable::Wide($table) => $work,
            AnyTable::Big($table) => $work,
        }
    };
}
pub(super) use with;

/// How wide the numbers of completions are, those of the root left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Width {
    Narrow,
    Wide,
    /// Beyond 128 bits; at most this many bits.
    Big(u64),
}

impl Width {
    pub(super) fn of(graph: &Graph) -> Self {
        Self::from_node(graph, 1)
    }

    /// The root included.
    pub(super) fn of_all(graph: &Graph) -> Self {
        Self::from_node(graph, ROOT)
    }

    fn from_node(graph: &Graph, first: u32) -> Self {
        let mut paths: Vec<Option<u128>> = vec![Some(0); graph.terminal() as usize + 1];
        paths[graph.terminal() as usize] = Some(1);
        // Beyond 128 bits about how many there are is enough: logarithms to base 2.
        let mut bits = vec![0.0_f64; paths.len()];
        let (mut most, mut most_bits) = (Some(0), 0.0_f64);
        for node in (first..graph.terminal()).rev() {
            let arcs = graph.arcs_of(node);
            let sum = arcs.clone().try_fold(0_u128, |sum, arc| {
                let ways = paths[graph.arcs[arc].end as usize]?.checked_mul(u128::from(graph.ways(arc)))?;
                sum.checked_add(ways)
            });
            paths[node as usize] = sum;
            bits[node as usize] = match sum {
                Some(sum) => (sum as f64).log2(),
                None => {
                    log_of_sum(arcs.map(|arc| bits[graph.arcs[arc].end as usize] + (graph.ways(arc) as f64).log2()))
                }
            };
            most_bits = most_bits.max(bits[node as usize]);
            most = most.and_then(|most| Some(sum?.max(most)));
        }
        match most {
            Some(most) if u64::try_from(most).is_ok() => Self::Narrow,
            Some(_) => Self::Wide,
            None => Self::Big(most_bits.ceil() as u64 + 1),
        }
    }

    /// The bytes of a number, where it is kept.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Narrow => 8,
            Self::Wide => 16,
            // The vector, what the allocator adds, and half of the digits again, as a vector grows.
            Self::Big(bits) => size_of::<BigUint>() + 16 + bits.div_ceil(64) as usize * 12,
        }
    }

    pub(super) fn table(self, cells: Cells, interrupt: Interrupt<'_>) -> Result<AnyTable> {
        let workers = Workers {
            threads: default_threads(),
            interrupt,
        };
        Ok(match self {
            Self::Narrow => AnyTable::Narrow(Table::new(cells, workers)?),
            Self::Wide => AnyTable::Wide(Table::new(cells, workers)?),
            Self::Big(_) => AnyTable::Big(Table::new(cells, workers)?),
        })
    }
}

impl AnyTable {
    pub(super) fn total(&self) -> BigUint {
        with!(*self, table => table.total())
    }

    pub(super) fn ranks(&self) -> Ranks {
        with!(*self, table => Ranks::of(table))
    }
}

/// The logarithm of a sum, from those of what is added up, to base 2.
fn log_of_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + logs.map(|log| (log - most).exp2()).sum::<f64>().log2()
}
