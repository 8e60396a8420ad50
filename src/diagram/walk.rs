//! One candidate, decision by decision.

use crate::space::{Outcome, Program, State};
use crate::{Error, Result};

/// A candidate whose decisions are taken one after the other, in the order in which the program asks for them.
#[derive(Debug, Clone)]
pub struct Walk {
    state: State,
    outcome: Outcome,
}

impl Walk {
    /// A candidate without any decision taken.
    ///
    /// # Errors
    /// `Layer` if the part of the network before the first decision cannot be built.
    pub fn new(program: &Program) -> Result<Self> {
        let mut walk = Self {
            state: program.start(),
            outcome: Outcome::Complete,
        };
        walk.run(program, 0)?;
        Ok(walk)
    }

    /// The decision that is asked for; nothing when the network is complete.
    pub fn open(&self) -> Option<usize> {
        match self.outcome {
            Outcome::Open { decision, .. } => Some(decision),
            _ => None,
        }
    }

    /// The value of each metric; nothing while a decision is open.
    pub fn cost(&self) -> Option<&[i64]> {
        (self.outcome == Outcome::Complete).then_some(&self.state.cost)
    }

    /// Takes the open decision.
    ///
    /// # Errors
    /// `Argument` if none is open or the index is outside its domain; `Layer` if a layer refuses.
    pub fn choose(&mut self, program: &Program, index: u32) -> Result<()> {
        let Outcome::Open { step, decision } = self.outcome else {
            return Err(Error::argument("the network is complete: no decision is open"));
        };
        let known = &program.decisions()[decision];
        if index as usize >= known.size {
            return Err(Error::argument(format!(
                "index {index} is not in the domain of decision '{}', which has {} values",
                known.name, known.size
            )));
        }
        self.state.choose(decision, index);
        self.run(program, step)
    }

    fn run(&mut self, program: &Program, from: usize) -> Result<()> {
        self.outcome = program.run(&mut self.state, from, |_, _| {});
        match &self.outcome {
            Outcome::Refused { step, refusal } => Err(program.error(*step, refusal, &self.state)),
            _ => Ok(()),
        }
    }
}
