//! The decision diagram of a program, and one file for each pass over it.
//!
//! A *stage* is a decision where the program meets it; a *node* is a distinct live state there; an *arc* is a choice
//! and carries the costs of the layers that it lets us finish. Nodes are numbered stage by stage, so every arc leads
//! to a larger number; the network is complete at [`Diagram::terminal`].
//!
//! Compiling a space once, and answering many questions in time linear in what was compiled, is knowledge compilation:
//! see Darwiche and Marquis, *A knowledge compilation map* (JAIR 17, 2002), for what each form of it can answer, and
//! Bergman, Cire, van Hoeve and Hooker, *Decision Diagrams for Optimization* (2016), for diagrams that carry costs.

mod arcs;
mod blocks;
mod cache;
mod compile;
mod count;
mod diagrams;
mod evaluate;
mod gaps;
mod input;
mod instructions;
mod kept;
mod kernel;
mod layers;
mod levels;
mod optimize;
mod parallel;
mod rising;
mod sample;
mod table;
mod walk;

pub use crate::Interrupt;
pub(crate) use arcs::{DEAD, ROOT};
pub use arcs::{Diagram, Fixed, ListedArc};
pub use blocks::Index;
pub(crate) use blocks::{BLOCK, below, blocks, stream};
pub use compile::Limits;
pub use diagrams::{Compiled, Diagrams};
pub use evaluate::{Evaluator, INVALID, Output, Outputs, Range};
pub use gaps::first_gap;
pub use input::{Column, Item, Lookup, Strided};
pub use instructions::Instructions;
pub use kept::Extremes;
pub use layers::LayerTable;
pub(crate) use levels::{Levels, Walks};
pub(crate) use parallel::work_off;
pub use parallel::{Workers, default_threads};
pub use walk::Walk;
