//! The bindings: the only code that names pyo3 or numpy.
//!
//! Every method copies its small inputs, borrows its arrays, and works without the GIL. Errors become the exceptions of
//! `archbudget.errors` in one function, [`raise`].
#![allow(clippy::needless_pass_by_value)] // pyo3 hands small arguments over by value.

mod arrays;
mod convert;
mod diagram;
mod feasible;
mod outside;
mod program;
mod raise;
mod registry;
mod trace;

use pyo3::prelude::*;

/// The engine of archbudget; use the package, not this module.
#[pymodule(gil_used = true)]
mod _core {
    #[pymodule_export]
    use super::diagram::{Diagram, Walk};
    #[pymodule_export]
    use super::feasible::Feasible;
    #[pymodule_export]
    use super::program::{Arguments, Program};
    #[pymodule_export]
    use super::raise::tell;
    #[pymodule_export]
    use super::registry::{Parameter, layer_parameters, layer_purpose, metrics};
    #[pymodule_export]
    use super::trace::{LayerTrace, Trace};
    #[pymodule_export]
    const MEMORY: usize = crate::feasible::MEMORY;
    #[pymodule_export]
    const MAX_RANK: usize = crate::layers::MAX_RANK;
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
