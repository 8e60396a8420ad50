//! The diagram itself: stages, nodes and arcs, and a reader of arcs.

use super::kept::{Extremes, Sampler};
use crate::space::{Outcome, Place, Program, State, Trace};
use crate::{Error, ErrorKind, Result};
use num_bigint::BigUint;
use rustc_hash::FxHashMap;
use std::sync::OnceLock;

/// For each decision the one value it may take, if it is fixed; empty where none is.
pub type Fixed = [Option<u32>];

/// An arc as it is listed: the node that it leaves, the one that it leads to (nothing where it is dead), the index of the
/// value, and one cost for each metric.
pub type ListedArc = (u32, Option<u32>, usize, Vec<i64>);

/// An arc that leads nowhere: the layer that it lets us finish refuses.
pub(crate) const DEAD: u32 = u32::MAX;

/// A decision where the program meets it.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Where the program needs it.
    pub(super) place: Place,
    /// The decision.
    pub(crate) decision: usize,
    /// How many values it has.
    pub(crate) size: usize,
    /// Its nodes.
    pub(crate) nodes: std::ops::Range<u32>,
    pub(super) arcs: Arcs,
}

/// From where on a diagram is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// The stage.
    pub(super) stage: usize,
    /// Why it is.
    pub(super) beyond: Beyond,
}

/// What a compilation would go beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// The arcs or nodes of a stage, or the bytes of all that are kept.
    Width,
    /// The work.
    Work,
}

#[derive(Debug)]
pub(super) enum Arcs {
    /// Stored, from this position in the tables on; node by node, value by value.
    Stored(usize),
    /// Too many to store: the program is run again when an arc is asked for. The live state of each node.
    Implicit(Vec<LiveState>),
}

/// What one arc does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arc<'a> {
    /// The node that it leads to, or [`DEAD`].
    pub(crate) next: u32,
    /// One cost for each metric; nothing where it is dead.
    pub(crate) cost: &'a [i64],
}

/// The live state of a node, as `Program::encode` writes it; kept once, wherever it is looked up.
pub(super) type LiveState = std::sync::Arc<[i64]>;

/// The nodes of a stage by their live state.
pub(super) type NodesByState = FxHashMap<LiveState, u32>;

/// A compiled space. Frozen; every pass takes `&self`.
#[derive(Debug)]
pub struct Diagram {
    pub(super) program: Program,
    /// The program in the order in which it is run, if that is another one.
    pub(super) scheduled: Option<Program>,
    /// The cost of what precedes the first decision.
    pub(super) base: Vec<i64>,
    pub(super) stages: Vec<Stage>,
    /// The stage of each node.
    pub(super) stage_of: Vec<u32>,
    /// For each node, and for the terminal, the first stage whose arcs lead past it or to it: 0 for the root, otherwise
    /// one more than that of its earliest predecessor.
    pub(super) entered: Vec<u32>,
    /// Whether some arc is dead.
    pub(super) has_dead: bool,
    /// For each stored arc the node it leads to.
    pub(super) next: Vec<u32>,
    /// For each stored arc its costs, one after the other.
    pub(super) cost: Vec<i64>,
    /// Where implicit arcs find the node of a state: by the place of its stage.
    pub(super) index: FxHashMap<Place, NodesByState>,
    /// How much was visited to compile it.
    pub(super) work: u64,
    /// From this stage on there are too many arcs even to look at once: candidates are run one by one. All later stages
    /// hold only nodes that were reached before.
    pub(super) open: Option<Open>,
    pub(super) paths: OnceLock<Vec<BigUint>>,
    pub(super) sampler: OnceLock<Sampler>,
    pub(super) extremes: OnceLock<Vec<std::sync::Arc<Extremes>>>,
}

/// The node where every candidate starts; also the terminal, where there is no decision.
pub(crate) const ROOT: u32 = 0;

impl Diagram {
    /// The program that was compiled.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The program in the order in which it is run: as it was written, unless decisions are tied.
    pub fn running(&self) -> &Program {
        self.scheduled.as_ref().unwrap_or(&self.program)
    }

    /// The number of nodes; also the number of the terminal.
    pub fn terminal(&self) -> u32 {
        self.stage_of.len() as u32
    }

    /// The number of metrics.
    pub(crate) fn metrics(&self) -> usize {
        self.program.metrics().len()
    }

    /// For each stage its decision, its nodes and its arcs.
    pub fn stages(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        self.stages
            .iter()
            .map(|stage| (stage.decision, stage.nodes.len(), stage.nodes.len() * stage.size))
    }

    /// The position of the arc of a node and a value, where it is stored.
    pub(super) fn stored_arc(&self, node: u32, value: u32) -> Option<usize> {
        let stage = self.stage(node);
        match stage.arcs {
            Arcs::Stored(offset) => Some(offset + (node - stage.nodes.start) as usize * stage.size + value as usize),
            Arcs::Implicit(_) => None,
        }
    }

