//! Compiling a program: run it, branch where a decision is open, merge states that the rest cannot tell apart.

use super::arcs::{Arcs, Beyond, DEAD, Diagram, LiveState, NodesByState, Open, ROOT, Stage};
use super::optimize::ANY;
use crate::space::{Outcome, Pause, Place, Program, State, Values};
use crate::{Error, ErrorKind, Interrupt, Result, Task};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::OnceLock;

/// How much a compilation may store and visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most arcs of one stage that are stored; a wider stage is implicit.
    pub stored: usize,
    /// The most arcs of one stage that are visited; from a wider stage on the diagram is open.
    pub visited: usize,
    /// The most nodes of one stage.
    pub nodes: usize,
    /// The most bytes of arcs and live states that are kept: beyond it stages are implicit, and then open.
    pub memory: usize,
    /// The most steps, conditions, tensors and decisions that are visited; from the stage on at which they are more
    /// the diagram is open.
    pub work: u64,
    /// A diagram of all metrics that takes more of that is compiled when it is asked for, and one without peaks before.
    pub little: u64,
}

impl Default for Limits {
    /// At most some 200 MB for the widest stage, and 1 GiB for all of them; some three seconds of work.
    fn default() -> Self {
        Self {
            stored: 1 << 22,
            visited: 1 << 26,
            nodes: 1 << 21,
            memory: 1 << 30,
            work: 3 << 26,
            little: 1 << 22,
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

/// The caller is asked whether to stop each time that this much was visited.
const INTERRUPT_EVERY: u64 = 1 << 18;

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
            asked: 0,
            // Whoever is asked by the program may take long for each answer.
            every: if program.asks_outside() { 1 } else { INTERRUPT_EVERY },
            interrupt,
            completed: u32::MAX,
            known: Continuations::default(),
        };
        let metrics = program.metrics().len();
        interrupt.begin(Task::Compile, None);
        let scheduled = program.scheduled(interrupt)?;
        let running = scheduled.as_ref().unwrap_or(&program);
        let mut state = running.start();
        let outcome = compiler.run(running, &mut state, 0, usize::MAX)?;
        let base = state.cost.clone();
        let root = compiler.target(running, &outcome, &mut state, None, 0)?;
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
            work: 0,
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
            if diagram.open.is_none() {
                let beyond = if arcs > limits.visited || pending.states.len() > limits.nodes {
                    Some(Beyond::Width)
                } else {
                    compiler.expand(&mut diagram, place, &pending, stored, &mut state)?
                };
                diagram.open = beyond.map(|beyond| Open { stage, beyond });
            }
            // The stages that were already reached beyond it are open too.
            stored &= diagram.open.is_none();
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
        diagram.work = state.work();
        diagram.check(interrupt)
    }

    /// The last checks of a compilation.
    fn check(self, interrupt: Interrupt<'_>) -> Result<Self> {
        if self.open.is_some() {
            return Ok(self);
        }
        if self.extremes(ANY, interrupt)?.largest[ROOT as usize] < 0 {
            let failure = self.program.refused();
            return Err(Error {
                message: format!("no candidate of the space can be built; for one, {}", failure.message),
                ..failure
            });
        }
        for metric in 0..self.metrics() {
            let (_, largest) = self.range(metric, interrupt)?;
            let base = self.base[metric];
            if largest == i64::MAX || !self.extremes(metric, interrupt)?.is_counted(base) {
                return Err(self.overflow(metric));
            }
        }
        Ok(self)
    }
}

/// A provisional number for the terminal.
const TERMINAL: u32 = u32::MAX - 1;

struct Compiler<'a> {
    pending: BTreeMap<Place, Pending>,
    created: u32,
    key: Vec<i64>,
    limits: Limits,
    /// The bytes of arcs and live states that are kept so far.
    held: usize,
    /// The most nodes that a stage which is not compiled yet has so far.
    widest: usize,
    interrupt: Interrupt<'a>,
    /// How much was visited when the caller was asked last whether to stop.
    asked: u64,
    /// The caller is asked each time that this much was visited.
    every: u64,
    /// One more than the first stage that led to the terminal.
    completed: u32,
    known: Continuations,
}

/// Where a run from a node came to with some values: the step, what is live there, and the cost on the way.
struct Reached {
    step: usize,
    key: Vec<i64>,
    cost: Vec<i64>,
}

