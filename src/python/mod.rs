//! The bindings: the only code that names pyo3 or numpy.
//!
//! Every method copies its small inputs, borrows its arrays, and works without the GIL. Errors become the exceptions of
//! `archbudget.errors` in one function, [`raise`].
#![allow(clippy::needless_pass_by_value)] // pyo3 hands small arguments over by value.

mod arrays;
mod convert;
mod diagram;
mod outside;
mod program;

use crate::layers::{Arity, Domain, KINDS, WRAPPERS, Wrapper};
use crate::space::BUILT_IN;
use crate::{Error, ErrorKind};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The exception for an error.
fn raise(py: Python<'_>, error: Error) -> PyErr {
    static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let name = match error.kind {
        ErrorKind::Argument => "SpaceError",
        ErrorKind::Layer => "InvalidArchitectureError",
        ErrorKind::Overflow => "CountOverflowError",
        ErrorKind::Limit => "LimitError",
        ErrorKind::Interrupted => return PyKeyboardInterrupt::new_err(()),
        ErrorKind::Callback => {
            let cause = error.cause.as_ref().and_then(|cause| cause.0.downcast_ref::<PyErr>());
            return cause.map_or_else(
                || PyRuntimeError::new_err(error.message.clone()),
                |raised| raised.clone_ref(py),
            );
        }
    };
    let exception = || -> PyResult<PyErr> {
        let module = ERRORS.get_or_try_init(py, || py.import("archbudget.errors").map(Bound::unbind))?;
        let class = module.bind(py).getattr(name)?.cast_into::<PyType>()?;
        Ok(PyErr::from_type(class, error.message))
    };
    exception().unwrap_or_else(|failure| failure)
}

/// Works without the GIL, and stops where Python has a signal to handle (Ctrl-C).
fn detached<T: Send>(
    py: Python<'_>,
    work: impl Send + FnOnce(crate::diagram::Interrupt<'_>) -> crate::Result<T>,
) -> PyResult<T> {
    /// Signals are looked for this often.
    const PAUSE: Duration = Duration::from_millis(50);
    let signal: Mutex<Option<PyErr>> = Mutex::new(None);
    let last = Mutex::new(Instant::now());
    let interrupt = || {
        let Ok(mut last) = last.lock() else { return true };
        if last.elapsed() < PAUSE {
            return false;
        }
        *last = Instant::now();
        #[allow(clippy::redundant_closure_for_method_calls)] // The method is not general enough in lifetimes.
        match Python::attach(|py| py.check_signals()) {
            Ok(()) => false,
            Err(error) => {
                if let Ok(mut signal) = signal.lock() {
                    *signal = Some(error);
                }
                true
            }
        }
    };
    let result = py.detach(|| work(&interrupt));
    result.map_err(|error| match signal.into_inner() {
        Ok(Some(signal)) => signal,
        _ => raise(py, error),
    })
}

/// A hyperparameter that touches shape or cost: its name, its domain, its arity and its default.
#[pyclass(frozen, get_all, module = "archbudget._core")]
struct Parameter {
    /// The name of the argument in Keras.
    name: &'static str,
    /// `"int"`, `"optional_int"`, `"flag"`, `"keyword"`, `"optional_keyword"` or `"optional_factor"`.
    domain: &'static str,
    /// The least integer it takes; `None` for what is no integer, and where every integer will do.
    least: Option<i64>,
    /// The words it takes; empty but for keywords.
    words: Vec<&'static str>,
    /// How many numbers it holds; `None` for any number.
    arity: Option<usize>,
    /// Whether it may be left out.
    optional: bool,
}

/// The parameters of each layer that the engine knows, by the name of the layer in Keras; of layers around others their
/// own.
#[pyfunction]
fn layer_parameters() -> Vec<(&'static str, Vec<Parameter>)> {
    let parameter = |parameter: &crate::layers::Parameter| {
        let (domain, least, words): (_, _, &[_]) = match parameter.domain {
            Domain::Int(least) => ("int", Some(least), &[]),
            Domain::OptionalInt(least) => ("optional_int", Some(least), &[]),
            Domain::Flag => ("flag", None, &[]),
            Domain::Keyword(words) => ("keyword", None, words),
            Domain::OptionalFactor => ("optional_factor", None, &[]),
            Domain::OptionalKeyword(words) => ("optional_keyword", None, words),
        };
        Parameter {
            name: parameter.name,
            domain,
            least: least.filter(|&least| least > i64::MIN + 1),
            words: words.to_vec(),
            arity: match parameter.arity {
                Arity::One => Some(1),
                Arity::Each(n) => Some(n),
                Arity::Any => None,
            },
            optional: parameter.default.is_some(),
        }
    };
    let kinds = KINDS.iter().map(|kind| (&*kind.name, &*kind.parameters));
    let wrappers = WRAPPERS.iter().map(|wrapper| (wrapper.name, wrapper.parameters));
    kinds
        .chain(wrappers)
        .map(|(name, parameters)| (name, parameters.iter().map(parameter).collect()))
        .collect()
}

/// What a layer without weights does, in a few words; empty for a layer with weights.
#[pyfunction]
fn layer_purpose(py: Python<'_>, kind: &str) -> PyResult<&'static str> {
    if let Some(wrapper) = Wrapper::named(kind) {
        return Ok(wrapper.purpose);
    }
    crate::layers::Kind::named(kind)
        .map(|kind| kind.purpose)
        .map_err(|error| raise(py, error))
}

/// The metrics of every space: for each its name, and how its values join (`"sum"` or `"max"`).
#[pyfunction]
fn metrics() -> Vec<(String, &'static str)> {
    let combine = |metric: &crate::space::Metric| match metric.combine {
        crate::space::Combine::Sum => "sum",
        crate::space::Combine::Max => "max",
    };
    let metrics = BUILT_IN.iter();
    metrics
        .map(|metric| (metric.name.to_string(), combine(metric)))
        .collect()
}

/// The engine of archbudget; use the package, not this module.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::diagram::{Diagram, Feasible, LayerTrace, Trace, Walk};
    #[pymodule_export]
    use super::program::{Program, check_layer};
    #[pymodule_export]
    use super::{Parameter, layer_parameters, layer_purpose, metrics};
    #[pymodule_export]
    const MEMORY: usize = crate::diagram::MEMORY;
    #[pymodule_export]
    const MAX_RANK: usize = crate::layers::MAX_RANK;
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
