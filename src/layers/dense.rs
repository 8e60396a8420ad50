//! `Dense`: a matrix on the last axis of a tensor of any rank; `EinsumDense`: one on any of its axes.

use super::built::Built;
use super::cost::Cost;
use super::kind::{Columns, Rule};
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::{Formula, Quantity};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape};
use super::sides;

pub(super) struct Dense;

impl Rule for Dense {
    const NAME: &'static str = "Dense";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("units", 1),
        Parameter::flag("use_bias", true),
        Parameter::new("lora_rank", Domain::OptionalInt(0), Arity::One, Some(UNSET)),
    ];

    const COLUMNS: Option<Columns> = Some(|args, _| args[0]);

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        match inputs[0].rank() {
            0 => Err(Refusal::new(
                "it needs an input of at least one axis beside the batch",
                [],
            )),
            rank => Ok(inputs[0].with(rank - 1, args[0])),
        }
    }

    /// `(input + bias) * units` weights, used once for each position of the other axes. The small matrices of `lora_rank`
    /// are multiplied with each other in each call.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let &[units, use_bias, lora_rank] = args else {
            unreachable!("three parameters")
        };
        let (last, others) = inputs[0].split_last().expect("`output` accepted the input");
        let features = || Q::of(*last, "features of the input");
        let units = || Q::of(units, "units");
        let bias = || Q::constant(use_bias, "bias of each unit");
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
                macs: macs + features() * rank() * units(),
            }
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        sides::with(&inputs[0], inputs[0].rank() - 1, Formula::of(args[0], "units"))
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        Built::new("features of its input", inputs[0].last().copied().as_slice())
    }
}

/// `EinsumDense`: a kernel that is multiplied with some axes of a tensor.
pub(super) struct EinsumDense;

/// The axes of the equation that stand in `...`.
const NONE_ELIDED: i64 = 0;
const FIRST_ELIDED: i64 = 1;

struct EinsumArgs<'a> {
    /// Where the axes are that the equation does not name: nowhere, before those that it names, or behind them.
    elided: i64,
    /// For each axis of the input that the equation names, where it stands among those of the output; -1 for nowhere.
    input: &'a [i64],
    /// For each axis of the kernel the axis of the input that it is; or, `MAX_RANK` added, that of the output.
    kernel: &'a [i64],
    /// Which axes of the output the bias has.
    bias: &'a [i64],
    lora_rank: i64,
    /// The sides of the output that the equation names; [`UNSET`] for that of the input on the same axis.
    output_shape: &'a [i64],
}

impl EinsumDense {
    fn parse(args: &[i64]) -> EinsumArgs<'_> {
        let set = |codes: &[i64]| codes.iter().take_while(|&&code| code != UNSET).count();
        let (elided, args) = (args[0], &args[1..]);
        let (input, args) = args.split_at(MAX_RANK);
        let (kernel, args) = args.split_at(2 * MAX_RANK);
        let (bias, args) = args.split_at(MAX_RANK);
        EinsumArgs {
            elided,
            input: &input[..set(input)],
            kernel: &kernel[..set(kernel)],
            bias,
            lora_rank: args[0],
            output_shape: &args[1..],
        }
    }
}

