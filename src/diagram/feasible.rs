//! The candidates that fit a budget.
//!
//! A partial candidate is a node and what each bounded metric has come to so far. Two of them are the same as soon as no
//! completion can tell them apart: a bound that every completion keeps no longer matters, and one that no completion can
//! keep ends it. What is left is counted forward, equal states merged.

use super::optimize::{Extremes, join};
use super::{DEAD, Diagram, Interrupt, METRICS};
use crate::space::{Combine, Program};
use crate::{Error, ErrorKind, Result};
use num_bigint::BigUint;
use num_traits::Zero;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex};

/// What one metric may come to, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The metric, by its position.
    pub metric: usize,
    /// The least it may be.
    pub low: i64,
    /// The most it may be.
    pub high: i64,
}

/// The most states that a count keeps at once.
const STATES: usize = 1 << 24;

/// A bound that every completion keeps.
const KEPT: i64 = i64::MIN;

/// What each bounded metric has come to.
type Spent = [i64; METRICS];

/// The candidates of a diagram that keep some bounds.
#[derive(Debug)]
pub struct Feasible {
    diagram: Arc<Diagram>,
    bounds: Vec<Bound>,
    /// Partial candidates, and whether one of their completions fits.
    known: Mutex<FxHashMap<(u32, Spent), bool>>,
}

impl Feasible {
    /// The candidates that keep all of these bounds. O(arcs) the first time for each metric.
    ///
    /// # Errors
    /// `Argument` for a metric that is bounded twice; `Limit` where the diagram is open; `Interrupted`.
    pub fn new(diagram: Arc<Diagram>, bounds: Vec<Bound>, interrupt: Interrupt<'_>) -> Result<Self> {
        for (position, bound) in bounds.iter().enumerate() {
            if bounds[..position].iter().any(|other| other.metric == bound.metric) {
                return Err(Error::argument(format!(
                    "{} is bounded twice",
                    Program::METRICS[bound.metric].name
                )));
            }
            diagram.extremes(bound.metric, interrupt)?;
        }
        diagram.paths(interrupt)?;
        Ok(Self {
            diagram,
            bounds,
            known: Mutex::default(),
        })
    }

    /// The diagram of the whole space.
    pub fn diagram(&self) -> &Diagram {
        &self.diagram
    }

    /// What a partial candidate has spent, as far as its completions can tell; nothing if none of them fits.
    fn canonical(&self, extremes: &[&Extremes], node: u32, mut spent: Spent) -> Option<Spent> {
        for ((bound, extremes), spent) in self.bounds.iter().zip(extremes).zip(&mut spent) {
            if *spent == KEPT {
                continue;
            }
            let combine = Program::METRICS[bound.metric].combine;
            if extremes.largest[node as usize] < 0 {
                return None;
            }
            let least = join(combine, *spent, extremes.smallest[node as usize]);
            let most = join(combine, *spent, extremes.largest[node as usize]);
            if least > bound.high || most < bound.low {
                return None;
            }
            if most <= bound.high && least >= bound.low {
                *spent = KEPT;
            } else if combine == Combine::Max {
                // Only whether the lower bound is reached matters: the upper one is still kept.
                *spent = if *spent >= bound.low { bound.low.max(0) } else { 0 };
            } else if most <= bound.high {
                *spent = (*spent).min(bound.low);
            }
        }
        Some(spent)
    }

    /// What is spent after one more arc.
    fn spend(&self, spent: Spent, cost: &[i64]) -> Spent {
        let mut after = spent;
        for (bound, spent) in self.bounds.iter().zip(&mut after) {
            if *spent != KEPT {
                *spent = join(Program::METRICS[bound.metric].combine, *spent, cost[bound.metric]);
            }
        }
        after
    }

    fn extremes(&self) -> Result<Vec<&Extremes>> {
        let extremes = self.bounds.iter().map(|bound| self.diagram.extremes(bound.metric, &|| false));
        extremes.collect()
    }

    fn start(&self, extremes: &[&Extremes]) -> Option<Spent> {
        let mut spent = [KEPT; METRICS];
        for (bound, spent) in self.bounds.iter().zip(&mut spent) {
            *spent = self.diagram.base()[bound.metric];
        }
        self.canonical(extremes, self.diagram.root(), spent)
    }

    fn is_settled(spent: &Spent) -> bool {
        spent.iter().all(|&spent| spent == KEPT)
    }

