//! Running a program: forward until a decision is open, something refuses, or the network is complete.

use super::liveness::Alive;
use super::program::{Action, Atom, Combine, Program, Step, Tensor};
use crate::layers::{Built, Formula, Refusal, Shape};
use crate::{Error, ErrorKind, Result};

/// A decision that is not taken.
pub(crate) const OPEN: u32 = u32::MAX;

/// All that a run knows: the shapes of tensors, the decisions taken, and the cost so far.
#[derive(Debug, Clone)]
pub(crate) struct State {
    tensors: Vec<Option<Shape>>,
    /// For each tensor the one whose values it holds: itself, or what it is a second name of.
    origins: Vec<Tensor>,
    /// For each decision the index of its value, or [`OPEN`].
    pub(crate) chosen: Vec<u32>,
    /// For each layer that several steps apply its first use, once there is one.
    built: Vec<Option<FirstUse>>,
    /// One entry for each metric.
    pub(crate) cost: Vec<i64>,
    args: Vec<i64>,
    pub(super) inputs: Vec<Shape>,
    /// What waits beside the layer that is applied.
    alive: Alive,
    /// What the layer that is applied gives beside its output.
    extra: Vec<(Tensor, Shape)>,
    /// What the layer that is applied costs.
    own: Vec<i64>,
}

/// The first use of a layer that several steps apply.
#[derive(Debug, Clone)]
pub(crate) struct FirstUse {
    /// The shapes of its inputs; none where a state was restored, as later steps cannot tell them.
    on: Vec<Shape>,
    /// The numbers that a later use must find again.
    pub(crate) numbers: Vec<i64>,
}

fn not_computed() -> Refusal {
    Refusal::new("it reads a tensor that is not computed in this network", [])
}

impl State {
    pub(super) fn chosen(&self, decision: usize) -> u32 {
        self.chosen[decision]
    }

    pub(super) fn shape(&self, tensor: Tensor) -> std::result::Result<Shape, Refusal> {
        self.tensors[tensor.0].ok_or_else(not_computed)
    }

    pub(crate) fn set_tensor(&mut self, tensor: Tensor, shape: Shape, origin: Tensor) {
        self.tensors[tensor.0] = Some(shape);
        self.origins[tensor.0] = origin;
    }

    /// The shape of the first tensor that flows into the layer that is applied.
    pub(super) fn incoming(&self) -> Option<&Shape> {
        self.inputs.first()
    }

    /// The tensor whose values a tensor holds.
    pub(crate) fn origin(&self, tensor: Tensor) -> Tensor {
        self.origins[tensor.0]
    }

    /// The numbers that the first use of a shared layer was built for, if there was one.
    pub(crate) fn built(&self, slot: usize) -> Option<&[i64]> {
        self.built[slot].as_ref().map(|first| &*first.numbers)
    }

    pub(crate) fn set_built(&mut self, slot: usize, numbers: &[i64]) {
        self.built[slot] = Some(FirstUse {
            on: Vec::new(),
            numbers: numbers.to_vec(),
        });
    }

