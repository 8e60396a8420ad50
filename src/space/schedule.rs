//! The order in which a compiler takes the steps of a program whose decisions are tied.
//!
//! **Idea.** The width of a decision diagram depends on the order in which its variables are asked for (Bergman, Cire,
//! van Hoeve and Hooker, *Decision Diagrams for Optimization*, 2016, on variable ordering). A decision that is used
//! again far behind its first use stays alive in between, and multiplies the states of all decisions that are asked
//! for there. Often what its last use does is known at the first one, because the shapes do not depend on what lies
//! between. So the scheduler reads the program once before it is compiled. For each tensor it keeps a [`ShapeTable`]:
//! its shapes by the few decisions that they depend on. A layer whose inputs all have tables is moved to the place
//! where the last of its decisions is asked for, and reads its shapes from the tables rather than from tensors. What
//! else is alive beside it is told by guards: see [`When`]. The result is a program like any other, with the same
//! networks and costs.
//!
//! **Bound.** A table has at most [`ROWS`] rows, and there are at most [`WAYS`] paths of second names from a tensor to
//! its readers; whatever is beyond keeps its place. All together at most [`WORK`] rows and tensors are visited, beyond
//! which the whole program keeps its order; so it does as soon as [`STEPS`] steps take so much that the rest would take
//! twice that. Memory: the rows of one table for each tensor that has one. The new order
//! is taken only if an estimate of the states becomes smaller: the product of the sizes of the decisions that are
//! alive, summed over the places where a decision is asked for.

use super::guard::{Atom, Guard, Tensor, When, excludes, implies, joined, told};
use super::program::Program;
use super::shapes::{Beside, Presence, ShapeTable, Waiting, Waits};
use super::state::State;
use super::step::{Action, Step};
use crate::{Error, Interrupt, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most rows of a table.
const ROWS: usize = 1 << 15;

/// The most paths of second names from a tensor to the steps that read it.
const WAYS: usize = 1 << 8;

/// The most steps, among the first and among the last ones, that are searched for one that asks for a decision.
const ASKS: usize = 1 << 7;

/// The most places in which a layer is taken.
const PLACES: usize = 1 << 6;

/// The most rows and tensors that are visited; a program that takes more keeps its order.
const WORK: usize = 1 << 22;

/// Whether the rest of a program takes too much is told from what this many steps took.
const STEPS: usize = 32;

/// The caller is asked whether to stop each time that this many were visited.
const INTERRUPT_EVERY: usize = 1 << 16;

/// The table of what `known` says for all values of the decisions; nothing where that takes too many rows, or one of
/// them is not known.
fn table(
    program: &Program,
    mut decisions: Vec<usize>,
    state: &mut State,
    work: &mut Allowance<'_>,
    mut known: impl FnMut(&mut State) -> Option<Presence>,
) -> Option<ShapeTable> {
    decisions.sort_unstable();
    decisions.dedup();
    let sizes = decisions.iter().map(|&decision| program.decisions[decision].size);
    let decisions: Vec<_> = decisions.iter().copied().zip(sizes).collect();
    let size = |product: usize, &(_, size): &(usize, usize)| product.checked_mul(size);
    let count = decisions.iter().try_fold(1, size).filter(|&rows| rows <= ROWS)?;
    work.add(count);
    let mut rows = Vec::with_capacity(count);
    for row in 0..count {
        let mut rest = row;
        for &(decision, size) in decisions.iter().rev() {
            state.choose(decision, (rest % size) as u32);
            rest /= size;
        }
        rows.push(known(state)?);
    }
    Some(ShapeTable::reduced(decisions, rows))
}

/// A tensor that a layer writes, and when it is needed.
struct Origin {
    tensor: Tensor,
    /// The steps that read it, itself or by a second name, ascending.
    reads: Vec<Reading>,
}

/// A step that reads a tensor.
struct Reading {
    step: usize,
    /// When it reads it.
    here: When,
    /// When it or a later step does.
    from_here: When,
}

/// When a step is taken.
enum Timing {
    /// At its own place, with the tensors that are alive there.
    AtItsPlace,
    /// A layer whose shapes are known ahead.
    Ahead(Ahead),
    /// A second name that cannot fail; it is left out where all its readers know its shape from tables.
    Name,
}

/// What a layer needs to be taken ahead of its place.
struct Ahead {
    /// Where it can be taken: mostly in one place.
    places: Vec<Ask>,
    /// The shapes of its inputs.
    inputs: Vec<ShapeTable>,
    /// All decisions that it reads.
    reads: Vec<usize>,
    beside: Beside,
    /// The tensors beside it that are noted before, by their positions, and behind how many steps.
    noted: Vec<(usize, Vec<Ask>)>,
}

/// A place of the program, and the conditions under which it is the right one.
#[derive(Clone, PartialEq)]
struct Ask {
    /// The number of steps before it.
    behind: usize,
    guard: Guard,
}

impl Ask {
    fn always(behind: usize) -> Self {
        Self {
            behind,
            guard: Guard::new(),
        }
    }
}

/// For each decision the steps that ask for it, each with the conditions under which it does.
type Asks<'a> = Vec<Vec<(usize, &'a [Atom])>>;

