//! Poolings: windows without weights.

use super::convolution::each_side;
use super::geometry::{CHANNELS_FIRST, Image, Padding, VALID, Window, explicit_padding, given_padding, scaled};
use super::kind::Rule;
use super::mask::Mask;
use super::parameter::{Arity, Domain, Parameter, UNSET, factor};
use super::quantity::Formula;
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape};
use super::sides;

const fn strides(n: usize) -> Parameter {
    Parameter::new("strides", Domain::OptionalInt(1), Arity::Each(n), Some(UNSET))
}

const fn average_parameters(n: usize) -> [Parameter; 6] {
    [
        each_side("pool_size", n, None),
        strides(n),
        Parameter::keyword("padding", &["valid", "same"]),
        Parameter::data_format(),
        Parameter::flag("ceil_mode", false),
        explicit_padding(n),
    ]
}

const fn max_parameters(n: usize) -> [Parameter; 7] {
    [
        each_side("pool_size", n, Some(2)),
        strides(n),
        Parameter::keyword("padding", &["valid", "same"]),
        Parameter::data_format(),
        Parameter::flag("ceil_mode", false),
        each_side("dilation", n, Some(1)),
        explicit_padding(n),
    ]
}

const fn power_parameters(n: usize) -> [Parameter; 4] {
    [
        each_side("pool_size", n, None),
        strides(n),
        Parameter::data_format(),
        Parameter::flag("ceil_mode", false),
    ]
}

/// A pooling whose window slides.
struct Pool<'a> {
    size: &'a [i64],
    strides: &'a [i64],
    word: i64,
    data_format: i64,
    ceil_mode: i64,
    dilation: &'a [i64],
    explicit: Option<&'a [i64]>,
}

impl<'a> Pool<'a> {
    /// What every kind has; `windows` are the sizes and the strides.
    fn plain<const N: usize>(windows: &'a [i64], data_format: i64, ceil_mode: i64) -> Self {
        Self {
            size: &windows[..N],
            strides: &windows[N..],
            word: VALID,
            data_format,
            ceil_mode,
            dilation: &[1; N],
            explicit: None,
        }
    }

    fn maximum<const N: usize>(args: &'a [i64]) -> Self {
        let (windows, rest) = args.split_at(2 * N);
        let (dilation, explicit) = rest[3..].split_at(N);
        Self {
            word: rest[0],
            dilation,
            explicit: given_padding(explicit),
            ..Self::plain::<N>(windows, rest[1], rest[2])
        }
    }

    fn average<const N: usize>(args: &'a [i64]) -> Self {
        let (windows, rest) = args.split_at(2 * N);
        Self {
            word: rest[0],
            explicit: given_padding(&rest[3..]),
            ..Self::plain::<N>(windows, rest[1], rest[2])
        }
    }

    fn power<const N: usize>(args: &'a [i64]) -> Self {
        let (windows, rest) = args.split_at(2 * N);
        Self::plain::<N>(windows, rest[0], rest[1])
    }

    fn output<const N: usize>(&self, input: &Shape) -> Result<Shape, Refusal> {
        let mut strides = [1; N];
        for (stride, (&given, &size)) in strides.iter_mut().zip(self.strides.iter().zip(self.size)) {
            *stride = if given == UNSET { size } else { given };
        }
        let mut around = [[0; 2]; N];
        for (axis, &each) in self.explicit.unwrap_or_default().iter().enumerate() {
            if each > self.size[axis] / 2 {
                return Err(Refusal::new(
                    "its padding must be at most half of its pool_size; on axis {} they are {} and {}",
                    [axis as i64 + 1, each, self.size[axis]],
                ));
            }
            around[axis] = [each; 2];
        }
        let padding = self
            .explicit
            .map_or_else(|| Padding::word(self.word), |_| Padding::Explicit(&around));
        if matches!(padding, Padding::Same) {
            if self.ceil_mode == 1 {
                return Err(Refusal::new(
                    "ceil_mode=True cannot be combined with padding='same'; give 'valid' or integers",
                    [],
                ));
            }
            if let Some(&dilation) = self.dilation.iter().find(|&&dilation| dilation > 1) {
                return Err(Refusal::new(
                    "dilation={} cannot be combined with padding='same'; give 'valid' or integers",
                    [dilation],
                ));
            }
        }
        let image = Image::<N>::of(input, self.data_format)?;
        let window = Window {
            size: self.size,
            strides: &strides,
            dilation: self.dilation,
            padding,
        };
        let spatial = if self.ceil_mode == 1 {
            window.positions_rounded_up(image.spatial)?
        } else {
            window.positions(image.spatial)?
        };
        Ok(Image { spatial, ..image }.shape())
    }

