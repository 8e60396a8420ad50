//! Layers that move or surround values.

use super::convolution::each_side;
use super::geometry::{CHANNELS_FIRST, Image, Margin, Padding, Window, axis_beside_batch, scaled};
use super::kind::Rule;
use super::parameter::{Arity, Domain, Parameter, UNSET, factor};
use super::quantity::{Along, Formula, Quantity, Rounded};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape, UNKNOWN};
use super::sides;

pub(super) struct Flatten;

impl Rule for Flatten {
    const NAME: &'static str = "Flatten";
    const PARAMETERS: &'static [Parameter] = &[Parameter::data_format()];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it puts the same values in one row, which needs no weights";

    fn output(_: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let elements = inputs[0].elements().ok_or_else(Refusal::overflow)?;
        Ok(Shape::new(&[elements]))
    }

    fn sides(_: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        vec![sides::elements(&inputs[0])]
    }
}

/// `ZeroPaddingND`; its padding is given as (before, after) for each axis.
pub(super) struct ZeroPadding<const N: usize>;

impl<const N: usize> ZeroPadding<N> {
    const TABLE: [Parameter; 2] = [
        Parameter::new("padding", Domain::Int(0), Arity::Each(2 * N), Some(1)),
        Parameter::data_format(),
    ];
}

impl<const N: usize> Rule for ZeroPadding<N> {
    const NAME: &'static str = match N {
        1 => "ZeroPadding1D",
        2 => "ZeroPadding2D",
        _ => "ZeroPadding3D",
    };
    const PARAMETERS: &'static [Parameter] = &Self::TABLE;
    const PURPOSE: &'static str = "it adds zeros around its input, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let (padding, data_format) = args.split_at(2 * N);
        let mut image = Image::<N>::of(&inputs[0], data_format[0])?;
        for (side, around) in image.spatial.iter_mut().zip(padding.chunks_exact(2)) {
            *side = side
                .checked_add(around[0])
                .and_then(|side| side.checked_add(around[1]))
                .ok_or_else(Refusal::overflow)?;
        }
        Ok(image.shape())
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        surrounded::<N>(args, &inputs[0])
    }
}

/// The sides of an image with margins, before and after each axis, for an input that they fit.
fn surrounded<const N: usize>(args: &[i64], input: &Shape) -> Vec<Formula> {
    let (padding, data_format) = args.split_at(2 * N);
    let image = Image::<N>::of(input, data_format[0]).expect("`output` accepted the input");
    let around = |(axis, (side, [before, after])): (usize, (Formula, &[i64; 2]))| {
        let along = Along::Spatial(axis, N);
        // What is negative cuts off.
        let one = |side: Formula, by: i64, meaning: &'static str| {
            if by < 0 {
                side.minus(Formula::just(-by))
            } else {
                side + Formula::along(by, meaning, along)
            }
        };
        one(one(side, *before, "padding before"), *after, "padding after")
    };
    let from = sides::positions(&image.spatial).into_iter().zip(padding.as_chunks().0);
    let spatial = from.enumerate().map(around).collect();
    sides::image(spatial, sides::channels(image.channels), data_format[0])
}

/// Margins, before and after each axis, that are no zeros: of `PyTorch`.
fn surround<const N: usize>(margin: Margin, args: &[i64], input: &Shape) -> Result<Shape, Refusal> {
    let (padding, data_format) = args.split_at(2 * N);
    let mut image = Image::<N>::of(input, data_format[0])?;
    for (axis, around) in padding.as_chunks().0.iter().enumerate() {
        image.spatial[axis] = margin.around(axis, image.spatial[axis], *around)?;
    }
    Ok(image.shape())
}

macro_rules! paddings {
    ($($kind:ident, $margin:ident, $names:expr, $purpose:expr;)*) => {$(
        pub(super) struct $kind<const N: usize>;

        impl<const N: usize> Rule for $kind<N> {
            const NAME: &'static str = $names[N - 1];
            const PARAMETERS: &'static [Parameter] = const {
                &[
                    Parameter::new("padding", Domain::Int(i64::MIN + 1), Arity::Each(2 * N), None),
                    Parameter::data_format(),
                ]
            };
            const PURPOSE: &'static str = $purpose;

            fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
                surround::<N>(Margin::$margin, args, &inputs[0])
            }

            fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
                surrounded::<N>(args, &inputs[0])
            }
        }
    )*};
}