    /// Whether all arcs are kept.
    pub(super) fn is_stored(&self) -> bool {
        self.open.is_none() && (0..self.stages.len()).all(|stage| !self.is_implicit(stage))
    }

    /// Whether it was given up for its work.
    pub(super) fn took_too_much_work(&self) -> bool {
        self.open.is_some_and(|open| open.beyond == Beyond::Work)
    }

    /// Whether arcs are kept, or found again each time that they are asked for; by stage.
    pub fn is_implicit(&self, stage: usize) -> bool {
        matches!(self.stages[stage].arcs, Arcs::Implicit(_))
    }

    /// How much was visited to compile it: steps, tensors and decisions.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// The bytes that nodes and arcs take; what passes keep for the next one is not in it.
    pub fn memory(&self) -> usize {
        let arcs = size_of_val(&*self.next) + size_of_val(&*self.cost);
        let nodes = size_of_val(&*self.stage_of) + size_of_val(&*self.entered);
        let states = self.stages.iter().map(|stage| match &stage.arcs {
            Arcs::Stored(_) => 0,
            Arcs::Implicit(states) => states
                .iter()
                .map(|state| size_of_val(state) + size_of_val(&**state))
                .sum(),
        });
        let found = self.index.values().map(NodesByState::len).sum::<usize>();
        arcs + nodes + states.sum::<usize>() + found * size_of::<(LiveState, u32)>()
    }

    /// All arcs, node by node and value by value.
    ///
    /// # Errors
    /// `Limit` if there are more than `most`, or the diagram is open.
    pub fn arcs(&self, most: usize) -> Result<Vec<ListedArc>> {
        self.require_closed()?;
        let arcs: usize = self.stages().map(|(_, _, arcs)| arcs).sum();
        if arcs > most {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the diagram has {arcs} arcs, more than {most}"),
            ));
        }
        let mut reader = self.reader();
        let mut found = Vec::with_capacity(arcs);
        for node in ROOT..self.terminal() {
            for value in self.values(node, &[]) {
                let arc = reader.arc(node, value);
                let (next, cost) = if arc.next == DEAD {
                    (None, vec![0; self.metrics()])
                } else {
                    (Some(arc.next), arc.cost.to_vec())
                };
                found.push((node, next, value, cost));
            }
        }
        Ok(found)
    }

    pub(crate) fn stage(&self, node: u32) -> &Stage {
        &self.stages[self.stage_of[node as usize] as usize]
    }

    /// The values that a node may take.
    pub(crate) fn values(&self, node: u32, fixed: &Fixed) -> std::ops::Range<usize> {
        let stage = self.stage(node);
        match fixed.get(stage.decision) {
            Some(&Some(value)) => value as usize..value as usize + 1,
            _ => 0..stage.size,
        }
    }

    pub(crate) fn base(&self) -> &[i64] {
        &self.base
    }

    /// Refuses what needs every arc where the diagram is open.
    ///
    /// # Errors
    /// `Limit`, naming the decision at which the arcs become too many.
    pub(crate) fn require_closed(&self) -> Result<()> {
        let Some(Open { stage, beyond }) = self.open else {
            return Ok(());
        };
        let stages = self.stages.len();
        let (number, stage) = (stage, &self.stages[stage]);
        let decision = &self.program.decisions()[stage.decision].name;
        let (nodes, size) = (stage.nodes.len(), stage.size);
        let message = match beyond {
            Beyond::Width => format!(
                "the diagram is too wide at decision '{decision}' ({nodes} states of {size} values each) to look at \
                 every arc: candidates can be evaluated, but not counted; give fewer values, or tie decisions"
            ),
            Beyond::Work => format!(
                "the diagram takes too much work: at decision '{decision}' ({nodes} states of {size} values each), \
                 stage {number} of {stages} that were met, compiling it was given up, so candidates can be evaluated, \
                 but not counted; give fewer values or repetitions, or tie decisions"
            ),
        };
        Err(Error::new(ErrorKind::Limit, message))
    }

    /// A reader of arcs; it owns the scratch space that implicit arcs need.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            diagram: self,
            scratch: None,
            key: Vec::new(),
        }
    }

    /// The value of each metric for one candidate, or nothing if it is invalid. O(stages).
    ///
    /// `choices` holds the index of the value of each decision; inactive ones may be left open.
    ///
    /// # Errors
    /// `Argument` for a wrong number of choices, an index outside its domain, or an active decision that is left open.
    pub fn cost(&self, choices: &[Option<u32>]) -> Result<Option<Vec<i64>>> {
        let choose = self.program.given(choices)?;
        let mut total = self.base.clone();
        let mut reader = self.reader();
        let mut node = ROOT;
        while node != self.terminal() {
            if self.is_open(node) {
                return match reader.finish(node, choose)? {
                    Some(cost) => self.join(&mut total, cost).map(|()| Some(total)),
                    None => Ok(None),
                };
            }
            let arc = reader.arc(node, choose(self.stage(node).decision)? as usize);
            if arc.next == DEAD {
                return Ok(None);
            }
            self.join(&mut total, arc.cost)?;
            node = arc.next;
        }
        Ok(Some(total))
    }

    /// The first stage from which on the diagram is open; the number of stages where it is not.
    pub(crate) fn first_open(&self) -> usize {
        self.open.map_or(self.stages.len(), |open| open.stage)
    }

    /// Whether a node belongs to an open stage.
    pub(super) fn is_open(&self, node: u32) -> bool {
        self.first_open() <= self.stage_of[node as usize] as usize
    }

    /// Adds the costs of a part of a network to those of another.
    ///
    /// # Errors
    /// `Overflow` where one leaves 63 bits.
    pub(super) fn join(&self, total: &mut [i64], cost: &[i64]) -> Result<()> {
        for (metric, (total, &cost)) in total.iter_mut().zip(cost).enumerate() {
            *total = self.program.combine(metric).join(*total, cost);
            if *total == i64::MAX {
                return Err(self.overflow(metric));
            }
        }
        Ok(())
    }

    /// A total of a metric that would leave 63 bits.
    pub(super) fn overflow(&self, metric: usize) -> Error {
        Error::new(
            ErrorKind::Overflow,
            format!(
                "the {} of a candidate exceed 2^63 - 1, the largest number counted exactly",
                self.program.metrics()[metric].name
            ),
        )
    }

    /// One candidate, layer by layer.
    ///
    /// # Errors
    /// As [`Program::trace`].
    pub fn trace(&self, choices: &[u32]) -> Result<Trace> {
        self.program.trace(choices)
    }
}

