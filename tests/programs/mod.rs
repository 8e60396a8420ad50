//! Random programs, and the networks of each counted one by one: what the tests of properties and the fuzzing draw from.

pub mod case;
pub mod chain;

use archbudget::Result;
use archbudget::diagram::Interrupt;
use archbudget::layers::{Arity, Kind, UNSET};
use archbudget::space::{Action, Atom, Expr, Guard, Operator, Program, Settings, Tensor, Trace, Values};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

pub const NEVER: Interrupt<'static> = &|| false;
pub const SIZES: [usize; 4] = [3, 2, 3, 2];
pub const VALUES: [[i64; 3]; 4] = [[1, 2, 4], [3, 1, 0], [2, 5, 3], [1, 0, 0]];

/// What a random step is made of; [`build`] gives each number a meaning.
pub type Instruction = (u8, u8, u8, [u8; 4], [u8; 3]);

/// A program of random steps; of random steps again and again; or of cells that share their decisions. Some of its
/// tensors are outputs, the first one, the same one twice and second names among them.
pub fn programs() -> impl Strategy<Value = Program> {
    let steps = |most| vec(any::<Instruction>(), 1..most);
    let again = (steps(6), 2..4_usize).prop_map(|(steps, times)| build(&steps.repeat(times), true));
    let written = prop_oneof![
        3 => steps(14).prop_map(|steps| build(&steps, false)),
        1 => again,
        2 => (vec(any::<Node>(), 1..4), 1..4_usize, any::<[u8; 3]>()).prop_map(|(nodes, times, last)| cells(&nodes, times, last)),
    ];
    (written, vec(any::<u8>(), 0..4)).prop_map(|(mut program, outputs)| {
        returns(&mut program, &outputs);
        program
    })
}

/// Makes some tensors outputs, by any numbers.
pub fn returns(program: &mut Program, numbers: &[u8]) {
    let written: Vec<Tensor> = program.steps().iter().flat_map(|step| writes(&step.action)).collect();
    let outputs = numbers
        .iter()
        .map(|&number| written[usize::from(number) % written.len()]);
    program.returns(outputs.collect()).expect("known tensors");
}

/// The tensors that a step writes.
pub fn writes(action: &Action) -> Vec<Tensor> {
    match action {
        Action::Layer { output, extra, .. } => [&[*output], &extra[..]].concat(),
        Action::Alias { to: output, .. } | Action::Wait { output } => vec![*output],
        Action::Require { .. } | Action::Read { .. } | Action::Return { .. } => Vec::new(),
    }
}

/// The arguments of a layer, of which some are given by name: the others have their defaults, so that what a layer learns
/// later changes nothing here. A value stands for all the sides that it has.
pub fn arguments<T: Clone>(kind: &str, given: &[(&str, T)], number: impl Fn(i64) -> T) -> Vec<T> {
    let kind = Kind::named(kind).expect("a layer");
    for (name, _) in given {
        assert!(kind.parameter(name).is_some(), "{} has no {name}", kind.name);
    }
    let mut all = Vec::new();
    for parameter in &*kind.parameters {
        let found = given.iter().find(|(name, _)| *name == parameter.name);
        let value = found
            .map(|(_, value)| value.clone())
            .or_else(|| parameter.default.map(&number));
        let n = match parameter.arity {
            Arity::One => 1,
            Arity::Each(n) => n,
            Arity::Any => usize::from(found.is_some()),
        };
        all.extend(std::iter::repeat_n(value, n).map(|value| value.expect("what has no default is given")));
    }
    all
}

pub fn constants(values: &[i64]) -> Vec<Expr> {
    values.iter().copied().map(Expr::Constant).collect()
}

pub fn lookup(decision: usize) -> Expr {
    Expr::Lookup {
        decision,
        values: VALUES[decision][..SIZES[decision]].into(),
    }
}

pub const OPERATORS: [Operator; 9] = [
    Operator::Add,
    Operator::Subtract,
    Operator::Multiply,
    Operator::FloorDivide,
    Operator::Minimum,
    Operator::Maximum,
    Operator::RoundTo,
    Operator::AtMost,
    Operator::Equal,
];

