//! The candidates that fit a budget.
//!
//! A partial candidate is a node and what each bounded metric has come to so far. Two of them are the same as soon as no
//! completion can tell them apart: a bound that every completion keeps no longer matters, and one that no completion can
//! keep ends it. What is left is counted forward, equal states merged.

use super::optimize::{Extremes, join};
use super::sums::Sums;
use super::{DEAD, Diagram, Interrupt, METRICS, ROOT};
use crate::space::{Combine, Program};
use crate::{Error, ErrorKind, Result};
use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};
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
pub(super) const STATES: usize = 1 << 24;

/// More partial candidates than are kept.
pub(super) fn too_many() -> Error {
    Error::new(
        ErrorKind::Limit,
        format!("an exact count would have to tell more than {STATES} partial candidates apart"),
    )
}

/// A bound that every completion keeps.
const KEPT: i64 = i64::MIN;

/// What each bounded metric has come to.
type Spent = [i64; METRICS];

/// The candidates of a diagram that keep some bounds.
#[derive(Debug)]
pub struct Feasible {
    pub(super) diagram: Arc<Diagram>,
    bounds: Vec<Bound>,
    /// The values that some decisions are held at.
    pub(super) fixed: Vec<Option<u32>>,
    /// For each bound the range of its metric over the completions of each node.
    pub(super) extremes: Vec<Arc<Extremes>>,
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
        }
        let extremes = bounds
            .iter()
            .map(|bound| diagram.extremes(bound.metric, interrupt).cloned());
        Ok(Self {
            extremes: extremes.collect::<Result<_>>()?,
            diagram,
            bounds,
            fixed: Vec::new(),
            known: Mutex::default(),
        })
    }

    /// Those of them in which some decisions have a fixed value; the value of an inactive one does not matter. O(arcs).
    ///
    /// # Errors
    /// `Argument` for a wrong number of decisions, or an index outside its domain; `Interrupted`.
    pub fn fix(&self, fixed: Vec<Option<u32>>, interrupt: Interrupt<'_>) -> Result<Self> {
        let decisions = self.diagram.program().decisions();
        if fixed.len() != decisions.len() {
            return Err(Error::argument(format!(
                "{} values are fixed or left open for {} decisions",
                fixed.len(),
                decisions.len()
            )));
        }
        for (decision, index) in decisions.iter().zip(&fixed) {
            if let Some(index) = index.filter(|&index| index as usize >= decision.size) {
                return Err(Error::argument(format!(
                    "index {index} is not in the domain of decision '{}', which has {} values",
                    decision.name, decision.size
                )));
            }
        }
        let extremes = self.diagram.extremes_where(&fixed, interrupt)?;
        let extremes = self.bounds.iter().map(|bound| Arc::clone(&extremes[bound.metric]));
        Ok(Self {
            extremes: extremes.collect(),
            diagram: Arc::clone(&self.diagram),
            bounds: self.bounds.clone(),
            fixed,
            known: Mutex::default(),
        })
    }

    /// The diagram of the whole space.
    pub fn diagram(&self) -> &Diagram {
        &self.diagram
    }

    /// What a partial candidate has spent, as far as its completions can tell; nothing if none of them fits.
    fn canonical(&self, node: u32, mut spent: Spent) -> Option<Spent> {
        for ((bound, extremes), spent) in self.bounds.iter().zip(&self.extremes).zip(&mut spent) {
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

    fn start(&self) -> Spent {
        let mut spent = [KEPT; METRICS];
        for (bound, spent) in self.bounds.iter().zip(&mut spent) {
            *spent = self.diagram.base()[bound.metric];
        }
        spent
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
        let restricted;
        let paths = if self.fixed.is_empty() {
            diagram.paths(interrupt)?
        } else {
            restricted = diagram.paths_where(&self.fixed, interrupt)?;
            &restricted
        };
        if let &[bound] = self.bounds.as_slice()
            && Program::METRICS[bound.metric].combine == Combine::Sum
            && let Some(paths) = paths.iter().map(ToPrimitive::to_u128).collect::<Option<Vec<_>>>()
        {
            return Sums::new(self, bound, &paths).count(interrupt);
        }
        let mut total = BigUint::zero();
        let Some(start) = self.canonical(ROOT, self.start()) else {
            return Ok(total);
        };
        if Self::is_settled(&start) {
            return Ok(paths[ROOT as usize].clone());
        }
        let mut open: FxHashMap<u32, FxHashMap<Spent, BigUint>> = FxHashMap::default();
        open.entry(ROOT).or_default().insert(start, BigUint::from(1_u8));
        let mut states = 1;
        let mut reader = diagram.reader();
        for node in 0..diagram.terminal() {
            let Some(here) = open.remove(&node) else { continue };
            states -= here.len();
            for value in diagram.values(node, &self.fixed) {
                if interrupt() {
                    return Err(Error::interrupted());
                }
                let arc = reader.arc(node, value);
                if arc.next == DEAD {
                    continue;
                }
                for (&spent, ways) in &here {
                    let Some(spent) = self.canonical(arc.next, self.spend(spent, arc.cost)) else {
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
                        return Err(too_many());
                    }
                }
            }
        }
        Ok(total)
    }

    /// Whether some completion of a partial candidate fits. Remembers what it found.
    fn fits(&self, node: u32, spent: Spent) -> Result<bool> {
        let Some(spent) = self.canonical(node, spent) else {
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
        for value in self.diagram.values(node, &self.fixed) {
            let arc = reader.arc(node, value);
            if arc.next != DEAD {
                let (next, after) = (arc.next, self.spend(spent, arc.cost));
                if self.fits(next, after)? {
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
        self.fits(ROOT, self.start()).map(|fits| !fits)
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
        let mut spent = self.start();
        let mut node = ROOT;
        let mut reader = diagram.reader();
        for &index in prefix {
            if node == diagram.terminal() {
                return Err(Error::argument(
                    "more indices are given than the candidate has decisions",
                ));
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
        let mut allowed = vec![false; stage.size];
        for value in diagram.values(node, &self.fixed) {
            let arc = reader.arc(node, value);
            if arc.next != DEAD {
                let (next, after) = (arc.next, self.spend(spent, arc.cost));
                allowed[value] = self.fits(next, after)?;
            }
        }
        Ok(Some((stage.decision, allowed)))
    }
}
