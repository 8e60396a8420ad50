//! Layers that move or surround values.

use super::geometry::Image;
use super::{Arity, Domain, Parameter, Refusal, Rule, Shape};

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
