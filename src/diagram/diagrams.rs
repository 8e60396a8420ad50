//! The diagrams of one space, by what is asked of it.
//!
//! **Idea.** Peaks of activations need to know all that waits beside each layer; weights and operations do not. So
//! the diagram that knows peaks may be larger than the one that does not, by a factor of the number of all that may
//! wait. Where it takes little work there is one diagram for all questions. Otherwise there are two, and only a
//! question about peaks compiles the larger one.

use super::arcs::Diagram;
use super::compile::Limits;
use super::evaluate::Evaluator;
use crate::space::{BuiltIn, Program, Trace};
use crate::{ErrorKind, Interrupt, Result};
use num_bigint::BigUint;
use std::sync::{Arc, OnceLock};

/// A diagram, and its tables once they are needed.
#[derive(Debug)]
pub struct Compiled {
    diagram: Arc<Diagram>,
    evaluator: OnceLock<Evaluator>,
}

impl Compiled {
    fn new(diagram: Diagram) -> Self {
        Self {
            diagram: Arc::new(diagram),
            evaluator: OnceLock::new(),
        }
    }

    /// The diagram.
    pub fn diagram(&self) -> &Arc<Diagram> {
        &self.diagram
    }

    /// Its tables.
    ///
    /// # Errors
    /// As [`Evaluator::new`].
    pub fn evaluator(&self) -> Result<&Evaluator> {
        if let Some(evaluator) = self.evaluator.get() {
            return Ok(evaluator);
        }
        let evaluator = Evaluator::new(&self.diagram)?;
        Ok(self.evaluator.get_or_init(|| evaluator))
    }
}

/// The diagrams of a space.
#[derive(Debug)]
pub struct Diagrams {
    program: Program,
    limits: Limits,
    /// All metrics.
    whole: OnceLock<Compiled>,
    /// All but peaks, where the whole takes more than a little work.
    additive: Option<Compiled>,
}

impl Diagrams {
    /// Compiles what most questions need.
    ///
    /// # Errors
    /// As [`Diagram::compile`].
    pub fn compile(program: Program, limits: Limits, interrupt: Interrupt<'_>) -> Result<Self> {
        let additive = program.without_peaks();
        let first = Limits {
            work: additive
                .as_ref()
                .map_or(limits.work, |_| limits.work.min(limits.little)),
            ..limits
        };
        let diagram = Diagram::compile(program.clone(), first, interrupt)?;
        let additive = match additive {
            Some(additive) if !diagram.is_stored() => {
                Some(Compiled::new(Diagram::compile(additive, limits, interrupt)?))
            }
            _ => None,
        };
        // A diagram that was given up for its work alone may have been given up early.
        let whole = if diagram.took_too_much_work() && first.work < limits.work {
            OnceLock::new()
        } else {
            OnceLock::from(Compiled::new(diagram))
        };
        Ok(Self {
            program,
            limits,
            whole,
            additive,
        })
    }

    /// The number of distinct networks that can be built.
    ///
    /// Where the diagram is open, it is known if each combination of values is a network.
    ///
    /// # Errors
    /// `Limit` where it is not known; `Interrupted`.
    pub fn size(&self, interrupt: Interrupt<'_>) -> Result<BigUint> {
        let counted = self.any().diagram().size(interrupt);
        match (&counted, self.program.without_peaks()) {
            (Err(error), Some(program)) if error.kind == ErrorKind::Limit => {
                program.product(interrupt)?.map_or(counted, Ok)
            }
            _ => counted,
        }
    }

    /// The program with all its metrics.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The program with all its metrics, in the order in which it is run.
    pub fn running(&self) -> &Program {
        self.whole.get().map_or(&self.program, |whole| whole.diagram.running())
    }

    /// The diagram that answers what does not ask for a metric.
    ///
    /// # Panics
    /// Never: one of the two is always there.
    pub fn any(&self) -> &Compiled {
        let any = self.additive.as_ref().or_else(|| self.whole.get());
        any.expect("without the additive diagram there is the whole one")
    }

    /// Whether a question about some metrics, by their positions, is answered by [`Self::any`].
    pub fn is_any(&self, metrics: &[usize]) -> bool {
        self.additive.is_none() || !metrics.contains(&BuiltIn::PeakActivationBytes.index())
    }

    /// The diagram that answers a question about some metrics, by their positions. The first one about peaks may
    /// compile the whole diagram.
    ///
    /// # Errors
    /// As [`Diagram::compile`].
    pub fn of(&self, metrics: &[usize], interrupt: Interrupt<'_>) -> Result<&Compiled> {
        if self.is_any(metrics) {
            Ok(self.any())
        } else {
            self.whole(interrupt)
        }
    }

    fn whole(&self, interrupt: Interrupt<'_>) -> Result<&Compiled> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let whole = Diagram::compile(self.program.clone(), self.limits, interrupt)?;
        Ok(self.whole.get_or_init(|| Compiled::new(whole)))
    }

    /// The value of each metric for one candidate, or nothing if it is invalid. O(stages), or O(steps) as long as the
    /// whole diagram is not compiled.
    ///
    /// # Errors
    /// As [`Diagram::cost`].
    pub fn cost(&self, choices: &[Option<u32>]) -> Result<Option<Vec<i64>>> {
        match self.whole.get() {
            Some(whole) => whole.diagram.cost(choices),
            None => self.program.cost(choices),
        }
    }

    /// One candidate, layer by layer.
    ///
    /// # Errors
    /// As [`Program::trace`].
    pub fn trace(&self, choices: &[u32]) -> Result<Trace> {
        self.program.trace(choices)
    }
}