    /// The sides of the output, for an input that it accepted.
    fn sides<const N: usize>(&self, input: &Shape) -> Vec<Formula> {
        let image = Image::<N>::of(input, self.data_format).expect("`output` accepted the input");
        let own = |(&given, &size): (&i64, &i64)| if given == UNSET { size } else { given };
        let strides: Vec<i64> = self.strides.iter().zip(self.size).map(own).collect();
        let around: Vec<[i64; 2]> = self
            .explicit
            .unwrap_or_default()
            .iter()
            .map(|&each| [each; 2])
            .collect();
        let window = Window {
            size: self.size,
            strides: &strides,
            dilation: self.dilation,
            padding: self
                .explicit
                .map_or_else(|| Padding::word(self.word), |_| Padding::Explicit(&around)),
        };
        let spatial = window.sides(&image.spatial, &sides::POOL, self.ceil_mode == 1);
        sides::image(spatial, sides::channels(image.channels), self.data_format)
    }

    /// The output of a mean: `AvgPool3d` of `PyTorch` pads, but refuses an input that is smaller than its window, as no
    /// other pooling does.
    fn output_of_mean<const N: usize>(&self, input: &Shape) -> Result<Shape, Refusal> {
        let output = self.output::<N>(input)?;
        if N == 3 && (self.ceil_mode == 1 || self.explicit.is_some()) {
            let image = Image::<N>::of(input, self.data_format)?;
            for (axis, (&side, &size)) in image.spatial.iter().zip(self.size).enumerate() {
                if size > side {
                    return Err(Refusal::new(
                        "with integers as padding or ceil_mode its window of {} must not exceed axis {} of its input, which \
                         has {} positions: AvgPool3d of PyTorch refuses it",
                        [size, axis as i64 + 1, side],
                    ));
                }
            }
        }
        Ok(output)
    }
}

fn pool_maximum<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    Pool::maximum::<N>(args).output::<N>(input)
}

fn pool_average<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    Pool::average::<N>(args).output_of_mean::<N>(input)
}

/// `LPPoolND` of `PyTorch` takes the mean of powers.
fn pool_powers<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    Pool::power::<N>(args).output_of_mean::<N>(input)
}

fn maximum_sides<const N: usize>(args: &[i64], input: &Shape) -> Vec<Formula> {
    Pool::maximum::<N>(args).sides::<N>(input)
}

fn average_sides<const N: usize>(args: &[i64], input: &Shape) -> Vec<Formula> {
    Pool::average::<N>(args).sides::<N>(input)
}

fn powers_sides<const N: usize>(args: &[i64], input: &Shape) -> Vec<Formula> {
    Pool::power::<N>(args).sides::<N>(input)
}

const fn fractional_parameters(n: usize) -> [Parameter; 4] {
    [
        each_side("pool_size", n, None),
        Parameter::new("output_size", Domain::OptionalInt(1), Arity::Each(n), Some(UNSET)),
        Parameter::new("output_ratio", Domain::OptionalFactor, Arity::Each(n), Some(UNSET)),
        Parameter::data_format(),
    ]
}

/// `FractionalMaxPoolND` of `PyTorch`: windows at random positions, as many as make an output of this size, or of this share
/// of the input.
fn pool_at_random<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    let (size, args) = args.split_at(N);
    let (output_size, args) = args.split_at(N);
    let (ratio, data_format) = args.split_at(N);
    let mut image = Image::<N>::of(input, data_format[0])?;
    for axis in 0..N {
        let side = image.spatial[axis];
        let positions = match (output_size[axis], ratio[axis]) {
            (positions, UNSET) if positions != UNSET => positions,
            (UNSET, ratio) if ratio != UNSET => scaled(axis, side, ratio)?,
            _ => return Err(Refusal::new("it needs either an output_size or an output_ratio", [])),
        };
        if ratio[axis] != UNSET && factor(ratio[axis]) >= 1.0 {
            return Err(Refusal::new(
                "its output_ratio must be less than 1; on axis {} it is not",
                [axis as i64 + 1],
            ));
        }
        // The windows overlap by as much as they are too large for their share. In three dimensions PyTorch wants a
        // position more.
        let needed = positions.checked_add(size[axis] - i64::from(N != 3));
        if needed.is_none_or(|needed| needed > side) {
            return Err(Refusal::new(
                "{} windows of {} do not fit into axis {} of its input, which has {} positions",
                [positions, size[axis], axis as i64 + 1, side],
            ));
        }
        image.spatial[axis] = positions;
    }
    Ok(image.shape())
}