/// How much was visited, of what may be.
struct Allowance<'a> {
    done: usize,
    asked: usize,
    interrupt: Interrupt<'a>,
}

impl Allowance<'_> {
    fn add(&mut self, more: usize) {
        self.done += more;
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// `Interrupted`.
    fn goes_on(&mut self) -> Result<bool> {
        if self.done - self.asked >= INTERRUPT_EVERY {
            self.interrupt.advance((self.done - self.asked) as u64);
            self.asked = self.done;
            if self.interrupt.stops() {
                return Err(Error::interrupted());
            }
        }
        Ok(self.done <= WORK)
    }
}

struct Scheduler<'a> {
    program: &'a Program,
    state: State,
    work: Allowance<'a>,
    asks: Asks<'a>,
    /// The same for the decisions that are asked for because what is alive beside a layer depends on them.
    asks_beside: Asks<'a>,
    tables: Vec<Option<ShapeTable>>,
    /// For each tensor the ones that it is a second name of, and under which guard.
    sources: Vec<Vec<(&'a Guard, Tensor)>>,
    /// The tensors of layers that may still be needed.
    origins: Vec<Origin>,
}

impl Program {
    /// The same networks, with the layers taken in another order: each as soon as its decisions are asked for. Nothing
    /// where that would not make fewer states, or takes too much work to find out.
    ///
    /// # Errors
    /// `Interrupted`.
    pub(crate) fn scheduled(&self, interrupt: Interrupt<'_>) -> Result<Option<Self>> {
        if !self.writes_once() || self.peaks && !self.needs().told() {
            return Ok(None);
        }
        let asks = self.asks();
        let work = Allowance {
            done: 0,
            asked: 0,
            interrupt,
        };
        let mut scheduler = Scheduler::new(self, asks.clone(), work);
        let Some(timings) = scheduler.read()? else {
            return Ok(None);
        };
        let Some(beside) = self.beside_at_their_places(&timings, &mut scheduler.work)? else {
            return Ok(None);
        };
        let tables = scheduler.tables;
        let scheduled = self.reordered(&timings, &beside, &asks);
        let states = |program: &Self| program.states(&program.spans(&tables));
        Ok((states(&scheduled) < states(self)).then_some(scheduled))
    }

    /// What may be alive beside each layer that is taken at its own place; nothing where that is too much to list.
    fn beside_at_their_places(&self, timings: &[Timing], work: &mut Allowance<'_>) -> Result<Option<Vec<Beside>>> {
        let mut beside = vec![Beside::new(); self.steps.len()];
        if !self.peaks {
            return Ok(Some(beside));
        }
        let mut there: Vec<Tensor> = Vec::new();
        for (number, step) in self.steps.iter().enumerate() {
            if let (Action::Layer { layer, inputs, .. }, Timing::AtItsPlace) = (&step.action, &timings[number]) {
                there.retain(|tensor| self.readers[tensor.0].last().is_some_and(|&last| last >= number));
                work.add(there.len());
                if !work.goes_on()? {
                    return Ok(None);
                }
                let in_place = self.in_place(*layer);
                let waiting = there.iter().filter_map(|&tensor| {
                    let read = inputs.contains(&tensor);
                    let kept = match self.needs().behind(number, tensor) {
                        Some(when) if !read || in_place => when.given(|atom| told(&step.guard, atom)),
                        _ => When::NEVER,
                    };
                    (read || kept != When::NEVER).then_some(Waits {
                        tensor: Waiting::Tensor(tensor),
                        read: if read { When::always() } else { When::NEVER },
                        kept,
                    })
                });
                beside[number] = waiting.collect();
            }
            let written = step.action.writes();
            there.extend(written.filter(|tensor| self.writer[tensor.0] == Some(number)));
        }
        Ok(Some(beside))
    }