impl Reached {
    /// Without any cost so far.
    fn new(step: usize, key: Vec<i64>, metrics: usize) -> Self {
        Self {
            step,
            key,
            cost: vec![0; metrics],
        }
    }
}

/// What is known of the ways on from states that runs of one stage came through. Runs that meet again go on as one.
#[derive(Default)]
struct Continuations {
    /// The ways by the hash of their states.
    places: FxHashMap<u64, u32>,
    ways: Vec<Continuation>,
    /// The live states of all ways, one after the other.
    keys: Vec<i64>,
    /// The costs of all ways, one after the other.
    costs: Vec<i64>,
    /// The runs that met another one, and those that did not.
    met: usize,
    alone: usize,
    /// What the last runs visited, and what they did not visit again as they met another one; how many they are.
    spent: u64,
    saved: u64,
    tried: usize,
    /// Whether runs have begun not to meet, or to meet so late that it saves little.
    late: bool,
}

/// A way on from a state.
struct Continuation {
    step: usize,
    /// Where its live state begins and ends.
    key: (usize, usize),
    /// The node that it leads to.
    next: u32,
    /// What was visited before, while its own run goes on; then what is visited from it on.
    work: u64,
}

impl Continuations {
    /// Long runs are looked up each time that they have come this many steps further.
    const EVERY: usize = 32;
    /// The most items of live states that are kept.
    const ITEMS: usize = 1 << 22;
    /// Whether a lookup pays off is known after this many runs.
    const TRIED: usize = 64;

    fn clear(&mut self) {
        self.forget();
        (self.met, self.alone, self.late) = (0, 0, false);
        (self.spent, self.saved, self.tried) = (0, 0, 0);
    }

    /// Forgets all ways, but not how often a lookup has paid off.
    fn forget(&mut self) {
        self.places.clear();
        self.ways.clear();
        self.keys.clear();
        self.costs.clear();
    }

    /// Whether looking up is worth its time.
    fn is_open(&self) -> bool {
        self.alone < Self::TRIED + 4 * self.met
    }

    /// Takes note of a run: what it visited, and what it did not visit again.
    fn ran(&mut self, spent: u64, saved: u64) {
        (self.spent, self.saved, self.tried) = (self.spent + spent, self.saved + saved, self.tried + 1);
        if self.tried == Self::TRIED {
            self.late |= self.saved < self.spent;
            (self.spent, self.saved, self.tried) = (0, 0, 0);
        }
    }

    fn is_full(&self) -> bool {
        self.keys.len() >= Self::ITEMS
    }

    fn hash(step: usize, key: &[i64]) -> u64 {
        let mut hasher = FxHasher::default();
        (step, key).hash(&mut hasher);
        hasher.finish()
    }

    /// The way on from a state, if it is known.
    fn way(&self, step: usize, key: &[i64]) -> Option<usize> {
        let way = *self.places.get(&Self::hash(step, key))? as usize;
        let known = &self.ways[way];
        (known.step == step && self.keys[known.key.0..known.key.1] == *key).then_some(way)
    }

    /// Adds a way that is not known yet, and what it cost to come there.
    fn add(&mut self, step: usize, key: &[i64], before: &[i64], work: u64) {
        self.places.insert(Self::hash(step, key), self.ways.len() as u32);
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        self.costs.extend_from_slice(before);
        self.ways.push(Continuation {
            step,
            key: (start, self.keys.len()),
            next: DEAD,
            work,
        });
    }

    fn costs(&mut self, way: usize, metrics: usize) -> &mut [i64] {
        &mut self.costs[way * metrics..(way + 1) * metrics]
    }
}

/// Where arcs are written.
struct Written<'a> {
    /// The node that each arc of the stage leads to, and its costs; empty where they are not stored.
    next: &'a mut [u32],
    cost: &'a mut [i64],
    /// Those that are visited now.
    place: Arc,
    has_dead: bool,
}

/// The arcs of the values of a decision.
enum Arc {
    /// One after the other, from this one on.
    Of(usize),
    /// For each value, ascending, its arc.
    Among(Vec<(u32, usize)>),
}