    /// The exact number of candidates that fit.
    ///
    /// # Errors
    /// `Limit` where more than some 16 million partial candidates would have to be told apart; `Interrupted`.
    pub fn count(&self, interrupt: Interrupt<'_>) -> Result<BigUint> {
        let diagram = &*self.diagram;
        let extremes = self.extremes()?;
        let paths = diagram.paths(interrupt)?;
        let mut total = BigUint::zero();
        let Some(start) = self.start(&extremes) else {
            return Ok(total);
        };
        if Self::is_settled(&start) {
            return Ok(paths[diagram.root() as usize].clone());
        }
        let mut open: FxHashMap<u32, FxHashMap<Spent, BigUint>> = FxHashMap::default();
        open.entry(diagram.root()).or_default().insert(start, BigUint::from(1_u8));
        let mut states = 1;
        let mut reader = diagram.reader();
        for node in 0..diagram.terminal() {
            let Some(here) = open.remove(&node) else { continue };
            states -= here.len();
            for value in 0..diagram.stage(node).size {
                if interrupt() {
                    return Err(Error::interrupted());
                }
                let arc = reader.arc(node, value);
                if arc.next == DEAD {
                    continue;
                }
                for (&spent, ways) in &here {
                    let Some(spent) = self.canonical(&extremes, arc.next, self.spend(spent, arc.cost)) else {
                        continue;
                    };
                    if Self::is_settled(&spent) {
                        total += ways * &paths[arc.next as usize];
                        continue;
                    }
                    let there = open.entry(arc.next).or_default();
                    let before = there.len();
                    *there.entry(spent).or_default() += ways;
                    states += there.len() - before;
                    if states > STATES {
                        return Err(Error::new(
                            ErrorKind::Limit,
                            format!("an exact count would have to tell more than {STATES} partial candidates apart"),
                        ));
                    }
                }
            }
        }
        Ok(total)
    }

    /// Whether some completion of a partial candidate fits. Remembers what it found.
    fn fits(&self, extremes: &[&Extremes], node: u32, spent: Spent) -> Result<bool> {
        let Some(spent) = self.canonical(extremes, node, spent) else {
            return Ok(false);
        };
        if Self::is_settled(&spent) {
            return Ok(true);
        }
        let known = || self.known.lock().map_err(|_| Error::interrupted());
        if let Some(&known) = known()?.get(&(node, spent)) {
            return Ok(known);
        }
        let mut reader = self.diagram.reader();
        let mut found = false;
        for value in 0..self.diagram.stage(node).size {
            let arc = reader.arc(node, value);
            if arc.next != DEAD {
                let (next, after) = (arc.next, self.spend(spent, arc.cost));
                if self.fits(extremes, next, after)? {
                    found = true;
                    break;
                }
            }
        }
        let mut known = known()?;
        if known.len() > STATES {
            return Err(Error::new(
                ErrorKind::Limit,
                "the bounds are too tight together to tell whether a partial candidate can still fit",
            ));
        }
        known.insert((node, spent), found);
        Ok(found)
    }

    /// Whether no candidate fits.
    ///
    /// # Errors
    /// `Limit` where that cannot be told within memory.
    pub fn is_empty(&self) -> Result<bool> {
        let extremes = self.extremes()?;
        match self.start(&extremes) {
            None => Ok(true),
            Some(start) => self.fits(&extremes, self.diagram.root(), start).map(|fits| !fits),
        }
    }

    /// For each value of the decision that comes after `prefix`, whether the candidate can still be completed to one
    /// that fits. `prefix` holds the indices chosen so far, in the order in which the diagram asks.
    ///
    /// Returns the decision too; nothing when the candidate is complete, or no such candidate exists.
    ///
    /// # Errors
    /// `Argument` for an index outside its domain.
    pub fn allowed(&self, prefix: &[u32]) -> Result<Option<(usize, Vec<bool>)>> {
        let diagram = &*self.diagram;
        let extremes = self.extremes()?;
        let mut spent = [KEPT; METRICS];
        for (bound, spent) in self.bounds.iter().zip(&mut spent) {
            *spent = diagram.base()[bound.metric];
        }
        let mut node = diagram.root();
        let mut reader = diagram.reader();
        for &index in prefix {
            if node == diagram.terminal() {
                return Err(Error::argument("more indices are given than the candidate has decisions"));
            }
            let stage = diagram.stage(node);
            if index as usize >= stage.size {
                let name = &diagram.program().decisions()[stage.decision].name;
                return Err(Error::argument(format!(
                    "index {index} is not in the domain of decision '{name}', which has {} values",
                    stage.size
                )));
            }
            let arc = reader.arc(node, index as usize);
            if arc.next == DEAD {
                return Ok(None);
            }
            spent = self.spend(spent, arc.cost);
            node = arc.next;
        }
        if node == diagram.terminal() {
            return Ok(None);
        }
        let stage = diagram.stage(node);
        let mut allowed = Vec::with_capacity(stage.size);
        for value in 0..stage.size {
            let arc = reader.arc(node, value);
            allowed.push(if arc.next == DEAD {
                false
            } else {
                let (next, after) = (arc.next, self.spend(spent, arc.cost));
                self.fits(&extremes, next, after)?
            });
        }
        Ok(Some((stage.decision, allowed)))
    }
}