paddings! {
    ConstantPadding, Constant, ["ConstantPadding1D", "ConstantPadding2D", "ConstantPadding3D"],
        "it adds a value around its input, which needs no weights";
    ReflectionPadding, Reflected, ["ReflectionPadding1D", "ReflectionPadding2D", "ReflectionPadding3D"],
        "it reflects its input at the edges, which needs no weights";
    ReplicationPadding, Replicated, ["ReplicationPadding1D", "ReplicationPadding2D", "ReplicationPadding3D"],
        "it repeats the edges of its input, which needs no weights";
    CircularPadding, Circular, ["CircularPadding1D", "CircularPadding2D", "CircularPadding3D"],
        "it goes around its input once more, which needs no weights";
}

/// `CroppingND`; its cropping is given as (before, after) for each axis.
pub(super) struct Cropping<const N: usize>;

impl<const N: usize> Cropping<N> {
    const TABLE: [Parameter; 2] = [
        Parameter::new(
            "cropping",
            Domain::Int(0),
            Arity::Each(2 * N),
            Some(if N == 2 { 0 } else { 1 }),
        ),
        Parameter::data_format(),
    ];
}

impl<const N: usize> Rule for Cropping<N> {
    const NAME: &'static str = match N {
        1 => "Cropping1D",
        2 => "Cropping2D",
        _ => "Cropping3D",
    };
    /// Sequences have no data format.
    const PARAMETERS: &'static [Parameter] = if N == 1 { &[Self::TABLE[0]] } else { &Self::TABLE };
    const PURPOSE: &'static str = "it cuts off the ends of its input, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let (cropping, data_format) = args.split_at(2 * N);
        let mut image = Image::<N>::of(&inputs[0], data_format.first().copied().unwrap_or(0))?;
        for (axis, (side, ends)) in image.spatial.iter_mut().zip(cropping.chunks_exact(2)).enumerate() {
            // Neither difference can overflow: a side is positive, and so is what is left of it.
            let left = *side - ends[0];
            if left <= ends[1] {
                return Err(Refusal::new(
                    "cropping {} and {} positions leaves nothing of axis {} of its input, which has {}",
                    [ends[0], ends[1], axis as i64 + 1, *side],
                ));
            }
            *side = left - ends[1];
        }
        Ok(image.shape())
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let (cropping, data_format) = args.split_at(2 * N);
        let data_format = data_format.first().copied().unwrap_or(0);
        let image = Image::<N>::of(&inputs[0], data_format).expect("`output` accepted the input");
        let cut = |(axis, (side, [before, after])): (usize, (Formula, &[i64; 2]))| {
            let along = |value, meaning| Formula::along(value, meaning, Along::Spatial(axis, N));
            side.minus(along(*before, "cropping before"))
                .minus(along(*after, "cropping after"))
        };
        let from = sides::positions(&image.spatial).into_iter().zip(cropping.as_chunks().0);
        let spatial = from.enumerate().map(cut).collect();
        sides::image(spatial, sides::channels(image.channels), data_format)
    }
}

/// `UpSamplingND`, as in `PyTorch` also by a factor that is no integer, or to a size.
pub(super) struct UpSampling<const N: usize>;

impl<const N: usize> UpSampling<N> {
    /// Keras takes no tuple for sequences.
    const EACH: Arity = if N == 1 { Arity::One } else { Arity::Each(N) };
    const TABLE: [Parameter; 4] = [
        Parameter::new("size", Domain::Int(1), Self::EACH, Some(2)),
        Parameter::new("scale_factor", Domain::OptionalFactor, Self::EACH, Some(UNSET)),
        Parameter::new("output_size", Domain::OptionalInt(1), Self::EACH, Some(UNSET)),
        Parameter::data_format(),
    ];
}

