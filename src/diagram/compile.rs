//! Compiling a program: run it, branch where a decision is open, merge states that the rest cannot tell apart.

use super::{Arcs, DEAD, Diagram, Interrupt, LiveState, NodesByState, ROOT, Stage};
use crate::layers::Shape;
use crate::space::{Outcome, Place, Program, State, Tensor};
use crate::{Error, ErrorKind, Result};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// How much a compilation may store and look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most arcs of one stage that are stored; a wider stage is implicit.
    pub stored: usize,
    /// The most arcs of one stage that are looked at; from a wider stage on the diagram is open.
    pub visited: usize,
    /// The most nodes of one stage.
    pub nodes: usize,
    /// The most bytes of arcs and live states that are kept: beyond it stages are implicit, and then open.
    pub memory: usize,
}

impl Default for Limits {
    /// At most some 200 MB for the widest stage, and 1 GiB for all of them.
    fn default() -> Self {
        Self {
            stored: 1 << 22,
            visited: 1 << 26,
            nodes: 1 << 21,
            memory: 1 << 30,
        }
    }
}

/// The bytes that a live state takes, wherever it is looked up.
fn held(key: &LiveState) -> usize {
    size_of_val(&**key) + 2 * size_of::<usize>() + 2 * size_of::<(LiveState, u32, u32)>()
}

/// The nodes of a stage that is not compiled yet.
#[derive(Default)]
struct Pending {
    index: NodesByState,
    /// Their states, their provisional numbers, and one more than the stage that led to them first.
    states: Vec<(LiveState, u32, u32)>,
    size: usize,
    decision: usize,
}

const INTERRUPT_EVERY: usize = 1 << 14;

impl Diagram {
    /// Compiles a program.
    ///
    /// # Errors
    /// `Layer` if no candidate can be built, with the reason of the first; `Overflow` if a count of any candidate
    /// would leave 63 bits; `Interrupted`.
    pub fn compile(program: Program, limits: Limits, interrupt: Interrupt<'_>) -> Result<Self> {
        let mut compiler = Compiler {
            pending: BTreeMap::new(),
            created: 0,
            key: Vec::new(),
            limits,
            held: 0,
            widest: 0,
            visited: 0,
            completed: u32::MAX,
        };
        let metrics = program.metrics().len();
        let scheduled = program.scheduled();
        let running = scheduled.as_ref().unwrap_or(&program);
        let mut state = running.start();
        let outcome = running.run(&mut state, 0, |_, _| {});
        let base = state.cost.clone();
        let root = compiler.target(running, outcome, &state, None, 0)?;
        if root == DEAD {
            return Err(program.refused());
        }

        let mut diagram = Self {
            base,
            stages: Vec::new(),
            stage_of: Vec::new(),
            next: Vec::new(),
            cost: Vec::new(),
            index: FxHashMap::default(),
            open: None,
            paths: OnceLock::new(),
            sampler: OnceLock::new(),
            extremes: OnceLock::new(),
            entered: Vec::new(),
            has_dead: false,
            scheduled,
            program,
        };
        // Nodes are numbered as they are created, and renumbered stage by stage as their stages are compiled.
        let mut final_number = Vec::new();
        let mut any_implicit = false;
        while let Some((place, mut pending)) = compiler.pending.pop_first() {
            let first = diagram.stage_of.len() as u32;
            final_number.resize(compiler.created as usize, DEAD);
            for (number, (_, created, entered)) in (first..).zip(&pending.states) {
                diagram.entered.push(*entered);
                final_number[*created as usize] = number;
            }
            let stage = diagram.stages.len();
            let last = first + pending.states.len() as u32;
            diagram.stage_of.resize(last as usize, stage as u32);
            let looked_up = any_implicit;
            if looked_up {
                let numbered = std::mem::take(&mut pending.index)
                    .into_iter()
                    .map(|(key, created)| (key, final_number[created as usize]));
                diagram.index.insert(place, numbered.collect());
            }
            let arcs = pending.states.len() * pending.size;
            let bytes = arcs * (size_of::<u32>() + metrics * size_of::<i64>());
            let offset = diagram.next.len();
            let mut stored = arcs <= limits.stored && compiler.held + bytes <= limits.memory;
            let within = diagram.open.is_none() && arcs <= limits.visited && pending.states.len() <= limits.nodes;
            if !(within && compiler.expand(&mut diagram, place, &pending, stored, &mut state, interrupt)?) {
                // The stages that were already reached beyond it are open too.
                diagram.open.get_or_insert(stage);
                stored = false;
            }
            if stored {
                compiler.held += bytes;
                if !looked_up {
                    compiler.held -= pending.states.iter().map(|(key, ..)| held(key)).sum::<usize>();
                }
            } else {
                any_implicit = true;
            }
            diagram.stages.push(Stage {
                place,
                decision: pending.decision,
                size: pending.size,
                nodes: first..last,
                arcs: if stored {
                    Arcs::Stored(offset)
                } else {
                    Arcs::Implicit(pending.states.into_iter().map(|(key, ..)| key).collect())
                },
            });
        }
        let terminal = diagram.terminal();
        diagram
            .entered
            .push(if terminal == ROOT { 0 } else { compiler.completed });
        for next in &mut diagram.next {
            *next = match *next {
                DEAD => DEAD,
                TERMINAL => terminal,
                created => final_number[created as usize],
            };
        }
        diagram.check(interrupt)
    }

