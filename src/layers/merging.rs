//! Layers that join several tensors.

use super::{Arity, Domain, Parameter, Refusal, Rule, Shape};

/// The shape of several tensors combined element by element: axes of 1 stretch, from the last axis on (`_Merge` of
/// Keras 3).
fn broadcast(inputs: &[Shape]) -> Result<Shape, Refusal> {
    let mut joint = inputs[0];
    for other in &inputs[1..] {
        let (long, short) = if joint.rank() >= other.rank() {
            (joint, other)
        } else {
            (*other, &joint.clone())
        };
        let offset = long.rank() - short.rank();
        joint = long;
        for (axis, &side) in short.iter().enumerate() {
            match (joint[offset + axis], side) {
                (a, b) if a == b || b == 1 => {}
                (1, b) => joint = joint.with(offset + axis, b),
                (a, b) => {
                    return Err(Refusal::new(
                        "its inputs cannot be combined: one has {} on axis {}, another {}",
                        [a, (offset + axis) as i64 + 1, b],
                    ));
                }
            }
        }
    }
    Ok(joint)
}

macro_rules! elementwise {
    ($($kind:ident, $purpose:expr;)*) => {$(
        pub(super) struct $kind;

        impl Rule for $kind {
            const NAME: &'static str = stringify!($kind);
            const PARAMETERS: &'static [Parameter] = &[];
            const INPUTS: (usize, usize) = (1, usize::MAX);
            const PURPOSE: &'static str = $purpose;

            fn output(_: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
                broadcast(inputs)
            }
        }
    )*};
}

elementwise! {
    Add, "it adds its inputs, which needs no weights";
    Multiply, "it multiplies its inputs with each other, which needs no weights";
}

pub(super) struct Concatenate;

impl Rule for Concatenate {
    const NAME: &'static str = "Concatenate";
    const PARAMETERS: &'static [Parameter] = &[Parameter::new("axis", Domain::Int(i64::MIN + 1), Arity::One, Some(-1))];
    const INPUTS: (usize, usize) = (1, usize::MAX);
    const PURPOSE: &'static str = "it puts its inputs side by side, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let rank = inputs[0].rank();
        let axes = rank as i64 + 1;
        let axis = if args[0] < 0 { args[0] + axes } else { args[0] };
        if !(1..axes).contains(&axis) {
            return Err(Refusal::new(
                "axis={} is not an axis beside the batch of an input of {} axes (the batch is axis 0)",
                [args[0], axes],
            ));
        }
        let axis = axis as usize - 1;
        let mut joint = inputs[0];
        for other in &inputs[1..] {
            if other.rank() != rank {
                return Err(Refusal::new(
                    "its inputs must have the same number of axes; given {} and {}",
                    [axes, other.rank() as i64 + 1],
                ));
            }
            for (position, (&a, &b)) in inputs[0].iter().zip(other.iter()).enumerate() {
                if a != b && position != axis {
                    return Err(Refusal::new(
                        "its inputs must agree on every axis but {}; on axis {} one has {}, another {}",
                        [axis as i64 + 1, position as i64 + 1, a, b],
                    ));
                }
            }
            let side = joint[axis].checked_add(other[axis]).ok_or_else(Refusal::overflow)?;
            joint = joint.with(axis, side);
        }
        Ok(joint)
    }
}
