//! Running a program: forward until a decision is open, something refuses, or the network is complete.

use super::liveness::{Alive, Size};
use super::program::{Action, Atom, Combine, Program, Step, Tensor};
use super::values::Values;
use crate::layers::{Built, Formula, MAX_RANK, Refusal, Shape};
use crate::{Error, ErrorKind, Result};
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many steps that mention a decision are passed over in the time of one other thing that is looked at.
const MENTIONS: usize = 8;

/// The bits of the rank of a tensor in a key.
const RANK_BITS: u32 = 4;

const _: () = assert!(MAX_RANK < 1 << RANK_BITS);

/// Two numbers in one word of a key: a space has less than 2^31 tensors and decisions.
fn pack(upper: usize, lower: usize) -> i64 {
    debug_assert!(upper < 1 << 31 && lower < 1 << 32);
    (upper << 32 | lower) as i64
}

fn unpack(word: i64) -> (usize, usize) {
    let word = word as usize;
    (word >> 32, word & 0xffff_ffff)
}

/// A decision that is not taken.
pub(crate) const OPEN: u32 = u32::MAX;

/// All that a run knows: the shapes of tensors, the decisions taken, and the cost so far.
#[derive(Debug, Clone)]
pub(crate) struct State {
    tensors: Vec<Option<Shape>>,
    /// The tensors that are there.
    pub(super) present: Vec<Present>,
    /// For each tensor the one whose values it holds: itself, or what it is a second name of.
    origins: Vec<Tensor>,
    /// For each decision the index of its value, or [`OPEN`].
    pub(crate) chosen: Vec<u32>,
    /// The decisions that are taken.
    taken: Vec<usize>,
    /// A decision that is not taken, and the values that it may have: what holds for all of them is known.
    several: Option<(usize, Values)>,
    /// For each layer that several steps apply its first use, once there is one.
    built: Vec<Option<FirstUse>>,
    /// The layers among them that are used.
    used: Vec<usize>,
    /// One entry for each metric.
    pub(crate) cost: Vec<i64>,
    /// How much was looked at so far: steps, conditions, tensors, decisions.
    work: Work,
    args: Vec<i64>,
    pub(super) inputs: Vec<Shape>,
    /// What waits beside the layer that is applied.
    alive: Alive,
    /// What the layer that is applied gives beside its output.
    extra: Vec<(Tensor, Shape)>,
    /// The tensors that do.
    pub(super) beside: Vec<Size>,
    pub(super) marks: Marks,
    /// What the layer that is applied costs.
    own: Vec<i64>,
}

/// How much was looked at: counted by what only reads a state, too.
#[derive(Debug, Default)]
struct Work(AtomicU64);

impl Clone for Work {
    fn clone(&self) -> Self {
        Self(self.0.load(Ordering::Relaxed).into())
    }
}

/// A tensor that is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present {
    pub(super) tensor: Tensor,
    /// So many of its readers are not ruled out: the first ones.
    pub(super) readers: usize,
}

/// Notes on tensors, which are gone at once when other tensors are looked at.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// The number of the notes that hold.
    now: u64,
    /// For each tensor whether a layer reads it.
    read: Vec<u64>,
    /// For each tensor its place in a list.
    place: Vec<(u64, usize)>,
}

impl Marks {
    fn of(tensors: usize) -> Self {
        Self {
            now: 0,
            read: vec![0; tensors],
            place: vec![(0, 0); tensors],
        }
    }

    pub(super) fn clear(&mut self) {
        self.now += 1;
    }

    pub(super) fn read(&mut self, tensor: Tensor) {
        self.read[tensor.0] = self.now;
    }

    pub(super) fn is_read(&self, tensor: Tensor) -> bool {
        self.read[tensor.0] == self.now
    }

    /// The place that was noted of a tensor; from now on this one, if there was none.
    pub(super) fn place(&mut self, tensor: Tensor, next: usize) -> usize {
        let known = &mut self.place[tensor.0];
        if known.0 != self.now {
            *known = (self.now, next);
        }
        known.1
    }
}