fn random_sides<const N: usize>(args: &[i64], input: &Shape) -> Vec<Formula> {
    let (output_size, rest) = args[N..].split_at(N);
    let (ratio, data_format) = rest.split_at(N);
    let image = Image::<N>::of(input, data_format[0]).expect("`output` accepted the input");
    let from = sides::positions(&image.spatial).into_iter().zip(ratio);
    let shares = from.map(|(side, &ratio)| Formula::Share(Box::new(side), factor(ratio)));
    let given = sides::spatial(output_size, "output_size").into_iter().zip(output_size);
    let spatial = given.zip(shares);
    let spatial = spatial.map(|((given, &size), share)| if size == UNSET { share } else { given });
    sides::image(spatial.collect(), sides::channels(image.channels), data_format[0])
}

fn pool_globally<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    let &[data_format, keepdims] = args else {
        unreachable!("two parameters")
    };
    let image = Image::<N>::of(input, data_format)?;
    if keepdims == 0 {
        return Ok(Shape::new(&[image.channels]));
    }
    let mut sides = [1; MAX_RANK];
    sides[if data_format == CHANNELS_FIRST { 0 } else { N }] = image.channels;
    Ok(Shape::new(&sides[..=N]))
}

fn global_sides<const N: usize>(args: &[i64], input: &Shape) -> Vec<Formula> {
    let image = Image::<N>::of(input, args[0]).expect("`output` accepted the input");
    let channels = sides::channels(image.channels);
    if args[1] == 0 {
        return vec![channels];
    }
    sides::image(vec![Formula::just(1); N], channels, args[0])
}

/// Refuses a mask that does not say which steps there are, and any of a pooling whose call takes none.
fn masked(name: &str, args: &[i64], input: &Shape, mask: Mask, given: &Shape) -> Result<(), Refusal> {
    if name != "GlobalAveragePooling1D" {
        return Err(Mask::none());
    }
    mask.check(&Shape::new(&Image::<1>::of(input, args[0])?.spatial), given)
}

fn pool_to_size<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    let (size, data_format) = args.split_at(N);
    let mut image = Image::<N>::of(input, data_format[0])?;
    image.spatial.copy_from_slice(size);
    Ok(image.shape())
}

fn sized_sides<const N: usize>(args: &[i64], input: &Shape) -> Vec<Formula> {
    let image = Image::<N>::of(input, args[N]).expect("`output` accepted the input");
    sides::image(
        sides::spatial(&args[..N], "output_size"),
        sides::channels(image.channels),
        args[N],
    )
}

macro_rules! poolings {
    ($($kind:ident, $function:ident, $sides:ident, $parameters:expr, $names:expr, $purpose:expr;)*) => {$(
        pub(super) struct $kind<const N: usize>;

        impl<const N: usize> Rule for $kind<N> {
            const NAME: &'static str = $names[N - 1];
            const PARAMETERS: &'static [Parameter] = $parameters;
            const PURPOSE: &'static str = $purpose;

            fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
                $function::<N>(args, &inputs[0])
            }

            fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
                $sides::<N>(args, &inputs[0])
            }

            fn mask(args: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
                masked(Self::NAME, args, &inputs[0], mask, given)
            }
        }
    )*};
}

const fn to_size(n: usize) -> [Parameter; 2] {
    [
        Parameter::new("output_size", Domain::Int(1), Arity::Each(n), None),
        Parameter::data_format(),
    ]
}

const GLOBAL: &[Parameter] = &[Parameter::data_format(), Parameter::flag("keepdims", false)];

poolings! {
    MaxPooling, pool_maximum, maximum_sides, const { &max_parameters(N) },
        ["MaxPooling1D", "MaxPooling2D", "MaxPooling3D"],
        "it takes the largest value of each window, which needs no weights";
    AveragePooling, pool_average, average_sides, const { &average_parameters(N) },
        ["AveragePooling1D", "AveragePooling2D", "AveragePooling3D"],
        "it takes the mean of each window, which needs no weights";
    LPPooling, pool_powers, powers_sides, const { &power_parameters(N) },
        ["LPPooling1D", "LPPooling2D", "LPPooling3D"],
        "it takes the mean of the powers of each window, which needs no weights";
    FractionalMaxPooling, pool_at_random, random_sides, const { &fractional_parameters(N) },
        ["", "FractionalMaxPooling2D", "FractionalMaxPooling3D"],
        "it takes the largest value of each window, which needs no weights";
    GlobalMaxPooling, pool_globally, global_sides, GLOBAL,
        ["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"],
        "it takes the largest value of each channel, which needs no weights";
    GlobalAveragePooling, pool_globally, global_sides, GLOBAL,
        ["GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"],
        "it takes the mean of each channel, which needs no weights";
    AdaptiveMaxPooling, pool_to_size, sized_sides, const { &to_size(N) },
        ["AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D"],
        "it takes the largest value of each part of its input, which needs no weights";
    AdaptiveAveragePooling, pool_to_size, sized_sides, const { &to_size(N) },
        ["AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D"],
        "it takes the mean of each part of its input, which needs no weights";
}
