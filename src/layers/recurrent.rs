//! Layers that walk along a sequence. The first axis beside the batch is time; each step multiplies with the same
//! weights, so that the multiply-accumulates are those of one step times the steps.

use super::convolution::{check_strides, padding, sides};
use super::geometry::{Image, Window};
use super::{Cost, Parameter, Quantity, Refusal, Rule, Shape};

const UNITS: Parameter = Parameter::int("units", 1);
const USE_BIAS: Parameter = Parameter::flag("use_bias", true);
const SEQUENCES: Parameter = Parameter::flag("return_sequences", false);

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

fn walk(units: i64, return_sequences: i64, input: &Shape) -> Result<Shape, Refusal> {
    let (steps, _) = sequence(input)?;
    Ok(if return_sequences == 1 {
        Shape::new(&[steps, units])
    } else {
        Shape::new(&[units])
    })
}

/// `gates` matrices on the features of a step and as many on the state before it.
fn walking<Q: Quantity>(gates: i64, units: i64, bias: Q, input: &Shape) -> Cost<Q> {
    let (steps, features) = sequence(input).expect("`output` accepted the input");
    let width = || match gates {
        1 => Q::of(units, "units"),
        _ => Q::of(gates, "gates") * Q::of(units, "units"),
    };
    let fan_in = || Q::of(features, "features of a step") + Q::of(units, "units of the state before");
    Cost {
        trainable: (fan_in() + bias) * width(),
        non_trainable: Q::zero(),
        macs: Q::of(steps, "steps") * (fan_in() * width()),
    }
}

pub(super) struct SimpleRNN;

impl Rule for SimpleRNN {
    const NAME: &'static str = "SimpleRNN";
    const PARAMETERS: &'static [Parameter] = &[UNITS, USE_BIAS, SEQUENCES];

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        walk(args[0], args[2], &inputs[0])
    }

    /// `(features + units + bias) * units` weights.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        walking(1, args[0], Q::of(args[1], "bias of each unit"), &inputs[0])
    }
}

pub(super) struct LSTM;

impl Rule for LSTM {
    const NAME: &'static str = "LSTM";
    const PARAMETERS: &'static [Parameter] = &[UNITS, USE_BIAS, SEQUENCES];

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        walk(args[0], args[2], &inputs[0])
    }

    /// `(features + units + bias) * 4 * units` weights.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        walking(4, args[0], Q::of(args[1], "bias of each gate"), &inputs[0])
    }
}

pub(super) struct GRU;

impl Rule for GRU {
    const NAME: &'static str = "GRU";
    const PARAMETERS: &'static [Parameter] = &[UNITS, USE_BIAS, SEQUENCES, Parameter::flag("reset_after", true)];

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        walk(args[0], args[2], &inputs[0])
    }

    /// `(features + units + bias) * 3 * units` weights; with `reset_after` the two matrices have a bias each.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let bias = match (args[1], args[3]) {
            (0, _) => Q::zero(),
            (_, 0) => Q::of(1, "bias of each gate"),
            _ => Q::of(2, "biases of each gate, for the features and for the state"),
        };
        walking(3, args[0], bias, &inputs[0])
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
        sides("kernel_size", N, None),
        sides("strides", N, Some(1)),
        padding(N, false),
        Parameter::data_format(),
        sides("dilation_rate", N, Some(1)),
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
                padding,
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

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args);
        check_strides(layer.window.strides, layer.window.dilation)?;
        let (steps, _, state) = Self::images(&layer, &inputs[0])?;
        let state = state.shape();
        if layer.return_sequences == 0 {
            return Ok(state);
        }
        let mut sides = [steps; super::MAX_RANK];
        sides[1..N + 2].copy_from_slice(&state);
        Ok(Shape::new(&sides[..N + 2]))
    }

    /// `(k_1 * ... * k_N * (channels + filters) + bias) * 4 * filters` weights: a convolution of the step and one of the
    /// state, whose strides are 1.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let layer = Self::parse(args);
        let (steps, image, state) = Self::images(&layer, &inputs[0]).expect("`output` accepted the input");
        let fan_in = || {
            Q::product(layer.window.size, "kernel_size")
                * (Q::of(image.channels, "channels of a step") + Q::of(layer.filters, "filters of the state before"))
        };
        let width = || Q::of(4, "gates") * Q::of(layer.filters, "filters");
        let positions = Q::of(steps, "steps") * Q::product(&state.spatial, "positions of the state");
        Cost {
            trainable: (fan_in() + Q::of(layer.use_bias, "bias of each gate")) * width(),
            non_trainable: Q::zero(),
            macs: positions * (fan_in() * width()),
        }
    }
}
