//! Layers around other layers. Each is a [`Wrapper`]: told what stands inside, it makes a [`Kind`], whose numbers are
//! the wrapper's own and behind them those of each inner layer, with one in front that says whether its weights are trained.

use super::built::Built;
use super::cost::Cost;
use super::kind::{COUNTED, DynamicRule, Held, Inner, Kind, Reading, Role, Slot};
use super::mask::Mask;
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::{Count, Formula, Quantity};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape};
use crate::{Error, Result};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A layer around others, as data: its name, its own parameters and what it holds.
pub struct Wrapper {
    /// The name of the layer in `keras.layers`.
    pub name: &'static str,
    /// Its own hyperparameters that touch shape or cost.
    pub parameters: &'static [Parameter],
    /// The arguments that are layers.
    pub slots: &'static [Slot],
    /// What it does, where nothing inside has weights.
    pub purpose: &'static str,
    /// Whether what is inside sees each step of the input: the input without its first axis.
    pub steps: bool,
    /// Whether what is inside is a row, of which only the first layer sees the input.
    pub row: bool,
    wrap: fn(Vec<Inner>) -> Result<Kind>,
}

impl fmt::Debug for Wrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Wrapper {
    const fn of<W: Around>() -> Self {
        Self {
            name: W::NAME,
            parameters: W::PARAMETERS,
            slots: W::SLOTS,
            purpose: W::PURPOSE,
            steps: W::STEPS,
            row: W::ROW,
            wrap: wrap::<W>,
        }
    }

    /// The wrapper of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        WRAPPERS.iter().find(|wrapper| wrapper.name == name)
    }

    /// The layer around these.
    ///
    /// # Errors
    /// `Argument` if it does not take them.
    pub fn wrap(&self, inner: Vec<Inner>) -> Result<Kind> {
        (self.wrap)(inner)
    }
}

/// Every layer around others, in the order of the documentation.
pub static WRAPPERS: &[Wrapper] = &[
    Wrapper::of::<TimeDistributed>(),
    Wrapper::of::<Bidirectional>(),
    Wrapper::of::<SpectralNormalization>(),
    Wrapper::of::<RNN>(),
    Wrapper::of::<StackedRNNCells>(),
    Wrapper::of::<Pipeline>(),
];

