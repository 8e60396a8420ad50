//! Tables with a row for each word.

use super::cost::Cost;
use super::kind::{Columns, Rule};
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::{Formula, Quantity};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape};
use super::sides;

pub(super) struct Embedding;

impl Rule for Embedding {
    const NAME: &'static str = "Embedding";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("input_dim", 1),
        Parameter::int("output_dim", 1),
        Parameter::new("lora_rank", Domain::OptionalInt(0), Arity::One, Some(UNSET)),
    ];

    const COLUMNS: Option<Columns> = Some(|args, _| args[1]);

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let rank = inputs[0].rank();
        if rank == MAX_RANK {
            return Err(Refusal::rank(rank + 1));
        }
        let mut sides = [1; MAX_RANK];
        sides[..rank].copy_from_slice(&inputs[0]);
        sides[rank] = args[1];
        Ok(Shape::new(&sides[..=rank]))
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let mut sides = sides::unchanged(&inputs[0]);
        sides.push(Formula::of(args[1], "output_dim"));
        sides
    }

    /// `input_dim * output_dim` weights; looking one up is no multiplication, but the small matrices of `lora_rank` are
    /// multiplied with each other in each call.
    fn cost<Q: Quantity>(args: &[i64], _: &[Shape], _: &Shape) -> Cost<Q> {
        let &[input_dim, output_dim, lora_rank] = args else {
            unreachable!("three parameters")
        };
        let rows = || Q::of(input_dim, "input_dim");
        let columns = || Q::of(output_dim, "output_dim");
        if lora_rank <= 0 {
            Cost {
                trainable: rows() * columns(),
                ..Cost::none()
            }
        } else {
            let rank = || Q::of(lora_rank, "lora_rank");
            Cost {
                trainable: rows() * rank() + rank() * columns(),
                non_trainable: rows() * columns(),
                macs: rows() * rank() * columns(),
            }
        }
    }
}

/// `EmbeddingBag` of `PyTorch`: the rows of all words of a sequence as one, their sum, mean or largest values.
pub(super) struct EmbeddingBag;

impl Rule for EmbeddingBag {
    const NAME: &'static str = "EmbeddingBag";
    const PARAMETERS: &'static [Parameter] = &[Parameter::int("input_dim", 1), Parameter::int("output_dim", 1)];

    const COLUMNS: Option<Columns> = Some(|args, _| args[1]);

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        if inputs[0].rank() != 1 {
            return Err(Refusal::new(
                "it needs an input of 1 axis beside the batch (the words of a bag), not {}",
                [inputs[0].rank() as i64],
            ));
        }
        Ok(Shape::new(&[args[1]]))
    }

    fn sides(args: &[i64], _: &[Shape], _: &Shape) -> Vec<Formula> {
        vec![Formula::of(args[1], "output_dim")]
    }

    /// `input_dim * output_dim` weights; looking rows up and joining them is no multiplication.
    fn cost<Q: Quantity>(args: &[i64], _: &[Shape], _: &Shape) -> Cost<Q> {
        Cost {
            trainable: Q::of(args[0], "input_dim") * Q::of(args[1], "output_dim"),
            ..Cost::none()
        }
    }
}