    /// Whether no network writes a tensor twice.
    fn writes_once(&self) -> bool {
        let mut written = vec![When::NEVER; self.tensors];
        self.steps.iter().all(|step| {
            let Some(guard) = joined(&step.guard, &[]) else {
                return true;
            };
            step.action.writes().all(|tensor| {
                let before = &mut written[tensor.0];
                let once = before.0.iter().all(|before| excludes(before, &guard));
                // A layer writes its tensors under no other guard than its own.
                before.insert(if matches!(step.action, Action::Layer { .. }) {
                    Guard::new()
                } else {
                    guard.clone()
                });
                once
            })
        })
    }

    fn asks(&self) -> Asks<'_> {
        let mut asks: Asks<'_> = vec![Vec::new(); self.decisions.len()];
        for (number, step) in self.steps.iter().enumerate() {
            for (position, atom) in step.guard.iter().enumerate() {
                asks[atom.decision].push((number, &step.guard[..position]));
            }
            if !matches!(step.action, Action::Require { asks: false, .. }) {
                for &decision in &step.reads {
                    asks[decision].push((number, &step.guard));
                }
            }
        }
        asks
    }

    /// For each decision the first and the last step that tell its values apart: they mention it, or read a tensor whose
    /// shapes depend on it.
    fn spans(&self, tables: &[Option<ShapeTable>]) -> Vec<Option<(usize, usize)>> {
        let ends = |mentions: &Vec<usize>| Some((*mentions.first()?, *mentions.last()?));
        let mut spans: Vec<_> = self.mentions.iter().map(ends).collect();
        for (table, readers) in tables.iter().zip(&self.readers) {
            if let (Some(table), Some(&reader)) = (table, readers.last()) {
                for decision in table.reads() {
                    if let Some((_, last)) = &mut spans[decision] {
                        *last = (*last).max(reader);
                    }
                }
            }
        }
        spans
    }

    /// The number of steps behind which all decisions of a step are certain to be asked for; nothing where the step
    /// itself may be the first to ask for one.
    fn asked(&self, asks: &Asks<'_>, number: usize) -> Option<usize> {
        let step = &self.steps[number];
        let guard = step.guard.iter().enumerate();
        let guard = guard.map(|(position, atom)| (atom.decision, &step.guard[..position]));
        let reads = step.reads.iter().map(|&decision| (decision, &step.guard[..]));
        guard.chain(reads).try_fold(0, |behind, (decision, guard)| {
            Some(behind.max(first_ask(&asks[decision], guard, number)? + 1))
        })
    }

    /// An estimate of the states: wherever a decision is asked for, the product of the sizes of the decisions alive.
    fn states(&self, spans: &[Option<(usize, usize)>]) -> f64 {
        let mut asked: Vec<_> = (0..spans.len()).filter_map(|d| Some((spans[d]?, d))).collect();
        asked.sort_unstable();
        // Logarithms as integers: they add up to the same in any order.
        let bits =
            |decision: usize| ((self.decisions[decision].size as f64).log2() * f64::from(1 << 30)).round() as i64;
        let mut alive = BinaryHeap::new();
        let (mut sum, mut states) = (0, 0.0);
        for ((first, last), decision) in asked {
            while let Some(&Reverse((before, ended))) = alive.peek()
                && before < first
            {
                alive.pop();
                sum -= bits(ended);
            }
            states += (sum as f64 / f64::from(1 << 30)).exp2();
            alive.push(Reverse((last, decision)));
            sum += bits(decision);
        }
        states
    }

    /// The steps in the order in which they are taken.
    fn reordered(&self, timings: &[Timing], at_their_places: &[Beside], asks: &Asks<'_>) -> Self {
        let mut program = Self {
            steps: Vec::new(),
            readers: vec![Vec::new(); self.tensors],
            writer: vec![None; self.tensors],
            mentions: vec![Vec::new(); self.decisions.len()],
            ..self.clone()
        };
        let kept = self.kept_names(timings, at_their_places);
        let mut notes = Notes::default();
        let mut order: Vec<(usize, Item<'_>)> = Vec::new();
        for (number, step) in self.steps.iter().enumerate() {
            let mut take = |behind: usize, guard| order.push((behind, Item::Step(number, guard)));
            match (&step.action, &timings[number]) {
                (_, Timing::Ahead(ahead)) => {
                    for place in &ahead.places {
                        take(place.behind, &place.guard[..]);
                    }
                    for (position, places) in &ahead.noted {
                        notes.add(&mut program, &ahead.beside[*position].tensor, places);
                    }
                }
                (Action::Require { input: None, .. }, _) => {
                    take(self.asked(asks, number).unwrap_or(number + 1), &[]);
                }
                _ => take(number + 1, &[]),
            }
        }
        for note in &notes.0 {
            order.extend(
                note.places
                    .iter()
                    .map(|place| (place.behind, Item::Note(note, &place.guard[..]))),
            );
        }
        // What is noted is noted behind the step that asks for its last decision, and before all that is taken there.
        order.sort_by_key(|&(behind, taken)| match taken {
            Item::Step(number, _) => (behind, if behind <= number { 2 } else { 0 }, number),
            Item::Note(note, _) => (behind, 1, note.tensor.0),
        });
        let mut beside = Vec::new();
        for (_, taken) in order {
            let (number, guard) = match taken {
                Item::Step(number, guard) => (number, guard),
                Item::Note(note, guard) => {
                    program.record(note.step(guard), &[], &[]);
                    beside.push(Beside::new());
                    continue;
                }
            };
            let mut step = self.steps[number].clone();
            step.guard.extend_from_slice(guard);
            let (mut sources, mut waiting) = (Vec::new(), Beside::new());
            match (&step.action, &timings[number]) {
                (Action::Layer { .. }, Timing::Ahead(ahead)) => {
                    step.reads.clone_from(&ahead.reads);
                    step.known = Some(ahead.inputs.clone());
                    waiting.clone_from(&ahead.beside);
                    for &(position, _) in &ahead.noted {
                        let tensor = &mut waiting[position].tensor;
                        if let Some(note) = notes.find(tensor) {
                            *tensor = Waiting::Tensor(note.tensor);
                        }
                    }
                    sources.extend(tensors(&waiting));
                }
                (Action::Layer { inputs, layer, .. }, _) => {
                    sources.clone_from(inputs);
                    waiting.clone_from(&at_their_places[number]);
                    sources.extend(tensors(&waiting));
                    for slot in self.layers[*layer].slots() {
                        program.last_use[slot] = program.steps.len();
                    }
                }
                (Action::Alias { from, .. }, _) if kept[number] => sources.push(*from),
                (Action::Alias { .. } | Action::Read { .. }, _) => {
                    if self.asked(asks, number).is_some() {
                        continue; // All that it does is done before.
                    }
                    if let (Action::Alias { .. }, Some(atom)) = (&step.action, step.guard.last()) {
                        // Nothing reads the name, but its guard is the first to ask for the decision.
                        let decision = atom.decision;
                        step.reads = vec![decision];
                        step.action = Action::Read { decision };
                    }
                }
                (Action::Require { input, .. }, _) => sources.extend(input),
                // The layers know already what it keeps alive.
                (Action::Wait { .. } | Action::Return { .. }, _) => continue,
            }
            sources.sort_unstable();
            sources.dedup();
            let looks = waiting.iter().flat_map(Waits::guards).flatten();
            let looks: Vec<_> = looks.map(|atom| atom.decision).collect();
            program.record(step, &sources, &looks);
            beside.push(waiting);
        }
        program.beside = Some(beside);
        program
    }

    /// For each step whether it gives a second name that must be kept: a layer at its own place reads it, or it may be
    /// alive beside one, or the tensor that it names may be absent.
    fn kept_names(&self, timings: &[Timing], beside: &[Beside]) -> Vec<bool> {
        let mut kept = vec![false; self.steps.len()];
        // The tensors that later steps need.
        let mut needed = vec![false; self.tensors];
        for (number, step) in self.steps.iter().enumerate().rev() {
            match &step.action {
                Action::Layer { inputs, .. } if matches!(timings[number], Timing::AtItsPlace) => {
                    for tensor in inputs.iter().copied().chain(tensors(&beside[number])) {
                        needed[tensor.0] = true;
                    }
                }
                Action::Require { input: Some(input), .. } => needed[input.0] = true,
                Action::Alias { from, to } if needed[to.0] || !matches!(timings[number], Timing::Name) => {
                    kept[number] = true;
                    needed[from.0] = true;
                }
                _ => {}
            }
        }
        kept
    }
}

