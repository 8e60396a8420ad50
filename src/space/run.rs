//! Running a program: forward until a decision is open, something refuses, or the network is complete.

use super::expr::Expr;
use super::guard::Tensor;
use super::metric::{BuiltIn, Combine};
use super::program::{Layer, Program};
use super::state::{Alive, FirstUse, OPEN, Outcome, Pause, State, not_computed};
use super::step::{Action, Step};
use super::trace::{Applied, LayerTrace, Trace};
use crate::layers::{Built, COUNTED, Cost, Count, Held, Refusal, Shape};
use crate::{Error, Result};

impl Program {
    /// A state before anything happened.
    pub(crate) fn start(&self) -> State {
        State::new(
            self.tensors,
            self.decisions.len(),
            self.shared,
            self.conditions.len(),
            self.metrics.len(),
        )
    }

    /// Gives a tensor its shape.
    pub(super) fn put(&self, state: &mut State, tensor: Tensor, shape: Shape, origin: Tensor) {
        state.set_tensor(tensor, shape, origin, self.readers[tensor.0].len());
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
            state.visited(1);
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
        let open =
            |&&decision: &&usize| state.chosen[decision] == OPEN && !self.is_folded(step.condition, decision, state);
        if let Some(&decision) = step.reads.iter().find(open) {
            let passes = match step.action {
                Action::Require { asks: false, .. } | Action::Wait { .. } => !state.has_several(decision),
                Action::Read { .. } => state.has_several(decision),
                _ => false,
            };
            return (!passes).then_some(Outcome::Open { step: number, decision });
        }
        if let Action::Layer { layer, .. } = step.action
            && self.peaks
        {
            match self.alive_beside(number, self.in_place(layer), state) {
                Ok(alive) => state.alive = alive,
                Err(decision) => return Some(Outcome::Open { step: number, decision }),
            }
        }
        let done = self.act(number, step, state, show);
        done.err().map(|refusal| Outcome::Refused { step: number, refusal })
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
            Action::Wait { output } => {
                if state.tensors[output.0].is_none()
                    && let Some([known]) = step.known.as_deref()
                    && let Some(shape) = known.shape(&state.chosen)
                {
                    self.put(state, *output, shape, *output);
                }
            }
            Action::Require { condition, input, .. } => {
                if let Some(input) = input {
                    let shape = state.shape(*input)?;
                    state.inputs.clear();
                    state.inputs.push(shape);
                }
                if let Some(known) = step.condition
                    && let Some(before) = &state.left[known]
                {
                    let left = self.conditions[known].left(Some(before), &state.chosen);
                    return match left.value() {
                        Some(0) | None => Err(Refusal::new("it comes to 0", [])),
                        Some(_) => Ok(()),
                    };
                }
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
        let Layer {
            kind,
            args,
            computed,
            masks,
            ..
        } = &self.layers[layer];
        values.clear();
        for arg in args {
            values.push(match arg {
                Expr::Constant(value) => *value,
                arg => arg.value(state)?,
            });
        }
        for (position, parameter) in computed {
            let value = values[*position];
            if parameter.check(value).is_err() {
                // From this one on the arguments are not known.
                values.truncate(*position);
                return Err(Refusal::new(
                    "an expression gives {} where a hyperparameter cannot take it",
                    [value],
                ));
            }
        }
        let (inputs, given) = self.data(layer, &state.inputs);
        let output = kind.output(values, inputs)?;
        kind.check_masks(values, inputs, masks, given)?;
        Ok(output)
    }

    /// The inputs of a layer, and the masks that its call gives behind them.
    pub(super) fn data<'a>(&self, layer: usize, inputs: &'a [Shape]) -> (&'a [Shape], &'a [Shape]) {
        inputs.split_at(inputs.len() - self.layers[layer].masks.len())
    }

