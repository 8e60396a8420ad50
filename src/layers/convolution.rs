//! Convolutions. Weights and shapes: `keras.layers.Conv*`, `DepthwiseConv*`, `SeparableConv*`.

use super::built::Built;
use super::cost::Cost;
use super::geometry::{Image, Margin, Padding, VALID, Window, explicit_padding, given_padding, span};
use super::kind::{Columns, Rule};
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::{Along, Formula, Quantity};
use super::refusal::Refusal;
use super::shape::Shape;
use super::sides;

const PADDING: &[&str] = &["valid", "same"];
const CAUSAL: &[&str] = &["valid", "same", "causal"];

pub(super) const fn each_side(name: &'static str, n: usize, default: Option<i64>) -> Parameter {
    Parameter::new(name, Domain::Int(1), Arity::Each(n), default)
}

pub(super) const fn padding(n: usize, causal: bool) -> Parameter {
    Parameter::keyword("padding", if causal && n == 1 { CAUSAL } else { PADDING })
}

/// What the margins around the input hold: zeros, or what `PyTorch` has beside them.
const PADDING_MODE: Parameter = Parameter::keyword("padding_mode", &["zeros", "reflect", "replicate", "circular"]);

fn margin(padding_mode: i64) -> Margin {
    [
        Margin::Constant,
        Margin::Reflected,
        Margin::Replicated,
        Margin::Circular,
    ][padding_mode as usize]
}

/// What a plain convolution refuses, whatever its input; Keras lets depthwise and separable ones pass, and `PyTorch` all.
pub(super) fn check_strides(strides: &[i64], dilation: &[i64]) -> Result<(), Refusal> {
    let most = |values: &[i64]| values.iter().copied().max().unwrap_or(1);
    if most(strides) > 1 && most(dilation) > 1 {
        return Err(Refusal::new(
            "strides > 1 cannot be combined with dilation_rate > 1; given strides up to {} and dilation_rate up to {}",
            [most(strides), most(dilation)],
        ));
    }
    Ok(())
}

/// What every convolution is built for.
fn built<const N: usize>(input: &Shape, data_format: i64) -> Built {
    let image = Image::<N>::of(input, data_format).expect("`output` accepted the input");
    Built::new("channels of its input", [image.channels])
}

const GROUPS: Parameter = Parameter::new("groups", Domain::Int(1), Arity::One, Some(1));

/// Refuses groups into which filters or channels do not divide.
fn check_groups(groups: i64, filters: i64, channels: i64) -> Result<(), Refusal> {
    if filters % groups != 0 {
        return Err(Refusal::new(
            "its filters must be divisible by its groups; given filters={} and groups={}",
            [filters, groups],
        ));
    }
    if channels % groups != 0 {
        return Err(Refusal::new(
            "the channels of its input must be divisible by its groups; given {} channels and groups={}",
            [channels, groups],
        ));
    }
    Ok(())
}

/// The channels that each filter reads.
fn read<Q: Quantity>(channels: i64, groups: i64) -> Q {
    let meaning = if groups == 1 {
        "channels of the input"
    } else {
        "channels of each group of the input"
    };
    Q::of(channels / groups, meaning)
}

/// `ConvND`, for N = 1, 2, 3.
pub(super) struct Conv<const N: usize>;

struct ConvArgs<'a, const N: usize> {
    filters: i64,
    window: Window<'a>,
    groups: i64,
    use_bias: i64,
    data_format: i64,
    lora_rank: i64,
    margin: Margin,
}

impl<const N: usize> Conv<N> {
    const TABLE: [Parameter; 11] = [
        Parameter::int("filters", 1),
        each_side("kernel_size", N, None),
        each_side("strides", N, Some(1)),
        padding(N, true),
        Parameter::data_format(),
        each_side("dilation_rate", N, Some(1)),
        GROUPS,
        Parameter::flag("use_bias", true),
        Parameter::new("lora_rank", Domain::OptionalInt(0), Arity::One, Some(UNSET)),
        PADDING_MODE,
        explicit_padding(2 * N),
    ];