/// What is taken at a place.
#[derive(Clone, Copy)]
enum Item<'a> {
    /// A step, under further conditions.
    Step(usize, &'a [Atom]),
    /// A tensor that waits is noted, under some conditions.
    Note(&'a Note, &'a [Atom]),
}

/// A tensor that waits beside layers, of a known shape.
struct Note {
    shape: ShapeTable,
    /// What stands for it in states.
    tensor: Tensor,
    /// Where it is noted: each time that all decisions of its shape may be taken.
    places: Vec<Ask>,
}

impl Note {
    fn step(&self, guard: &[Atom]) -> Step {
        Step {
            guard: guard.to_vec(),
            action: Action::Wait { output: self.tensor },
            reads: self.shape.reads().collect(),
            condition: None,
            known: Some(vec![self.shape.clone()]),
        }
    }
}

/// The tensors that wait.
#[derive(Default)]
struct Notes(Vec<Note>);

impl Notes {
    fn find(&self, waiting: &Waiting) -> Option<&Note> {
        match waiting {
            Waiting::Foreseen(shape) => self.0.iter().find(|note| note.shape.is(shape)),
            Waiting::Tensor(_) => None,
        }
    }

    /// Adds places where a tensor is noted.
    fn add(&mut self, program: &mut Program, waiting: &Waiting, places: &[Ask]) {
        let Waiting::Foreseen(shape) = waiting else {
            return;
        };
        let known = self.0.iter().position(|note| note.shape.is(shape)).unwrap_or_else(|| {
            self.0.push(Note {
                shape: shape.clone(),
                tensor: program.tensor(),
                places: Vec::new(),
            });
            self.0.len() - 1
        });
        for place in places {
            if !self.0[known].places.contains(place) {
                self.0[known].places.push(place.clone());
            }
        }
    }
}

