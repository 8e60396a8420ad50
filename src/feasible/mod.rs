//! The candidates that fit a budget.
//!
//! `graph` is the part of the diagram that the budget leaves, with the costs that it bounds in simple terms. `axis`
//! says which sums of a constraint the completions of a node can tell apart; `table` counts the completions of each
//! such cell. That is again a diagram, of the feasible candidates alone, and every question is a pass over it:
//! `members` (rank, the candidate of a rank), `write` (all of them), `draw` (samples), `marginals`, `extreme`.
//!
//! Where an exact table would take too much memory or work, sums are rounded: down for a superset, which is counted
//! and sampled from, and up for a subset, which is counted too. `composite` keeps the number of roundings small.

mod answer;
mod any_table;
mod axis;
mod bound;
mod bracket;
mod composite;
mod distribution;
mod draw;
mod dual;
mod extreme;
mod graph;
mod grid;
mod listed;
mod marginals;
mod marked;
mod members;
mod net;
mod number;
mod prefix;
mod rounded;
mod search;
mod set;
mod table;
mod write;

pub use bound::{Bound, Count, MEMORY, Marginals};
pub use distribution::Distribution;
pub use extreme::End;
pub use prefix::Taken;
pub use set::Feasible;