/// A number, a decision, a side of the input, or two of these joined.
pub fn expression([what, left, right, operator]: [u8; 4]) -> Expr {
    let leaf = |number: u8| match number % 4 {
        0 | 1 => lookup(usize::from(number / 4) % SIZES.len()),
        2 => Expr::Constant(i64::from(number / 4 % 4)),
        _ => Expr::Incoming { axis: -1, hidden: 0 },
    };
    if what < 100 {
        leaf(left)
    } else {
        let operator = OPERATORS[usize::from(operator) % OPERATORS.len()];
        Expr::Binary(operator, Box::new(leaf(left)), Box::new(leaf(right)))
    }
}

/// No condition, one, or two.
pub fn guard([what, first, second]: [u8; 3]) -> Guard {
    let atom = |number: u8| {
        let decision = usize::from(number) % SIZES.len();
        let allowed = (0..SIZES[decision])
            .map(|value| number >> (3 + value) & 1 == 1)
            .collect();
        Atom { decision, allowed }
    };
    match what {
        0..128 => Vec::new(),
        128..220 => vec![atom(first)],
        _ => vec![atom(first), atom(second)],
    }
}

/// A program of four small decisions, and no steps.
pub fn empty() -> Program {
    let mut program = Program::new(Settings {
        bytes_per_weight: 4,
        bytes_per_activation: 2,
        in_place: true,
    });
    for (decision, size) in SIZES.into_iter().enumerate() {
        program.decision(&format!("d{decision}"), size).expect("a new name");
    }
    program
}

/// A node of a cell: the decisions that say what it reads and what it does with it, and what there is to do.
pub type Node = (u8, u8, [u8; 3]);

/// Cells over the same decisions, one after the other; between them another layer. Each node of a cell adds to one of the
/// nodes before it what one of several branches makes of another.
pub fn cells(nodes: &[Node], times: usize, [end, width, twice]: [u8; 3]) -> Program {
    let mut program = empty();
    let layer = |program: &mut Program, kind: &str, args: Vec<Expr>| {
        let kind = Kind::named(kind).expect("a layer");
        let name = format!("l{}", program.layers().len());
        program.layer(&name, kind, args, true).expect("its arguments")
    };
    let apply = |program: &mut Program, guard: &Guard, kind: &str, args: Vec<Expr>, inputs: Vec<Tensor>| {
        let layer = layer(program, kind, args);
        program.apply(guard.clone(), layer, inputs).expect("known tensors")
    };
    // Some nodes have one layer with the same weights in all cells.
    let mut again: Vec<Option<usize>> = vec![None; nodes.len()];
    let dense = |units: Expr| arguments("Dense", &[("units", units)], Expr::Constant);
    let only = |decision: usize, value: usize| Atom {
        decision,
        allowed: (0..SIZES[decision]).map(|other| other == value).collect(),
    };
    let mut flowing = apply(&mut program, &Vec::new(), "Input", constants(&[5, 3]), Vec::new());
    let mut before = flowing;
    for cell in 0..times {
        let mut tensors = vec![before, flowing];
        for (again, &(reads, does, what)) in again.iter_mut().zip(nodes) {
            let [reads, does] = [reads, does].map(|number| usize::from(number) % SIZES.len());
            let [chosen, made] = [program.tensor(), program.tensor()];
            program.read(Vec::new(), reads).expect("a known decision");
            for value in 0..SIZES[reads] {
                let source = tensors[(value + usize::from(what[0])) % tensors.len()];
                program
                    .alias(vec![only(reads, value)], source, chosen)
                    .expect("known tensors");
            }
            // Where a condition stands before it, a node may not be there at all.
            let outer: Guard = if what[1] < 40 { vec![only(reads, 0)] } else { Vec::new() };
            program.read(outer.clone(), does).expect("a known decision");
            for value in 0..SIZES[does] {
                let guard = [outer.as_slice(), &[only(does, value)]].concat();
                let out = match (usize::from(what[2]) + value) % 5 {
                    0 => chosen,
                    1 if what[2] >= 160 => {
                        let one = *again.get_or_insert_with(|| layer(&mut program, "Dense", dense(Expr::Constant(3))));
                        program.apply(guard.clone(), one, vec![chosen]).expect("known tensors")
                    }
                    1 => apply(
                        &mut program,
                        &guard,
                        "Dense",
                        dense(Expr::Incoming { axis: -1, hidden: 0 }),
                        vec![chosen],
                    ),
                    2 => apply(&mut program, &guard, "Dropout", Vec::new(), vec![chosen]),
                    3 => {
                        let wide = apply(&mut program, &guard, "Dense", dense(lookup(2)), vec![chosen]);
                        apply(&mut program, &guard, "Dense", dense(Expr::Constant(3)), vec![wide])
                    }
                    _ => flowing,
                };
                program.alias(guard, out, made).expect("known tensors");
            }
            let last = tensors[tensors.len() - 1 - usize::from(what[1]) % 2];
            if outer.is_empty() {
                tensors.push(apply(&mut program, &outer, "Add", Vec::new(), vec![last, made]));
            } else {
                let sum = apply(&mut program, &outer, "Add", Vec::new(), vec![last, made]);
                let met = program.tensor();
                let others = outer[0].allowed.iter().map(|allowed| !allowed).collect();
                program.alias(outer, sum, met).expect("known tensors");
                program
                    .alias(
                        vec![Atom {
                            decision: reads,
                            allowed: others,
                        }],
                        last,
                        met,
                    )
                    .expect("known tensors");
                tensors.push(met);
            }
        }
        let all = tensors[tensors.len() - 2..].to_vec();
        before = flowing;
        flowing = match end % 3 {
            0 => apply(&mut program, &Vec::new(), "Add", Vec::new(), all),
            1 => tensors[tensors.len() - 1],
            _ => {
                let both = apply(&mut program, &Vec::new(), "Concatenate", constants(&[-1]), all);
                apply(&mut program, &Vec::new(), "Dense", dense(Expr::Constant(3)), vec![both])
            }
        };
        if usize::from(width) % 4 == cell {
            let units = if twice < 128 {
                lookup(usize::from(width / 4 % 2) * 2)
            } else {
                Expr::Constant(3)
            };
            let guard = if twice % 2 == 0 { Vec::new() } else { vec![only(1, 0)] };
            let wide = apply(&mut program, &guard, "Dense", dense(units), vec![flowing]);
            apply(&mut program, &guard, "Dense", dense(Expr::Constant(3)), vec![wide]);
        }
    }
    program
}

