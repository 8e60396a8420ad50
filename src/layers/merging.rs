//! Layers that join several tensors.

use super::built::Built;
use super::cost::Cost;
use super::geometry::axis_beside_batch;
use super::kind::Rule;
use super::parameter::{Arity, Parameter};
use super::quantity::{Along, Formula, Quantity};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape, UNKNOWN};
use super::sides;

/// The shape of several tensors combined element by element: axes of 1 stretch, from the last axis on (`_Merge` of
/// Keras 3). An axis is unknown where it is in one of them.
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
                (UNKNOWN, _) => {}
                (a, b) if a == b || b == 1 => {}
                (_, UNKNOWN) => joint = joint.with(offset + axis, UNKNOWN),
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

/// The side of one of several inputs along an axis beside the batch, which is counted from 0.
fn axis_of(inputs: &[Shape], input: usize, axis: usize) -> Formula {
    match inputs {
        [one] => sides::axis(one, axis),
        _ => Formula::along(inputs[input][axis], "axis", Along::Axis(axis + 1)).at(&format!("inputs[{input}]")),
    }
}

/// The sides of several tensors combined element by element: each of the first that has it.
fn stretched(inputs: &[Shape]) -> Vec<Formula> {
    let rank = inputs.iter().map(Shape::rank).max().unwrap_or(0);
    let one = |axis: usize| {
        let own = |input: &Shape| (axis + input.rank()).checked_sub(rank);
        let sides = inputs.iter().enumerate();
        let sides = sides.filter_map(|(number, input)| own(input).map(|own| (input[own], number, own)));
        let (_, input, own) = sides
            .rev()
            .max_by_key(|(side, ..)| *side)
            .expect("an input has all axes");
        axis_of(inputs, input, own)
    };
    (0..rank).map(one).collect()
}

/// Keras adds axes to inputs only where it has seen that they need some; what was built for equally many takes no others.
fn alike(inputs: &[Shape]) -> Built {
    let alike = inputs.iter().all(|input| input.rank() == inputs[0].rank());
    let numbers: &[i64] = if alike { &[1] } else { &[] };
    Built::new("number of axes in all inputs", numbers)
}

macro_rules! elementwise {
    ($($kind:ident, $inputs:expr, $purpose:expr;)*) => {$(
        pub(super) struct $kind;

        impl Rule for $kind {
            const NAME: &'static str = stringify!($kind);
            const PARAMETERS: &'static [Parameter] = &[];
            const INPUTS: (usize, usize) = $inputs;
            const IN_PLACE: bool = true;
            const TAKES_UNKNOWN: bool = true;
            const PURPOSE: &'static str = $purpose;

            fn output(_: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
                broadcast(inputs)
            }

            fn sides(_: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
                stretched(inputs)
            }

            fn built(_: &[i64], inputs: &[Shape]) -> Built {
                alike(inputs)
            }
        }
    )*};
}

const ANY: (usize, usize) = (1, usize::MAX);

elementwise! {
    Add, ANY, "it adds its inputs, which needs no weights";
    Subtract, (2, 2), "it subtracts its second input from the first, which needs no weights";
    Multiply, ANY, "it multiplies its inputs with each other, which needs no weights";
    Average, ANY, "it takes the mean of its inputs, which needs no weights";
    Maximum, ANY, "it takes the largest of its inputs, which needs no weights";
    Minimum, ANY, "it takes the smallest of its inputs, which needs no weights";
}

pub(super) struct Concatenate;

