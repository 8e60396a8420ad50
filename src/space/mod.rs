//! The network program: a space of networks as straight-line code over open decisions.
//!
//! A [`Program`] is a list of [`Step`]s. A step applies a layer to tensors, or gives a tensor a second name, and is
//! skipped where its [`Guard`] does not hold. Hyperparameters are [`Expr`]essions over decisions and tensor sides. A
//! plain list of layers is the simplest case; branches and repetitions are guards.
//!
//! One function runs a program: `Program::run`. It stops where a decision is still open. With every decision taken
//! that is the one-by-one rule of a single network ([`Program::trace`]); with none, it is where the compiler branches.
//!
//! Two things are known from reading a program once: which tensors are alive beside a layer, and an order of the steps
//! in which a compiler meets fewer states.

mod arguments;
mod classes;
mod condition;
mod encode;
mod expr;
mod gates;
mod guard;
mod joins;
mod left;
mod liveness;
mod measure;
mod metric;
mod needs;
mod product;
mod program;
mod refused;
mod residual;
mod run;
mod schedule;
mod shapes;
mod skip;
mod state;
mod step;
mod trace;
mod values;

pub use arguments::{Arguments, Slot};
pub use expr::{Expr, Operator};
pub use guard::{Atom, Guard, Tensor};
pub use measure::Measure;
pub use metric::{BUILT_IN, BuiltIn, Combine, Metric};
pub use program::{Decision, Layer, Member, Program, Settings};
pub(crate) use state::{Outcome, Pause, Place, State};
pub use step::{Action, Step};
pub use trace::{LayerTrace, Trace};
pub use values::Values;