impl<const N: usize> Rule for UpSampling<N> {
    const NAME: &'static str = match N {
        1 => "UpSampling1D",
        2 => "UpSampling2D",
        _ => "UpSampling3D",
    };
    /// Sequences have no data format.
    const PARAMETERS: &'static [Parameter] = if N == 1 {
        Self::TABLE.first_chunk::<3>().expect("four parameters")
    } else {
        &Self::TABLE
    };
    const PURPOSE: &'static str = "it repeats or interpolates its input, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let (size, args) = args.split_at(N);
        let (scale_factor, args) = args.split_at(N);
        let (output_size, data_format) = args.split_at(N);
        let mut image = Image::<N>::of(&inputs[0], data_format.first().copied().unwrap_or(0))?;
        for (axis, side) in image.spatial.iter_mut().enumerate() {
            *side = match (output_size[axis], scale_factor[axis]) {
                (UNSET, UNSET) => side.checked_mul(size[axis]).ok_or_else(Refusal::overflow)?,
                (UNSET, factor) => scaled(axis, *side, factor)?,
                (given, _) => given,
            };
        }
        Ok(image.shape())
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let (size, args) = args.split_at(N);
        let (scale_factor, args) = args.split_at(N);
        let (output_size, data_format) = args.split_at(N);
        let data_format = data_format.first().copied().unwrap_or(0);
        let image = Image::<N>::of(&inputs[0], data_format).expect("`output` accepted the input");
        let one = |(axis, side): (usize, Formula)| {
            let along = |value, meaning| Formula::along(value, meaning, Along::Spatial(axis, N));
            match (output_size[axis], scale_factor[axis]) {
                (UNSET, UNSET) => side * along(size[axis], "size"),
                (UNSET, share) => Formula::Share(Box::new(side), factor(share)),
                (given, _) => along(given, "output_size"),
            }
        };
        let from = sides::positions(&image.spatial).into_iter();
        let spatial = from.enumerate().map(one).collect();
        sides::image(spatial, sides::channels(image.channels), data_format)
    }
}

/// `PixelShuffle` of `PyTorch`: a square of channels becomes a square of positions.
pub(super) struct PixelShuffle;

impl Rule for PixelShuffle {
    const NAME: &'static str = "PixelShuffle";
    const PARAMETERS: &'static [Parameter] = &[Parameter::int("upscale_factor", 1), Parameter::data_format()];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it moves channels to positions, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let &[factor, data_format] = args else {
            unreachable!("two parameters")
        };
        let mut image = Image::<2>::of(&inputs[0], data_format)?;
        let square = factor.checked_mul(factor).ok_or_else(Refusal::overflow)?;
        if image.channels % square != 0 {
            return Err(Refusal::new(
                "the channels of its input must be divisible by the square of its upscale_factor; given {} channels and a \
                 square of {}",
                [image.channels, square],
            ));
        }
        image.channels /= square;
        for side in &mut image.spatial {
            *side = side.checked_mul(factor).ok_or_else(Refusal::overflow)?;
        }
        Ok(image.shape())
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let image = Image::<2>::of(&inputs[0], args[1]).expect("`output` accepted the input");
        let factor = || Formula::of(args[0], "upscale_factor");
        let spatial = sides::positions(&image.spatial).into_iter().map(|side| side * factor());
        let channels = sides::channels(image.channels).over(factor() * factor(), Rounded::Down);
        sides::image(spatial.collect(), channels, args[1])
    }
}

/// `PixelUnshuffle` of `PyTorch`: a square of positions becomes a square of channels.
pub(super) struct PixelUnshuffle;

impl Rule for PixelUnshuffle {
    const NAME: &'static str = "PixelUnshuffle";
    const PARAMETERS: &'static [Parameter] = &[Parameter::int("downscale_factor", 1), Parameter::data_format()];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it moves positions to channels, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let &[factor, data_format] = args else {
            unreachable!("two parameters")
        };
        let mut image = Image::<2>::of(&inputs[0], data_format)?;
        for (axis, side) in image.spatial.iter_mut().enumerate() {
            if *side % factor != 0 {
                return Err(Refusal::new(
                    "axis {} of its input, which has {} positions, must be divisible by its downscale_factor {}",
                    [axis as i64 + 1, *side, factor],
                ));
            }
            *side /= factor;
            image.channels = image.channels.checked_mul(factor).ok_or_else(Refusal::overflow)?;
        }
        Ok(image.shape())
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let image = Image::<2>::of(&inputs[0], args[1]).expect("`output` accepted the input");
        let factor = || Formula::of(args[0], "downscale_factor");
        let spatial = sides::positions(&image.spatial).into_iter();
        let spatial = spatial.map(|side| side.over(factor(), Rounded::Down)).collect();
        sides::image(spatial, sides::channels(image.channels) * factor() * factor(), args[1])
    }
}

/// `ChannelShuffle` of `PyTorch`: the channels of all groups in turn.
pub(super) struct ChannelShuffle;

impl Rule for ChannelShuffle {
    const NAME: &'static str = "ChannelShuffle";
    const PARAMETERS: &'static [Parameter] = &[Parameter::int("groups", 1), Parameter::axis("axis", Arity::One)];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it puts its channels into another order, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        if inputs[0].rank() < 2 {
            return Err(Refusal::new(
                "it needs an input of 2 axes or more beside the batch (positions and channels), not {}",
                [inputs[0].rank() as i64],
            ));
        }
        let channels = inputs[0][axis_beside_batch(args[1], &inputs[0])?];
        if channels % args[0] != 0 {
            return Err(Refusal::new(
                "the channels of its input must be divisible by its groups; given {} channels and groups={}",
                [channels, args[0]],
            ));
        }
        Ok(inputs[0])
    }
}