impl Written<'_> {
    fn arc(&mut self, value: u32, next: u32, cost: &[i64]) {
        self.has_dead |= next == DEAD;
        if self.next.is_empty() || next == DEAD {
            return; // They are dead until they are written.
        }
        let arc = match &self.place {
            Arc::Of(first) => first + value as usize,
            Arc::Among(arcs) => arcs[arcs.partition_point(|&(known, _)| known < value)].1,
        };
        self.next[arc] = next;
        self.cost[arc * cost.len()..(arc + 1) * cost.len()].copy_from_slice(cost);
    }
}

/// Nodes of a stage, by their positions in it, that are explored together.
enum Nodes {
    One(usize),
    /// Nodes that differ in the value of one decision alone: what else they know, the decision, and each by its value.
    Alike {
        key: Vec<i64>,
        decision: usize,
        nodes: Vec<(u32, usize)>,
    },
}

/// This many nodes show in which decision the nodes of a stage differ most.
const SAMPLE: usize = 1 << 10;

/// The nodes of a stage from one on, in groups that differ in one decision alone, the last group first. Nodes remain
/// alone where the values of the decision that is asked for run together themselves, and where conditions are
/// evaluated part by part, as what is left of these differs, too.
fn together(program: &Program, place: Place, states: &[(LiveState, u32, u32)], first: usize) -> Vec<Nodes> {
    let (step, _, asked) = place;
    let alone = || (first..states.len()).rev().map(Nodes::One).collect();
    let all = Values::all(program.decisions()[asked].size);
    if program.has_conditions() || program.parts(step, asked, &all).is_some() {
        return alone();
    }
    let sample = &states[first..states.len().min(first + SAMPLE)];
    let Some((key, ..)) = sample.first() else {
        return Vec::new();
    };
    let groups = |&(decision, _): &(usize, u32)| {
        let rest: FxHashSet<_> = sample
            .iter()
            .map(|(key, ..)| Program::without(key, decision).map(|(rest, _)| rest))
            .collect();
        rest.len()
    };
    let fewest = Program::known(key)
        .into_iter()
        .map(|known| (groups(&known), known.0))
        .min();
    let Some((_, decision)) = fewest.filter(|&(groups, _)| 2 * groups <= sample.len()) else {
        return alone();
    };
    let mut places: FxHashMap<Vec<i64>, usize> = FxHashMap::default();
    let mut found: Vec<Nodes> = Vec::new();
    for (number, (key, ..)) in states.iter().enumerate().skip(first) {
        let Some((rest, value)) = Program::without(key, decision) else {
            found.push(Nodes::One(number));
            continue;
        };
        let group = *places.entry(rest).or_insert_with_key(|rest| {
            found.push(Nodes::Alike {
                key: rest.clone(),
                decision,
                nodes: Vec::new(),
            });
            found.len() - 1
        });
        if let Nodes::Alike { nodes, .. } = &mut found[group] {
            nodes.push((value, number));
        }
    }
    for nodes in &mut found {
        match nodes {
            Nodes::Alike { nodes: members, .. } if members.len() == 1 => *nodes = Nodes::One(members[0].1),
            Nodes::Alike { nodes: members, .. } => members.sort_unstable(),
            Nodes::One(_) => {}
        }
    }
    found.reverse();
    found
}

