//! Errors as the exceptions of `archbudget.errors`, and work without the GIL.

use super::convert::arguments_by_name;
use crate::{Error, ErrorKind, Interrupt, Refused, Result, Task, Watch};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
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

thread_local! {
    /// Whom work that this thread begins tells how far it is.
    static TOLD: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Sets which function work that this thread begins tells how far it is: `told(task, done, total, ended)`. Returns the
/// function that was told before.
///
/// `total` is `None` where it is not known. `ended` is `None` while the work goes on, which is told several times a
/// second, from any thread but never twice at once; and at the end whether the work is done. What the function raises
/// ends the work. Work that it begins itself tells nobody.
#[pyfunction]
pub(super) fn tell(told: Option<Py<PyAny>>) -> Option<Py<PyAny>> {
    TOLD.with_borrow_mut(|known| std::mem::replace(known, told))
}

/// Who waits for work without the GIL, in Python.
struct Waiting {
    last: Mutex<Instant>,
    /// What a signal (Ctrl-C) raised, or whoever is told.
    raised: Mutex<Option<PyErr>>,
    told: Option<Py<PyAny>>,
    /// The task and its total, if one has begun.
    task: Mutex<Option<(Task, Option<u64>)>>,
    done: AtomicU64,
}

impl Waiting {
    fn new(py: Python<'_>) -> Self {
        Self {
            last: Mutex::new(Instant::now()),
            raised: Mutex::new(None),
            told: TOLD.with_borrow(|told| told.as_ref().map(|told| told.clone_ref(py))),
            task: Mutex::new(None),
            done: AtomicU64::new(0),
        }
    }

    /// Tells how far the work is, if a task has begun.
    fn tell(&self, py: Python<'_>, ended: Option<bool>) -> PyResult<()> {
        let Some(told) = &self.told else { return Ok(()) };
        let reading = self.task.lock().ok().and_then(|task| {
            let (task, total) = (*task)?;
            Some((task, self.done.load(Ordering::Relaxed), total))
        });
        let Some((task, done, total)) = reading else {
            return Ok(());
        };
        let own = tell(None);
        let answer = told.bind(py).call1((name(task), done, total, ended));
        tell(own);
        answer.map(drop)
    }
}

fn name(task: Task) -> &'static str {
    match task {
        Task::Compile => "compile",
        Task::Sums => "sums",
        Task::Count => "count",
        Task::Round => "round",
        Task::Marginals => "marginals",
        Task::Distribution => "distribution",
        Task::Grid => "grid",
        Task::Evaluate => "evaluate",
        Task::Sample => "sample",
        Task::Members => "members",
    }
}

impl Watch for Waiting {
    fn stops(&self) -> bool {
        /// Signals are looked for this often.
        const PAUSE: Duration = Duration::from_millis(50);
        let Ok(mut last) = self.last.lock() else { return true };
        if last.elapsed() < PAUSE {
            return false;
        }
        *last = Instant::now();
        match Python::attach(|py| py.check_signals().and_then(|()| self.tell(py, None))) {
            Ok(()) => false,
            Err(error) => {
                if let Ok(mut raised) = self.raised.lock() {
                    *raised = Some(error);
                }
                true
            }
        }
    }

    fn begin(&self, task: Task, total: Option<u64>) {
        if let Ok(mut known) = self.task.lock() {
            *known = Some((task, total));
            self.done.store(0, Ordering::Relaxed);
        }
    }

    fn advance(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }
}

/// Works without the GIL, and stops where Python has a signal to handle (Ctrl-C); tells how far it is, see [`tell`].
pub(super) fn detached<T: Send>(py: Python<'_>, work: impl Send + FnOnce(Interrupt<'_>) -> Result<T>) -> PyResult<T> {
    let waiting = Waiting::new(py);
    let result = py.detach(|| work(&waiting));
    let told = waiting.tell(py, Some(result.is_ok()));
    // A signal may come when the work is as good as done: it is raised all the same, as nobody will hear of it again.
    if let Some(raised) = waiting.raised.lock().ok().and_then(|mut raised| raised.take()) {
        return Err(raised);
    }
    let result = result.map_err(|error| raise(py, error))?;
    told.map(|()| result)
}
