//! Normalisations.

use super::built::Built;
use super::cost::Cost;
use super::geometry::{Axes, axis_beside_batch};
use super::kind::Rule;
use super::mask::Mask;
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::Quantity;
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape, UNKNOWN};

/// What is trained for each position that is normalised.
fn trained<Q: Quantity>(center: i64, scale: i64) -> Q {
    match (scale, center) {
        (1, 1) => Q::constant(2, "gamma and beta"),
        (1, 0) => Q::constant(1, "gamma"),
        (0, 1) => Q::constant(1, "beta"),
        _ => Q::zero(),
    }
}

/// Refuses an empty list of axes.
fn some_axes(given: &[i64], input: &Shape) -> Result<Axes, Refusal> {
    if given.is_empty() {
        return Err(Refusal::new("axis must name at least one axis", []));
    }
    Axes::of(given, input)
}

/// What is built for a number of axes and the channels along one of them.
fn built_by_channel(axis: i64, input: &Shape) -> Built {
    let axis = axis_beside_batch(axis, input).expect("`output` accepted the axis");
    Built::new(
        "number of axes and channels of its input",
        [input.rank() as i64 + 1, input[axis]],
    )
}

/// The sides of axes in the order in which Keras has them in a weight: sorted as they were given.
fn sides(given: &[i64], input: &Shape) -> Vec<i64> {
    let mut given = given.to_vec();
    given.sort_unstable();
    let side = |&axis: &i64| input[axis_beside_batch(axis, input).expect("`output` accepted the axes")];
    given.iter().map(side).collect()
}

pub(super) struct BatchNormalization;

impl Rule for BatchNormalization {
    const NAME: &'static str = "BatchNormalization";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::axis("axis", Arity::One),
        Parameter::flag("center", true),
        Parameter::flag("scale", true),
        Parameter::flag("renorm", false),
        Parameter::flag("track_running_stats", true),
    ];
    const IN_PLACE: bool = true;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        if args[3..] == [1, 0] {
            return Err(Refusal::new(
                "renorm=True needs the statistics that track_running_stats=False leaves out",
                [],
            ));
        }
        axis_beside_batch(args[0], &inputs[0]).map(|_| inputs[0])
    }

    /// Keras masks all places of the last axis, whatever the axis of the channels is.
    fn mask(_: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
        mask.of_values(&inputs[0][..inputs[0].rank() - 1], given)
    }

    /// Gamma and beta are trained; the moving mean and variance (and three more with `renorm`) are not, if there are any.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let &[axis, center, scale, renorm, tracked] = args else {
            unreachable!("five parameters")
        };
        let axis = axis_beside_batch(axis, &inputs[0]).expect("`output` accepted the axis");
        let channels = || Q::of(inputs[0][axis], "channels of the input");
        let moving = if tracked == 0 {
            Q::zero()
        } else if renorm == 0 {
            Q::constant(2, "moving mean and variance")
        } else {
            Q::constant(
                5,
                "moving mean, variance and deviation, and the mean and deviation of renorm",
            )
        };
        Cost {
            trainable: trained::<Q>(center, scale) * channels(),
            non_trainable: moving * channels(),
            macs: Q::zero(),
        }
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        built_by_channel(args[0], &inputs[0])
    }
}

pub(super) struct LayerNormalization;

impl Rule for LayerNormalization {
    const NAME: &'static str = "LayerNormalization";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::flag("center", true),
        Parameter::flag("scale", true),
        Parameter::axis("axis", Arity::Any),
    ];
    const IN_PLACE: bool = true;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let axes = some_axes(&args[2..], &inputs[0])?;
        if args[..2] != [0, 0] {
            axes.beside_batch()?;
        }
        Ok(inputs[0])
    }

    /// A gamma and a beta for each position of the axes that are normalised.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let axes = Axes::of(&args[2..], &inputs[0]).expect("`output` accepted the axes");
        Cost {
            trainable: trained::<Q>(args[0], args[1]) * Q::product(&axes.sides(), "normalised positions"),
            ..Cost::none()
        }
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        match args {
            [0, 0, ..] => Built::anything(),
            _ => Built::new("sides along its axes", sides(&args[2..], &inputs[0])),
        }
    }
}

pub(super) struct RMSNormalization;