impl Compiler<'_> {
    /// Asks now and then whether to stop.
    fn look_up(&mut self, work: u64) -> Result<()> {
        if work - self.asked >= self.every {
            self.interrupt.advance(work - self.asked);
            self.asked = work;
            if self.interrupt.stops() {
                return Err(Error::interrupted());
            }
        }
        Ok(())
    }

    /// Runs from a step on, at most up to another one.
    fn run(&mut self, program: &Program, state: &mut State, from: usize, until: usize) -> Result<Outcome> {
        let mut from = from;
        self.look_up(state.work())?;
        loop {
            let pause = Pause {
                work: self.asked + INTERRUPT_EVERY,
                step: until,
            };
            match program.run_until(state, from, pause, |_, _| {}) {
                Outcome::Paused { step } if step < until => {
                    self.look_up(state.work())?;
                    from = step;
                }
                outcome => return Ok(outcome),
            }
        }
    }

    /// The provisional number of the node that a run stopped at.
    ///
    /// `from` is the place of the stage where it began.
    fn target(
        &mut self,
        program: &Program,
        outcome: &Outcome,
        state: &mut State,
        from: Option<Place>,
        entered: u32,
    ) -> Result<u32> {
        match *outcome {
            Outcome::Complete => {
                self.completed = self.completed.min(entered);
                Ok(TERMINAL)
            }
            Outcome::Refused { step, ref refusal } if refusal.is_fatal() => Err(program.error(step, refusal, state)),
            Outcome::Refused { .. } => Ok(DEAD),
            Outcome::Paused { .. } => unreachable!("a run goes on after a pause"),
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

    /// Visits all arcs of a stage, and keeps them if they are to be stored. If that goes beyond a limit, it is as if they
    /// had not been visited.
    fn expand(
        &mut self,
        diagram: &mut Diagram,
        place: Place,
        pending: &Pending,
        stored: bool,
        state: &mut State,
    ) -> Result<Option<Beyond>> {
        let (created, offset, metrics) = (self.created, diagram.next.len(), diagram.metrics());
        if stored {
            let arcs = pending.states.len() * pending.size;
            diagram.next.resize(offset + arcs, DEAD);
            diagram.cost.resize((offset + arcs) * metrics, 0);
        }
        self.known.clear();
        let (mut next, mut cost) = (std::mem::take(&mut diagram.next), std::mem::take(&mut diagram.cost));
        let mut beyond = None;
        let (mut number, mut waiting, mut grouped) = (0, Vec::new(), false);
        while beyond.is_none() {
            if !grouped && (self.known.late || !self.known.is_open()) {
                // Long runs that begin apart may be the same for nodes that differ in one decision alone.
                waiting = together(diagram.running(), place, &pending.states, number);
                (number, grouped) = (pending.states.len(), true);
            }
            let nodes = match waiting.pop() {
                Some(nodes) => nodes,
                None if number < pending.states.len() => {
                    number += 1;
                    Nodes::One(number - 1)
                }
                None => break,
            };
            let mut written = Written {
                next: if stored { &mut next[offset..] } else { &mut [] },
                cost: if stored { &mut cost[offset * metrics..] } else { &mut [] },
                place: Arc::Of(0),
                has_dead: diagram.has_dead,
            };
            match nodes {
                Nodes::One(number) => {
                    written.place = Arc::Of(number * pending.size);
                    let start = Reached::new(place.0, pending.states[number].0.to_vec(), metrics);
                    let all = Values::all(pending.size);
                    self.explore(diagram, place, (place.2, start, all), &mut written, state)?;
                }
                Nodes::Alike { key, decision, nodes } => {
                    let program = diagram.running();
                    let members: Vec<u32> = nodes.iter().map(|&(value, _)| value).collect();
                    let values = Values::of(program.decisions()[decision].size, &members);
                    for value in 0..pending.size {
                        let arcs: Vec<_> = nodes
                            .iter()
                            .map(|node| (node.0, node.1 * pending.size + value))
                            .collect();
                        written.place = Arc::Among(arcs);
                        program.decode(&key, state);
                        state.choose(place.2, value as u32);
                        let mut start = Reached::new(place.0, Vec::new(), metrics);
                        program.encode(place.0, state, &mut start.key);
                        self.explore(diagram, place, (decision, start, values.clone()), &mut written, state)?;
                    }
                }
            }
            diagram.has_dead = written.has_dead;
            if self.held > self.limits.memory || self.widest > self.limits.nodes {
                beyond = Some(Beyond::Width);
            } else if state.work() > self.limits.work {
                beyond = Some(Beyond::Work);
            }
        }
        if beyond.is_some() {
            self.forget(created);
            next.truncate(offset);
            cost.truncate(offset * metrics);
        }
        (diagram.next, diagram.cost) = (next, cost);
        Ok(beyond)
    }

    /// Visits the arcs of some values of a decision, from a state on. Values run together until a step tells them apart.
    fn explore(
        &mut self,
        diagram: &Diagram,
        place: Place,
        (decision, start, all): (usize, Reached, Values),
        written: &mut Written<'_>,
        state: &mut State,
    ) -> Result<()> {
        let program = diagram.running();
        let entered = diagram.stages.len() as u32 + 1;
        let mut waiting = Vec::new();
        let mut apart = None;
        if decision == place.2 {
            apart = Some((start, all));
        } else {
            // The step asks for another decision, and so does not tell these values apart.
            waiting.push((Rc::new(start), all));
        }
        loop {
            if let Some((reached, values)) = apart.take() {
                let parts = program.parts(reached.step, decision, &values);
                let reached = Rc::new(reached);
                if let Some(parts) = parts {
                    waiting.extend(parts.into_iter().rev().map(|part| (Rc::clone(&reached), part)));
                } else {
                    for value in values.indices() {
                        self.single(diagram, place, (decision, value), &reached, written, state)?;
                        if state.work() > self.limits.work {
                            return Ok(());
                        }
                    }
                }
            }
            let Some((reached, values)) = waiting.pop() else {
                return Ok(());
            };
            if let (1, Some(value)) = (values.count(), values.first()) {
                self.single(diagram, place, (decision, value), &reached, written, state)?;
                continue;
            }
            program.decode(&reached.key, state);
            state.cost.clone_from(&reached.cost);
            state.choose_among(decision, values.clone());
            let outcome = self.run(program, state, reached.step, usize::MAX)?;
            match outcome {
                Outcome::Open { step, decision: open } if open == decision => {
                    let (mut key, cost) = (Vec::new(), state.cost.clone());
                    program.encode(step, state, &mut key);
                    apart = Some((Reached { step, key, cost }, values));
                }
                Outcome::Open { step, .. } => {
                    let (mut key, cost) = (Vec::new(), state.cost.clone());
                    program.encode(step, state, &mut key);
                    for class in program.alike(step, decision, &values, state) {
                        program.decode(&key, state);
                        state.choose(decision, class.first().unwrap_or_default());
                        let next = self.target(program, &outcome, state, Some(place), entered)?;
                        class.indices().for_each(|value| written.arc(value, next, &cost));
                    }
                }
                outcome => {
                    let next = self.target(program, &outcome, state, Some(place), entered)?;
                    values.indices().for_each(|value| written.arc(value, next, &state.cost));
                }
            }
        }
    }

    /// Visits the arc of a single value. Where it comes to a state that another arc of the stage came to, it goes on
    /// as that one.
    fn single(
        &mut self,
        diagram: &Diagram,
        place: Place,
        (decision, value): (usize, u32),
        reached: &Reached,
        written: &mut Written<'_>,
        state: &mut State,
    ) -> Result<()> {
        let (program, entered) = (diagram.running(), diagram.stages.len() as u32 + 1);
        self.look_up(state.work())?;
        program.decode(&reached.key, state);
        state.cost.clone_from(&reached.cost);
        state.choose(decision, value);
        if self.known.is_full() {
            // Runs that meet mostly began at one node, or at nodes that lie together.
            self.known.forget();
        }
        let (mut from, began, mut saved) = (reached.step, state.work(), 0);
        let (passed, metrics) = (self.known.ways.len(), diagram.metrics());
        let next = loop {
            let until = if self.known.is_open() {
                (from / Continuations::EVERY + 1) * Continuations::EVERY
            } else {
                usize::MAX
            };
            match self.run(program, state, from, until)? {
                Outcome::Paused { step } => {
                    from = step;
                    program.encode(step, state, &mut self.key);
                    if let Some(way) = self.known.way(step, &self.key) {
                        self.known.met += 1;
                        saved = self.known.ways[way].work;
                        diagram.join(&mut state.cost, self.known.costs(way, metrics))?;
                        break self.known.ways[way].next;
                    }
                    self.known.add(step, &self.key, &state.cost, state.work());
                    state.cost.fill(0);
                }
                outcome => {
                    self.known.alone += usize::from(self.known.ways.len() > passed);
                    break self.target(program, &outcome, state, Some(place), entered)?;
                }
            }
        };
        if saved > 0 || self.known.ways.len() > passed {
            self.known.ran(state.work() - began, saved);
        }
        // So far each way has the cost from the one before up to it.
        for way in (passed..self.known.ways.len()).rev() {
            let known = &mut self.known.ways[way];
            (known.next, known.work) = (next, state.work() - known.work + saved);
            let costs = self.known.costs(way, metrics);
            costs.swap_with_slice(&mut state.cost);
            diagram.join(&mut state.cost, costs)?;
        }
        let cost = &state.cost;
        written.arc(value, next, cost);
        Ok(())
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

impl Program {
    /// Why a network cannot be built, of a program of which none can.
    fn refused(&self) -> Error {
        // The message about the first choices comes from a run of its own, which has the whole history.
        let first = self.trace(&vec![0; self.decisions().len()]);
        first.err().unwrap_or_else(Error::interrupted)
    }
}
