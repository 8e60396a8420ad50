//! The one error type of the crate.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Whose fault an [`Error`] is; the bindings map each kind to one Python exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// An argument is not of the form that the function takes.
    Argument,
    /// A network cannot be built: a layer refuses its input.
    Layer,
    /// A number would leave the range that is counted exactly (below 2^63).
    Overflow,
    /// An exact answer would need more work or memory than the stated limit.
    Limit,
    /// The caller asked for the work to stop.
    Interrupted,
    /// A function of the caller failed.
    Callback,
}

/// What went wrong, in one line that says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// One line: what, where, which rule, what was given.
    pub message: String,
    /// What a custom function failed with.
    pub cause: Option<Cause>,
    /// What was refused, where a network cannot be built.
    pub refused: Option<Box<Refused>>,
}

/// What was refused of a network: a layer, or a condition of its space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The layer, by its name; nothing where it is a condition.
    pub layer: Option<String>,
    /// What the layer is: its name in `keras.layers`.
    pub kind: Option<String>,
    /// The shapes of its inputs without their batch axes, where they are all known.
    pub input_shapes: Option<Vec<Vec<i64>>>,
    /// The rule that was broken, or the condition that is not met.
    pub rule: String,
    /// The hyperparameters of the layer by name, where they are known.
    pub arguments: Option<Vec<(String, Argument)>>,
}

/// A hyperparameter as its user writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// It is not set: `None`.
    Unset,
    /// False or true.
    Flag(bool),
    /// An integer.
    Int(i64),
    /// A number above 0.
    Factor(f64),
    /// A word.
    Word(&'static str),
    /// Several of them.
    Tuple(Vec<Self>),
    /// A layer inside of another one: its name in `keras.layers`, and its own hyperparameters.
    Layer(String, Vec<(String, Self)>),
}

// A factor is a number, so that it equals itself.
impl Eq for Argument {}

/// What a custom function failed with: an exception of the caller's own language.
#[derive(Clone)]
pub struct Cause(pub Arc<dyn Any + Send + Sync>);

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cause")
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cause {}

/// What long work does at the moment, and the unit that it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Compiling a diagram: steps, tensors and decisions that are looked at. How many there will be is not known.
    Compile,
    /// Listing the sums that can be told apart: nodes. How often a node is looked at is not known.
    Sums,
    /// Counting completions: steps from partial sum to partial sum.
    Count,
    /// Counting with rounded sums: steps. How many it takes to come close is not known.
    Round,
    /// Counting how many candidates take each arc: arcs.
    Marginals,
    /// Counting the values of a metric: arcs.
    Distribution,
    /// Counting a grid of budgets: arcs.
    Grid,
    /// Evaluating candidates.
    Evaluate,
    /// Drawing candidates.
    Sample,
    /// Writing candidates in the order of their ranks.
    Members,
}

/// Whoever waits for long work: is asked now and then whether to stop, and told how far the work is.
///
/// It is told of tasks, one after the other. A task may end before its total is reached, where another way is taken.
pub trait Watch: Sync {
    /// Whether to stop.
    fn stops(&self) -> bool;

    /// A task begins, of this many units, where that is known.
    fn begin(&self, _task: Task, _total: Option<u64>) {}

    /// So many units more are done; from any thread.
    fn advance(&self, _units: u64) {}
}

impl<F: Fn() -> bool + Sync> Watch for F {
    fn stops(&self) -> bool {
        self()
    }
}

/// Asked now and then during long work whether to stop, and told how far it is.
pub type Interrupt<'a> = &'a dyn Watch;

/// The result of every fallible function of the crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cause: None,
            refused: None,
        }
    }

    /// An argument that is not of the form that the function takes.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Argument, message)
    }

    /// The work was stopped by its caller.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