/// The rule of a layer around others. It takes one input.
trait Around: Send + Sync + 'static {
    const NAME: &'static str;
    const PARAMETERS: &'static [Parameter] = &[];
    const SLOTS: &'static [Slot];
    const PURPOSE: &'static str;
    const STEPS: bool = false;
    const ROW: bool = false;
    /// What it is in a recurrent network.
    const ROLE: Role = Role::Plain;
    /// Whether it has a kernel, which is then that of its first layer.
    const KERNEL: bool = false;

    /// Why it does not take these layers, if it does not.
    fn refuse(inner: &[Inner]) -> Option<String>;

    /// Whether it can work in place.
    fn in_place(_inner: &[Inner]) -> bool {
        false
    }

    /// The output shape.
    fn output(own: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Shape, Refusal>;

    /// As `Rule::states`.
    fn states(_own: &[i64], _parts: &[Part<'_>], _input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        Ok(Vec::new())
    }

    /// As [`DynamicRule::extra`].
    fn extra(own: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        Self::states(own, parts, input)
    }

    /// As `Rule::mask`.
    fn mask(_parts: &[Part<'_>], input: &Shape, mask: Mask, given: &Shape) -> std::result::Result<(), Refusal> {
        mask.of_steps(Self::ROLE == Role::Recurrent, input, given)
    }

    /// The cost, for an input that [`Around::output`] accepted.
    fn cost<Q: Reading>(own: &[i64], parts: &[Part<'_>], input: &Shape) -> Cost<Q>;

    /// The sides of the output as formulas, for an input that [`Around::output`] accepted.
    fn sides(own: &[i64], parts: &[Part<'_>], input: &Shape) -> Vec<Formula>;

    /// What it is built for by an input that [`Around::output`] accepted.
    fn built(parts: &[Part<'_>], input: &Shape) -> Built;
}

fn wrap<W: Around>(inner: Vec<Inner>) -> Result<Kind> {
    for slot in W::SLOTS {
        let given = inner.iter().filter(|each| each.slot == slot).count();
        if given == 0 && !slot.optional {
            return Err(Error::argument(format!("{} must be given", slot.name)));
        }
    }
    if let Some(outside) = inner.iter().find(|each| each.kind.opaque) {
        return Err(Error::argument(format!(
            "{} is counted by a function of its own, which is not called inside of another layer",
            outside.kind.name
        )));
    }
    if let Some(reason) = W::refuse(&inner) {
        return Err(Error::argument(reason));
    }
    let in_place = W::in_place(&inner);
    let rule = Made::<W> {
        inner,
        rule: PhantomData,
    };
    let mut kind = Kind::dynamic(W::NAME, W::PARAMETERS, W::PURPOSE, Arc::new(rule));
    (kind.in_place, kind.role) = (in_place, W::ROLE);
    Ok(kind)
}

/// What a wrapper made of layers.
struct Made<W> {
    inner: Vec<Inner>,
    rule: PhantomData<W>,
}

impl<W: Around> Made<W> {
    /// The wrapper's own numbers, and each inner layer with its own.
    fn parts<'a>(&'a self, args: &'a [i64]) -> (&'a [i64], Vec<Part<'a>>) {
        let own: usize = W::PARAMETERS.iter().map(Parameter::len).sum();
        let (own, mut rest) = args.split_at(own);
        let parts = self.inner.iter().enumerate().map(|(position, inner)| {
            let (numbers, others) = rest.split_at(1 + inner.len);
            rest = others;
            Part {
                position,
                inner,
                trainable: numbers[0],
                args: &numbers[1..],
            }
        });
        (own, parts.collect())
    }

    fn costs<Q: Reading>(&self, args: &[i64], inputs: &[Shape]) -> Cost<Q> {
        let (own, parts) = self.parts(args);
        W::cost(own, &parts, &inputs[0])
    }
}

impl<W: Around> fmt::Debug for Made<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(W::NAME).field(&self.inner).finish()
    }
}

impl<W: Around> DynamicRule for Made<W> {
    fn output(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Shape, Refusal> {
        let (own, parts) = self.parts(args);
        W::output(own, &parts, &inputs[0])
    }

    /// The input as it is, if what is inside knows enough of it.
    fn known(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        let on = match inputs[0].split_first() {
            Some((_, step)) if W::STEPS => Shape::new(step),
            _ => inputs[0],
        };
        let seen = if W::ROW { 1 } else { self.inner.len() };
        for part in &self.parts(args).1[..seen] {
            part.known(&on)?;
        }
        Ok(inputs.to_vec())
    }

    fn states(&self, args: &[i64], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        let (own, parts) = self.parts(args);
        W::states(own, &parts, input)
    }

    fn extra(&self, args: &[i64], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        let (own, parts) = self.parts(args);
        W::extra(own, &parts, input)
    }

    fn mask(&self, args: &[i64], input: &Shape, mask: Mask, given: &Shape) -> std::result::Result<(), Refusal> {
        W::mask(&self.parts(args).1, input, mask, given)
    }

    fn cost(&self, args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Count> {
        self.costs(args, inputs)
    }

    fn explain(&self, args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Formula> {
        self.costs(args, inputs)
    }

    fn sides(&self, args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let (own, parts) = self.parts(args);
        W::sides(own, &parts, &inputs[0])
    }

    fn built(&self, args: &[i64], inputs: &[Shape]) -> Built {
        W::built(&self.parts(args).1, &inputs[0])
    }

    fn inner(&self) -> &[Inner] {
        &self.inner
    }

    fn held(&self, args: &[i64], input: &Shape, from: usize, all: &mut Vec<Held>) {
        let (own, parts) = self.parts(args);
        let mut on = if W::STEPS {
            steps(input).expect("`output` accepted the input").1
        } else {
            *input
        };
        let mut mark = from + own.len();
        for part in &parts {
            let len = part.inner.len;
            let built = part.built(&on);
            let name = part.inner.kind.name.clone();
            all.push(Held {
                name,
                mark,
                len,
                on,
                built,
            });
            part.inner.kind.held(part.args, &on, mark + 1, all);
            mark += 1 + len;
            if W::ROW {
                on = part.output(&on).expect("`output` accepted the input");
            }
        }
    }

    fn has_kernel(&self) -> bool {
        W::KERNEL
    }

    fn columns(&self, args: &[i64], input: &Shape) -> i64 {
        self.parts(args).1[0].columns(input)
    }
}

/// An inner layer with the values of its hyperparameters.
struct Part<'a> {
    /// Its position among the layers of its slot, where that is a list.
    position: usize,
    inner: &'a Inner,
    /// Whether its weights are trained: 1 or 0, or [`COUNTED`].
    trainable: i64,
    args: &'a [i64],
}

impl Part<'_> {
    /// Its output shape; a refusal says that it is the inner layer which cannot be built.
    fn output(&self, input: &Shape) -> std::result::Result<Shape, Refusal> {
        let output = self.inner.kind.output(self.args, std::slice::from_ref(input));
        output.map_err(|refusal| refusal.inside(self.inner.kind.name.clone(), *input))
    }

    /// Refuses unknown sides that it needs to know; a refusal says that it is the inner layer which does.
    fn known(&self, input: &Shape) -> std::result::Result<(), Refusal> {
        let kind = &self.inner.kind;
        let known = kind.known(self.args, std::slice::from_ref(input));
        known
            .map(|_| ())
            .map_err(|refusal| refusal.inside(kind.name.clone(), *input))
    }

    /// Refuses a mask, for an input that it accepted; a refusal says that it is the inner layer which does not take it.
    fn mask(&self, input: &Shape, mask: Mask, given: &Shape) -> std::result::Result<(), Refusal> {
        let kind = &self.inner.kind;
        let taken = kind.check_mask(self.args, std::slice::from_ref(input), mask, given);
        taken.map_err(|refusal| refusal.inside(kind.name.clone(), *input))
    }

    /// The shapes of its states, for an input that it accepted.
    fn states(&self, input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        self.inner.kind.states(self.args, input)
    }

    /// The shapes of what it can give beside its output, for an input that it accepted.
    fn extra(&self, input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        self.inner.kind.extra(self.args, std::slice::from_ref(input))
    }

    /// Its cost, for an input that it accepted.
    fn cost<Q: Reading>(&self, input: &Shape) -> Cost<Q> {
        let output = self.output(input).expect("`output` accepted the input");
        let cost = Q::cost_of(&self.inner.kind, self.args, std::slice::from_ref(input), &output);
        let cost = match self.trainable {
            COUNTED => Cost {
                macs: cost.macs,
                ..Cost::none()
            },
            0 => cost.frozen(),
            _ => cost,
        };
        let place = self.place();
        Cost {
            trainable: cost.trainable.at(&place),
            non_trainable: cost.non_trainable.at(&place),
            macs: cost.macs.at(&place),
        }
    }

    /// The sides of its output as formulas, for an input that it accepted.
    fn sides(&self, input: &Shape) -> Vec<Formula> {
        let output = self.output(input).expect("`output` accepted the input");
        let sides = self.inner.kind.sides(self.args, std::slice::from_ref(input), &output);
        let place = self.place();
        sides.into_iter().map(|side| side.at(&place)).collect()
    }

    /// Its place in the layer around it.
    fn place(&self) -> String {
        let slot = self.inner.slot;
        if slot.many {
            format!("{}[{}]", slot.name, self.position)
        } else {
            slot.name.to_owned()
        }
    }

    /// What it is built for, by an input that it accepted.
    fn built(&self, input: &Shape) -> Built {
        self.inner.kind.built(self.args, std::slice::from_ref(input))
    }

    /// The last side of its kernel, if it has one.
    fn columns(&self, input: &Shape) -> i64 {
        self.inner.kind.columns(self.args, input)
    }
}

/// Why a layer that does not take one input cannot stand inside.
fn refuse_inputs(inner: &[Inner]) -> Option<String> {
    let wrong = inner
        .iter()
        .find(|each| each.kind.role == Role::Cell || each.kind.inputs != (1, 1))?;
    let why = match wrong.kind.inputs {
        _ if wrong.kind.role == Role::Cell => "is one step of a recurrent layer; put it into an RNN",
        (0, _) => "takes none",
        _ => "takes several",
    };
    Some(format!(
        "{} must be a layer of one input; {} {why}",
        wrong.slot.name, wrong.kind.name
    ))
}

/// The first axis beside the batch, and the shape of what it counts.
fn steps(input: &Shape) -> std::result::Result<(i64, Shape), Refusal> {
    match input.split_first() {
        Some((&steps, step)) => Ok((steps, Shape::new(step))),
        None => Err(Refusal::new(
            "it needs an input of at least 1 axis beside the batch",
            [],
        )),
    }
}

/// A shape for each of this many steps.
fn stacked(steps: i64, step: &Shape) -> std::result::Result<Shape, Refusal> {
    let rank = step.rank() + 1;
    if rank > MAX_RANK {
        return Err(Refusal::rank(rank));
    }
    let mut sides = [steps; MAX_RANK];
    sides[1..rank].copy_from_slice(step);
    Ok(Shape::new(&sides[..rank]))
}

const LAYER: Slot = Slot::one("layer");

struct TimeDistributed;

impl Around for TimeDistributed {
    const NAME: &'static str = "TimeDistributed";
    const SLOTS: &'static [Slot] = &[LAYER];
    const PURPOSE: &'static str = "it applies its layer at each step, and that has no weights";
    const STEPS: bool = true;

    fn refuse(inner: &[Inner]) -> Option<String> {
        let pipeline = inner[0].kind.name == Pipeline::NAME;
        pipeline
            .then(|| "layer must not be a Pipeline, whose output shape Keras does not tell".to_owned())
            .or_else(|| refuse_inputs(inner))
    }

    fn in_place(inner: &[Inner]) -> bool {
        inner[0].kind.in_place
    }

    fn output(_: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Shape, Refusal> {
        let (steps, step) = match input.rank() {
            0 | 1 => {
                return Err(Refusal::new(
                    "it needs an input of at least 2 axes beside the batch (steps, and what its layer takes), not {}",
                    [input.rank() as i64],
                ));
            }
            _ => steps(input)?,
        };
        stacked(steps, &parts[0].output(&step)?)
    }

    fn sides(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Vec<Formula> {
        let (steps, step) = steps(input).expect("`output` accepted the input");
        let mut sides = parts[0].sides(&step);
        sides.insert(0, Formula::of(steps, "steps"));
        sides
    }

    /// Its layer gets at each step what stands there behind the first axis of the mask.
    fn mask(parts: &[Part<'_>], input: &Shape, mask: Mask, given: &Shape) -> std::result::Result<(), Refusal> {
        let (count, step) = steps(input)?;
        match given.split_first() {
            Some((&first, each)) if first == count => parts[0].mask(&step, mask, &Shape::new(each)),
            _ => Err(Refusal::new(
                "its mask must have the {} steps of its input as its first axis beside the batch, and behind it the axes \
                 of a mask of its layer; it has {} axes, the first of {}",
                [count, given.rank() as i64, given.first().copied().unwrap_or(1)],
            )),
        }
    }

    /// The weights of its layer; the multiply-accumulates of its layer at each step.
    fn cost<Q: Reading>(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Cost<Q> {
        let (steps, step) = steps(input).expect("`output` accepted the input");
        let each: Cost<Q> = parts[0].cost(&step);
        Cost {
            macs: Q::of(steps, "steps") * each.macs,
            ..each
        }
    }

    /// What its layer is built for by a step. Keras does not hold its layer to all of it, and runs some that cannot be
    /// told from those that compute something else.
    fn built(parts: &[Part<'_>], input: &Shape) -> Built {
        let (_, step) = steps(input).expect("`output` accepted the input");
        parts[0].built(&step)
    }
}

struct Bidirectional;

impl Around for Bidirectional {
    const NAME: &'static str = "Bidirectional";
    const PARAMETERS: &'static [Parameter] = &[Parameter::new(
        "merge_mode",
        Domain::OptionalKeyword(&["concat", "sum", "mul", "ave"]),
        Arity::One,
        Some(0),
    )];
    /// Of the layer forward Keras takes a copy, which has weights of its own; the one backward it takes as it is.
    const SLOTS: &'static [Slot] = &[
        Slot {
            copied: true,
            ..Slot::one("layer")
        },
        Slot {
            optional: true,
            ..Slot::one("backward_layer")
        },
    ];
    const PURPOSE: &'static str = "";
    const ROLE: Role = Role::Recurrent;

    fn refuse(inner: &[Inner]) -> Option<String> {
        let wrong = inner
            .iter()
            .find(|each| each.kind.role != Role::Recurrent || each.kind.name == Self::NAME)?;
        Some(format!(
            "{} must be a recurrent layer (SimpleRNN, LSTM, GRU, ConvLSTM1D, ConvLSTM2D, ConvLSTM3D, RNN), not {}",
            wrong.slot.name, wrong.kind.name
        ))
    }

    /// Both outputs side by side on the last axis, even where that is no axis of channels; or joined value by value.
    fn output(own: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Shape, Refusal> {
        let forward = parts[0].output(input)?;
        if let Some(part) = parts.get(1) {
            let backward = part.output(input)?;
            if backward != forward {
                return Err(Refusal::new(
                    "its two layers must have the same output shape; they have {} and {} axes beside the batch, the \
                     last of {} and {}",
                    [
                        forward.rank() as i64,
                        backward.rank() as i64,
                        forward.last().copied().unwrap_or(1),
                        backward.last().copied().unwrap_or(1),
                    ],
                ));
            }
        }
        if own[0] != 0 {
            return Ok(forward);
        }
        let last = forward.rank() - 1;
        let both = forward[last].checked_mul(2).ok_or_else(Refusal::overflow)?;
        Ok(forward.with(last, both))
    }

    fn sides(own: &[i64], parts: &[Part<'_>], input: &Shape) -> Vec<Formula> {
        let mut sides = parts[0].sides(input);
        if own[0] == 0 {
            let last = sides.pop().expect("a sequence has an axis");
            sides.push(Formula::constant(2, "directions") * last);
        }
        sides
    }

    /// Those of its two layers.
    fn states(_: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        let mut states = parts[0].states(input)?;
        states.extend(parts[parts.len() - 1].states(input)?);
        Ok(states)
    }

    /// The output of the way backward, where the two are not joined, and the states. Keras takes both layers to have
    /// the same.
    fn extra(own: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        let mut extra = if own[0] == UNSET {
            vec![parts[0].output(input)?]
        } else {
            Vec::new()
        };
        extra.extend(Self::states(own, parts, input)?);
        Ok(extra)
    }

    /// What its layer costs, twice; or what its two layers cost.
    fn cost<Q: Reading>(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Cost<Q> {
        let forward: Cost<Q> = parts[0].cost(input);
        if let Some(backward) = parts.get(1) {
            return forward + backward.cost(input);
        }
        let twice = |each: Q| Q::constant(2, "directions") * each;
        Cost {
            trainable: twice(forward.trainable),
            non_trainable: twice(forward.non_trainable),
            macs: twice(forward.macs),
        }
    }

    fn built(parts: &[Part<'_>], input: &Shape) -> Built {
        let mut built = parts[0].built(input);
        let backward = parts.get(1).map(|part| part.built(input).numbers);
        built.numbers.extend(backward.into_iter().flatten());
        built
    }
}

struct SpectralNormalization;

impl Around for SpectralNormalization {
    const NAME: &'static str = "SpectralNormalization";
    const PARAMETERS: &'static [Parameter] = &[Parameter::new("power_iterations", Domain::Int(1), Arity::One, Some(1))];
    const SLOTS: &'static [Slot] = &[LAYER];
    const PURPOSE: &'static str = "";
    const KERNEL: bool = true;

    fn refuse(inner: &[Inner]) -> Option<String> {
        refuse_inputs(inner).or_else(|| {
            let kind = &inner[0].kind;
            (!kind.has_kernel()).then(|| {
                format!(
                    "layer must have a kernel or embeddings (Dense, EinsumDense, a plain, transposed or depthwise \
                     convolution, Embedding); {} has none",
                    kind.name
                )
            })
        })
    }

    fn output(_: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Shape, Refusal> {
        parts[0].output(input)
    }

    fn sides(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Vec<Formula> {
        parts[0].sides(input)
    }

    /// The cost of its layer, and a vector as long as the last side of the kernel, which is not trained. The iterations
    /// take place while training.
    fn cost<Q: Reading>(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Cost<Q> {
        let each: Cost<Q> = parts[0].cost(input);
        let vector = Q::of(
            parts[0].columns(input),
            "vector u, as long as the last side of the kernel",
        );
        Cost {
            non_trainable: each.non_trainable + vector,
            ..each
        }
    }

    /// What its layer is built for, and the last side of its input, which Keras fixes whatever its layer needs.
    fn built(parts: &[Part<'_>], input: &Shape) -> Built {
        let mut numbers: Vec<i64> = input.last().copied().into_iter().collect();
        numbers.extend(parts[0].built(input).numbers);
        Built::new("last side of its input, and what its layer is built for", numbers)
    }
}

/// Why something that is not a cell cannot walk along a sequence.
fn refuse_layers(inner: &[Inner]) -> Option<String> {
    let wrong = inner.iter().find(|each| each.kind.role != Role::Cell)?;
    Some(format!(
        "{} must be a cell (SimpleRNNCell, LSTMCell, GRUCell) or several of them, not {}",
        wrong.slot.name, wrong.kind.name
    ))
}

struct RNN;

impl Around for RNN {
    const NAME: &'static str = "RNN";
    const PARAMETERS: &'static [Parameter] = &[Parameter::flag("return_sequences", false)];
    const SLOTS: &'static [Slot] = &[Slot::one("cell")];
    const PURPOSE: &'static str = "";
    const STEPS: bool = true;
    const ROLE: Role = Role::Recurrent;

    fn refuse(inner: &[Inner]) -> Option<String> {
        refuse_layers(inner)
    }

    fn output(own: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Shape, Refusal> {
        let (steps, step) = steps(input)?;
        let state = parts[0].output(&step)?;
        if own[0] == 1 { stacked(steps, &state) } else { Ok(state) }
    }

    fn sides(own: &[i64], parts: &[Part<'_>], input: &Shape) -> Vec<Formula> {
        let (steps, step) = steps(input).expect("`output` accepted the input");
        let mut sides = parts[0].sides(&step);
        if own[0] == 1 {
            sides.insert(0, Formula::of(steps, "steps"));
        }
        sides
    }

    /// Those of its cell.
    fn states(_: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        parts[0].states(&steps(input)?.1)
    }

    /// The weights of its cell; the multiply-accumulates of its cell at each step.
    fn cost<Q: Reading>(own: &[i64], parts: &[Part<'_>], input: &Shape) -> Cost<Q> {
        TimeDistributed::cost(own, parts, input)
    }

    fn built(parts: &[Part<'_>], input: &Shape) -> Built {
        TimeDistributed::built(parts, input)
    }
}

/// The output of layers in a row.
fn row(parts: &[Part<'_>], input: &Shape) -> std::result::Result<Shape, Refusal> {
    parts.iter().try_fold(*input, |shape, part| part.output(&shape))
}

/// The sides of the output of layers in a row: those of the last one.
fn row_sides(parts: &[Part<'_>], input: &Shape) -> Vec<Formula> {
    let (last, before) = parts.split_last().expect("its slot is not left out");
    last.sides(&row(before, input).expect("`output` accepted the input"))
}

/// The cost of layers in a row.
fn row_cost<Q: Reading>(parts: &[Part<'_>], input: &Shape) -> Cost<Q> {
    let mut shape = *input;
    let mut sum = Cost::none();
    for part in parts {
        sum = sum + part.cost(&shape);
        shape = part.output(&shape).expect("`output` accepted the input");
    }
    sum
}

/// What layers in a row are built for.
fn row_built(parts: &[Part<'_>], input: &Shape) -> Built {
    let mut shape = *input;
    let mut numbers = Vec::new();
    for part in parts {
        numbers.extend(part.built(&shape).numbers);
        shape = part.output(&shape).expect("`output` accepted the input");
    }
    Built::new("numbers that its layers are built for", numbers)
}

struct StackedRNNCells;

impl Around for StackedRNNCells {
    const NAME: &'static str = "StackedRNNCells";
    const SLOTS: &'static [Slot] = &[Slot {
        many: true,
        ..Slot::one("cells")
    }];
    const PURPOSE: &'static str = "";
    const ROW: bool = true;
    const ROLE: Role = Role::Cell;

    /// Keras unpacks the states of a single cell once too often.
    fn refuse(inner: &[Inner]) -> Option<String> {
        refuse_layers(inner).or_else(|| match inner {
            [one] if !["SimpleRNNCell", "GRUCell"].contains(&&*one.kind.name) => Some(format!(
                "Keras cannot run a stack of a single {}; give the cell by itself",
                one.kind.name
            )),
            _ => None,
        })
    }

    fn output(_: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Shape, Refusal> {
        row(parts, input)
    }

    fn sides(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Vec<Formula> {
        row_sides(parts, input)
    }

    /// Those of all cells.
    fn states(_: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        let mut states = Vec::new();
        let mut shape = *input;
        for part in parts {
            states.extend(part.states(&shape)?);
            shape = part.output(&shape)?;
        }
        Ok(states)
    }

    fn cost<Q: Reading>(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Cost<Q> {
        row_cost(parts, input)
    }

    fn built(parts: &[Part<'_>], input: &Shape) -> Built {
        row_built(parts, input)
    }
}

struct Pipeline;

impl Around for Pipeline {
    const NAME: &'static str = "Pipeline";
    const SLOTS: &'static [Slot] = &[Slot {
        many: true,
        ..Slot::one("layers")
    }];
    const PURPOSE: &'static str = "it applies its layers in a row, and none of them has weights";
    const ROW: bool = true;

    fn refuse(inner: &[Inner]) -> Option<String> {
        refuse_inputs(inner)
    }

    fn in_place(inner: &[Inner]) -> bool {
        inner.iter().all(|each| each.kind.in_place)
    }

    fn output(_: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Shape, Refusal> {
        row(parts, input)
    }

    fn sides(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Vec<Formula> {
        row_sides(parts, input)
    }

    /// What its last layer gives.
    fn extra(_: &[i64], parts: &[Part<'_>], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        let (last, before) = parts.split_last().expect("its slot is not left out");
        last.extra(&row(before, input)?)
    }

    fn cost<Q: Reading>(_: &[i64], parts: &[Part<'_>], input: &Shape) -> Cost<Q> {
        row_cost(parts, input)
    }

    fn built(parts: &[Part<'_>], input: &Shape) -> Built {
        row_built(parts, input)
    }
}
