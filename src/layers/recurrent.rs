//! Layers that walk along a sequence. The first axis beside the batch is time; each step multiplies with the same
//! weights, so that the multiply-accumulates are those of one step times the steps.

use super::built::Built;
use super::convolution::{check_strides, each_side, padding};
use super::cost::Cost;
use super::geometry::{Image, Padding, Window};
use super::kind::{Role, Rule};
use super::mask::Mask;
use super::parameter::{Arity, Domain, Parameter};
use super::quantity::{Formula, Quantity};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape, UNKNOWN};
use super::sides;

const UNITS: Parameter = Parameter::int("units", 1);
const USE_BIAS: Parameter = Parameter::flag("use_bias", true);
const SEQUENCES: Parameter = Parameter::flag("return_sequences", false);

const NUM_LAYERS: Parameter = Parameter::new("num_layers", Domain::Int(1), Arity::One, Some(1));
const BIDIRECTIONAL: Parameter = Parameter::flag("bidirectional", false);
const TWO_BIASES: Parameter = Parameter::flag("two_biases", false);

/// The steps and the features of a sequence.
fn sequence(input: &Shape) -> Result<(i64, i64), Refusal> {
    match **input {
        [steps, features] => Ok((steps, features)),
        _ => Err(Refusal::new(
            "it needs an input of 2 axes beside the batch (steps and features), not {}",
            [input.rank() as i64],
        )),
    }
}

/// What every recurrent layer of units is built for.
fn built(input: &Shape) -> Built {
    let (_, features) = sequence(input).expect("`output` accepted the input");
    Built::new("features of a step", [features])
}

/// One layer on top of the other, each of them in one direction or in two (`torch.nn.RNNBase`).
struct Stack {
    gates: i64,
    units: i64,
    return_sequences: i64,
    layers: i64,
    directions: i64,
    /// To what the output is projected before it becomes the state; 0 where it is not.
    proj_size: i64,
}

impl Stack {
    fn state(&self) -> i64 {
        if self.proj_size == 0 {
            self.units
        } else {
            self.proj_size
        }
    }

    fn output(&self, input: &Shape) -> Result<Shape, Refusal> {
        let (steps, _) = sequence(input)?;
        let features = self
            .state()
            .checked_mul(self.directions)
            .ok_or_else(Refusal::overflow)?;
        Ok(if self.return_sequences == 1 {
            Shape::new(&[steps, features])
        } else {
            Shape::new(&[features])
        })
    }

    fn sides(&self, input: &Shape) -> Vec<Formula> {
        let state = match self.proj_size {
            0 => Formula::of(self.units, "units"),
            n => Formula::of(n, "proj_size"),
        };
        let features = state.times(Formula::constant(self.directions, "directions"));
        if self.return_sequences == 1 {
            vec![Formula::of(input[0], "steps"), features]
        } else {
            vec![features]
        }
    }

    /// What it keeps from step to step: this many states, of which the first is the output. Those of several layers
    /// and directions stand in a row, as in `PyTorch`.
    fn states(&self, count: usize) -> Result<Vec<Shape>, Refusal> {
        let each = self.layers.checked_mul(self.directions).ok_or_else(Refusal::overflow)?;
        let shape = |size: i64| {
            if each == 1 {
                Shape::new(&[size])
            } else {
                Shape::new(&[each, size])
            }
        };
        let mut states = vec![shape(self.units); count];
        states[0] = shape(self.state());
        Ok(states)
    }

    /// In each layer and direction `gates` matrices on the features of a step and as many on the state before it, and
    /// the projection where there is one.
    fn cost<Q: Quantity>(&self, bias: Q, input: &Shape) -> Cost<Q> {
        let (steps, features) = sequence(input).expect("`output` accepted the input");
        let width = || match self.gates {
            1 => Q::of(self.units, "units"),
            _ => Q::constant(self.gates, "gates") * Q::of(self.units, "units"),
        };
        let state = || match self.proj_size {
            0 => Q::of(self.units, "units of the previous state"),
            n => Q::of(n, "units of the previous state, projected"),
        };
        let weights = |bias: Q| {
            let layer = |inputs: Q| {
                let matrices = (inputs + state() + bias.clone()) * width();
                match self.proj_size {
                    0 => matrices,
                    n => matrices + Q::of(self.units, "units") * Q::of(n, "proj_size"),
                }
            };
            let mut all = layer(Q::of(features, "features of a step"));
            if self.layers > 1 {
                let inputs = Q::of(self.directions * self.state(), "outputs of the previous layer");
                all = all + Q::of(self.layers - 1, "layers after the first") * layer(inputs);
            }
            match self.directions {
                1 => all,
                n => Q::constant(n, "directions") * all,
            }
        };
        Cost {
            trainable: weights(bias),
            non_trainable: Q::zero(),
            macs: Q::of(steps, "steps") * weights(Q::zero()),
        }
    }
}