    /// The last checks of a compilation.
    fn check(self, interrupt: Interrupt<'_>) -> Result<Self> {
        if self.open.is_some() {
            return Ok(self);
        }
        if self.extremes(0, interrupt)?.largest[ROOT as usize] < 0 {
            let failure = self.program.refused();
            return Err(Error::new(
                failure.kind,
                format!("no candidate of the space can be built; for one, {}", failure.message),
            ));
        }
        for metric in 0..self.metrics() {
            if self.range(metric, interrupt)?.1 == i64::MAX {
                return Err(self.overflow(metric));
            }
        }
        Ok(self)
    }
}

/// A provisional number for the terminal.
const TERMINAL: u32 = u32::MAX - 1;

struct Compiler {
    pending: BTreeMap<Place, Pending>,
    created: u32,
    key: Vec<i64>,
    limits: Limits,
    /// The bytes of arcs and live states that are kept so far.
    held: usize,
    /// The most nodes that a stage which is not compiled yet has so far.
    widest: usize,
    /// The arcs that were looked at so far.
    visited: usize,
    /// One more than the first stage that led to the terminal.
    completed: u32,
}

impl Compiler {
    /// The provisional number of the node that a run stopped at.
    ///
    /// `from` is the place of the stage where it began.
    fn target(
        &mut self,
        program: &Program,
        outcome: Outcome,
        state: &State,
        from: Option<Place>,
        entered: u32,
    ) -> Result<u32> {
        match outcome {
            Outcome::Complete => Ok(TERMINAL),
            Outcome::Refused { step, refusal } if refusal.is_fatal() => Err(program.error(step, &refusal, state)),
            Outcome::Refused { .. } => Ok(DEAD),
            Outcome::Open { step, decision } => {
                program.encode(step, state, &mut self.key);
                let stage = self
                    .pending
                    .entry(program.place(step, decision, from))
                    .or_insert_with(|| Pending {
                        size: program.decisions()[decision].size,
                        decision,
                        ..Pending::default()
                    });
                if let Some(&known) = stage.index.get(self.key.as_slice()) {
                    return Ok(known);
                }
                let created = self.created;
                if created >= TERMINAL - 1 {
                    return Err(Error::new(ErrorKind::Limit, "the diagram has more than 2^32 nodes"));
                }
                self.created += 1;
                let key: LiveState = self.key.as_slice().into();
                self.held += held(&key);
                stage.index.insert(key.clone(), created);
                stage.states.push((key, created, entered));
                self.widest = self.widest.max(stage.states.len());
                Ok(created)
            }
        }
    }

