//! Layers that move or surround values.

use super::geometry::Image;
use super::{Arity, Domain, MAX_RANK, Parameter, Refusal, Rule, Shape};

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
}

/// `UpSamplingND`.
pub(super) struct UpSampling<const N: usize>;

impl<const N: usize> UpSampling<N> {
    const TABLE: [Parameter; 2] = [
        Parameter::new("size", Domain::Int(1), Arity::Each(N), Some(2)),
        Parameter::data_format(),
    ];
}

impl<const N: usize> Rule for UpSampling<N> {
    const NAME: &'static str = match N {
        1 => "UpSampling1D",
        2 => "UpSampling2D",
        _ => "UpSampling3D",
    };
    /// Sequences have no data format, and Keras takes no tuple for them.
    const PARAMETERS: &'static [Parameter] = if N == 1 {
        &[Parameter::new("size", Domain::Int(1), Arity::One, Some(2))]
    } else {
        &Self::TABLE
    };
    const PURPOSE: &'static str = "it repeats or interpolates its input, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let (size, data_format) = args.split_at(N);
        let mut image = Image::<N>::of(&inputs[0], data_format.first().copied().unwrap_or(0))?;
        for (side, factor) in image.spatial.iter_mut().zip(size) {
            *side = side.checked_mul(*factor).ok_or_else(Refusal::overflow)?;
        }
        Ok(image.shape())
    }
}

pub(super) struct Reshape;

impl Rule for Reshape {
    const NAME: &'static str = "Reshape";
    const PARAMETERS: &'static [Parameter] = &[Parameter::new("target_shape", Domain::Int(-1), Arity::Any, None)];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it gives the same values another shape, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        if args.len() > MAX_RANK {
            return Err(Refusal::new(
                "its target_shape has {} axes; at most {} are supported",
                [args.len() as i64, MAX_RANK as i64],
            ));
        }
        let elements = inputs[0].elements().ok_or_else(Refusal::overflow)?;
        let open = args.iter().filter(|&&side| side == -1).count();
        if open > 1 {
            return Err(Refusal::new(
                "its target_shape may have one side of -1, not {}",
                [open as i64],
            ));
        }
        let mut sides = args.iter().filter(|&&side| side != -1);
        let known = sides
            .try_fold(1_i64, |product, &side| product.checked_mul(side))
            .ok_or_else(Refusal::overflow)?;
        let fits = if open == 0 {
            known == elements
        } else {
            known != 0 && elements % known == 0
        };
        if !fits {
            return Err(Refusal::new(
                "its input has {} values, which do not fit into its target_shape: the sides given there multiply to {}",
                [elements, known],
            ));
        }
        let mut shape = Shape::new(args);
        for axis in 0..shape.rank() {
            if shape[axis] == -1 {
                shape = shape.with(axis, elements / known);
            }
        }
        Ok(shape)
    }
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
}
