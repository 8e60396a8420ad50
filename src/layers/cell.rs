//! Cells: one step of a recurrent layer. `RNN` walks with them along a sequence; by themselves they are no layers.

use super::built::Built;
use super::cost::Cost;
use super::kind::{Role, Rule};
use super::parameter::Parameter;
use super::quantity::{Formula, Quantity};
use super::refusal::Refusal;
use super::shape::Shape;

const UNITS: Parameter = Parameter::int("units", 1);
const USE_BIAS: Parameter = Parameter::flag("use_bias", true);

/// The features of a step.
fn features(step: &Shape) -> Result<i64, Refusal> {
    match **step {
        [features] => Ok(features),
        _ => Err(Refusal::new(
            "it needs steps of 1 axis (their features), not {}",
            [step.rank() as i64],
        )),
    }
}

fn state(units: i64, step: &Shape) -> Result<Shape, Refusal> {
    features(step).map(|_| Shape::new(&[units]))
}

/// What every cell is built for.
fn built(step: &Shape) -> Built {
    Built::new("features of a step", step.to_vec())
}

/// This many states of as many values as there are units.
fn states(count: usize, units: i64) -> Vec<Shape> {
    vec![Shape::new(&[units]); count]
}

/// `gates` matrices on the features of a step and as many on the state before it.
fn step<Q: Quantity>(gates: i64, units: i64, bias: Q, step: &Shape) -> Cost<Q> {
    let features = features(step).expect("`output` accepted the input");
    let width = || match gates {
        1 => Q::of(units, "units"),
        _ => Q::constant(gates, "gates") * Q::of(units, "units"),
    };
    let fan_in = || Q::of(features, "features of a step") + Q::of(units, "units of the previous state");
    Cost {
        trainable: (fan_in() + bias) * width(),
        non_trainable: Q::zero(),
        macs: fan_in() * width(),
    }
}

pub(super) struct SimpleRNNCell;

impl Rule for SimpleRNNCell {
    const NAME: &'static str = "SimpleRNNCell";
    const PARAMETERS: &'static [Parameter] = &[UNITS, USE_BIAS];
    const ROLE: Role = Role::Cell;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        state(args[0], &inputs[0])
    }

    fn states(args: &[i64], _: &Shape) -> Result<Vec<Shape>, Refusal> {
        Ok(states(1, args[0]))
    }

    /// `(features + units + bias) * units` weights.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        step(1, args[0], Q::constant(args[1], "bias of each unit"), &inputs[0])
    }

    fn sides(args: &[i64], _: &[Shape], _: &Shape) -> Vec<Formula> {
        vec![Formula::of(args[0], "units")]
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        built(&inputs[0])
    }
}

pub(super) struct LSTMCell;

impl Rule for LSTMCell {
    const NAME: &'static str = "LSTMCell";
    const PARAMETERS: &'static [Parameter] = &[UNITS, USE_BIAS];
    const ROLE: Role = Role::Cell;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        state(args[0], &inputs[0])
    }

    fn states(args: &[i64], _: &Shape) -> Result<Vec<Shape>, Refusal> {
        Ok(states(2, args[0]))
    }

    /// `(features + units + bias) * 4 * units` weights.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        step(4, args[0], Q::constant(args[1], "bias of each gate"), &inputs[0])
    }

    fn sides(args: &[i64], _: &[Shape], _: &Shape) -> Vec<Formula> {
        vec![Formula::of(args[0], "units")]
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        built(&inputs[0])
    }
}

pub(super) struct GRUCell;

impl Rule for GRUCell {
    const NAME: &'static str = "GRUCell";
    const PARAMETERS: &'static [Parameter] = &[UNITS, USE_BIAS, Parameter::flag("reset_after", true)];
    const ROLE: Role = Role::Cell;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        state(args[0], &inputs[0])
    }

    fn states(args: &[i64], _: &Shape) -> Result<Vec<Shape>, Refusal> {
        Ok(states(1, args[0]))
    }

    /// `(features + units + bias) * 3 * units` weights; with `reset_after` the two matrices have a bias each.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let bias = match (args[1], args[2]) {
            (0, _) => Q::zero(),
            (_, 0) => Q::constant(1, "bias of each gate"),
            _ => Q::constant(2, "biases of each gate, for the features and for the state"),
        };
        step(3, args[0], bias, &inputs[0])
    }

    fn sides(args: &[i64], _: &[Shape], _: &Shape) -> Vec<Formula> {
        vec![Formula::of(args[0], "units")]
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        built(&inputs[0])
    }
}
