//! Errors as the exceptions of `archbudget.errors`, and work without the GIL.

use super::convert::arguments_by_name;
use crate::{Error, ErrorKind, Interrupt, Refused, Result};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The exception for an error.
pub(super) fn raise(py: Python<'_>, error: Error) -> PyErr {
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
        let class = module.bind(py).getattr(name)?;
        let details = match &error.refused {
            Some(refused) if error.kind == ErrorKind::Layer => Some(details(py, refused)?),
            _ => None,
        };
        Ok(PyErr::from_value(class.call((error.message,), details.as_ref())?))
    };
    exception().unwrap_or_else(|failure| failure)
}

/// What was refused, as keywords of `InvalidArchitectureError`.
fn details<'py>(py: Python<'py>, refused: &Refused) -> PyResult<Bound<'py, PyDict>> {
    let shapes = refused.input_shapes.as_ref().map(|shapes| {
        let shapes = shapes.iter().map(|shape| PyTuple::new(py, shape));
        PyTuple::new(py, shapes.collect::<PyResult<Vec<_>>>()?)
    });
    let arguments = refused.arguments.as_ref().map(|named| arguments_by_name(py, named));
    let details = PyDict::new(py);
    details.set_item("layer", &refused.layer)?;
    details.set_item("kind", &refused.kind)?;
    details.set_item("input_shapes", shapes.transpose()?)?;
    details.set_item("rule", &refused.rule)?;
    details.set_item("arguments", arguments.transpose()?)?;
    Ok(details)
}

/// Works without the GIL, and stops where Python has a signal to handle (Ctrl-C).
pub(super) fn detached<T: Send>(py: Python<'_>, work: impl Send + FnOnce(Interrupt<'_>) -> Result<T>) -> PyResult<T> {
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
    // A signal may come when the work is as good as done: it is raised all the same, as nobody will hear of it again.
    if let Ok(Some(signal)) = signal.into_inner() {
        return Err(signal);
    }
    result.map_err(|error| raise(py, error))
}
