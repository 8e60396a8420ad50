//! Activations.

use super::built::Built;
use super::cost::Cost;
use super::geometry::{Axes, axis_beside_batch};
use super::kind::{Rule, unchanged};
use super::mask::Mask;
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::{Formula, Quantity, Rounded};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape};
use super::sides;

const FIXED: &str = "it applies a fixed function to each value, which needs no weights";

unchanged! {
    Activation, FIXED;
    ReLU, FIXED;
    LeakyReLU, FIXED;
    ELU, FIXED;
}

pub(super) struct PReLU;

impl PReLU {
    /// The axes that share one weight; Keras counts them from 1, and from the end below that.
    fn shared(args: &[i64], input: &Shape) -> Result<[bool; MAX_RANK], Refusal> {
        let mut shared = [false; MAX_RANK];
        let rank = input.rank() as i64;
        for &given in args.iter().filter(|&&given| given != UNSET) {
            let axis = if given < 1 { given - 1 + rank } else { given - 1 };
            if !(0..rank).contains(&axis) {
                return Err(Refusal::new(
                    "{} in its shared_axes is not an axis beside the batch of an input of {} axes (the batch is axis 0)",
                    [given, rank + 1],
                ));
            }
            shared[axis as usize] = true;
        }
        Ok(shared)
    }
}

impl Rule for PReLU {
    const NAME: &'static str = "PReLU";
    const PARAMETERS: &'static [Parameter] = &[Parameter::new(
        "shared_axes",
        Domain::OptionalInt(i64::MIN + 2),
        Arity::Any,
        Some(UNSET),
    )];
    const IN_PLACE: bool = true;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        Self::shared(args, &inputs[0]).map(|_| inputs[0])
    }

    /// A slope for each value of the input, but one for all that differ only on shared axes.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let shared = Self::shared(args, &inputs[0]).expect("`output` accepted the axes");
        let mut own = inputs[0];
        for (axis, _) in shared.iter().enumerate().filter(|(_, shared)| **shared) {
            own = own.with(axis, 1);
        }
        Cost {
            trainable: Q::product(&own, "slopes along each axis"),
            ..Cost::none()
        }
    }

    /// Keras fixes the side of a shared axis, too, unless it is counted from 1.
    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        let side = |(axis, &side)| if args.contains(&axis) { 1 } else { side };
        let mut numbers = vec![inputs[0].rank() as i64 + 1];
        numbers.extend((1..).zip(inputs[0].iter()).map(side));
        Built::new("number of axes and sides of its input (1 along shared_axes)", numbers)
    }
}

pub(super) struct Softmax;

impl Rule for Softmax {
    const NAME: &'static str = "Softmax";
    const PARAMETERS: &'static [Parameter] = &[Parameter::axis("axis", Arity::Any)];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it turns values into shares, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        Axes::of(args, &inputs[0]).map(|_| inputs[0])
    }

    /// Keras aligns it from the last axis on, so that one of fewer axes would have its batch beside another axis.
    fn mask(_: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
        mask.of_values(&inputs[0], given)
    }
}

/// `GLU` of `PyTorch`: half of the values along an axis, each times the sigmoid of one of the other half.
pub(super) struct GLU;

impl Rule for GLU {
    const NAME: &'static str = "GLU";
    const PARAMETERS: &'static [Parameter] = &[Parameter::axis("axis", Arity::One)];
    const PURPOSE: &'static str =
        "it multiplies one half of its input by the sigmoid of the other, which needs no weights";

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let axis = axis_beside_batch(args[0], &inputs[0]).expect("`output` accepted the axis");
        let half = sides::axis(&inputs[0], axis).over(Formula::just(2), Rounded::Down);
        sides::with(&inputs[0], axis, half)
    }

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let axis = axis_beside_batch(args[0], &inputs[0])?;
        let side = inputs[0][axis];
        if side % 2 != 0 {
            return Err(Refusal::new(
                "it halves axis {} of its input, which has {} positions, an odd number",
                [axis as i64 + 1, side],
            ));
        }
        Ok(inputs[0].with(axis, side / 2))
    }
}