    /// The shapes of the first tensors, this many, that a layer gives beside its output, where [`Self::output`] gave
    /// one.
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
        let mut shapes = self.layers[layer].kind.extra(values, self.data(layer, inputs).0)?;
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
        let Layer {
            kind,
            trainable,
            bits,
            shared,
            shared_inside,
            bits_inside,
            ..
        } = &self.layers[layer];
        let mut values = std::mem::take(&mut state.args);
        let mut own = std::mem::take(&mut state.own);
        let mut extra = std::mem::take(&mut state.extra);
        let mut marked = Vec::new();
        state.inputs.clear();
        values.clear();
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
            let mut reused = false;
            if let Some(slot) = *shared {
                let here = self.built_for(layer, &values, &state.inputs);
                reused = use_again(here, state, slot)?;
            }
            let mut held = Vec::new();
            if !reused && (!shared_inside.is_empty() || !bits_inside.is_empty()) {
                kind.held(&values, &state.inputs[0], 0, &mut held);
                marked.clone_from(&values);
                self.count_once(layer, &held, &mut marked, state)?;
            }
            let counted: &[i64] = if marked.is_empty() { &values } else { &marked };
            let inputs_shapes = self.data(layer, &state.inputs).0;
            let cost = kind.cost(counted, inputs_shapes, &output_shape);
            let reused_inside = counted != values;
            if reused_inside && cost.weights() == 0 && kind.cost(&values, inputs_shapes, &output_shape).weights() > 0 {
                reused = true;
            }
            let trainable = trainable.value(state)? != 0;
            let cost = if trainable { cost } else { cost.frozen() };
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
            let mut apart = Vec::new();
            for (number, bits) in bits_inside {
                apart.push((*number, bits.value(state)?));
            }
            let price = |counted: &[i64]| kind.cost(counted, inputs_shapes, &output_shape).weights();
            let bytes = bytes_of_weights(counted, bits, &held, apart, price)?;
            self.price(self.in_place(layer), elements, &cost, bytes, state.alive, &mut own)?;
            if reused {
                for metric in BuiltIn::ALL.iter().filter(|metric| metric.counts_weights()) {
                    own[metric.index()] = 0;
                }
            }
            let applied = Applied {
                layer,
                args: &values,
                counted,
                bits,
                trainable,
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

    /// Marks the layers inside of another one whose weights were counted before, and remembers the others.
    fn count_once(
        &self,
        layer: usize,
        held: &[Held],
        args: &mut [i64],
        state: &mut State,
    ) -> std::result::Result<(), Refusal> {
        for &(number, slot) in &self.layers[layer].shared_inside {
            let each = &held[number - 1];
            if args[each.mark] == COUNTED {
                continue;
            }
            let again = use_again(self.held_for(layer, each, args), state, slot);
            if again.map_err(|refusal| refusal.inside(each.name.clone(), each.on))? {
                // With it go those inside of it, which were counted where it was.
                let inside = held[number - 1..].iter().map(|inside| inside.mark);
                for mark in inside.take_while(|&mark| mark <= each.mark + each.len) {
                    args[mark] = COUNTED;
                }
            }
        }
        Ok(())
    }

    /// What a shared layer is built for here.
    fn built_for(&self, layer: usize, values: &[i64], inputs: &[Shape]) -> Here {
        let Layer { kind, args, .. } = &self.layers[layer];
        let (inputs, _) = self.data(layer, inputs);
        Here::new(kind.built(values, inputs), inputs, args, values)
    }

    /// What a shared layer inside of another one is built for here.
    fn held_for(&self, layer: usize, held: &Held, values: &[i64]) -> Here {
        let own = held.mark + 1..held.mark + 1 + held.len;
        let args = &self.layers[layer].args[own.clone()];
        Here::new(held.built.clone(), &[held.on], args, &values[own])
    }

    /// All that custom metrics are told of a layer.
    fn key_of(&self, applied: &Applied<'_>, chosen: &[u32]) -> Vec<i64> {
        let mut key = vec![
            applied.layer as i64,
            applied.bits,
            i64::from(applied.trainable),
            i64::from(applied.reused),
        ];
        key.extend_from_slice(applied.counted);
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
        let reused_inside = applied.counted != applied.args;
        let inputs = self.data(applied.layer, applied.input_shapes).0;
        let formulas = layer.kind.explain(
            if applied.reused { applied.args } else { applied.counted },
            inputs,
            &applied.output_shape,
        );
        let formulas = if applied.trainable { formulas } else { formulas.frozen() };
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
            reused_inside,
            trainable: formulas.trainable,
            non_trainable: formulas.non_trainable,
            macs: layer.kind.macs_are_known(applied.args, inputs).then_some(formulas.macs),
            sides: layer.kind.sides(applied.args, inputs, &applied.output_shape),
        }
    }