/// The first use of a layer that several steps apply.
#[derive(Debug, Clone)]
struct FirstUse {
    /// The shapes of its inputs; none where a state was restored, as later steps cannot tell them.
    on: Vec<Shape>,
    /// The numbers that a later use must find again.
    numbers: Vec<i64>,
}

fn not_computed() -> Refusal {
    Refusal::new("it reads a tensor that is not computed in this network", [])
}

impl State {
    pub(super) fn chosen(&self, decision: usize) -> u32 {
        self.chosen[decision]
    }

    /// How much was looked at so far: steps, conditions, tensors, decisions.
    pub(crate) fn work(&self) -> u64 {
        self.work.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn looked_at(&self, more: usize) {
        // One thread counts, so nothing is lost between the two.
        self.work.0.store(self.work() + more as u64, Ordering::Relaxed);
    }

    /// Takes a decision.
    pub(crate) fn choose(&mut self, decision: usize, value: u32) {
        if std::mem::replace(&mut self.chosen[decision], value) == OPEN {
            self.taken.push(decision);
        }
    }

    /// Leaves it open which of several values a decision has.
    pub(crate) fn choose_among(&mut self, decision: usize, values: Values) {
        self.several = Some((decision, values));
    }

    /// What is known of a condition; the decision may be open.
    #[inline]
    pub(super) fn told(&self, decision: usize, allowed: &Values) -> Option<bool> {
        self.looked_at(1);
        match self.chosen[decision] {
            OPEN => match &self.several {
                Some((known, values)) if *known == decision => allowed.tell(values),
                _ => None,
            },
            value => Some(allowed.contains(value)),
        }
    }

    /// Whether a guard holds, or the decision that it waits for.
    pub(super) fn holds(&self, guard: &[Atom]) -> std::result::Result<bool, usize> {
        for atom in guard {
            match self.told(atom.decision, &atom.allowed) {
                None => return Err(atom.decision),
                Some(false) => return Ok(false),
                Some(true) => {}
            }
        }
        Ok(true)
    }

    /// Whether a decision has several values here.
    pub(super) fn has_several(&self, decision: usize) -> bool {
        self.several.as_ref().is_some_and(|&(known, _)| known == decision)
    }

    pub(super) fn shape(&self, tensor: Tensor) -> std::result::Result<Shape, Refusal> {
        self.tensors[tensor.0].ok_or_else(not_computed)
    }

    /// The shape that a tensor begins with, and the tensor whose values it holds.
    pub(super) fn set_tensor(&mut self, tensor: Tensor, shape: Shape, origin: Tensor, readers: usize) {
        if self.tensors[tensor.0].replace(shape).is_none() {
            self.present.push(Present { tensor, readers });
        }
        self.origins[tensor.0] = origin;
    }

    /// Forgets a tensor that is taken from those that are there.
    pub(super) fn forget(&mut self, tensor: Tensor) {
        self.tensors[tensor.0] = None;
    }

    /// The shape of the first tensor that flows into the layer that is applied.
    pub(super) fn incoming(&self) -> Option<&Shape> {
        self.inputs.first()
    }

    /// The tensor whose values a tensor holds.
    pub(super) fn origin(&self, tensor: Tensor) -> Tensor {
        self.origins[tensor.0]
    }

    /// The same state before anything happened, as far as there is something to take back.
    pub(crate) fn reset(&mut self) {
        for Present { tensor, .. } in self.present.drain(..) {
            self.tensors[tensor.0] = None;
        }
        for decision in self.taken.drain(..) {
            self.chosen[decision] = OPEN;
        }
        for slot in self.used.drain(..) {
            self.built[slot] = None;
        }
        self.several = None;
        self.cost.fill(0);
    }
}

/// Where a decision is asked for: the step, the position among all that it asks for, and the decision.
pub(crate) type Place = (usize, usize, usize);

/// Where a run stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A step needs a decision that is open.
    Open { step: usize, decision: usize },
    /// Enough was looked at, or the step was reached up to which it was to go: it can go on there.
    Paused { step: usize },
    /// A step refused.
    Refused { step: usize, refusal: Refusal },
    /// The network is complete.
    Complete,
}