fn tensors(beside: &Beside) -> impl Iterator<Item = Tensor> + '_ {
    beside.iter().filter_map(|waits| match waits.tensor {
        Waiting::Tensor(tensor) => Some(tensor),
        Waiting::Foreseen(_) => None,
    })
}

/// The first step before `step` behind which a decision is certain to be asked for wherever the guard holds.
fn first_ask(asks: &[(usize, &[Atom])], guard: &[Atom], step: usize) -> Option<usize> {
    let places = asked_before(asks, guard, step)?;
    places.iter().map(|place| place.behind).max().map(|behind| behind - 1)
}

/// The places behind the first steps before `step` that ask for a decision, of which one is certain to wherever the
/// guard holds, and no more than one.
fn asked_before(asks: &[(usize, &[Atom])], guard: &[Atom], step: usize) -> Option<Vec<Ask>> {
    let before = &asks[..asks.partition_point(|(asked, _)| *asked < step)];
    let last = before.len().saturating_sub(ASKS).max(before.len().min(ASKS));
    let mut near = before[..before.len().min(ASKS)].iter().chain(&before[last..]);
    if let Some((asked, _)) = near.find(|(_, conditions)| implies(guard, conditions)) {
        return Some(vec![Ask::always(asked + 1)]);
    }
    if before.len() > PLACES {
        return None;
    }
    // None is certain by itself: some together are, where their conditions cover all cases.
    let (mut places, mut covered, mut apart) = (Vec::<Ask>::new(), When::NEVER, true);
    for &(asked, conditions) in before {
        let Some(both) = joined(guard, conditions) else {
            continue;
        };
        let left: Guard = both
            .into_iter()
            .filter(|atom| told(guard, atom) != Some(true))
            .collect();
        if places.iter().any(|place| implies(&left, &place.guard)) {
            continue;
        }
        apart &= places.iter().all(|place| excludes(&left, &place.guard));
        covered.insert(left.clone());
        places.push(Ask {
            behind: asked + 1,
            guard: left,
        });
        if covered == When::always() {
            return Some(if apart { places } else { vec![Ask::always(asked + 1)] });
        }
    }
    None
}

/// The places behind two others, of which one is the right one in each case; one place where they would be too many.
fn behind_both(first: &[Ask], second: &[Ask]) -> Vec<Ask> {
    let pairs = first
        .iter()
        .flat_map(|one| second.iter().map(move |other| (one, other)));
    let both = pairs.filter_map(|(one, other)| {
        let guard = joined(&one.guard, &other.guard)?;
        Some(Ask {
            behind: one.behind.max(other.behind),
            guard,
        })
    });
    let both: Vec<_> = both.collect();
    if both.len() <= PLACES {
        return both;
    }
    let behind = both.iter().map(|place| place.behind).max();
    vec![Ask::always(behind.unwrap_or_default())]
}