/// The window of `Unfold` and `Fold`: `kernel_size`, `strides`, `dilation_rate` and `padding`, two numbers each.
const WINDOW: [Parameter; 4] = [
    each_side("kernel_size", 2, None),
    each_side("strides", 2, Some(1)),
    each_side("dilation_rate", 2, Some(1)),
    Parameter::new("padding", Domain::Int(0), Arity::Each(2), Some(0)),
];

/// What is read of that window.
fn read_window<T>(window: &[i64], read: impl FnOnce(Window<'_>) -> T) -> T {
    let [size, strides, dilation, padding] = window.as_chunks().0 else {
        unreachable!("four pairs")
    };
    let [vertical, horizontal]: [i64; 2] = *padding;
    read(Window {
        size,
        strides,
        dilation,
        padding: Padding::Explicit(&[[vertical; 2], [horizontal; 2]]),
    })
}

/// How often that window fits into an image, and how many values it covers in each channel.
fn blocks(window: &[i64], spatial: [i64; 2]) -> Result<(i64, i64), Refusal> {
    let [rows, columns] = read_window(window, |window| window.positions(spatial))?;
    let positions = rows.checked_mul(columns).ok_or_else(Refusal::overflow)?;
    let values = window[0].checked_mul(window[1]).ok_or_else(Refusal::overflow)?;
    Ok((positions, values))
}

/// The same as formulas.
fn block_sides(window: &[i64], spatial: &[i64]) -> (Formula, Formula) {
    let sides = read_window(window, |window| window.sides(spatial, &sides::KERNEL, false));
    let positions = sides.into_iter().reduce(|product, side| product * side);
    (
        positions.expect("an image has two sides"),
        Formula::spatial(&window[..2], "kernel_size"),
    )
}

/// Positions and channels in the order of the data format.
fn sequence(positions: i64, channels: i64, data_format: i64) -> Shape {
    if data_format == CHANNELS_FIRST {
        Shape::new(&[channels, positions])
    } else {
        Shape::new(&[positions, channels])
    }
}

/// `Unfold` of `PyTorch`: what a window covers at each of its positions, as a sequence.
pub(super) struct Unfold;

impl Rule for Unfold {
    const NAME: &'static str = "Unfold";
    const PARAMETERS: &'static [Parameter] = &[WINDOW[0], WINDOW[1], WINDOW[2], WINDOW[3], Parameter::data_format()];
    const PURPOSE: &'static str = "it copies what a window covers, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let (window, data_format) = args.split_at(8);
        let image = Image::<2>::of(&inputs[0], data_format[0])?;
        let (positions, values) = blocks(window, image.spatial)?;
        let channels = image.channels.checked_mul(values).ok_or_else(Refusal::overflow)?;
        Ok(sequence(positions, channels, data_format[0]))
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let (window, data_format) = args.split_at(8);
        let image = Image::<2>::of(&inputs[0], data_format[0]).expect("`output` accepted the input");
        let (positions, values) = block_sides(window, &image.spatial);
        sides::image(
            vec![positions],
            sides::channels(image.channels) * values,
            data_format[0],
        )
    }
}

/// `Fold` of `PyTorch`: the sum of what a window holds at each of its positions, as an image.
pub(super) struct Fold;

impl Rule for Fold {
    const NAME: &'static str = "Fold";
    const PARAMETERS: &'static [Parameter] = &[
        each_side("output_size", 2, None),
        WINDOW[0],
        WINDOW[1],
        WINDOW[2],
        WINDOW[3],
        Parameter::data_format(),
    ];
    const PURPOSE: &'static str = "it adds up what a window holds, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let (output_size, args) = args.split_at(2);
        let (window, data_format) = args.split_at(8);
        let steps = Image::<1>::of(&inputs[0], data_format[0])?;
        let spatial = [output_size[0], output_size[1]];
        let (positions, values) = blocks(window, spatial)?;
        if steps.spatial != [positions] {
            return Err(Refusal::new(
                "its window has {} positions in an image of its output_size, but its input has {}",
                [positions, steps.spatial[0]],
            ));
        }
        if steps.channels % values != 0 {
            return Err(Refusal::new(
                "the channels of its input must be divisible by the values that its window covers; given {} and {}",
                [steps.channels, values],
            ));
        }
        Ok(Image {
            spatial,
            channels: steps.channels / values,
            data_format: data_format[0],
        }
        .shape())
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let (output_size, args) = args.split_at(2);
        let (window, data_format) = args.split_at(8);
        let steps = Image::<1>::of(&inputs[0], data_format[0]).expect("`output` accepted the input");
        let values = Formula::spatial(&window[..2], "kernel_size");
        let channels = sides::channels(steps.channels).over(values, Rounded::Down);
        sides::image(sides::spatial(output_size, "output_size"), channels, data_format[0])
    }
}