/// When a run pauses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    /// Once so much was looked at.
    pub(crate) work: u64,
    /// At this step, or the first one behind it that is looked at.
    pub(crate) step: usize,
}

impl Pause {
    pub(crate) const NEVER: Self = Self {
        work: u64::MAX,
        step: usize::MAX,
    };
}

/// One layer of a network, as it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerTrace {
    /// The layer, by its position.
    pub layer: usize,
    /// The values of its hyperparameters, flattened.
    pub args: Vec<i64>,
    /// The bits of one of its weights.
    pub bits: i64,
    /// The indices of the decisions that only metrics from outside look at.
    pub notes: Vec<u32>,
    /// The tensors that it read.
    pub inputs: Vec<Tensor>,
    /// Their shapes.
    pub input_shapes: Vec<Shape>,
    /// The tensor that it wrote.
    pub output: Tensor,
    /// Its shape.
    pub output_shape: Shape,
    /// The tensors that it wrote beside that, with their shapes.
    pub extra: Vec<(Tensor, Shape)>,
    /// Its own value of each metric.
    pub cost: Vec<i64>,
    /// Whether its weights were counted by an earlier use.
    pub reused: bool,
    /// Its trainable weights as a formula.
    pub trainable: Formula,
    /// Its other weights as a formula.
    pub non_trainable: Formula,
    /// Its multiply-accumulates as a formula.
    pub macs: Formula,
}

/// A complete network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The value of each metric.
    pub cost: Vec<i64>,
    /// For each decision, whether the network depends on it.
    pub active: Vec<bool>,
    /// The layers in the order in which they are applied.
    pub layers: Vec<LayerTrace>,
    /// Pairs of a tensor and its second name, in order.
    pub aliases: Vec<(Tensor, Tensor)>,
}

/// What a run shows of each layer that it applies.
#[derive(Clone, Copy)]
pub(crate) struct Applied<'a> {
    pub(crate) layer: usize,
    pub(crate) args: &'a [i64],
    pub(crate) bits: i64,
    pub(crate) inputs: &'a [Tensor],
    pub(crate) input_shapes: &'a [Shape],
    pub(crate) output: Tensor,
    pub(crate) output_shape: Shape,
    pub(crate) extra: &'a [(Tensor, Shape)],
    pub(crate) cost: &'a [i64],
    pub(crate) reused: bool,
}

impl Program {
    /// A state before anything happened.
    pub(crate) fn start(&self) -> State {
        State {
            tensors: vec![None; self.tensors],
            present: Vec::new(),
            origins: (0..self.tensors).map(Tensor).collect(),
            chosen: vec![OPEN; self.decisions.len()],
            taken: Vec::new(),
            several: None,
            built: vec![None; self.shared],
            used: Vec::new(),
            cost: vec![0; self.metrics().len()],
            work: Work::default(),
            args: Vec::new(),
            inputs: Vec::new(),
            alive: Alive::default(),
            extra: Vec::new(),
            beside: Vec::new(),
            marks: Marks::of(self.tensors),
            own: Vec::new(),
        }
    }