/// A program of a few steps over four small decisions; whatever the instructions are, it is well formed. Where tensors
/// are `near` each other, a step reads some of the last ones, and mostly leaves the last side as it is.
pub fn build(instructions: &[Instruction], near: bool) -> Program {
    let mut program = empty();
    let mut layers: Vec<(usize, usize)> = Vec::new();
    let mut add = |program: &mut Program, kind: &str, args: Vec<Expr>| -> Option<usize> {
        let kind = Kind::named(kind).expect("a layer");
        let layer = program.layer(&format!("l{}", layers.len()), kind, args, true).ok()?;
        layers.push((layer, kind.inputs.0));
        Some(layer)
    };
    let input = add(&mut program, "Input", constants(&[5, 3])).expect("a shape");
    let mut tensors = vec![program.apply(Vec::new(), input, Vec::new()).expect("an input")];
    let mut states: Vec<Tensor> = Vec::new();
    for &(what, first, second, numbers, condition) in instructions {
        let seen = if near { tensors.len().min(4) } else { tensors.len() };
        let [one, two] = [first, second].map(|number| tensors[tensors.len() - seen + usize::from(number) % seen]);
        let guard = guard(condition);
        let size = if near && numbers[0] < 160 {
            Expr::Incoming { axis: -1, hidden: 0 }
        } else {
            expression(numbers)
        };
        let unary = |layer: Option<usize>| layer.map(|layer| (layer, vec![one]));
        let binary = |layer: Option<usize>| layer.map(|layer| (layer, vec![one, two]));
        let applied = match what % 12 {
            0..3 => {
                let given = [("units", size), ("use_bias", lookup(3))];
                unary(add(&mut program, "Dense", arguments("Dense", &given, Expr::Constant)))
            }
            3 => {
                let around = Expr::Constant(if numbers[3] % 2 == 0 { UNSET } else { 1 });
                let given = [
                    ("filters", Expr::Constant(2)),
                    ("kernel_size", size),
                    ("explicit_padding", around),
                ];
                unary(add(&mut program, "Conv1D", arguments("Conv1D", &given, Expr::Constant)))
            }
            4 => {
                let given = [("pool_size", size), ("ceil_mode", lookup(3))];
                unary(add(
                    &mut program,
                    "MaxPooling1D",
                    arguments("MaxPooling1D", &given, Expr::Constant),
                ))
            }
            5 => {
                let args = arguments("BatchNormalization", &[], Expr::Constant);
                unary(add(&mut program, "BatchNormalization", args))
            }
            6 if numbers[3] % 2 == 0 => unary(add(&mut program, "Dropout", Vec::new())),
            6 => {
                // A sequence whose last states are kept, perhaps begun with those of an earlier one.
                let given = [
                    ("units", size),
                    ("use_bias", lookup(3)),
                    ("return_sequences", Expr::Constant(1)),
                ];
                if let Some(layer) = add(&mut program, "LSTM", arguments("LSTM", &given, Expr::Constant)) {
                    let begun = states.len() >= 2 && numbers[3] < 128;
                    let from: &[Tensor] = if begun { &states[states.len() - 2..] } else { &[] };
                    let inputs = [&[one], from].concat();
                    let made = program.apply_for(guard.clone(), layer, inputs, 1 + usize::from(numbers[3] % 3));
                    let made = made.expect("known tensors");
                    tensors.extend(&made);
                    states.extend(&made[1..]);
                }
                None
            }
            7 => binary(add(&mut program, "Add", Vec::new())),
            8 => binary(add(&mut program, "Concatenate", constants(&[-1]))),
            9 => {
                // An earlier layer again: its weights are shared.
                let known = program.layers().len();
                let layer = usize::from(numbers[0]) % known;
                match program.layers()[layer].kind.inputs.0 {
                    0 => None,
                    1 => Some((layer, vec![one])),
                    _ => Some((layer, vec![one, two])),
                }
            }
            10 => {
                // Two branches meet: one tensor where the condition holds, another where it does not.
                let decision = usize::from(numbers[0]) % SIZES.len();
                let allowed: Values = (0..SIZES[decision]).map(|value| numbers[1] >> value & 1 == 1).collect();
                let others = allowed.iter().map(|allowed| !allowed).collect();
                let meeting = program.tensor();
                for (from, allowed) in [(one, allowed), (two, others)] {
                    let guard = vec![Atom { decision, allowed }];
                    program.alias(guard, from, meeting).expect("known tensors");
                }
                tensors.push(meeting);
                None
            }
            _ => {
                if numbers[3] < 128 {
                    let condition = Expr::Binary(Operator::AtMost, Box::new(lookup(0)), Box::new(lookup(2)));
                    program
                        .require(guard.clone(), condition, None, "d0 <= d2", numbers[3] < 64)
                        .expect("known decisions");
                } else {
                    let decision = usize::from(numbers[0]) % SIZES.len();
                    program.read(guard.clone(), decision).expect("a known decision");
                }
                None
            }
        };
        if let Some((layer, inputs)) = applied {
            tensors.push(program.apply(guard, layer, inputs).expect("known tensors"));
        }
    }
    program
}