    /// Looks at all arcs of a stage, and keeps them if they are to be stored. False if they lead to more nodes than can be
    /// kept: then it is as if they had not been looked at.
    fn expand(
        &mut self,
        diagram: &mut Diagram,
        place: Place,
        pending: &Pending,
        stored: bool,
        state: &mut State,
        interrupt: Interrupt<'_>,
    ) -> Result<bool> {
        let stage = diagram.stages.len() as u32;
        let (created, offset, metrics) = (self.created, diagram.next.len(), diagram.metrics());
        if stored {
            diagram.next.reserve(pending.states.len() * pending.size);
            diagram.cost.reserve(pending.states.len() * pending.size * metrics);
        }
        for (key, ..) in &pending.states {
            for value in 0..pending.size {
                self.visited += 1;
                if self.visited.is_multiple_of(INTERRUPT_EVERY) && interrupt() {
                    return Err(Error::interrupted());
                }
                let running = diagram.running();
                running.decode(place.0, key, state);
                state.chosen[pending.decision] = value as u32;
                let outcome = running.run(state, place.0, |_, _| {});
                let next = self.target(running, outcome, state, Some(place), stage + 1)?;
                diagram.has_dead |= next == DEAD;
                if next == TERMINAL {
                    self.completed = self.completed.min(stage + 1);
                }
                if stored {
                    diagram.next.push(next);
                    if next == DEAD {
                        diagram.cost.resize(diagram.cost.len() + metrics, 0);
                    } else {
                        diagram.cost.extend_from_slice(&state.cost);
                    }
                }
            }
            if self.held > self.limits.memory || self.widest > self.limits.nodes {
                self.forget(created);
                diagram.next.truncate(offset);
                diagram.cost.truncate(offset * metrics);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes back all nodes from a provisional number on.
    fn forget(&mut self, created: u32) {
        for pending in self.pending.values_mut() {
            let kept = pending.states.partition_point(|&(_, number, _)| number < created);
            for (key, ..) in pending.states.drain(kept..) {
                self.held -= held(&key);
                pending.index.remove(&key);
            }
        }
        self.pending.retain(|_, pending| !pending.states.is_empty());
        self.widest = self
            .pending
            .values()
            .map(|pending| pending.states.len())
            .max()
            .unwrap_or(0);
        self.created = created;
    }
}

/// Marks a tensor that is not computed, a shared layer that is not built, or a decision that is open or no longer matters.
const ABSENT: i64 = -1;

impl Program {
    /// Why a network cannot be built, of a program of which none can.
    fn refused(&self) -> Error {
        // That of the first choices, told by itself, has its whole history.
        let first = self.trace(&vec![0; self.decisions().len()]);
        first.err().unwrap_or_else(Error::interrupted)
    }

    /// Writes all that the steps from `step` on can still tell of a state.
    pub(crate) fn encode(&self, step: usize, state: &State, key: &mut Vec<i64>) {
        key.clear();
        let mut waiting = self.waiting(step, state).peekable();
        // Which of them are names of the same values: each refers to the first.
        let mut names: Vec<(Tensor, i64)> = Vec::new();
        for (position, &tensor) in (0..).zip(self.alive_at(step)) {
            let Some((_, shape)) = waiting.next_if(|(next, _)| *next == tensor) else {
                key.push(ABSENT);
                continue;
            };
            let origin = state.origin(tensor);
            let known = names.iter().find(|(name, _)| *name == origin);
            let first = known.map_or(position, |&(_, first)| first);
            if known.is_none() {
                names.push((origin, position));
            }
            key.push(shape.rank() as i64);
            key.extend_from_slice(&shape);
            key.push(first);
        }
        drop(waiting);
        for decision in self.mentioned_from(step) {
            key.push(self.live_value(step, decision, state).map_or(ABSENT, i64::from));
        }
        for slot in self.built_from(step) {
            match state.built(slot) {
                Some(numbers) => {
                    key.push(numbers.len() as i64);
                    key.extend_from_slice(numbers);
                }
                None => key.push(ABSENT),
            }
        }
    }

    /// Makes a state of what [`Self::encode`] wrote, with no cost so far.
    pub(crate) fn decode(&self, step: usize, key: &[i64], state: &mut State) {
        state.reset();
        let mut rest = key;
        let mut take = |n: usize| {
            let (front, back) = rest.split_at(n);
            rest = back;
            front
        };
        for &tensor in self.alive_at(step) {
            let rank = take(1)[0];
            if rank != ABSENT {
                let shape = Shape::new(take(rank as usize));
                let first = take(1)[0];
                state.set_tensor(tensor, shape, self.alive_at(step)[first as usize]);
            }
        }
        for decision in self.mentioned_from(step) {
            let value = take(1)[0];
            if value != ABSENT {
                state.chosen[decision] = value as u32;
            }
        }
        for slot in self.built_from(step) {
            let count = take(1)[0];
            if count != ABSENT {
                state.set_built(slot, take(count as usize));
            }
        }
    }
}
