//! Layers that act only while training.

use super::geometry::Image;
use super::kind::{Rule, unchanged};
use super::parameter::Parameter;
use super::refusal::Refusal;
use super::shape::Shape;

unchanged! {
    Dropout, "Dropout removes activations while training, not weights";
    AlphaDropout, "AlphaDropout replaces activations while training, not weights";
    GaussianDropout, "GaussianDropout scales activations at random while training; that is not a weight";
    GaussianNoise, "GaussianNoise shifts activations at random while training; that is not a weight";
    ActivityRegularization, "it adds a term to the loss, which needs no weights";
}

/// `SpatialDropoutND`, for N = 1, 2, 3.
pub(super) struct SpatialDropout<const N: usize>;

impl<const N: usize> Rule for SpatialDropout<N> {
    const NAME: &'static str = match N {
        1 => "SpatialDropout1D",
        2 => "SpatialDropout2D",
        _ => "SpatialDropout3D",
    };
    /// Sequences have no data format.
    const PARAMETERS: &'static [Parameter] = if N == 1 { &[] } else { &[Parameter::data_format()] };
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it removes whole channels while training, not weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        Image::<N>::of(&inputs[0], args.first().copied().unwrap_or(0)).map(|image| image.shape())
    }
}