impl Rule for RMSNormalization {
    const NAME: &'static str = "RMSNormalization";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::flag("elementwise_affine", true),
        Parameter::axis("axis", Arity::Any),
    ];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "with elementwise_affine=False it has no scale";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        some_axes(&args[1..], &inputs[0])?.beside_batch()?;
        // Keras stretches its scale from the last axis on, in the order of the axes as they are given.
        let (rank, mut given) = (inputs[0].rank(), args[1..].to_vec());
        given.sort_unstable();
        for (along, &each) in (rank - given.len()..).zip(&given) {
            let axis = axis_beside_batch(each, &inputs[0])?;
            if args[0] == 1 && axis != along && inputs[0][axis] != 1 {
                return Err(Refusal::new(
                    "Keras would lay its scale for axis {} along axis {}, so that its axes must be the last ones; behind \
                     a Permute they are",
                    [axis as i64 + 1, along as i64 + 1],
                ));
            }
        }
        Ok(inputs[0])
    }

    /// A scale for each position of the axes that are normalised.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        if args[0] == 0 {
            return Cost::none();
        }
        let axes = Axes::of(&args[1..], &inputs[0]).expect("`output` accepted the axes");
        Cost {
            trainable: Q::product(&axes.sides(), "scales of the normalised positions"),
            ..Cost::none()
        }
    }

    /// Keras stretches its scale from the last axis on, so that the axes stay where they are, and all behind the first one
    /// is as it was.
    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        let rank = inputs[0].rank() as i64;
        let position = |&axis: &i64| if axis < 0 { axis } else { axis - rank - 1 };
        let mut numbers: Vec<i64> = args[1..].iter().map(position).collect();
        numbers.sort_unstable();
        let first = rank + numbers.first().copied().unwrap_or(0);
        numbers.extend_from_slice(&inputs[0][first as usize..]);
        Built::new(
            "axes, counted from the last, and sides from the first of them on",
            numbers,
        )
    }
}

pub(super) struct GroupNormalization;

impl Rule for GroupNormalization {
    const NAME: &'static str = "GroupNormalization";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("groups", Domain::Int(-1), Arity::One, Some(32)),
        Parameter::axis("axis", Arity::One),
        Parameter::flag("center", true),
        Parameter::flag("scale", true),
    ];
    const IN_PLACE: bool = true;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let channels = inputs[0][axis_beside_batch(args[1], &inputs[0])?];
        match args[0] {
            0 => Err(Refusal::new(
                "groups must be positive, or -1 for one group a channel",
                [],
            )),
            groups if groups > 0 && channels % groups != 0 => Err(Refusal::new(
                "the channels of its input must be divisible by its groups; given {} channels and groups={}",
                [channels, groups],
            )),
            _ => Ok(inputs[0]),
        }
    }

    /// A gamma and a beta for each channel, whatever the groups.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let &[_, axis, center, scale] = args else {
            unreachable!("four parameters")
        };
        let axis = axis_beside_batch(axis, &inputs[0]).expect("`output` accepted the axis");
        Cost {
            trainable: trained::<Q>(center, scale) * Q::of(inputs[0][axis], "channels of the input"),
            ..Cost::none()
        }
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        built_by_channel(args[1], &inputs[0])
    }
}

/// `InstanceNormND` of `PyTorch`: each channel of each input is normalised by itself.
pub(super) struct InstanceNormalization;

impl Rule for InstanceNormalization {
    const NAME: &'static str = "InstanceNormalization";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::axis("axis", Arity::One),
        Parameter::flag("affine", false),
        Parameter::flag("track_running_stats", false),
    ];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "with affine=False and track_running_stats=False it has no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let rank = inputs[0].rank();
        if !(2..=4).contains(&rank) {
            return Err(Refusal::new(
                "it needs an input of 2 to 4 axes beside the batch (1 to 3 spatial ones and the channels), not {}",
                [rank as i64],
            ));
        }
        let axis = axis_beside_batch(args[0], &inputs[0])?;
        if args[2] == 0 && inputs[0].with(axis, 1).elements() == Some(1) {
            return Err(Refusal::new(
                "each channel of its input is a single value, which has no deviation; only the statistics of \
                 track_running_stats=True can normalise it",
                [],
            ));
        }
        Ok(inputs[0])
    }

    /// A gamma and a beta for each channel with `affine`, a moving mean and variance with `track_running_stats`.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let &[axis, affine, tracked] = args else {
            unreachable!("three parameters")
        };
        let axis = axis_beside_batch(axis, &inputs[0]).expect("`output` accepted the axis");
        let channels = || Q::of(inputs[0][axis], "channels of the input");
        let moving = match tracked {
            0 => Q::zero(),
            _ => Q::constant(2, "moving mean and variance"),
        };
        Cost {
            trainable: trained::<Q>(affine, affine) * channels(),
            non_trainable: moving * channels(),
            macs: Q::zero(),
        }
    }

    /// A module of `PyTorch` takes one number of axes; it has weights for its channels, if it has any.
    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        match args[1..] {
            [0, 0] => Built::new("number of axes of its input", [inputs[0].rank() as i64 + 1]),
            _ => built_by_channel(args[0], &inputs[0]),
        }
    }
}