    fn parse(args: &[i64]) -> ConvArgs<'_, N> {
        let (filters, args) = (args[0], &args[1..]);
        let (size, args) = args.split_at(N);
        let (strides, args) = args.split_at(N);
        let (padding, data_format, args) = (args[0], args[1], &args[2..]);
        let (dilation, args) = args.split_at(N);
        ConvArgs {
            filters,
            window: Window {
                size,
                strides,
                dilation,
                padding: Padding::of(padding, &args[4..]),
            },
            groups: args[0],
            use_bias: args[1],
            data_format,
            lora_rank: args[2],
            margin: margin(args[3]),
        }
    }
}

impl<const N: usize> Rule for Conv<N> {
    const NAME: &'static str = match N {
        1 => "Conv1D",
        2 => "Conv2D",
        _ => "Conv3D",
    };
    const PARAMETERS: &'static [Parameter] = &Self::TABLE;

    const COLUMNS: Option<Columns> = Some(|args, _| Self::parse(args).filters);

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args);
        if !matches!(layer.window.padding, Padding::Explicit(_)) {
            check_strides(layer.window.strides, layer.window.dilation)?;
        }
        let image = Image::<N>::of(&inputs[0], layer.data_format)?;
        check_groups(layer.groups, layer.filters, image.channels)?;
        layer.window.check_margins(layer.margin, &image.spatial)?;
        Ok(Image {
            spatial: layer.window.positions(image.spatial)?,
            channels: layer.filters,
            ..image
        }
        .shape())
    }

    /// `(k_1 * ... * k_N * channels / groups + bias) * filters` weights; one multiply-accumulate for each weight of the
    /// kernel at each output position, and those of the product of the small matrices of `lora_rank`.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Q> {
        let layer = Self::parse(args);
        let (Ok(from), Ok(to)) = (
            Image::<N>::of(&inputs[0], layer.data_format),
            Image::<N>::of(output, layer.data_format),
        ) else {
            unreachable!("`output` accepted the input")
        };
        let fan_in = || Q::spatial(layer.window.size, "kernel_size") * read::<Q>(from.channels, layer.groups);
        let filters = || Q::of(layer.filters, "filters");
        let bias = || Q::constant(layer.use_bias, "bias of each filter");
        let macs = Q::spatial(&to.spatial, "output positions") * (fan_in() * filters());
        if layer.lora_rank <= 0 {
            Cost {
                trainable: (fan_in() + bias()) * filters(),
                non_trainable: Q::zero(),
                macs,
            }
        } else {
            let rank = || Q::of(layer.lora_rank, "lora_rank");
            Cost {
                trainable: fan_in() * rank() + rank() * filters() + bias() * filters(),
                non_trainable: fan_in() * filters(),
                macs: macs + fan_in() * rank() * filters(),
            }
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let layer = Self::parse(args);
        let image = Image::<N>::of(&inputs[0], layer.data_format).expect("`output` accepted the input");
        let spatial = layer.window.sides(&image.spatial, &sides::KERNEL, false);
        sides::image(spatial, Formula::of(layer.filters, "filters"), layer.data_format)
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        built::<N>(&inputs[0], Self::parse(args).data_format)
    }
}

/// `ConvNDTranspose`, for N = 1, 2, 3.
pub(super) struct ConvTranspose<const N: usize>;

struct ConvTransposeArgs<'a> {
    filters: i64,
    size: &'a [i64],
    strides: &'a [i64],
    padding: i64,
    output_padding: &'a [i64],
    data_format: i64,
    dilation: &'a [i64],
    use_bias: i64,
    groups: i64,
    explicit: Option<&'a [i64]>,
}

impl<const N: usize> ConvTranspose<N> {
    const TABLE: [Parameter; 10] = [
        Parameter::int("filters", 1),
        each_side("kernel_size", N, None),
        each_side("strides", N, Some(1)),
        padding(N, false),
        Parameter::new("output_padding", Domain::OptionalInt(0), Arity::Each(N), Some(UNSET)),
        Parameter::data_format(),
        each_side("dilation_rate", N, Some(1)),
        Parameter::flag("use_bias", true),
        GROUPS,
        explicit_padding(N),
    ];