/// What a bias is added to: of each unit, or of each gate.
const OF_UNITS: [&str; 2] = [
    "bias of each unit",
    "biases of each unit, for the features and for the state",
];
const OF_GATES: [&str; 2] = [
    "bias of each gate",
    "biases of each gate, for the features and for the state",
];

fn bias<Q: Quantity>(use_bias: i64, two: i64, meanings: [&'static str; 2]) -> Q {
    match (use_bias, two) {
        (0, _) => Q::zero(),
        (_, 0) => Q::constant(1, meanings[0]),
        _ => Q::constant(2, meanings[1]),
    }
}

pub(super) struct SimpleRNN;

impl SimpleRNN {
    fn stack(args: &[i64]) -> Stack {
        Stack {
            gates: 1,
            units: args[0],
            return_sequences: args[2],
            layers: args[3],
            directions: 1 + args[4],
            proj_size: 0,
        }
    }
}

impl Rule for SimpleRNN {
    const NAME: &'static str = "SimpleRNN";
    const ROLE: Role = Role::Recurrent;
    const PARAMETERS: &'static [Parameter] = &[UNITS, USE_BIAS, SEQUENCES, NUM_LAYERS, BIDIRECTIONAL, TWO_BIASES];

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        Self::stack(args).output(&inputs[0])
    }

    fn states(args: &[i64], _: &Shape) -> Result<Vec<Shape>, Refusal> {
        Self::stack(args).states(1)
    }

    /// `(features + units + bias) * units` weights in a layer.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        Self::stack(args).cost(bias(args[1], args[5], OF_UNITS), &inputs[0])
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        Self::stack(args).sides(&inputs[0])
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        built(&inputs[0])
    }
}

pub(super) struct LSTM;

impl LSTM {
    fn stack(args: &[i64]) -> Stack {
        Stack {
            gates: 4,
            proj_size: args[6],
            ..SimpleRNN::stack(args)
        }
    }
}

impl Rule for LSTM {
    const NAME: &'static str = "LSTM";
    const ROLE: Role = Role::Recurrent;
    const PARAMETERS: &'static [Parameter] = &[
        UNITS,
        USE_BIAS,
        SEQUENCES,
        NUM_LAYERS,
        BIDIRECTIONAL,
        TWO_BIASES,
        Parameter::new("proj_size", Domain::Int(0), Arity::One, Some(0)),
    ];

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let stack = Self::stack(args);
        if stack.proj_size >= stack.units {
            return Err(Refusal::new(
                "its proj_size must be smaller than its units; given {} and {}",
                [stack.proj_size, stack.units],
            ));
        }
        stack.output(&inputs[0])
    }

    fn states(args: &[i64], _: &Shape) -> Result<Vec<Shape>, Refusal> {
        Self::stack(args).states(2)
    }

    /// `(features + state + bias) * 4 * units` weights in a layer, and `units * proj_size` of the projection.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        Self::stack(args).cost(bias(args[1], args[5], OF_GATES), &inputs[0])
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        Self::stack(args).sides(&inputs[0])
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        built(&inputs[0])
    }
}

pub(super) struct GRU;

impl GRU {
    fn stack(args: &[i64]) -> Stack {
        Stack {
            gates: 3,
            ..SimpleRNN::stack(args)
        }
    }
}

impl Rule for GRU {
    const NAME: &'static str = "GRU";
    const ROLE: Role = Role::Recurrent;
    const PARAMETERS: &'static [Parameter] = &[
        UNITS,
        USE_BIAS,
        SEQUENCES,
        NUM_LAYERS,
        BIDIRECTIONAL,
        Parameter::flag("reset_after", true),
    ];

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        Self::stack(args).output(&inputs[0])
    }

    fn states(args: &[i64], _: &Shape) -> Result<Vec<Shape>, Refusal> {
        Self::stack(args).states(1)
    }

    /// `(features + units + bias) * 3 * units` weights in a layer; with `reset_after` the two matrices have a bias
    /// each.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        Self::stack(args).cost(bias(args[1], args[5], OF_GATES), &inputs[0])
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        Self::stack(args).sides(&inputs[0])
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        built(&inputs[0])
    }
}

/// `ConvLSTMND`, for N = 1, 2, 3.
pub(super) struct ConvLSTM<const N: usize>;

struct ConvLSTMArgs<'a> {
    filters: i64,
    window: Window<'a>,
    data_format: i64,
    use_bias: i64,
    return_sequences: i64,
}