/// Adds a tensor that may be alive; it shares an entry with one of the same shape that is never alive at the same
/// time.
fn add(beside: &mut Beside, table: ShapeTable, read: When, kept: When) {
    let alone = |known: &Waits| {
        let mut other = read.0.iter().chain(&kept.0);
        other.all(|one| known.guards().all(|other| excludes(one, other)))
    };
    for known in beside.iter_mut() {
        if matches!(&known.tensor, Waiting::Foreseen(other) if *other == table) && alone(known) {
            read.0.into_iter().for_each(|guard| known.read.insert(guard));
            kept.0.into_iter().for_each(|guard| known.kept.insert(guard));
            return;
        }
    }
    beside.push(Waits {
        tensor: Waiting::Foreseen(table),
        read,
        kept,
    });
}

/// Where an input is certain to die with a layer that works in place, whether smaller ones do makes no difference.
fn forget_smaller(alive: &mut [(ShapeTable, When, When)]) {
    let always = When::always();
    let dies = alive
        .iter()
        .filter(|(_, read, kept)| *read == always && *kept == When::NEVER);
    let Some(largest) = dies.filter_map(|(table, ..)| table.elements().min()).max() else {
        return;
    };
    for (table, read, kept) in alive {
        if *read == always && table.elements().all(|elements| elements <= largest) {
            *kept = When::NEVER;
        }
    }
}

impl<'a> Scheduler<'a> {
    fn new(program: &'a Program, asks: Asks<'a>, work: Allowance<'a>) -> Self {
        Self {
            program,
            state: program.start(),
            work,
            asks,
            asks_beside: vec![Vec::new(); program.decisions.len()],
            tables: vec![None; program.tensors],
            sources: vec![Vec::new(); program.tensors],
            origins: Vec::new(),
        }
    }

    /// For each step when it can be taken; nothing where that takes too much work to find out.
    fn read(&mut self) -> Result<Option<Vec<Timing>>> {
        let program = self.program;
        let mut found = Vec::with_capacity(program.steps.len());
        // Whether it is known when each tensor so far is needed, as far as it matters.
        let mut told = true;
        let mut done_before = 0;
        for (number, step) in program.steps.iter().enumerate() {
            if number % STEPS == 0 {
                let own = self.work.done - std::mem::replace(&mut done_before, self.work.done);
                if own.saturating_mul((program.steps.len() - number) / STEPS) > 2 * WORK {
                    return Ok(None);
                }
            }
            self.origins
                .retain(|origin| origin.reads.last().is_some_and(|last| last.step >= number));
            self.work.add(self.origins.len() + 1);
            if !self.work.goes_on()? {
                return Ok(None);
            }
            let mut timing = Timing::AtItsPlace;
            match &step.action {
                Action::Layer {
                    layer, inputs, output, ..
                } => {
                    for (place, tensor) in step.action.writes().enumerate() {
                        self.tables[tensor.0] = self.output(step, *layer, inputs, place);
                    }
                    if self.tables[output.0].is_some() && program.layers[*layer].slots().next().is_none() && told {
                        let in_place = program.in_place(*layer);
                        timing = self
                            .ahead(number, step, inputs, in_place)
                            .map_or(Timing::AtItsPlace, Timing::Ahead);
                    }
                    for tensor in step.action.writes() {
                        if program.peaks && told {
                            let origin = self.origin(number, tensor);
                            told = origin.is_some();
                            self.origins.extend(origin);
                        }
                    }
                }
                Action::Alias { from, to } => {
                    let known = self.tables[from.0].as_ref();
                    if known.is_some_and(|table| table.under(&step.guard).all(|known| known != Presence::Absent)) {
                        timing = Timing::Name;
                    }
                    self.sources[to.0].push((&step.guard, *from));
                    self.tables[to.0] = self.meeting(*to);
                }
                Action::Require { .. } | Action::Read { .. } | Action::Wait { .. } | Action::Return { .. } => {}
            }
            found.push(timing);
        }
        Ok(Some(found))
    }