    /// Runs from a step on, and shows each layer as it is applied.
    pub(crate) fn run(&self, state: &mut State, from: usize, show: impl FnMut(&Applied<'_>, &[u32])) -> Outcome {
        self.run_until(state, from, Pause::NEVER, show)
    }

    /// The same, with pauses.
    pub(crate) fn run_until(
        &self,
        state: &mut State,
        from: usize,
        pause: Pause,
        mut show: impl FnMut(&Applied<'_>, &[u32]),
    ) -> Outcome {
        let skips = self.skips();
        let mut number = from;
        while let Some(step) = self.steps.get(number) {
            if number != from && (state.work() >= pause.work || number >= pause.step) {
                return Outcome::Paused { step: number };
            }
            state.looked_at(1);
            match skips.from(number, state) {
                Err(decision) => return Outcome::Open { step: number, decision },
                Ok(0) => {
                    if let Some(outcome) = self.take(number, step, state, &mut show) {
                        return outcome;
                    }
                    number += 1;
                }
                Ok(passed) => number += passed,
            }
        }
        Outcome::Complete
    }

    /// Takes a step whose guard holds; what ends the run, if it does.
    fn take(
        &self,
        number: usize,
        step: &Step,
        state: &mut State,
        show: &mut impl FnMut(&Applied<'_>, &[u32]),
    ) -> Option<Outcome> {
        if let Some(&decision) = step.reads.iter().find(|&&decision| state.chosen[decision] == OPEN) {
            let passes = match step.action {
                Action::Require { asks: false, .. } => !state.has_several(decision),
                Action::Read { .. } => state.has_several(decision),
                _ => false,
            };
            return (!passes).then_some(Outcome::Open { step: number, decision });
        }
        if let Action::Layer { layer, .. } = step.action {
            match self.alive_beside(number, self.layers[layer].kind.in_place, state) {
                Ok(alive) => state.alive = alive,
                Err(decision) => return Some(Outcome::Open { step: number, decision }),
            }
        }
        let done = self.act(number, step, state, show);
        done.err().map(|refusal| Outcome::Refused { step: number, refusal })
    }

    /// Gives a tensor its shape.
    fn put(&self, state: &mut State, tensor: Tensor, shape: Shape, origin: Tensor) {
        state.set_tensor(tensor, shape, origin, self.readers[tensor.0].len());
    }

    fn act(
        &self,
        number: usize,
        step: &Step,
        state: &mut State,
        show: &mut impl FnMut(&Applied<'_>, &[u32]),
    ) -> std::result::Result<(), Refusal> {
        match &step.action {
            Action::Alias { from, to } => {
                let (shape, origin) = (state.shape(*from)?, state.origin(*from));
                self.put(state, *to, shape, origin);
            }
            Action::Read { .. } | Action::Return { .. } => {}
            Action::Require { condition, .. } => {
                if condition.value(state)? == 0 {
                    return Err(condition.unmet(state)?);
                }
            }
            Action::Layer {
                layer,
                inputs,
                output,
                extra,
            } => self.apply_layer(number, *layer, inputs, (*output, extra), state, show)?,
        }
        Ok(())
    }

    /// The shape that a layer writes, from the shapes in the state; its arguments are left in `values`.
    pub(super) fn output(
        &self,
        layer: usize,
        values: &mut Vec<i64>,
        state: &State,
    ) -> std::result::Result<Shape, Refusal> {
        let super::Layer { kind, args, .. } = &self.layers[layer];
        values.clear();
        for (position, arg) in args.iter().enumerate() {
            let value = arg.value(state)?;
            // Numbers and tables were checked when the layer was added.
            if matches!(arg, super::Expr::Incoming { .. } | super::Expr::Binary(..))
                && let Some(parameter) = kind.owners(args.len()).nth(position)
                && parameter.check(value).is_err()
            {
                return Err(Refusal::new(
                    "an expression gives {} where a hyperparameter cannot take it",
                    [value],
                ));
            }
            values.push(value);
        }
        kind.output(values, &state.inputs)
    }

    /// The shapes of the first tensors, so many, that a layer gives beside its output, where [`Self::output`] gave one.
    pub(super) fn extra(
        &self,
        layer: usize,
        values: &[i64],
        inputs: &[Shape],
        count: usize,
    ) -> std::result::Result<Vec<Shape>, Refusal> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut shapes = self.layers[layer].kind.extra(values, inputs)?;
        if shapes.len() < count {
            return Err(Refusal::new(
                "it gives {} tensors beside its output; {} are asked for",
                [shapes.len() as i64, count as i64],
            ));
        }
        shapes.truncate(count);
        Ok(shapes)
    }

    fn apply_layer(
        &self,
        number: usize,
        layer: usize,
        inputs: &[Tensor],
        (output, others): (Tensor, &[Tensor]),
        state: &mut State,
        show: &mut impl FnMut(&Applied<'_>, &[u32]),
    ) -> std::result::Result<(), Refusal> {
        let super::Layer {
            kind,
            trainable,
            bits,
            shared,
            ..
        } = &self.layers[layer];
        let mut values = std::mem::take(&mut state.args);
        let mut own = std::mem::take(&mut state.own);
        let mut extra = std::mem::take(&mut state.extra);
        state.inputs.clear();
        extra.clear();
        let result = (|| {
            for (position, &input) in inputs.iter().enumerate() {
                let shape = match &self.steps[number].known {
                    Some(known) => known[position].shape(&state.chosen).ok_or_else(not_computed)?,
                    None => state.shape(input)?,
                };
                state.inputs.push(shape);
            }
            let output_shape = self.output(layer, &mut values, state)?;
            let shapes = self.extra(layer, &values, &state.inputs, others.len())?;
            extra.extend(others.iter().copied().zip(shapes));
            let cost = kind.cost(&values, &state.inputs, &output_shape);
            let cost = if *trainable { cost } else { cost.frozen() };
            let bits = match bits {
                Some(bits) => bits.value(state)?,
                None => self.settings.bytes_per_weight.saturating_mul(8),
            };
            if bits < 1 {
                return Err(Refusal::new(
                    "an expression gives {} where weight_bits cannot take it",
                    [bits],
                ));
            }
            let mut elements = output_shape.elements().unwrap_or(i64::MAX);
            for (_, shape) in &extra {
                elements = elements.saturating_add(shape.elements().unwrap_or(i64::MAX));
            }
            self.price(kind.in_place, elements, &cost, bits, state.alive, &mut own)?;
            let mut reused = false;
            if let Some(slot) = *shared {
                reused = self.use_again(layer, &values, &state.inputs, &mut state.built[slot])?;
                if reused {
                    (own[0], own[1], own[3]) = (0, 0, 0);
                } else {
                    state.used.push(slot);
                }
            }
            let applied = Applied {
                layer,
                args: &values,
                bits,
                inputs,
                input_shapes: &state.inputs,
                output,
                output_shape,
                extra: &extra,
                cost: &[],
                reused,
            };
            if let Some(measures) = &self.measures {
                let measured = {
                    let applied = Applied { cost: &own, ..applied };
                    let key = self.key_of(&applied, &state.chosen);
                    measures.values(&key, kind, || self.layer_trace(&applied, &state.chosen))
                };
                own.extend_from_slice(&measured.map_err(Refusal::failed)?);
                if own.contains(&i64::MAX) {
                    return Err(Refusal::overflow());
                }
            }
            for ((total, &own), metric) in state.cost.iter_mut().zip(&own).zip(self.metrics()) {
                *total = match metric.combine {
                    Combine::Sum => total.checked_add(own).ok_or_else(Refusal::overflow)?,
                    Combine::Max => (*total).max(own),
                };
            }
            show(&Applied { cost: &own, ..applied }, &state.chosen);
            self.put(state, output, output_shape, output);
            for &(tensor, shape) in &extra {
                self.put(state, tensor, shape, tensor);
            }
            Ok(())
        })();
        (state.args, state.own, state.extra) = (values, own, extra);
        result
    }

    /// Whether a shared layer was used before; then it must have been built for the same.
    fn use_again(
        &self,
        layer: usize,
        values: &[i64],
        inputs: &[Shape],
        first: &mut Option<FirstUse>,
    ) -> std::result::Result<bool, Refusal> {
        let super::Layer { kind, args, .. } = &self.layers[layer];
        let mut here = kind.built(values, inputs);
        if args.iter().any(super::Expr::reads_input) {
            here.what = "hyperparameters, and what it is built for";
            here.numbers.extend_from_slice(values);
        }
        let Some(FirstUse { on, numbers }) = first else {
            *first = Some(FirstUse {
                on: inputs.to_vec(),
                numbers: here.numbers,
            });
            return Ok(false);
        };
        let before = Built {
            what: here.what,
            numbers: numbers.clone(),
        };
        if before.fits(&here) {
            Ok(true)
        } else {
            Err(Refusal::shared(on.clone(), before, here.numbers))
        }
    }

    /// All that metrics from outside are told of a layer.
    fn key_of(&self, applied: &Applied<'_>, chosen: &[u32]) -> Vec<i64> {
        let mut key = vec![applied.layer as i64, applied.bits, i64::from(applied.reused)];
        key.extend_from_slice(applied.args);
        key.extend_from_slice(applied.cost);
        let notes = self.layers[applied.layer].notes.iter();
        key.extend(notes.map(|&note| i64::from(chosen[note])));
        let written = applied.extra.iter().map(|(_, shape)| shape);
        let shapes = applied.input_shapes.iter().chain([&applied.output_shape]);
        for shape in shapes.chain(written) {
            key.push(shape.rank() as i64);
            key.extend_from_slice(shape);
        }
        key
    }

    /// A layer as it was applied, with its formulas.
    fn layer_trace(&self, applied: &Applied<'_>, chosen: &[u32]) -> LayerTrace {
        let layer = &self.layers[applied.layer];
        let formulas = layer
            .kind
            .explain(applied.args, applied.input_shapes, &applied.output_shape);
        let formulas = if layer.trainable { formulas } else { formulas.frozen() };
        LayerTrace {
            layer: applied.layer,
            args: applied.args.to_vec(),
            bits: applied.bits,
            notes: layer.notes.iter().map(|&note| chosen[note]).collect(),
            inputs: applied.inputs.to_vec(),
            input_shapes: applied.input_shapes.to_vec(),
            output: applied.output,
            output_shape: applied.output_shape,
            extra: applied.extra.to_vec(),
            cost: applied.cost.to_vec(),
            reused: applied.reused,
            trainable: formulas.trainable,
            non_trainable: formulas.non_trainable,
            macs: formulas.macs,
        }
    }

    /// Where a step asks for a decision; the runs that came from another place asked there before.
    pub(crate) fn place(&self, number: usize, decision: usize, from: Option<Place>) -> Place {
        let step = &self.steps[number];
        let guard = step.guard.iter().map(|atom| atom.decision);
        let mut asked = guard.chain(step.reads.iter().copied());
        let own = asked.position(|asked| asked == decision).unwrap_or_else(|| {
            // It is asked for by what waits beside the layer: mostly in the order of the decisions.
            let place = step.guard.len() + step.reads.len() + decision;
            match from {
                Some((step, before, _)) if step == number => place.max(before + 1),
                _ => place,
            }
        });
        (number, own, decision)
    }

    /// What the steps from `step` on can still tell of a decision: the least value that looks the same to them all, or
    /// nothing where it is open or no longer matters.
    pub(crate) fn live_value(&self, step: usize, decision: usize, state: &State) -> Option<u32> {
        let value = state.chosen[decision];
        if value == OPEN {
            return None;
        }
        let mentions = &self.mentions[decision];
        let coming = &mentions[mentions.partition_point(|&mention| mention < step)..];
        // A guard is read in order, so a failing condition hides all that follows it.
        let hidden = |guard: &[Atom]| {
            let before = guard.iter().take_while(|atom| atom.decision != decision);
            let mut told = before.map(|atom| state.told(atom.decision, &atom.allowed));
            told.any(|told| told == Some(false))
        };
        let matters = coming.iter().position(|&mention| {
            let step = &self.steps[mention];
            let reads = |guard: &[Atom]| guard.iter().any(|atom| atom.decision == decision);
            !hidden(&step.guard)
                && (reads(&step.guard)
                    || step.reads.contains(&decision)
                    || self.looks(mention).any(|guard| reads(guard) && !hidden(guard)))
        });
        state.looked_at(matters.unwrap_or(coming.len()) / MENTIONS);
        matters.map(|_| self.classes(decision).representative(value, step))
    }

    /// Writes all that the steps from `step` on can still tell of a state.
    ///
    /// First the number of tensors that may still be read, for each a word with itself, the place of the first one with the
    /// same values and its rank, and its sides; then the number of decisions that may still matter, for each a word with
    /// itself and the value that stands for what can be told of it; then for each shared layer that is used again itself
    /// and what it is built for.
    pub(crate) fn encode(&self, step: usize, state: &mut State, key: &mut Vec<i64>) {
        key.clear();
        self.forget_unread(step, state);
        state.present.sort_unstable_by_key(|present| present.tensor);
        state.marks.clear();
        key.push(state.present.len() as i64);
        for place in 0..state.present.len() {
            let tensor = state.present[place].tensor;
            let shape = state.tensors[tensor.0].expect("what is there has a shape");
            let first = state.marks.place(state.origin(tensor), place);
            key.push(pack(tensor.0, first << RANK_BITS | shape.rank()));
            key.extend_from_slice(&shape);
        }
        state.taken.sort_unstable();
        let count = key.len();
        key.push(0);
        for &decision in &state.taken {
            if let Some(value) = self.live_value(step, decision, state) {
                key[count] += 1;
                key.push(pack(decision, value as usize));
            }
        }
        state.used.sort_unstable();
        for &slot in &state.used {
            if self.last_use[slot] >= step
                && let Some(first) = &state.built[slot]
            {
                key.extend([slot as i64, first.numbers.len() as i64]);
                key.extend_from_slice(&first.numbers);
            }
        }
        state.looked_at(key.len());
    }

    /// Makes a state of what [`Self::encode`] wrote, with no cost so far.
    pub(crate) fn decode(&self, key: &[i64], state: &mut State) {
        state.reset();
        state.looked_at(key.len());
        let mut rest = key;
        let mut take = |n: usize| {
            let (front, back) = rest.split_at(n);
            rest = back;
            front
        };
        for _ in 0..take(1)[0] {
            let (tensor, first) = unpack(take(1)[0]);
            let shape = Shape::new(take(first & ((1 << RANK_BITS) - 1)));
            let origin = state
                .present
                .get(first >> RANK_BITS)
                .map_or(Tensor(tensor), |first| first.tensor);
            self.put(state, Tensor(tensor), shape, origin);
        }
        for _ in 0..take(1)[0] {
            let (decision, value) = unpack(take(1)[0]);
            state.choose(decision, value as u32);
        }
        while let &[slot, count, ref behind @ ..] = rest {
            let (numbers, behind) = behind.split_at(count as usize);
            state.built[slot as usize] = Some(FirstUse {
                on: Vec::new(),
                numbers: numbers.to_vec(),
            });
            state.used.push(slot as usize);
            rest = behind;
        }
    }

    /// Values that a step tells apart, in parts that it does not; nothing where it looks at each of them.
    pub(crate) fn parts(&self, step: usize, decision: usize, values: &Values) -> Option<Vec<Values>> {
        let Step { guard, action, .. } = &self.steps[step];
        let atoms = guard.iter().filter(|atom| atom.decision == decision);
        let mut apart = atoms.filter(|atom| atom.allowed.tell(values).is_none());
        match apart.next() {
            Some(Atom { allowed, .. }) => {
                let mut parts = vec![values.and(allowed), values.without(allowed)];
                parts.sort_by_key(Values::first);
                Some(parts)
            }
            None => matches!(action, Action::Read { .. }).then(|| vec![values.clone()]),
        }
    }

    /// Values in classes of which the steps from `step` on cannot tell the members apart.
    pub(crate) fn alike(&self, step: usize, decision: usize, values: &Values, state: &mut State) -> Vec<Values> {
        state.choose(decision, values.first().unwrap_or_default());
        if self.live_value(step, decision, state).is_none() {
            return vec![values.clone()];
        }
        let classes = self.classes(decision);
        let mut members: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for value in values.indices() {
            members
                .entry(classes.representative(value, step))
                .or_default()
                .push(value);
        }
        let mut members: Vec<_> = members.into_values().collect();
        members.sort_unstable();
        members.iter().map(|class| Values::of(values.size(), class)).collect()
    }

    /// The value of each built-in metric for one layer.
    fn price(
        &self,
        in_place: bool,
        written: i64,
        cost: &crate::layers::Cost<crate::layers::Count>,
        bits: i64,
        alive: Alive,
        own: &mut Vec<i64>,
    ) -> std::result::Result<(), Refusal> {
        let params = cost.trainable.0.saturating_add(cost.non_trainable.0);
        let weight_bytes = i64::try_from((i128::from(params) * i128::from(bits) + 7) / 8).unwrap_or(i64::MAX);
        // What works in place writes over what nobody needs afterwards.
        let made = match written {
            elements if in_place && elements <= alive.dying => 0,
            elements => elements,
        };
        let peak = alive
            .elements
            .saturating_add(made)
            .saturating_mul(self.settings.bytes_per_activation);
        own.clear();
        own.extend([params, cost.trainable.0, cost.macs.0, weight_bytes, peak]);
        if own.contains(&i64::MAX) {
            return Err(Refusal::overflow());
        }
        Ok(())
    }

    /// The network of one candidate, layer by layer.
    ///
    /// `choices` holds the index of a value for each decision; those of inactive decisions are not looked at.
    ///
    /// # Errors
    /// `Argument` for a wrong number of choices or an index outside its domain; `Layer` where a layer cannot be built;
    /// `Overflow` where a count leaves 63 bits.
    pub fn trace(&self, choices: &[u32]) -> Result<Trace> {
        if choices.len() != self.decisions.len() {
            return Err(Error::argument(format!(
                "{} choices given for {} decisions",
                choices.len(),
                self.decisions.len()
            )));
        }
        let mut layers = Vec::new();
        let mut state = self.start();
        let outcome = self.follow(&mut state, choices, |applied, chosen| {
            layers.push(self.layer_trace(applied, chosen));
        })?;
        if let Outcome::Refused { step, refusal } = outcome {
            return Err(self.error(step, &refusal, &state));
        }
        let aliases = self.steps.iter().filter_map(|step| match step.action {
            Action::Alias { from, to } if state.holds(&step.guard) == Ok(true) => Some((from, to)),
            _ => None,
        });
        Ok(Trace {
            aliases: aliases.collect(),
            active: state.chosen.iter().map(|&value| value != OPEN).collect(),
            cost: state.cost,
            layers,
        })
    }

    /// Runs to the end, taking decisions from `choices` as they are asked for.
    pub(crate) fn follow(
        &self,
        state: &mut State,
        choices: &[u32],
        mut show: impl FnMut(&Applied<'_>, &[u32]),
    ) -> Result<Outcome> {
        let mut from = 0;
        loop {
            match self.run(state, from, &mut show) {
                Outcome::Open { step, decision } => {
                    let value = choices[decision];
                    let known = &self.decisions[decision];
                    if value as usize >= known.size {
                        return Err(Error::argument(format!(
                            "index {value} is not in the domain of decision '{}', which has {} values",
                            known.name, known.size
                        )));
                    }
                    state.choose(decision, value);
                    from = step;
                }
                outcome => return Ok(outcome),
            }
        }
    }

    /// Why a step refused, in one line. `state` is the one it refused in.
    pub(crate) fn error(&self, step: usize, refusal: &Refusal, state: &State) -> Error {
        if let Some(failure) = refusal.failure() {
            return failure.clone();
        }
        let kind = if refusal.is_overflow() {
            ErrorKind::Overflow
        } else {
            ErrorKind::Layer
        };
        let message = match &self.steps[step].action {
            Action::Layer { layer, .. } => {
                let args = &state.args;
                if args.len() == self.layers[*layer].args.len() {
                    self.refusal(*layer, &state.inputs, args, &refusal.to_string())
                } else {
                    let name = &self.layers[*layer].name;
                    format!("layer '{name}' cannot be built: {refusal}")
                }
            }
            Action::Require { text, .. } => format!("the constraint {text} is not met: {refusal}"),
            Action::Alias { .. } | Action::Read { .. } | Action::Return { .. } => refusal.to_string(),
        };
        Error::new(kind, message)
    }
}