impl Rule for Concatenate {
    const NAME: &'static str = "Concatenate";
    const PARAMETERS: &'static [Parameter] = &[Parameter::axis("axis", Arity::One)];
    const INPUTS: (usize, usize) = ANY;
    const JOINS: bool = true;
    const TAKES_UNKNOWN: bool = true;
    const PURPOSE: &'static str = "it puts its inputs side by side, which needs no weights";

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let joined = axis_beside_batch(args[0], &inputs[0]).expect("`output` accepted the axis");
        let one = |axis: usize| match inputs {
            [first, second, ..] if axis == joined && second.rank() == first.rank() => {
                let all = (0..inputs.len()).map(|input| axis_of(inputs, input, axis));
                all.reduce(|sum, side| sum + side).expect("there are inputs")
            }
            _ => axis_of(inputs, 0, axis),
        };
        (0..inputs[0].rank()).map(one).collect()
    }

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let rank = inputs[0].rank();
        let axes = rank as i64 + 1;
        let axis = axis_beside_batch(args[0], &inputs[0])?;
        let mut joint = inputs[0];
        // Where the first input has an unknown side, the first one that is known.
        let mut known = inputs[0];
        for other in &inputs[1..] {
            if other.rank() != rank {
                return Err(Refusal::new(
                    "its inputs must have the same number of axes; given {} and {}",
                    [axes, other.rank() as i64 + 1],
                ));
            }
            for (position, &b) in other.iter().enumerate() {
                let a = known[position];
                if a == UNKNOWN {
                    known = known.with(position, b);
                } else if a != b && b != UNKNOWN && position != axis {
                    return Err(Refusal::new(
                        "its inputs must agree on every axis but {}; on axis {} one has {}, another {}",
                        [axis as i64 + 1, position as i64 + 1, a, b],
                    ));
                }
            }
            let side = match (joint[axis], other[axis]) {
                (UNKNOWN, _) | (_, UNKNOWN) => UNKNOWN,
                (a, b) => a.checked_add(b).ok_or_else(Refusal::overflow)?,
            };
            joint = joint.with(axis, side);
        }
        Ok(joint)
    }
}

/// The sides of a shape but that of one axis.
fn others(shape: &Shape, axis: usize) -> Vec<i64> {
    [&shape[..axis], &shape[axis + 1..]].concat()
}

pub(super) struct Dot;

impl Rule for Dot {
    const NAME: &'static str = "Dot";
    const PARAMETERS: &'static [Parameter] = &[Parameter {
        default: None,
        ..Parameter::axis("axes", Arity::Each(2))
    }];
    const INPUTS: (usize, usize) = (2, 2);
    const PURPOSE: &'static str = "it multiplies one input with the other along an axis, which needs no weights";

    /// What is left of both shapes, one after the other; 1 if nothing is.
    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let axes = [
            axis_beside_batch(args[0], &inputs[0])?,
            axis_beside_batch(args[1], &inputs[1])?,
        ];
        let [first, second] = [inputs[0][axes[0]], inputs[1][axes[1]]];
        if first != second {
            return Err(Refusal::new(
                "its inputs must agree on the axes that are multiplied; one has {} on axis {}, the other {} on axis {}",
                [first, axes[0] as i64 + 1, second, axes[1] as i64 + 1],
            ));
        }
        let sides = [others(&inputs[0], axes[0]), others(&inputs[1], axes[1])].concat();
        match sides.len() {
            0 => Ok(Shape::new(&[1])),
            1..=MAX_RANK => Ok(Shape::new(&sides)),
            rank => Err(Refusal::rank(rank)),
        }
    }

    fn known(args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
        let axes = [
            axis_beside_batch(args[0], &inputs[0])?,
            axis_beside_batch(args[1], &inputs[1])?,
        ];
        if (inputs[0][axes[0]] == UNKNOWN) != (inputs[1][axes[1]] == UNKNOWN) {
            return Err(Refusal::new(
                "it must know both sides that are multiplied, or neither: axis {} of the one and axis {} of the other \
                 input; give their numbers in Input",
                axes.map(|axis| axis as i64 + 1),
            ));
        }
        Ok(inputs.to_vec())
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let mut all = Vec::new();
        for input in 0..2 {
            let multiplied = axis_beside_batch(args[input], &inputs[input]).expect("`output` accepted the axes");
            let kept = (0..inputs[input].rank()).filter(|&axis| axis != multiplied);
            all.extend(kept.map(|axis| axis_of(inputs, input, axis)));
        }
        if all.is_empty() { vec![Formula::just(1)] } else { all }
    }

    /// A matrix product: each position of the one input with each of the other, along the axis that they share.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let axis = |input: usize| axis_beside_batch(args[input], &inputs[input]).expect("`output` accepted the axes");
        let mut product = Q::of(inputs[0][axis(0)], "side of the multiplied axis");
        for (input, meaning) in [
            (1, "positions of the second input"),
            (0, "positions of the first input"),
        ] {
            let positions = others(&inputs[input], axis(input));
            if !positions.is_empty() {
                product = Q::product(&positions, meaning) * product;
            }
        }
        Cost {
            macs: product,
            ..Cost::none()
        }
    }
}