impl<const N: usize> ConvLSTM<N> {
    const TABLE: [Parameter; 8] = [
        Parameter::int("filters", 1),
        each_side("kernel_size", N, None),
        each_side("strides", N, Some(1)),
        padding(N, false),
        Parameter::data_format(),
        each_side("dilation_rate", N, Some(1)),
        USE_BIAS,
        SEQUENCES,
    ];

    fn parse(args: &[i64]) -> ConvLSTMArgs<'_> {
        let (filters, args) = (args[0], &args[1..]);
        let (size, args) = args.split_at(N);
        let (strides, args) = args.split_at(N);
        let (padding, data_format, args) = (args[0], args[1], &args[2..]);
        let (dilation, args) = args.split_at(N);
        ConvLSTMArgs {
            filters,
            window: Window {
                size,
                strides,
                dilation,
                padding: Padding::word(padding),
            },
            data_format,
            use_bias: args[0],
            return_sequences: args[1],
        }
    }

    /// The steps, the image of a step and the state.
    fn images(layer: &ConvLSTMArgs<'_>, input: &Shape) -> Result<(i64, Image<N>, Image<N>), Refusal> {
        let Some((&steps, step)) = input.split_first().filter(|(_, step)| step.len() == N + 1) else {
            return Err(Refusal::new(
                "it needs an input of {} axes beside the batch (steps, {} spatial and the channels), not {}",
                [N as i64 + 2, N as i64, input.rank() as i64],
            ));
        };
        let image = Image::<N>::of(&Shape::new(step), layer.data_format)?;
        let state = Image {
            spatial: layer.window.positions(image.spatial)?,
            channels: layer.filters,
            ..image
        };
        Ok((steps, image, state))
    }
}

impl<const N: usize> Rule for ConvLSTM<N> {
    const NAME: &'static str = match N {
        1 => "ConvLSTM1D",
        2 => "ConvLSTM2D",
        _ => "ConvLSTM3D",
    };
    const PARAMETERS: &'static [Parameter] = &Self::TABLE;
    const ROLE: Role = Role::Recurrent;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args);
        check_strides(layer.window.strides, layer.window.dilation)?;
        let (steps, _, state) = Self::images(&layer, &inputs[0])?;
        let state = state.shape();
        if layer.return_sequences == 0 {
            return Ok(state);
        }
        let mut sides = [steps; MAX_RANK];
        sides[1..N + 2].copy_from_slice(&state);
        Ok(Shape::new(&sides[..N + 2]))
    }

    /// Keras makes its first states, as large as an image, when it is built.
    fn known(args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
        let image = match inputs[0].split_first() {
            Some((_, step)) if step.len() == N + 1 => Image::<N>::of(&Shape::new(step), Self::parse(args).data_format)?,
            _ => return Ok(inputs.to_vec()),
        };
        if image.spatial.contains(&UNKNOWN) {
            return Err(Refusal::new(
                "it must know the spatial sides of its images; give their numbers in Input",
                [],
            ));
        }
        Ok(inputs.to_vec())
    }

    fn states(args: &[i64], input: &Shape) -> Result<Vec<Shape>, Refusal> {
        let (_, _, state) = Self::images(&Self::parse(args), input)?;
        Ok(vec![state.shape(); 2])
    }

    fn mask(_: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
        mask.check(&Shape::new(&inputs[0][..1]), given)
    }

    /// `(k_1 * ... * k_N * (channels + filters) + bias) * 4 * filters` weights: a convolution of the step and one of
    /// the state, whose strides are 1.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let layer = Self::parse(args);
        let (steps, image, state) = Self::images(&layer, &inputs[0]).expect("`output` accepted the input");
        let fan_in = || {
            Q::spatial(layer.window.size, "kernel_size")
                * (Q::of(image.channels, "channels of a step") + Q::of(layer.filters, "filters of the previous state"))
        };
        let width = || Q::constant(4, "gates") * Q::of(layer.filters, "filters");
        let positions = Q::of(steps, "steps") * Q::spatial(&state.spatial, "positions of the state");
        Cost {
            trainable: (fan_in() + Q::constant(layer.use_bias, "bias of each gate")) * width(),
            non_trainable: Q::zero(),
            macs: positions * (fan_in() * width()),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let layer = Self::parse(args);
        let (steps, image, _) = Self::images(&layer, &inputs[0]).expect("`output` accepted the input");
        let spatial = layer.window.sides(&image.spatial, &sides::KERNEL, false);
        let mut sides = sides::image(spatial, Formula::of(layer.filters, "filters"), layer.data_format);
        if layer.return_sequences == 1 {
            sides.insert(0, Formula::of(steps, "steps"));
        }
        sides
    }

    /// Keras holds its cell to the whole shape of a step.
    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        Built::new("sides of a step", &inputs[0][1..])
    }
}
