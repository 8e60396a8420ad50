//! `Dense`: a matrix on the last axis of a tensor of any rank.

use super::{Arity, Cost, Domain, Parameter, Quantity, Refusal, Rule, Shape, UNSET};

pub(super) struct Dense;

impl Rule for Dense {
    const NAME: &'static str = "Dense";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("units", 1),
        Parameter::flag("use_bias", true),
        Parameter::new("lora_rank", Domain::OptionalInt(0), Arity::One, Some(UNSET)),
    ];

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
