//! `Input`: where a network starts.

use super::kind::Rule;
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::Formula;
use super::refusal::Refusal;
use super::shape::{Shape, UNKNOWN};
use super::sides;

pub(super) struct Input;

impl Rule for Input {
    const NAME: &'static str = "Input";
    const PARAMETERS: &'static [Parameter] = &[Parameter::new("shape", Domain::OptionalInt(1), Arity::Any, None)];
    const INPUTS: (usize, usize) = (0, 0);
    const PURPOSE: &'static str = "an input holds data, not weights";

    fn output(args: &[i64], _: &[Shape]) -> Result<Shape, Refusal> {
        let mut shape = Shape::new(args);
        for (axis, _) in args.iter().enumerate().filter(|&(_, &side)| side == UNSET) {
            shape = shape.with(axis, UNKNOWN);
        }
        shape.elements().map(|_| shape).ok_or_else(Refusal::overflow)
    }

    fn sides(_: &[i64], _: &[Shape], output: &Shape) -> Vec<Formula> {
        sides::listed(output, "shape")
    }
}