    /// The value of each built-in metric for one layer.
    pub(super) fn price(
        &self,
        in_place: bool,
        written: i64,
        cost: &Cost<Count>,
        weight_bytes: i64,
        alive: Alive,
        own: &mut Vec<i64>,
    ) -> std::result::Result<(), Refusal> {
        let params = cost.weights();
        // What works in place writes over what no later layer needs.
        let made = match written {
            elements if in_place && elements <= alive.dying => 0,
            elements => elements,
        };
        let peak = alive
            .elements
            .saturating_add(made)
            .saturating_mul(self.settings.bytes_per_activation);
        own.clear();
        own.extend(BuiltIn::ALL.iter().take(self.metrics.len()).map(|metric| match metric {
            BuiltIn::Params => params,
            BuiltIn::TrainableParams => cost.trainable.0,
            BuiltIn::Macs => cost.macs.0,
            BuiltIn::WeightBytes => weight_bytes,
            BuiltIn::PeakActivationBytes => peak,
        }));
        if own.contains(&i64::MAX) {
            return Err(Refusal::overflow());
        }
        Ok(())
    }

    /// The network of one candidate, layer by layer.
    ///
    /// `choices` holds the index of a value for each decision; those of inactive decisions do not matter.
    ///
    /// # Errors
    /// `Argument` for a wrong number of choices or an index outside its domain; `Layer` where a layer cannot be built;
    /// `Overflow` where a count leaves 63 bits.
    pub fn trace(&self, choices: &[u32]) -> Result<Trace> {
        self.check_number(choices.len())?;
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

    fn check_number(&self, choices: usize) -> Result<()> {
        let decisions = self.decisions.len();
        if choices == decisions {
            Ok(())
        } else {
            Err(Error::argument(format!(
                "{choices} choices given for {decisions} decisions"
            )))
        }
    }

    /// The index of the value of a decision among those that are given, checked.
    ///
    /// # Errors
    /// `Argument` for a wrong number of choices; later for an index outside its domain, or none where one is asked for.
    pub(crate) fn given<'a>(&'a self, choices: &'a [Option<u32>]) -> Result<impl Fn(usize) -> Result<u32> + 'a> {
        self.check_number(choices.len())?;
        Ok(|decision: usize| {
            let known = &self.decisions[decision];
            match choices[decision] {
                Some(index) => self.checked(decision, index),
                None => Err(Error::argument(format!(
                    "no value is given for decision '{}'",
                    known.name
                ))),
            }
        })
    }

    fn checked(&self, decision: usize, index: u32) -> Result<u32> {
        let known = &self.decisions[decision];
        if (index as usize) < known.size {
            return Ok(index);
        }
        Err(Error::argument(format!(
            "index {index} is not in the domain of decision '{}', which has {} values",
            known.name, known.size
        )))
    }

    /// The value of each metric for one candidate, or nothing if it is invalid. O(steps).
    ///
    /// `choices` holds the index of the value of each decision; inactive ones may be left open.
    ///
    /// # Errors
    /// `Argument` for a wrong number of choices, an index outside its domain, or an active decision that is left open;
    /// `Overflow` where a count leaves 63 bits.
    pub(crate) fn cost(&self, choices: &[Option<u32>]) -> Result<Option<Vec<i64>>> {
        let mut state = self.start();
        match self.run_to_end(&mut state, self.given(choices)?, |_, _| {})? {
            Outcome::Refused { step, refusal } if refusal.is_fatal() => Err(self.error(step, &refusal, &state)),
            Outcome::Refused { .. } => Ok(None),
            _ => Ok(Some(state.cost)),
        }
    }

    /// Runs to the end, taking decisions from `choices` as they are asked for.
    pub(crate) fn follow(
        &self,
        state: &mut State,
        choices: &[u32],
        show: impl FnMut(&Applied<'_>, &[u32]),
    ) -> Result<Outcome> {
        self.run_to_end(state, |decision| self.checked(decision, choices[decision]), show)
    }

    fn run_to_end(
        &self,
        state: &mut State,
        choose: impl Fn(usize) -> Result<u32>,
        mut show: impl FnMut(&Applied<'_>, &[u32]),
    ) -> Result<Outcome> {
        let mut from = 0;
        loop {
            match self.run(state, from, &mut show) {
                Outcome::Open { step, decision } => {
                    state.choose(decision, choose(decision)?);
                    from = step;
                }
                outcome => return Ok(outcome),
            }
        }
    }
}

/// What a shared layer is built for where it is used.
struct Here {
    built: Built,
    on: Vec<Shape>,
}

impl Here {
    /// With the hyperparameters, too, where these follow from the input.
    fn new(mut built: Built, on: &[Shape], args: &[Expr], values: &[i64]) -> Self {
        if args.iter().any(Expr::reads_input) {
            built.what = "hyperparameters, and what it is built for";
            built.numbers.extend_from_slice(values);
        }
        Self { built, on: on.to_vec() }
    }
}

/// Whether a shared layer was used before; then it must have been built for the same.
fn use_again(here: Here, state: &mut State, slot: usize) -> std::result::Result<bool, Refusal> {
    let Some(FirstUse { on, numbers }) = &state.built[slot] else {
        state.built[slot] = Some(FirstUse {
            on: here.on,
            numbers: here.built.numbers,
        });
        state.used.push(slot);
        return Ok(false);
    };
    let before = Built {
        what: here.built.what,
        numbers: numbers.clone(),
    };
    if before.fits(&here.built) {
        Ok(true)
    } else {
        Err(Refusal::shared(on.clone(), before, here.built.numbers))
    }
}

/// The bytes of the weights of a layer: those of a layer inside with bits of its own are taken out, innermost first, and
/// rounded up by themselves.
pub(super) fn bytes_of_weights(
    counted: &[i64],
    bits: i64,
    held: &[Held],
    mut apart: Vec<(usize, i64)>,
    weights: impl Fn(&[i64]) -> i64,
) -> std::result::Result<i64, Refusal> {
    let bytes =
        |weights: i64, bits: i64| i64::try_from((i128::from(weights) * i128::from(bits) + 7) / 8).unwrap_or(i64::MAX);
    let mut left = weights(counted);
    if held.is_empty() || left == i64::MAX {
        return Ok(bytes(left, bits));
    }
    apart.sort_unstable();
    let mut args = counted.to_vec();
    let mut sum: i64 = 0;
    for (number, bits) in apart.into_iter().rev() {
        if bits < 1 {
            return Err(Refusal::new(
                "an expression gives {} where weight_bits cannot take it",
                [bits],
            ));
        }
        args[held[number - 1].mark] = COUNTED;
        let others = weights(&args);
        sum = sum.saturating_add(bytes(left - others, bits));
        left = others;
    }
    Ok(sum.saturating_add(bytes(left, bits)))
}
