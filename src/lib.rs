//! Exact budget arithmetic for neural-architecture search spaces.
//!
//! The path of data is one straight walk, and no room names one that stands behind it:
//!
//! 1. [`layers`]: the rule of each layer;
//! 2. [`space`]: decisions, expressions and the network program;
//! 3. [`diagram`]: the program compiled to a decision diagram, and one file for each pass over it;
//! 4. [`feasible`]: the candidates that fit a budget, and one file for each question about them;
//! 5. `python`: the bindings, behind the feature `python`.
//!
//! Every fallible function returns [`Error`], whose kind says whose fault it is and whose message says what to do.

pub mod diagram;
mod error;
pub mod feasible;
pub mod layers;
pub mod space;

#[cfg(feature = "python")]
mod python;

pub use error::{Argument, Cause, Error, ErrorKind, Interrupt, Refused, Result, Task, Watch};
