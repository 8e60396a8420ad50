//! Normalisations.

use super::{Arity, Cost, Domain, Parameter, Quantity, Refusal, Rule, Shape};

pub(super) struct BatchNormalization;

impl BatchNormalization {
    /// The axis beside the batch that is normalised; Keras counts the batch as axis 0.
    fn axis(given: i64, rank: usize) -> Option<usize> {
        let axes = rank as i64 + 1;
        let axis = if given < 0 { given.checked_add(axes)? } else { given };
        (1..axes).contains(&axis).then(|| axis as usize - 1)
    }
}

impl Rule for BatchNormalization {
    const NAME: &'static str = "BatchNormalization";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("axis", Domain::Int(i64::MIN + 1), Arity::One, Some(-1)),
        Parameter::flag("center", true),
        Parameter::flag("scale", true),
        Parameter::flag("renorm", false),
    ];
    const IN_PLACE: bool = true;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        match Self::axis(args[0], inputs[0].rank()) {
            Some(_) => Ok(inputs[0]),
            None => Err(Refusal::new(
                "axis={} is not an axis beside the batch of an input of {} axes (the batch is axis 0)",
                [args[0], inputs[0].rank() as i64 + 1],
            )),
        }
    }

    /// Gamma and beta are trained; the moving mean and variance (and three more with `renorm`) are not.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let &[axis, center, scale, renorm] = args else {
            unreachable!("four parameters")
        };
        let axis = Self::axis(axis, inputs[0].rank()).expect("`output` accepted the axis");
        let channels = || Q::of(inputs[0][axis], "channels of the input");
        let trained = match (scale, center) {
            (1, 1) => Q::of(2, "gamma and beta"),
            (1, 0) => Q::of(1, "gamma"),
            (0, 1) => Q::of(1, "beta"),
            _ => Q::zero(),
        };
        let moving = if renorm == 0 {
            Q::of(2, "moving mean and variance")
        } else {
            Q::of(
                5,
                "moving mean, variance and deviation, and the mean and deviation of renorm",
            )
        };
        Cost {
            trainable: trained * channels(),
            non_trainable: moving * channels(),
            macs: Q::zero(),
        }
    }
}