impl EinsumArgs<'_> {
    /// The sides of the input that the equation names, and those that it does not.
    fn split<'a>(&self, input: &'a Shape) -> Result<(&'a [i64], &'a [i64]), Refusal> {
        let (named, rank) = (self.input.len(), input.rank());
        match (self.elided, rank.checked_sub(named)) {
            (NONE_ELIDED, Some(0)) => Ok((input, &[])),
            (NONE_ELIDED, _) => Err(Refusal::new(
                "its equation is for an input of {} axes beside the batch, not {}",
                [named as i64, rank as i64],
            )),
            (_, None) => Err(Refusal::new(
                "its equation is for an input of at least {} axes beside the batch, not {}",
                [named as i64, rank as i64],
            )),
            (FIRST_ELIDED, Some(others)) => {
                let (others, named) = input.split_at(others);
                Ok((named, others))
            }
            _ => Ok(input.split_at(named)),
        }
    }

    /// The axis of the input that an axis of the output is.
    fn source(&self, to: usize) -> Option<usize> {
        self.input.iter().position(|&axis| axis == to as i64)
    }

    /// The sides of the output that the equation names: those that are left open are the input's.
    ///
    /// As in Keras, weights need a side that is said: the output has it from the input only when data arrives.
    fn output(&self, named: &[i64]) -> Result<Vec<i64>, Refusal> {
        let side = |(to, &side): (usize, &i64)| {
            if side != UNSET {
                return Ok(side);
            }
            let axis = [to as i64 + 1];
            match self.source(to) {
                None => Err(Refusal::new(
                    "its output_shape has None at position {}, for an axis that the input does not have; give its side",
                    axis,
                )),
                Some(from) if self.kernel.contains(&(from as i64)) => Err(Refusal::new(
                    "its output_shape has None at position {}, for an axis of its kernel; give its side",
                    axis,
                )),
                Some(_) if self.bias[to] == 1 => Err(Refusal::new(
                    "its output_shape has None at position {}, for an axis of its bias; give its side",
                    axis,
                )),
                Some(from) => Ok(named[from]),
            }
        };
        self.output_shape.iter().enumerate().map(side).collect()
    }

    /// A side of the kernel.
    fn side(&self, code: i64, named: &[i64]) -> i64 {
        match usize::try_from(code) {
            Ok(axis) if axis < MAX_RANK => named[axis],
            Ok(axis) => self.output_shape[axis - MAX_RANK],
            Err(_) => unreachable!("codes are not negative"),
        }
    }
}

