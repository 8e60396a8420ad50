//! `Dense`: a matrix on the last axis of a tensor of any rank; `EinsumDense`: one on its last axes.

use super::{Arity, Cost, Domain, MAX_RANK, Parameter, Quantity, Refusal, Rule, Shape, UNSET};

pub(super) struct Dense;

impl Rule for Dense {
    const NAME: &'static str = "Dense";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("units", 1),
        Parameter::flag("use_bias", true),
        Parameter::new("lora_rank", Domain::OptionalInt(0), Arity::One, Some(UNSET)),
    ];

    const COLUMNS: Option<super::Columns> = Some(|args, _| args[0]);

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        match inputs[0].rank() {
            0 => Err(Refusal::new(
                "it needs an input of at least one axis beside the batch",
                [],
            )),
            rank => Ok(inputs[0].with(rank - 1, args[0])),
        }
    }

    /// `(input + bias) * units` weights, used once for each position of the other axes.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let &[units, use_bias, lora_rank] = args else {
            unreachable!("three parameters")
        };
        let (last, others) = inputs[0].split_last().expect("`output` accepted the input");
        let features = || Q::of(*last, "features of the input");
        let units = || Q::of(units, "units");
        let bias = || Q::of(use_bias, "bias of each unit");
        let matrix = features() * units();
        let macs = if others.is_empty() {
            matrix
        } else {
            Q::product(others, "positions of the input") * matrix
        };
        if lora_rank <= 0 {
            Cost {
                trainable: (features() + bias()) * units(),
                non_trainable: Q::zero(),
                macs,
            }
        } else {
            let rank = || Q::of(lora_rank, "lora_rank");
            Cost {
                trainable: features() * rank() + rank() * units() + bias() * units(),
                non_trainable: features() * units(),
                macs,
            }
        }
    }
}

/// `EinsumDense` where it is a projection: the last axes of its input are multiplied away, and others stand there instead.
pub(super) struct EinsumDense;

struct EinsumArgs<'a> {
    /// How many axes of the input stay, beside the batch.
    kept: usize,
    /// How many are multiplied away.
    contracted: usize,
    /// Which axes of the output the bias has.
    bias: &'a [i64],
    output_shape: &'a [i64],
}

impl EinsumDense {
    fn parse(args: &[i64]) -> EinsumArgs<'_> {
        let (bias, output_shape) = args[2..].split_at(MAX_RANK);
        EinsumArgs {
            kept: args[0] as usize,
            contracted: args[1] as usize,
            bias,
            output_shape,
        }
    }
}

impl Rule for EinsumDense {
    const NAME: &'static str = "EinsumDense";
    /// Of the equation how many axes stay and how many are multiplied away; of the bias whether it has each axis.
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("equation", Domain::Int(0), Arity::Each(2), None),
        Parameter::new("bias_axes", Domain::Flag, Arity::Each(MAX_RANK), Some(0)),
        Parameter::new("output_shape", Domain::Int(1), Arity::Any, None),
    ];

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args);
        let rank = inputs[0].rank();
        if layer.kept.checked_add(layer.contracted) != Some(rank) {
            return Err(Refusal::new(
                "its equation is for an input of {} axes beside the batch, not {}",
                [args[0].saturating_add(args[1]), rank as i64],
            ));
        }
        let given = layer.output_shape;
        if given.len() > MAX_RANK {
            return Err(Refusal::rank(given.len()));
        }
        if given.len() <= layer.kept {
            return Err(Refusal::new(
                "its output_shape must have more than the {} axes that stay, not {}",
                [layer.kept as i64, given.len() as i64],
            ));
        }
        for (axis, (&side, &known)) in given.iter().zip(&inputs[0][..layer.kept]).enumerate() {
            if side != known {
                return Err(Refusal::new(
                    "its output_shape has {} on axis {}, which stays as it is: {}",
                    [side, axis as i64 + 1, known],
                ));
            }
        }
        Ok(Shape::new(given))
    }

    /// A matrix from the axes that are multiplied away to the new ones, used once for each position that stays.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Q> {
        let layer = Self::parse(args);
        let (positions, features) = inputs[0].split_at(layer.kept);
        let matrix = || {
            Q::product(features, "features of the input") * Q::product(&output[layer.kept..], "features of the output")
        };
        let mut bias = [1; MAX_RANK];
        for (own, (&side, _)) in bias
            .iter_mut()
            .zip(output.iter().zip(layer.bias).filter(|(_, has)| **has == 1))
        {
            *own = side;
        }
        let axes = layer.bias.iter().filter(|&&has| has == 1).count();
        let bias = match axes {
            0 => Q::zero(),
            _ => Q::product(&bias[..axes], "bias along its axes"),
        };
        let macs = match positions {
            [] => matrix(),
            _ => Q::product(positions, "positions of the input") * matrix(),
        };
        Cost {
            trainable: matrix() + bias,
            non_trainable: Q::zero(),
            macs,
        }
    }
}