    fn parse(args: &[i64]) -> ConvTransposeArgs<'_> {
        let (filters, args) = (args[0], &args[1..]);
        let (size, args) = args.split_at(N);
        let (strides, args) = args.split_at(N);
        let (padding, args) = (args[0], &args[1..]);
        let (output_padding, args) = args.split_at(N);
        let (data_format, args) = (args[0], &args[1..]);
        let (dilation, args) = args.split_at(N);
        ConvTransposeArgs {
            filters,
            size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation,
            use_bias: args[0],
            groups: args[1],
            explicit: given_padding(&args[2..]),
        }
    }
}

impl ConvTransposeArgs<'_> {
    /// The side of the output along one axis; `None` beyond `i64` (`compute_conv_transpose_output_shape` of Keras 3, or
    /// with integers as padding `ConvTransposeNd` of `PyTorch`, which removes as many positions from both ends).
    fn side(&self, axis: usize, side: i64) -> Option<i64> {
        let (stride, given) = (self.strides[axis], self.output_padding[axis]);
        let span = span(self.size[axis], self.dilation[axis])?;
        let all_but_last = (side - 1).checked_mul(stride)?;
        if let Some(explicit) = self.explicit {
            let more = if given == UNSET { 0 } else { given };
            let removed = explicit[axis].checked_mul(2)?;
            return all_but_last.checked_add(span)?.checked_add(more)?.checked_sub(removed);
        }
        let last = match (self.padding, given) {
            (VALID, UNSET) => span.max(stride),
            (VALID, given) => span.checked_add(given)?,
            (_, UNSET) => stride,
            (_, given) => given.checked_add(span % 2)?,
        };
        all_but_last.checked_add(last)
    }

    /// The same as a formula, for one axis of `n`.
    fn formula(&self, axis: usize, input: &Formula, n: usize) -> Formula {
        let along = Along::Spatial(axis, n);
        let reach = sides::reach(self.size, self.dilation, axis, &sides::KERNEL);
        let stride = || Formula::along(self.strides[axis], "stride", along);
        let given = self.output_padding[axis];
        let more = match given {
            UNSET => Formula::zero(),
            given => Formula::along(given, "output_padding", along),
        };
        let all_but_last = || input.clone().minus(Formula::just(1)).times(stride());
        if let Some(explicit) = self.explicit {
            let removed = Formula::just(2) * Formula::along(explicit[axis], "padding", along);
            return (all_but_last() + reach + more).minus(removed);
        }
        let odd = || Formula::just(reach.value() % 2);
        match (self.padding, given) {
            (VALID, UNSET) if reach.value() < self.strides[axis] => input.clone().times(stride()),
            (VALID, _) => all_but_last() + reach + more,
            (_, UNSET) => input.clone().times(stride()),
            (_, _) => all_but_last() + more + odd(),
        }
    }
}

