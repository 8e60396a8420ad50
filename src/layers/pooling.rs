//! Poolings: windows without weights.

use super::geometry::{CHANNELS_FIRST, Image, Padding, Window, explicit_padding, given_padding};
use super::{Arity, Domain, Parameter, Refusal, Rule, Shape, UNSET};

const fn parameters(n: usize, pool_size: Option<i64>) -> [Parameter; 6] {
    [
        Parameter::new("pool_size", Domain::Int(1), Arity::Each(n), pool_size),
        Parameter::new("strides", Domain::OptionalInt(1), Arity::Each(n), Some(UNSET)),
        Parameter::keyword("padding", &["valid", "same"]),
        Parameter::data_format(),
        Parameter::flag("ceil_mode", false),
        explicit_padding(n),
    ]
}

fn pool<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    let (size, args) = args.split_at(N);
    let (given, args) = args.split_at(N);
    let mut strides = [1; N];
    for axis in 0..N {
        strides[axis] = if given[axis] == UNSET { size[axis] } else { given[axis] };
    }
    let (word, data_format, ceil_mode, explicit) = (args[0], args[1], args[2], given_padding(&args[3..]));
    let mut around = [[0; 2]; N];
    for (axis, &each) in explicit.unwrap_or_default().iter().enumerate() {
        if each > size[axis] / 2 {
            return Err(Refusal::new(
                "its padding must be at most half of its pool_size; on axis {} they are {} and {}",
                [axis as i64 + 1, each, size[axis]],
            ));
        }
        around[axis] = [each; 2];
    }
    let padding = explicit.map_or_else(|| Padding::word(word), |_| Padding::Explicit(&around));
    if ceil_mode == 1 && matches!(padding, Padding::Same) {
        return Err(Refusal::new(
            "ceil_mode=True cannot be combined with padding='same'; give 'valid' or integers",
            [],
        ));
    }
    let image = Image::<N>::of(input, data_format)?;
    let window = Window {
        size,
        strides: &strides,
        dilation: &[1; N],
        padding,
    };
    let spatial = if ceil_mode == 1 {
        window.positions_rounded_up(image.spatial)?
    } else {
        window.positions(image.spatial)?
    };
    Ok(Image { spatial, ..image }.shape())
}

/// `AvgPool3d` of `PyTorch` pads, but refuses an input that is smaller than its window, as no other pooling does.
fn pool_average<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    let output = pool::<N>(args, input)?;
    let (data_format, ceil_mode, explicit) = (args[2 * N + 1], args[2 * N + 2], given_padding(&args[2 * N + 3..]));
    if N == 3 && (ceil_mode == 1 || explicit.is_some()) {
        let image = Image::<N>::of(input, data_format)?;
        for (axis, (&side, &size)) in image.spatial.iter().zip(args).enumerate() {
            if size > side {
                return Err(Refusal::new(
                    "with integers as padding or ceil_mode its window of {} must not exceed axis {} of its input, which has {} \
                     positions: AvgPool3d of PyTorch refuses it",
                    [size, axis as i64 + 1, side],
                ));
            }
        }
    }
    Ok(output)
}

fn pool_globally<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    let &[data_format, keepdims] = args else {
        unreachable!("two parameters")
    };
    let image = Image::<N>::of(input, data_format)?;
    if keepdims == 0 {
        return Ok(Shape::new(&[image.channels]));
    }
    let mut sides = [1; super::MAX_RANK];
    sides[if data_format == CHANNELS_FIRST { 0 } else { N }] = image.channels;
    Ok(Shape::new(&sides[..=N]))
}

fn pool_to_size<const N: usize>(args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    let (size, data_format) = args.split_at(N);
    let mut image = Image::<N>::of(input, data_format[0])?;
    image.spatial.copy_from_slice(size);
    Ok(image.shape())
}

macro_rules! poolings {
    ($($kind:ident, $function:ident, $parameters:expr, $names:expr, $purpose:expr;)*) => {$(
        pub(super) struct $kind<const N: usize>;

        impl<const N: usize> Rule for $kind<N> {
            const NAME: &'static str = $names[N - 1];
            const PARAMETERS: &'static [Parameter] = $parameters;
            const PURPOSE: &'static str = $purpose;

            fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
                $function::<N>(args, &inputs[0])
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
    MaxPooling, pool, const { &parameters(N, Some(2)) },
        ["MaxPooling1D", "MaxPooling2D", "MaxPooling3D"],
        "it takes the largest value of each window, which needs no weights";
    AveragePooling, pool_average, const { &parameters(N, None) },
        ["AveragePooling1D", "AveragePooling2D", "AveragePooling3D"],
        "it takes the mean of each window, which needs no weights";
    GlobalMaxPooling, pool_globally, GLOBAL,
        ["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"],
        "it takes the largest value of each channel, which needs no weights";
    GlobalAveragePooling, pool_globally, GLOBAL,
        ["GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"],
        "it takes the mean of each channel, which needs no weights";
    AdaptiveMaxPooling, pool_to_size, const { &to_size(N) },
        ["AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D"],
        "it takes the largest value of each part of its input, which needs no weights";
    AdaptiveAveragePooling, pool_to_size, const { &to_size(N) },
        ["AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D"],
        "it takes the mean of each part of its input, which needs no weights";
}