pub(super) struct Reshape;

impl Rule for Reshape {
    const NAME: &'static str = "Reshape";
    const PARAMETERS: &'static [Parameter] = &[Parameter::new("target_shape", Domain::Int(-1), Arity::Any, None)];
    const IN_PLACE: bool = true;
    const TAKES_UNKNOWN: bool = true;
    const PURPOSE: &'static str = "it gives the same values another shape, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        if args.len() > MAX_RANK {
            return Err(Refusal::new(
                "its target_shape has {} axes; at most {} are supported",
                [args.len() as i64, MAX_RANK as i64],
            ));
        }
        let open = args.iter().filter(|&&side| side == -1).count();
        if open > 1 {
            return Err(Refusal::new(
                "its target_shape may have one side of -1, not {}",
                [open as i64],
            ));
        }
        if args.contains(&0) {
            return Err(Refusal::new(
                "its target_shape has a side of 0, which holds no values",
                [],
            ));
        }
        if inputs[0].has_unknown() {
            return Ok(filled(args, UNKNOWN));
        }
        let elements = inputs[0].elements().ok_or_else(Refusal::overflow)?;
        let mut sides = args.iter().filter(|&&side| side != -1);
        let known = sides
            .try_fold(1_i64, |product, &side| product.checked_mul(side))
            .ok_or_else(Refusal::overflow)?;
        let fits = if open == 0 {
            known == elements
        } else {
            elements % known == 0
        };
        if !fits {
            return Err(Refusal::new(
                "its input has {} values, which do not fit into its target_shape: the sides given there multiply to {}",
                [elements, known],
            ));
        }
        Ok(filled(args, elements / known))
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let given = sides::listed(args, "target_shape");
        let known = given.iter().zip(args).filter(|(_, side)| **side != -1);
        let known = known
            .map(|(formula, _)| formula.clone())
            .reduce(|product, side| product * side);
        let open = || match &known {
            Some(known) => sides::elements(&inputs[0]).over(known.clone(), Rounded::Down),
            None => sides::elements(&inputs[0]),
        };
        let pairs = given.iter().zip(args);
        pairs
            .map(|(formula, side)| if *side == -1 { open() } else { formula.clone() })
            .collect()
    }
}

/// The shape of these sides, with another one in the place of -1.
fn filled(target: &[i64], open: i64) -> Shape {
    let mut shape = Shape::new(target);
    for axis in 0..shape.rank() {
        if shape[axis] == -1 {
            shape = shape.with(axis, open);
        }
    }
    shape
}

pub(super) struct Permute;

impl Rule for Permute {
    const NAME: &'static str = "Permute";
    const PARAMETERS: &'static [Parameter] = &[Parameter::new("dims", Domain::Int(1), Arity::Any, None)];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it puts its axes into another order, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let rank = inputs[0].rank();
        if args.len() != rank {
            return Err(Refusal::new(
                "its dims must name each axis beside the batch once: {} of them, not {}",
                [rank as i64, args.len() as i64],
            ));
        }
        let mut shape = inputs[0];
        for (axis, &side) in inputs[0].iter().enumerate() {
            let Some(to) = args.iter().position(|&dim| dim == axis as i64 + 1) else {
                return Err(Refusal::new(
                    "its dims must name each axis beside the batch once, counted from 1; axis {} is missing",
                    [axis as i64 + 1],
                ));
            };
            shape = shape.with(to, side);
        }
        Ok(shape)
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        args.iter()
            .map(|&dim| sides::axis(&inputs[0], dim as usize - 1))
            .collect()
    }
}

pub(super) struct RepeatVector;

impl Rule for RepeatVector {
    const NAME: &'static str = "RepeatVector";
    const PARAMETERS: &'static [Parameter] = &[Parameter::int("n", 1)];
    const PURPOSE: &'static str = "it repeats its input, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        match *inputs[0] {
            [features] => Ok(Shape::new(&[args[0], features])),
            _ => Err(Refusal::new(
                "it needs an input of 1 axis beside the batch, not {}",
                [inputs[0].rank() as i64],
            )),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        vec![Formula::of(args[0], "n"), sides::axis(&inputs[0], 0)]
    }
}