/// `LocalResponseNorm` of `PyTorch`: each value is divided by what the channels beside it come to.
pub(super) struct LocalResponseNormalization;

impl Rule for LocalResponseNormalization {
    const NAME: &'static str = "LocalResponseNormalization";
    const PARAMETERS: &'static [Parameter] = &[Parameter::int("size", 1), Parameter::axis("axis", Arity::One)];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str =
        "it divides each value by what the channels beside it come to, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        if inputs[0].rank() < 2 {
            return Err(Refusal::new(
                "it needs an input of 2 axes or more beside the batch (positions and channels), not {}",
                [inputs[0].rank() as i64],
            ));
        }
        axis_beside_batch(args[1], &inputs[0]).map(|_| inputs[0])
    }
}

pub(super) struct UnitNormalization;

impl Rule for UnitNormalization {
    const NAME: &'static str = "UnitNormalization";
    const PARAMETERS: &'static [Parameter] = &[Parameter::axis("axis", Arity::Any)];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "it divides by a length that it computes, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        some_axes(args, &inputs[0]).map(|_| inputs[0])
    }
}

/// `Normalization`, by a mean and a variance that are given, or adapted to data and kept as weights.
pub(super) struct Normalization;

impl Normalization {
    /// The most sides that a mean may have.
    const SIDES: usize = MAX_RANK + 1;

    fn axes(given: &[i64], input: &Shape) -> Result<Axes, Refusal> {
        // `axis=None`: one mean for all values.
        let given = if given == [UNSET] { &[] } else { given };
        Axes::of(given, input)?.beside_batch()
    }
}

impl Rule for Normalization {
    const NAME: &'static str = "Normalization";
    /// Of a mean that is given only its sides, 1 before the first one.
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("mean", Domain::OptionalInt(1), Arity::Each(Self::SIDES), Some(UNSET)),
        Parameter::new("axis", Domain::OptionalInt(i64::MIN + 1), Arity::Any, Some(-1)),
    ];
    const IN_PLACE: bool = true;
    const PURPOSE: &'static str = "its mean and variance are given, so they are not weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let (mean, axis) = args.split_at(Self::SIDES);
        let kept = Self::axes(axis, &inputs[0])?.sides();
        if mean[0] != UNSET {
            let sides = kept.iter().rev().copied().chain(std::iter::repeat(1));
            for (&given, side) in mean.iter().rev().zip(sides) {
                if given != 1 && given != side {
                    return Err(Refusal::new(
                        "its mean has {} values along an axis on which its input has {}",
                        [given, side],
                    ));
                }
            }
        }
        Ok(inputs[0])
    }

    fn known(args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
        let kept = Self::axes(&args[Self::SIDES..], &inputs[0])?.sides();
        if kept.contains(&UNKNOWN) {
            return Err(Refusal::new(
                "it must know the sides along its axis; give their numbers in Input",
                [],
            ));
        }
        Ok(inputs.to_vec())
    }

    /// A mean and a variance for each position of the axes that are kept, and the number of samples seen.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let (mean, axis) = args.split_at(Self::SIDES);
        if mean[0] != UNSET {
            return Cost::none();
        }
        let kept = Self::axes(axis, &inputs[0])
            .expect("`output` accepted the axes")
            .sides();
        let each = Q::product(&kept, "sides kept apart");
        Cost {
            non_trainable: Q::constant(2, "mean and variance") * each + Q::constant(1, "count of samples"),
            ..Cost::none()
        }
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        let kept = Self::axes(&args[Self::SIDES..], &inputs[0]).expect("`output` accepted the axes");
        let mut numbers = vec![inputs[0].rank() as i64 + 1];
        numbers.extend_from_slice(&kept.sides());
        Built::new("number of axes of its input and sides that are kept apart", numbers)
    }
}