    /// The table of one of the tensors that a layer writes, by its position among them.
    fn output(&mut self, step: &Step, layer: usize, inputs: &[Tensor], place: usize) -> Option<ShapeTable> {
        let inputs: Vec<&ShapeTable> = inputs
            .iter()
            .map(|input| self.tables[input.0].as_ref())
            .collect::<Option<_>>()?;
        let mut decisions: Vec<_> = inputs.iter().flat_map(|table| table.reads()).collect();
        decisions.extend(
            step.guard
                .iter()
                .map(|atom| atom.decision)
                .chain(step.reads.iter().copied()),
        );
        let mut values = Vec::new();
        table(self.program, decisions, &mut self.state, &mut self.work, |state| {
            if state.holds(&step.guard) != Ok(true) {
                return Some(Presence::Absent);
            }
            state.inputs.clear();
            for table in &inputs {
                match table.shape(&state.chosen) {
                    Some(shape) => state.inputs.push(shape),
                    None => return Some(Presence::Refused),
                }
            }
            let first = self.program.output(layer, &mut values, state);
            let shape = match (first, place) {
                (Ok(first), 0) => Ok(first),
                (Ok(_), place) => self
                    .program
                    .extra(layer, &values, &state.inputs, place)
                    .map(|extra| extra[place - 1]),
                (Err(refusal), _) => Err(refusal),
            };
            match shape {
                Ok(shape) => Some(Presence::There(shape)),
                Err(refusal) => (!refusal.is_fatal()).then_some(Presence::Refused),
            }
        })
    }

    /// The table of a tensor that is a second name of several others.
    fn meeting(&mut self, tensor: Tensor) -> Option<ShapeTable> {
        let mut decisions = Vec::new();
        let mut sources = Vec::new();
        for &(guard, from) in &self.sources[tensor.0] {
            let table = self.tables[from.0].as_ref()?;
            decisions.extend(guard.iter().map(|atom| atom.decision).chain(table.reads()));
            sources.push((guard, table));
        }
        table(self.program, decisions, &mut self.state, &mut self.work, |state| {
            let holds = |guard: &Guard| {
                guard
                    .iter()
                    .all(|atom| atom.allowed.contains(state.chosen[atom.decision]))
            };
            let taken = sources.iter().find(|(guard, _)| holds(guard));
            Some(match taken.map(|(_, table)| table.known(&state.chosen)) {
                None => Presence::Absent,
                Some(Presence::There(shape)) => Presence::There(shape),
                Some(Presence::Absent | Presence::Refused) => Presence::Refused,
            })
        })
    }

    /// The readers of a tensor that a layer writes; nothing where there are too many paths to them.
    fn origin(&mut self, number: usize, tensor: Tensor) -> Option<Origin> {
        let program = self.program;
        let mut ways: Vec<(usize, Guard)> = Vec::new();
        let mut open: Vec<(usize, Tensor, Guard)> = Vec::new();
        if let Some(guard) = joined(&program.steps[number].guard, &[]) {
            open.push((number, tensor, guard));
        }
        while let Some((written, name, guard)) = open.pop() {
            let readers = &program.readers[name.0];
            for &reader in &readers[readers.partition_point(|&reader| reader <= written)..] {
                let step = &program.steps[reader];
                self.work.add((guard.len() + 1) * (step.guard.len() + 1));
                let Some(both) = joined(&guard, &step.guard) else {
                    continue;
                };
                match step.action {
                    Action::Alias { to, .. } => open.push((reader, to, both)),
                    _ => ways.push((reader, both)),
                }
                if ways.len() + open.len() > WAYS {
                    return None;
                }
            }
        }
        ways.sort_by_key(|&(reader, _)| reader);
        let mut from_here = When::NEVER;
        let mut reads: Vec<Reading> = Vec::new();
        while let Some((step, guard)) = ways.pop() {
            from_here.insert(guard.clone());
            match reads.last_mut() {
                Some(last) if last.step == step => {
                    last.here.insert(guard);
                    last.from_here.clone_from(&from_here);
                }
                _ => reads.push(Reading {
                    step,
                    here: When(vec![guard]),
                    from_here: from_here.clone(),
                }),
            }
        }
        reads.reverse();
        Some(Origin { tensor, reads })
    }