    /// The same state before anything happened.
    pub(crate) fn reset(&mut self) {
        self.tensors.fill(None);
        self.chosen.fill(OPEN);
        self.built.fill(None);
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
    /// A step refused.
    Refused { step: usize, refusal: Refusal },
    /// The network is complete.
    Complete,
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
            origins: (0..self.tensors).map(Tensor).collect(),
            chosen: vec![OPEN; self.decisions.len()],
            built: vec![None; self.shared],
            cost: vec![0; self.metrics().len()],
            args: Vec::new(),
            inputs: Vec::new(),
            alive: Alive::default(),
            extra: Vec::new(),
            own: Vec::new(),
        }
    }

    /// Runs from a step on, and shows each layer as it is applied.
    pub(crate) fn run(&self, state: &mut State, from: usize, mut show: impl FnMut(&Applied<'_>, &[u32])) -> Outcome {
        for (number, step) in self.steps.iter().enumerate().skip(from) {
            match Self::holds(step, state) {
                Err(decision) => return Outcome::Open { step: number, decision },
                Ok(false) => continue,
                Ok(true) => {}
            }
            if let Some(&decision) = step.reads.iter().find(|&&decision| state.chosen[decision] == OPEN) {
                if matches!(step.action, Action::Require { asks: false, .. }) {
                    continue;
                }
                return Outcome::Open { step: number, decision };
            }
            if let Action::Layer { layer, .. } = step.action {
                match self.alive_beside(number, self.layers[layer].kind.in_place, state) {
                    Ok(alive) => state.alive = alive,
                    Err(decision) => return Outcome::Open { step: number, decision },
                }
            }
            if let Err(refusal) = self.take(number, step, state, &mut show) {
                return Outcome::Refused { step: number, refusal };
            }
        }
        Outcome::Complete
    }

    /// Whether a guard holds, or the decision that it waits for.
    pub(super) fn holds(step: &Step, state: &State) -> std::result::Result<bool, usize> {
        for atom in &step.guard {
            match state.chosen[atom.decision] {
                OPEN => return Err(atom.decision),
                value if !atom.allowed[value as usize] => return Ok(false),
                _ => {}
            }
        }
        Ok(true)
    }

    /// Whether a guard is known not to hold.
    fn fails(step: &Step, state: &State) -> bool {
        Self::holds(step, state) == Ok(false)
    }

    fn take(
        &self,
        number: usize,
        step: &Step,
        state: &mut State,
        show: &mut impl FnMut(&Applied<'_>, &[u32]),
    ) -> std::result::Result<(), Refusal> {
        match &step.action {
            Action::Alias { from, to } => state.set_tensor(*to, state.shape(*from)?, state.origin(*from)),
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
            state.set_tensor(output, output_shape, output);
            for &(tensor, shape) in &extra {
                state.set_tensor(tensor, shape, tensor);
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

    /// The tensors written before a step that it or a later one may read, in some state.
    pub(crate) fn alive_at(&self, step: usize) -> &[Tensor] {
        self.alive.get(step).map_or(&[], Vec::as_slice)
    }

    /// The decisions that a step or a later one mentions, by position.
    pub(crate) fn mentioned_from(&self, step: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.decisions.len())
            .filter(move |&decision| self.mentions[decision].last().is_some_and(|&last| last >= step))
    }

    /// The slots of the shared layers that a step or a later one applies.
    pub(crate) fn built_from(&self, step: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.shared).filter(move |&slot| self.last_use[slot] >= step)
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
            let mut known = before.map(|atom| (atom, state.chosen[atom.decision]));
            known.any(|(atom, value)| value != OPEN && !atom.allowed[value as usize])
        };
        let matters = coming.iter().any(|&mention| {
            let step = &self.steps[mention];
            let reads = |guard: &[Atom]| guard.iter().any(|atom| atom.decision == decision);
            !hidden(&step.guard)
                && (reads(&step.guard)
                    || step.reads.contains(&decision)
                    || self.looks(mention).any(|guard| reads(guard) && !hidden(guard)))
        });
        if !matters {
            return None;
        }
        Some(match self.classes(decision, step) {
            [] => value,
            classes => classes[value as usize],
        })
    }

    /// The tensors that a step or a later one may still read in this state.
    pub(crate) fn waiting<'a>(&'a self, step: usize, state: &'a State) -> impl Iterator<Item = (Tensor, Shape)> + 'a {
        self.alive_at(step).iter().filter_map(move |&tensor| {
            let shape = state.tensors[tensor.0]?;
            let readers = self.readers[tensor.0].iter().rev();
            let mut coming = readers.take_while(|&&reader| reader >= step);
            coming
                .any(|&reader| !Self::fails(&self.steps[reader], state))
                .then_some((tensor, shape))
        })
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
            Action::Alias { from, to } if Self::holds(step, &state) == Ok(true) => Some((from, to)),
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
                    state.chosen[decision] = value;
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