impl Rule for EinsumDense {
    const NAME: &'static str = "EinsumDense";
    /// The equation as numbers, see [`EinsumArgs`]; of the bias whether it has each axis.
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("equation", Domain::OptionalInt(-1), Arity::Each(1 + 3 * MAX_RANK), None),
        Parameter::new("bias_axes", Domain::Flag, Arity::Each(MAX_RANK), Some(0)),
        Parameter::new("lora_rank", Domain::OptionalInt(0), Arity::One, Some(UNSET)),
        Parameter::new("output_shape", Domain::OptionalInt(1), Arity::Any, None),
    ];
    const COLUMNS: Option<Columns> = Some(|args, input| {
        let layer = Self::parse(args);
        let (named, _) = layer.split(input).expect("`output` accepted the input");
        layer.kernel.last().map_or(1, |&code| layer.side(code, named))
    });

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args);
        let (named, others) = layer.split(&inputs[0])?;
        let given = layer.output_shape;
        let rank = given.len() + others.len();
        if rank > MAX_RANK {
            return Err(Refusal::rank(rank));
        }
        let known = |code: &i64| match usize::try_from(*code) {
            Ok(axis) if axis < MAX_RANK => axis < named.len(),
            Ok(axis) => axis - MAX_RANK < given.len(),
            Err(_) => false,
        };
        let stays = |&to: &i64| to < given.len() as i64;
        if layer.kernel.is_empty() || !layer.kernel.iter().all(known) || !layer.input.iter().all(stays) {
            return Err(Refusal::new("its equation names axes that there are not", []));
        }
        for (&to, &known) in layer.input.iter().zip(named) {
            let Ok(to) = usize::try_from(to) else { continue };
            if given[to] != UNSET && given[to] != known {
                return Err(Refusal::new(
                    "its output_shape has {} at position {} for an axis of the input, which has {}",
                    [given[to], to as i64 + 1, known],
                ));
            }
        }
        let given = layer.output(named)?;
        let mut sides = [1; MAX_RANK];
        if layer.elided == FIRST_ELIDED {
            if !others.iter().eq(others.iter().rev()) {
                return Err(Refusal::new(
                    "Keras takes the {} axes before those of its equation in the reverse order",
                    [others.len() as i64],
                ));
            }
            sides[..others.len()].copy_from_slice(others);
            sides[others.len()..rank].copy_from_slice(&given);
        } else {
            sides[..given.len()].copy_from_slice(&given);
            sides[given.len()..rank].copy_from_slice(others);
        }
        Ok(Shape::new(&sides[..rank]))
    }

    /// A kernel with the sides of its axes, used once for each position along the axes that it has not.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let layer = Self::parse(args);
        let (named, others) = layer.split(&inputs[0]).expect("`output` accepted the input");
        let (mut from, mut both, mut to) = (Vec::new(), Vec::new(), Vec::new());
        for &code in layer.kernel {
            let side = layer.side(code, named);
            match layer.input.get(code as usize) {
                Some(-1) => from.push(side),
                Some(_) => both.push(side),
                None => to.push(side),
            }
        }
        let kernel = || {
            let parts = [
                (&both, "matrices of the kernel"),
                (&from, "features of the input"),
                (&to, "features of the output"),
            ];
            let parts = parts.iter().filter(|(sides, _)| !sides.is_empty());
            let mut parts = parts.map(|(sides, meaning)| Q::product(sides, meaning));
            let first = parts.next().unwrap_or_else(|| Q::constant(1, "kernel"));
            parts.fold(first, |product, part| product * part)
        };
        let mut positions = others.to_vec();
        for (axis, (&to, &side)) in layer.input.iter().zip(named).enumerate() {
            if to >= 0 && !layer.kernel.contains(&(axis as i64)) {
                positions.push(side);
            }
        }
        let bias = layer.output_shape.iter().zip(layer.bias);
        let bias: Vec<_> = bias.filter(|(_, has)| **has == 1).map(|(&side, _)| side).collect();
        let bias = match bias[..] {
            [] => Q::zero(),
            _ => Q::product(&bias, "bias along its axes"),
        };
        let macs = match positions[..] {
            [] => kernel(),
            _ => Q::product(&positions, "positions of the input") * kernel(),
        };
        if layer.lora_rank <= 0 {
            return Cost {
                trainable: kernel() + bias,
                non_trainable: Q::zero(),
                macs,
            };
        }
        let sides: Vec<_> = layer.kernel.iter().map(|&code| layer.side(code, named)).collect();
        let (last, before) = sides.split_last().expect("a kernel has an axis");
        let rank = || Q::of(layer.lora_rank, "lora_rank");
        let before = || Q::product(before, "sides of the kernel before the last");
        let last = || Q::of(*last, "last side of the kernel");
        Cost {
            trainable: before() * rank() + rank() * last() + bias,
            non_trainable: kernel(),
            macs: macs + before() * rank() * last(),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let layer = Self::parse(args);
        let input = &inputs[0];
        let others = input.rank() - layer.input.len();
        let first = if layer.elided == FIRST_ELIDED { others } else { 0 };
        let mut given = sides::listed(layer.output_shape, "output_shape");
        for (to, side) in given.iter_mut().enumerate() {
            if layer.output_shape[to] == UNSET {
                let from = layer.source(to).expect("`output` accepted the input");
                *side = sides::axis(input, first + from);
            }
        }
        if layer.elided == FIRST_ELIDED {
            (0..others).map(|axis| sides::axis(input, axis)).chain(given).collect()
        } else {
            let others = (layer.input.len()..input.rank()).map(|axis| sides::axis(input, axis));
            given.into_iter().chain(others).collect()
        }
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        let layer = Self::parse(args);
        let (named, _) = layer.split(&inputs[0]).expect("`output` accepted the input");
        let mut numbers = vec![inputs[0].rank() as i64 + 1];
        numbers.extend(layer.kernel.iter().map(|&code| layer.side(code, named)));
        Built::new("number of axes and sides of its kernel", numbers)
    }
}