    /// How to take a layer ahead of its place, if its decisions are certain to be asked for before.
    fn ahead(&mut self, number: usize, step: &'a Step, inputs: &[Tensor], in_place: bool) -> Option<Ahead> {
        let known = inputs.iter().map(|input| {
            let table = self.tables[input.0].as_ref()?;
            Some(table.alike(table.under(&step.guard)))
        });
        let inputs: Vec<ShapeTable> = known.collect::<Option<_>>()?;
        let mut alive: Vec<(ShapeTable, When, When)> = Vec::new();
        for origin in &self.origins {
            let next = origin.reads.partition_point(|reader| reader.step < number);
            let told = |when: &When| when.given(|atom| told(&step.guard, atom));
            let (read, kept) = match &origin.reads[next..] {
                // A layer that works in place must know which tensor it may write over.
                [own, later @ ..] if own.step == number && in_place => (
                    told(&own.here),
                    later.first().map_or(When::NEVER, |later| told(&later.from_here)),
                ),
                [next, ..] => (When::NEVER, told(&next.from_here)),
                [] => continue,
            };
            if read != When::NEVER || kept != When::NEVER {
                let table = self.tables[origin.tensor.0].as_ref()?;
                let there = table.under(&[]).filter(|&known| known != Presence::Absent);
                alive.push((table.alike(there), read, kept));
            }
        }
        forget_smaller(&mut alive);
        let mut beside = Beside::new();
        for (table, read, kept) in alive {
            self.work.add(1 + beside.len());
            add(&mut beside, table, read, kept);
        }
        let mut places = vec![Ask::always(0)];
        for (position, atom) in step.guard.iter().enumerate() {
            let asked = first_ask(&self.asks[atom.decision], &step.guard[..position], number);
            places = behind_both(&places, &[Ask::always(asked.unwrap_or(number) + 1)]);
        }
        let noted = self.noted(number, step, &inputs, &beside);
        let is_noted = |position: usize| noted.iter().any(|&(noted, _)| noted == position);
        let sizes = beside
            .iter()
            .enumerate()
            .filter_map(|(position, waits)| match &waits.tensor {
                Waiting::Foreseen(table) if !is_noted(position) => Some(table),
                _ => None,
            });
        let mut reads = step.reads.clone();
        for decision in inputs.iter().chain(sizes).flat_map(ShapeTable::reads) {
            if !reads.contains(&decision) {
                reads.push(decision);
            }
        }
        for &decision in &reads {
            let own = step.reads.contains(&decision) || step.guard.iter().any(|atom| atom.decision == decision);
            let asked = asked_before(&self.asks[decision], &step.guard, number);
            places = behind_both(&places, &asked.or_else(|| own.then(|| vec![Ask::always(number + 1)]))?);
        }
        for (_, noted) in &noted {
            let further = |place: &Ask| Ask {
                behind: place.behind,
                guard: place
                    .guard
                    .iter()
                    .filter(|atom| told(&step.guard, atom) != Some(true))
                    .cloned()
                    .collect(),
            };
            let noted: Vec<_> = noted.iter().map(further).collect();
            places = behind_both(&places, &noted);
        }
        for guard in beside.iter().flat_map(Waits::guards) {
            let mut before = step.guard.clone();
            for atom in guard {
                let asked = first_ask(&self.asks[atom.decision], &before, number);
                let beside = first_ask(&self.asks_beside[atom.decision], &before, number);
                let asked = asked.into_iter().chain(beside).min();
                if asked.is_none() {
                    self.asks_beside[atom.decision].push((number, &step.guard));
                }
                places = behind_both(&places, &[Ask::always(asked.unwrap_or(number) + 1)]);
                before.push(atom.clone());
            }
        }
        Some(Ahead {
            places,
            inputs,
            reads,
            beside,
            noted,
        })
    }

    /// The tensors beside a layer whose shapes depend on decisions that the layer does not read itself, by their
    /// positions: where each can be noted, so that the states behind need not know the decisions, but what waits.
    fn noted(&self, number: usize, step: &Step, inputs: &[ShapeTable], beside: &Beside) -> Vec<(usize, Vec<Ask>)> {
        let own: Vec<_> = inputs
            .iter()
            .flat_map(ShapeTable::reads)
            .chain(step.reads.iter().copied())
            .collect();
        let waiting = beside.iter().enumerate().filter_map(|(position, waits)| {
            let Waiting::Foreseen(shape) = &waits.tensor else {
                return None;
            };
            // Of what a layer writes over the size by itself matters.
            if waits.read != When::NEVER || shape.reads().all(|decision| own.contains(&decision)) {
                return None;
            }
            let mut places = vec![Ask::always(0)];
            for decision in shape.reads() {
                let asked = asked_before(&self.asks[decision], &step.guard, number)?;
                places = behind_both(&places, &asked);
            }
            // A condition whose decision is asked for before hides it from networks without the layer.
            for place in &mut places {
                let mut guard = Guard::new();
                for (position, atom) in step.guard.iter().enumerate() {
                    let asked = first_ask(&self.asks[atom.decision], &step.guard[..position], number);
                    if asked.is_none_or(|asked| asked >= place.behind) {
                        break;
                    }
                    guard.push(atom.clone());
                }
                place.guard = joined(&guard, &place.guard)?;
            }
            Some((position, places))
        });
        waiting.collect()
    }
}