impl<const N: usize> Rule for ConvTranspose<N> {
    const NAME: &'static str = match N {
        1 => "Conv1DTranspose",
        2 => "Conv2DTranspose",
        _ => "Conv3DTranspose",
    };
    const PARAMETERS: &'static [Parameter] = &Self::TABLE;

    const COLUMNS: Option<Columns> = Some(|args, input| {
        let from = Image::<N>::of(input, Self::parse(args).data_format).expect("`output` accepted the input");
        from.channels
    });

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args);
        if layer.explicit.is_none() {
            check_strides(layer.strides, layer.dilation)?;
        }
        let mut image = Image::<N>::of(&inputs[0], layer.data_format)?;
        check_groups(layer.groups, layer.filters, image.channels)?;
        for axis in 0..N {
            let (given, stride) = (layer.output_padding[axis], layer.strides[axis]);
            if (given == UNSET) != (layer.output_padding[0] == UNSET) {
                return Err(Refusal::new(
                    "output_padding must be given for all axes or for none",
                    [],
                ));
            }
            if layer.explicit.is_some() && given >= stride.max(layer.dilation[axis]) {
                return Err(Refusal::new(
                    "its output_padding must be smaller than its strides or its dilation_rate; on axis {} it is {}, and they \
                     are {} and {}",
                    [axis as i64 + 1, given, stride, layer.dilation[axis]],
                ));
            }
            if layer.explicit.is_none() && given >= stride {
                return Err(Refusal::new(
                    "its output_padding must be smaller than its strides; on axis {} they are {} and {}",
                    [axis as i64 + 1, given, stride],
                ));
            }
            let side = layer.side(axis, image.spatial[axis]).ok_or_else(Refusal::overflow)?;
            if side < 1 {
                return Err(match layer.explicit {
                    Some(explicit) => Refusal::new(
                        "with padding={} on axis {} the output size would be {}; it must be at least 1",
                        [explicit[axis], axis as i64 + 1, side],
                    ),
                    None => Refusal::new(
                        "with padding='same', an even kernel and output_padding=0 nothing would be left on axis {}",
                        [axis as i64 + 1],
                    ),
                });
            }
            image.spatial[axis] = side;
        }
        image.channels = layer.filters;
        Ok(image.shape())
    }

    /// `(k_1 * ... * k_N * channels / groups + bias) * filters` weights; one multiply-accumulate for each weight of the
    /// kernel at each position of the *input*.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let layer = Self::parse(args);
        let Ok(from) = Image::<N>::of(&inputs[0], layer.data_format) else {
            unreachable!("`output` accepted the input")
        };
        let fan_in = || Q::spatial(layer.size, "kernel_size") * read::<Q>(from.channels, layer.groups);
        let filters = || Q::of(layer.filters, "filters");
        Cost {
            trainable: (fan_in() + Q::constant(layer.use_bias, "bias of each filter")) * filters(),
            non_trainable: Q::zero(),
            macs: Q::spatial(&from.spatial, "input positions") * (fan_in() * filters()),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let layer = Self::parse(args);
        let image = Image::<N>::of(&inputs[0], layer.data_format).expect("`output` accepted the input");
        let from = sides::positions(&image.spatial).into_iter().enumerate();
        let spatial = from.map(|(axis, input)| layer.formula(axis, &input, N)).collect();
        sides::image(spatial, Formula::of(layer.filters, "filters"), layer.data_format)
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        built::<N>(&inputs[0], Self::parse(args).data_format)
    }
}

/// `DepthwiseConvND`, for N = 1, 2.
pub(super) struct DepthwiseConv<const N: usize>;

struct DepthwiseArgs<'a> {
    window: Window<'a>,
    multiplier: i64,
    data_format: i64,
    use_bias: i64,
    margin: Margin,
}

impl<const N: usize> DepthwiseConv<N> {
    const TABLE: [Parameter; 9] = [
        each_side("kernel_size", N, None),
        each_side("strides", N, Some(1)),
        padding(N, false),
        Parameter::new("depth_multiplier", Domain::Int(1), Arity::One, Some(1)),
        Parameter::data_format(),
        each_side("dilation_rate", N, Some(1)),
        Parameter::flag("use_bias", true),
        PADDING_MODE,
        explicit_padding(2 * N),
    ];

    fn parse(args: &[i64]) -> DepthwiseArgs<'_> {
        let (size, args) = args.split_at(N);
        let (strides, args) = args.split_at(N);
        let (padding, multiplier, data_format, args) = (args[0], args[1], args[2], &args[3..]);
        let (dilation, args) = args.split_at(N);
        DepthwiseArgs {
            window: Window {
                size,
                strides,
                dilation,
                padding: Padding::of(padding, &args[2..]),
            },
            multiplier,
            data_format,
            use_bias: args[0],
            margin: margin(args[1]),
        }
    }
}

impl<const N: usize> Rule for DepthwiseConv<N> {
    const NAME: &'static str = if N == 1 { "DepthwiseConv1D" } else { "DepthwiseConv2D" };
    const PARAMETERS: &'static [Parameter] = &Self::TABLE;

