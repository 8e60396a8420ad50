//! The members of a feasible set, by their rank.
//!
//! Members are in the order of their choices, taken one after the other as the diagram asks for them. The member of a
//! rank is found by going down from the root: each arc has as many members as completions fit.

use super::number::Number;
use super::table::Table;
use crate::diagram::ROOT;
use num_bigint::BigUint;
use num_traits::ToPrimitive;

/// The rank of a member.
#[derive(Debug, Clone)]
pub(super) enum Rank {
    Small(u128),
    Big(BigUint),
}

/// Where a member is: the arc of the root, by its place, which of its ways, and the rank among the completions.
pub(super) type Start<N> = (usize, u64, N);

/// A node, its arc, and which of the ways of the arc.
pub(super) type Choice = (u32, usize, u64);

/// A member on its way to the terminal: where it is, and its rank among the completions.
#[derive(Debug)]
pub(super) struct Walker<N> {
    pub(super) node: u32,
    pub(super) cell: usize,
    pub(super) rest: N,
}

/// The arcs of the root by rank.
#[derive(Debug)]
pub(super) struct Ranks {
    /// How many members use an arc or an earlier one; empty where that leaves 128 bits.
    sums: Vec<u128>,
}

impl Ranks {
    pub(super) fn of<N: Number>(table: &Table<N>) -> Self {
        let sums: Option<Vec<_>> = table.sums.iter().map(ToPrimitive::to_u128).collect();
        Self {
            sums: sums.unwrap_or_default(),
        }
    }

    /// A rank as it is looked up fastest.
    pub(super) fn rank(&self, rank: &BigUint) -> Rank {
        match rank.to_u128() {
            Some(small) if !self.sums.is_empty() => Rank::Small(small),
            _ => Rank::Big(rank.clone()),
        }
    }

    /// The number of all members, if it fits into 128 bits.
    pub(super) fn total(&self) -> Option<u128> {
        self.sums.last().copied()
    }
}

impl<N: Number> Table<N> {
    /// Where the member of a rank is.
    pub(super) fn place(&self, ranks: &Ranks, rank: &Rank) -> Start<N> {
        let first = self.cells.graph.arcs_of(ROOT).start;
        match rank {
            Rank::Small(rank) => {
                let place = ranks.sums.partition_point(|sum| sum <= rank);
                let rest = rank - if place == 0 { 0 } else { ranks.sums[place - 1] };
                let ways = u128::from(self.cells.graph.ways(first + place));
                (place, (rest % ways) as u64, N::from_small(rest / ways))
            }
            Rank::Big(rank) => {
                let place = self.sums.partition_point(|sum| sum <= rank);
                let rest = if place == 0 {
                    rank.clone()
                } else {
                    rank - &self.sums[place - 1]
                };
                let (rest, way) = rest.divide(self.cells.graph.ways(first + place));
                (place, way, N::from_big(&rest))
            }
        }
    }

    /// Where a member begins, and the arc of the root that it takes; nothing where the root is the terminal.
    #[inline]
    pub(super) fn begin(&self, (place, way, rest): Start<N>) -> Option<(Walker<N>, Choice)> {
        let graph = &self.cells.graph;
        let arc = graph.arcs_of(ROOT).start + place;
        let cell = self.cells.follow(ROOT, 0, arc)?;
        let node = graph.arcs[arc].end;
        Some((Walker { node, cell, rest }, (ROOT, arc, way)))
    }

    /// Goes on by one arc; nothing at the terminal.
    #[inline]
    pub(super) fn step(&self, walker: &mut Walker<N>) -> Option<Choice> {
        let graph = &self.cells.graph;
        let Walker { node, cell, rest } = walker;
        if *node == graph.terminal() {
            return None;
        }
        for arc in graph.arcs_of(*node) {
            let Some(next) = self.cells.follow(*node, *cell, arc) else {
                continue;
            };
            let end = graph.arcs[arc].end;
            let each = self.of(end, next);
            let ways = graph.ways(arc);
            let mut way = 0;
            if ways == 1 {
                if *rest >= *each {
                    rest.subtract(each);
                    continue;
                }
            } else {
                let mut all = N::default();
                all.add_product(each, &N::of(ways));
                if *rest >= all {
                    rest.subtract(&all);
                    continue;
                }
                // The ways take turns: the rank within one of them is the quotient.
                (*rest, way) = rest.divide(ways);
            }
            let from = std::mem::replace(node, end);
            *cell = next;
            return Some((from, arc, way));
        }
        debug_assert!(false, "a rank below the number of completions has a member");
        None
    }

    /// Calls back with each step of a member.
    pub(super) fn member(&self, place: Start<N>, mut found: impl FnMut(Choice)) {
        let Some((mut walker, first)) = self.begin(place) else {
            return;
        };
        found(first);
        while let Some(step) = self.step(&mut walker) {
            found(step);
        }
    }

    /// How many members come before the arc that each node takes; nothing where no completion fits. The arcs are those
    /// of one candidate, from the root on.
    pub(super) fn rank(&self, arcs: &[(u32, usize)]) -> Option<BigUint> {
        let graph = &self.cells.graph;
        let mut rank = BigUint::default();
        let mut cell = 0;
        for &(node, taken) in arcs {
            for arc in graph.arcs_of(node).take_while(|&arc| arc < taken) {
                if let Some(next) = self.cells.follow(node, cell, arc) {
                    rank += self.of(graph.arcs[arc].end, next).big();
                }
            }
            cell = self.leads_on(node, cell, taken)?;
        }
        Some(rank)
    }
}
