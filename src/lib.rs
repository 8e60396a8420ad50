//! Exact budget arithmetic for neural-architecture search spaces.
//!
//! The path of data is one straight walk: [`layers`] (the rule of each layer) -> [`space`] (decisions, expressions and
//! the network program) -> [`diagram`] (the program compiled to a decision diagram, and one file for each pass over
//! it) -> `python` (the bindings, behind the feature `python`).
//!
//! Every fallible function returns [`Error`], whose kind says whose fault it is and whose message says what to do.

pub mod diagram;
mod error;
pub mod layers;
pub mod space;

#[cfg(feature = "python")]
mod python;

pub use error::{Cause, Error, ErrorKind, Interrupt, Result};