/// Every combination of indices, and what it comes to alone.
pub fn enumerate(program: &Program) -> Vec<(Vec<u32>, Result<Trace>)> {
    let mut rows = vec![Vec::new()];
    for size in SIZES {
        rows = rows
            .into_iter()
            .flat_map(|row: Vec<u32>| (0..size as u32).map(move |value| [row.as_slice(), &[value]].concat()))
            .collect();
    }
    rows.into_iter().map(|row| (row.clone(), program.trace(&row))).collect()
}

/// The indices of a network, which of its decisions are active, and what it costs.
pub type Network = (Vec<u32>, Vec<bool>, Vec<i64>);

/// The networks, each once: the indices of its active decisions, and 0 for the others.
pub fn distinct(known: &[(Vec<u32>, Result<Trace>)]) -> BTreeSet<Network> {
    let built = known
        .iter()
        .filter_map(|(row, trace)| Some((row, trace.as_ref().ok()?)));
    built
        .map(|(row, trace)| {
            let indices = row
                .iter()
                .zip(&trace.active)
                .map(|(&index, &active)| if active { index } else { 0 });
            (indices.collect(), trace.active.clone(), trace.cost.clone())
        })
        .collect()
}

/// Bytes that a description is read from; beyond their end there are zeros.
#[derive(Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn next(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let n = self.0.len().min(N);
        taken[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        taken
    }
}