/// Reads arcs, stored or implicit.
pub(crate) struct Reader<'a> {
    diagram: &'a Diagram,
    scratch: Option<State>,
    key: Vec<i64>,
}

impl Reader<'_> {
    /// The arc of a node and a value.
    #[inline]
    pub(crate) fn arc(&mut self, node: u32, value: usize) -> Arc<'_> {
        let diagram = self.diagram;
        let stage = diagram.stage(node);
        debug_assert!(value < stage.size);
        let local = (node - stage.nodes.start) as usize;
        match &stage.arcs {
            Arcs::Stored(offset) => {
                let arc = offset + local * stage.size + value;
                let metrics = diagram.metrics();
                Arc {
                    next: diagram.next[arc],
                    cost: &diagram.cost[arc * metrics..(arc + 1) * metrics],
                }
            }
            Arcs::Implicit(states) => self.run(stage, &states[local], value),
        }
    }

    fn run(&mut self, stage: &Stage, key: &[i64], value: usize) -> Arc<'_> {
        let diagram = self.diagram;
        let program = diagram.running();
        let state = self.scratch.get_or_insert_with(|| program.start());
        program.decode(key, state);
        state.choose(stage.decision, value as u32);
        let next = match program.run(state, stage.place.0, |_, _| {}) {
            Outcome::Refused { .. } | Outcome::Paused { .. } => DEAD,
            Outcome::Complete => diagram.terminal(),
            Outcome::Open { step, decision } => {
                program.encode(step, state, &mut self.key);
                let index = diagram.index.get(&program.place(step, decision, Some(stage.place)));
                *index
                    .and_then(|index| index.get(self.key.as_slice()))
                    .expect("the compiler looked at every arc")
            }
        };
        Arc {
            next,
            cost: &state.cost,
        }
    }

    /// Runs the program from an open node to the end, for one candidate; nothing if it is invalid.
    ///
    /// # Errors
    /// `Overflow` where a count leaves 63 bits.
    pub(crate) fn finish(&mut self, node: u32, choices: impl Fn(usize) -> Result<u32>) -> Result<Option<&[i64]>> {
        let program = self.diagram.running();
        let stage = self.diagram.stage(node);
        let Arcs::Implicit(states) = &stage.arcs else {
            unreachable!("open stages keep their states")
        };
        let state = self.scratch.get_or_insert_with(|| program.start());
        program.decode(&states[(node - stage.nodes.start) as usize], state);
        state.choose(stage.decision, choices(stage.decision)?);
        let mut from = stage.place.0;
        loop {
            match program.run(state, from, |_, _| {}) {
                Outcome::Open { step, decision } => {
                    state.choose(decision, choices(decision)?);
                    from = step;
                }
                Outcome::Complete => return Ok(Some(&state.cost)),
                Outcome::Refused { step, refusal } if refusal.is_fatal() => {
                    return Err(program.error(step, &refusal, state));
                }
                Outcome::Refused { .. } | Outcome::Paused { .. } => return Ok(None),
            }
        }
    }
}