    const COLUMNS: Option<Columns> = Some(|args, _| Self::parse(args).multiplier);

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args);
        let image = Image::<N>::of(&inputs[0], layer.data_format)?;
        layer.window.check_margins(layer.margin, &image.spatial)?;
        Ok(Image {
            spatial: layer.window.positions(image.spatial)?,
            channels: image
                .channels
                .checked_mul(layer.multiplier)
                .ok_or_else(Refusal::overflow)?,
            ..image
        }
        .shape())
    }

    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Q> {
        let layer = Self::parse(args);
        let (Ok(from), Ok(to)) = (
            Image::<N>::of(&inputs[0], layer.data_format),
            Image::<N>::of(output, layer.data_format),
        ) else {
            unreachable!("`output` accepted the input")
        };
        let kernel = || Q::spatial(layer.window.size, "kernel_size");
        let channels = || match layer.multiplier {
            1 => Q::of(from.channels, "channels of the input"),
            n => Q::of(from.channels, "channels of the input") * Q::of(n, "depth_multiplier"),
        };
        Cost {
            trainable: (kernel() + Q::constant(layer.use_bias, "bias of each channel")) * channels(),
            non_trainable: Q::zero(),
            macs: Q::spatial(&to.spatial, "output positions") * (kernel() * channels()),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let layer = Self::parse(args);
        let image = Image::<N>::of(&inputs[0], layer.data_format).expect("`output` accepted the input");
        let spatial = layer.window.sides(&image.spatial, &sides::KERNEL, false);
        let channels = sides::channels(image.channels).times(Formula::of(layer.multiplier, "depth_multiplier"));
        sides::image(spatial, channels, layer.data_format)
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        built::<N>(&inputs[0], Self::parse(args).data_format)
    }
}

/// `SeparableConvND`, for N = 1, 2: a depthwise convolution, then a pointwise one, with one bias at the end.
pub(super) struct SeparableConv<const N: usize>;

impl<const N: usize> SeparableConv<N> {
    const TABLE: [Parameter; 10] = [
        Parameter::int("filters", 1),
        each_side("kernel_size", N, None),
        each_side("strides", N, Some(1)),
        padding(N, false),
        Parameter::data_format(),
        each_side("dilation_rate", N, Some(1)),
        Parameter::new("depth_multiplier", Domain::Int(1), Arity::One, Some(1)),
        Parameter::flag("use_bias", true),
        PADDING_MODE,
        explicit_padding(2 * N),
    ];

    fn parse(args: &[i64]) -> (i64, DepthwiseArgs<'_>) {
        let (filters, args) = (args[0], &args[1..]);
        let (size, args) = args.split_at(N);
        let (strides, args) = args.split_at(N);
        let (padding, data_format, args) = (args[0], args[1], &args[2..]);
        let (dilation, args) = args.split_at(N);
        let depthwise = DepthwiseArgs {
            window: Window {
                size,
                strides,
                dilation,
                padding: Padding::of(padding, &args[3..]),
            },
            multiplier: args[0],
            data_format,
            use_bias: args[1],
            margin: margin(args[2]),
        };
        (filters, depthwise)
    }
}

impl<const N: usize> Rule for SeparableConv<N> {
    const NAME: &'static str = if N == 1 { "SeparableConv1D" } else { "SeparableConv2D" };
    const PARAMETERS: &'static [Parameter] = &Self::TABLE;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let (filters, layer) = Self::parse(args);
        let image = Image::<N>::of(&inputs[0], layer.data_format)?;
        layer.window.check_margins(layer.margin, &image.spatial)?;
        Ok(Image {
            spatial: layer.window.positions(image.spatial)?,
            channels: filters,
            ..image
        }
        .shape())
    }

    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Q> {
        let (filters, layer) = Self::parse(args);
        let (Ok(from), Ok(to)) = (
            Image::<N>::of(&inputs[0], layer.data_format),
            Image::<N>::of(output, layer.data_format),
        ) else {
            unreachable!("`output` accepted the input")
        };
        let channels = || match layer.multiplier {
            1 => Q::of(from.channels, "channels of the input"),
            n => Q::of(from.channels, "channels of the input") * Q::of(n, "depth_multiplier"),
        };
        let depthwise = || Q::spatial(layer.window.size, "kernel_size") * channels();
        let filters = || Q::of(filters, "filters");
        Cost {
            trainable: depthwise() + (channels() + Q::constant(layer.use_bias, "bias of each filter")) * filters(),
            non_trainable: Q::zero(),
            macs: Q::spatial(&to.spatial, "output positions") * (depthwise() + channels() * filters()),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let (filters, layer) = Self::parse(args);
        let image = Image::<N>::of(&inputs[0], layer.data_format).expect("`output` accepted the input");
        let spatial = layer.window.sides(&image.spatial, &sides::KERNEL, false);
        sides::image(spatial, Formula::of(filters, "filters"), layer.data_format)
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        built::<N>(&inputs[0], Self::parse(args).1.data_format)
    }
}
