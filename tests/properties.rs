//! Properties that hold for every layer and every program, checked on random ones.
//!
//! A random program is small enough to run each of its candidates alone ([`Program::trace`]); what the diagram says of
//! all of them, stored, implicit or open, must be the same.

#[allow(dead_code, unreachable_pub)]
mod programs;

use archbudget::diagram::{
    Column, Diagram, Evaluator, INVALID, Instructions, LayerTable, Limits, Output, Outputs, Range, Strided, Walk,
    Workers,
};
use archbudget::feasible::{Bound, Count, End, Feasible, MEMORY, Taken};
use archbudget::layers::{Arity, Domain, Formula, KINDS, Kind, MAX_RANK, Shape, UNKNOWN, UNSET};
use archbudget::space::{
    Action, Atom, BUILT_IN, BuiltIn, Combine, Expr, Guard, LayerTrace, Operator, Program, Settings, Tensor, Trace,
};
use archbudget::{ErrorKind, Result};
use num_bigint::BigUint;
use programs::case::{Case, bytes};
use programs::{
    NEVER, Network, Node, SIZES, build, cells, constants, distinct, enumerate, lookup, programs as any_program,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The same cases in every run.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}

const METRICS: usize = BUILT_IN.len();
const PEAK: usize = BuiltIn::PeakActivationBytes.index();

/// The program of one network: without decisions, only with the steps that it takes.
fn written_out(program: &Program, row: &[u32]) -> Program {
    fn number(expr: &Expr, row: &[u32]) -> Expr {
        match expr {
            Expr::Constant(_) | Expr::Incoming { .. } => expr.clone(),
            Expr::Lookup { decision, values } => Expr::Constant(values[row[*decision] as usize]),
            Expr::Binary(operator, a, b) => Expr::Binary(*operator, Box::new(number(a, row)), Box::new(number(b, row))),
        }
    }
    let mut written = Program::new(Settings {
        bytes_per_weight: 4,
        bytes_per_activation: 2,
        in_place: true,
    });
    for layer in program.layers() {
        let args = layer.args.iter().map(|arg| number(arg, row)).collect();
        written
            .layer(
                &layer.name,
                &layer.kind,
                args,
                number(&layer.trainable, row) != Expr::Constant(0),
            )
            .expect("its arguments");
    }
    let mut names: HashMap<Tensor, Tensor> = HashMap::new();
    for step in program.steps() {
        if !step.guard.iter().all(|atom| atom.allowed[row[atom.decision] as usize]) {
            continue;
        }
        match &step.action {
            Action::Layer {
                layer,
                inputs,
                output,
                extra,
            } => {
                let inputs = inputs.iter().map(|input| names[input]).collect();
                let made = written.apply_for(Vec::new(), *layer, inputs, 1 + extra.len());
                names.extend(
                    [output]
                        .into_iter()
                        .chain(extra)
                        .copied()
                        .zip(made.expect("known tensors")),
                );
            }
            Action::Alias { from, to } => {
                names.insert(*to, names[from]);
            }
            Action::Return { outputs } => {
                let there = outputs.iter().filter_map(|output| names.get(output).copied());
                written.returns(there.collect()).expect("known tensors");
            }
            Action::Require { .. } | Action::Read { .. } | Action::Wait { .. } => {}
        }
    }
    written
}

/// The tensors that a layer wrote.
fn written_by(layer: &LayerTrace) -> impl Iterator<Item = (Tensor, Shape)> + '_ {
    [(layer.output, layer.output_shape)]
        .into_iter()
        .chain(layer.extra.iter().copied())
}

/// The ways to keep a diagram: all arcs stored, none, and none even looked at from some stage on.
fn all_limits() -> [Limits; 8] {
    let default = Limits::default();
    [
        default,
        Limits { stored: 0, ..default },
        Limits { stored: 4, ..default },
        Limits { visited: 5, ..default },
        Limits { nodes: 1, ..default },
        Limits { nodes: 3, ..default },
        Limits { memory: 600, ..default },
        Limits {
            memory: 4000,
            ..default
        },
    ]
}

fn workers(threads: usize) -> Workers<'static> {
    Workers {
        threads,
        interrupt: NEVER,
    }
}

fn columns(known: &[(Vec<u32>, Result<Trace>)]) -> Vec<Vec<u8>> {
    (0..SIZES.len())
        .map(|decision| known.iter().map(|(row, _)| row[decision] as u8).collect())
        .collect()
}

fn as_columns(columns: &[Vec<u8>]) -> Vec<Column<'_>> {
    columns
        .iter()
        .map(|column| Column::U8(Strided::new(column, 0, 1, column.len())))
        .collect()
}

/// The diagrams of a program under all limits. Where no network can be built there is none, unless it is open.
fn diagrams(program: &Program, known: &[(Vec<u32>, Result<Trace>)]) -> Vec<Diagram> {
    let mut diagrams = Vec::new();
    for limits in all_limits() {
        match Diagram::compile(program.clone(), limits, NEVER) {
            Ok(diagram) => diagrams.push(diagram),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Layer, "{error}");
                assert!(known.iter().all(|(_, trace)| trace.is_err()), "{error}");
            }
        }
    }
    diagrams
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn all_instructions_layouts_and_outputs_say_the_same(
        program in any_program(),
        ranges in vec((0..METRICS, 0..=8_usize, 0..=8_usize), 0..4),
        rows in 0..2500_usize,
    ) {
        let known = enumerate(&program);
        let picked: Vec<_> = (0..rows).map(|row| &known[(row * 7 + row / 5) % known.len()]).collect();
        let wide = SIZES.len() + 2;
        let mut by_row = vec![0_u8; rows * wide + 1];
        let mut halves = vec![vec![0_u16; rows]; SIZES.len()];
        for (row, (choices, _)) in picked.iter().enumerate() {
            for (decision, &choice) in choices.iter().enumerate() {
                by_row[row * wide + 1 + decision] = choice as u8;
                halves[decision][row] = choice as u16;
            }
        }
        let in_rows = (0..SIZES.len()).map(|decision| {
            let first = &by_row[(1 + decision).min(by_row.len())..];
            Column::U8(Strided::new(first, 0, wide as isize, rows))
        });
        let in_rows: Vec<_> = in_rows.collect();
        let in_columns: Vec<_> = halves.iter().map(|column| Column::U16(Strided::new(column, 0, 1, rows))).collect();
        let cost = |row: usize, metric: usize| picked[row].1.as_ref().map_or(INVALID, |trace| trace.cost[metric]);
        // Bounds at the costs of some candidates, so that they tell them apart.
        let bound = |metric: usize, place: usize| cost(place * rows.saturating_sub(1) / 8, metric);
        let ranges: Vec<_> = ranges
            .into_iter()
            .filter(|_| rows > 0)
            .map(|(metric, low, high)| Range { metric, low: bound(metric, low), high: bound(metric, high) })
            .collect();
        let kept = |row: usize| picked[row].1.is_ok()
            && ranges.iter().all(|range| (range.low..=range.high).contains(&cost(row, range.metric)));
        let expected: Vec<bool> = (0..rows).map(kept).collect();
        for diagram in diagrams(&program, &known) {
            for instructions in Instructions::all() {
                let evaluator = Evaluator::with(&diagram, instructions).unwrap();
                for given in [&in_rows, &in_columns] {
                    let mut mask = vec![true; rows];
                    let count = evaluator.fit(&diagram, given, rows, &ranges, Some(&mut mask), workers(2)).unwrap();
                    prop_assert_eq!(&mask, &expected);
                    prop_assert_eq!(count, expected.iter().filter(|&&kept| kept).count());
                    prop_assert_eq!(evaluator.fit(&diagram, given, rows, &ranges, None, workers(1)).unwrap(), count);
                    for metric in 0..METRICS {
                        let mut totals = vec![0; rows];
                        let outputs = Outputs { totals: vec![Output::U32(&mut totals)], valid: None };
                        let done = evaluator.evaluate(&diagram, given, rows, &[metric], outputs, workers(1));
                        prop_assert_eq!(done.is_ok(), evaluator.is_narrow(metric));
                        for (row, &total) in totals.iter().enumerate().filter(|_| done.is_ok()) {
                            prop_assert_eq!(total, u32::try_from(cost(row, metric)).unwrap_or(u32::MAX));
                        }
                    }
                }
            }
        }
    }
}

/// Holds what a diagram says of each candidate, by itself and in a batch, against the first metrics of its trace.
fn cost_the_same_as_alone(
    diagram: &Diagram,
    known: &[(Vec<u32>, Result<Trace>)],
    metrics: usize,
) -> std::result::Result<(), TestCaseError> {
    let mut costs = vec![vec![0; known.len()]; metrics];
    let mut valid = vec![false; known.len()];
    let outputs = Outputs {
        totals: costs.iter_mut().map(|costs| Output::I64(costs)).collect(),
        valid: Some(&mut valid),
    };
    let asked: Vec<usize> = (0..metrics).collect();
    let data = columns(known);
    Evaluator::new(diagram)
        .unwrap()
        .evaluate(diagram, &as_columns(&data), known.len(), &asked, outputs, workers(1))
        .unwrap();
    for (position, (row, trace)) in known.iter().enumerate() {
        let choices: Vec<_> = row.iter().copied().map(Some).collect();
        let alone = trace.as_ref().ok().map(|trace| trace.cost[..metrics].to_vec());
        prop_assert_eq!(&diagram.cost(&choices).unwrap(), &alone, "{:?}", row);
        prop_assert_eq!(valid[position], alone.is_some(), "{:?}", row);
        let together: Vec<i64> = costs.iter().map(|costs| costs[position]).collect();
        prop_assert_eq!(together, alone.unwrap_or_else(|| vec![INVALID; metrics]), "{:?}", row);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn candidates_cost_the_same_together_as_alone(program in any_program()) {
        let known = enumerate(&program);
        for diagram in diagrams(&program, &known) {
            cost_the_same_as_alone(&diagram, &known, METRICS)?;
        }
    }

    #[test]
    fn without_peaks_all_else_is_the_same(program in any_program()) {
        let known = enumerate(&program);
        let without = program.without_peaks().expect("no function gives metrics");
        let there: Vec<&Trace> = known.iter().filter_map(|(_, trace)| trace.as_ref().ok()).collect();
        let whole = Diagram::compile(program.clone(), Limits::default(), NEVER);
        for diagram in diagrams(&without, &known) {
            prop_assert!(diagram.program().metric("peak_activation_bytes").is_err());
            cost_the_same_as_alone(&diagram, &known, PEAK)?;
            let (Ok(size), Ok(whole)) = (diagram.size(NEVER), &whole) else { continue };
            prop_assert_eq!(&size, &whole.size(NEVER).unwrap());
            for metric in 0..PEAK {
                let own = || there.iter().map(|trace| trace.cost[metric]);
                let range = diagram.range(metric, NEVER).unwrap();
                prop_assert_eq!(range, (own().min().unwrap(), own().max().unwrap()));
            }
        }
    }

    #[test]
    fn the_peak_is_that_of_the_finished_network(program in any_program()) {
        for (row, trace) in enumerate(&program) {
            let Ok(trace) = trace else { continue };
            prop_assert_eq!(&written_out(&program, &row).trace(&[]).unwrap().cost, &trace.cost, "{:?}", row);
            let name = |tensor: Tensor| {
                let mut name = tensor;
                // A name is given after that which it is given to.
                for &(from, to) in trace.aliases.iter().rev() {
                    if to == name {
                        name = from;
                    }
                }
                name
            };
            let returned = program.steps().iter().rev().find_map(|step| match &step.action {
                Action::Return { outputs } => Some(outputs),
                _ => None,
            });
            let outputs: HashSet<Tensor> = returned.expect("a last step").iter().map(|&output| name(output)).collect();
            let mut peak = 0;
            for (number, layer) in trace.layers.iter().enumerate() {
                let own: HashSet<Tensor> = layer.inputs.iter().map(|&input| name(input)).collect();
                let later = trace.layers[number + 1..].iter().flat_map(|layer| &layer.inputs);
                let later: HashSet<Tensor> = later.map(|&input| name(input)).chain(outputs.iter().copied()).collect();
                let size = |shape: Shape| shape.elements().unwrap();
                let there: Vec<_> = trace.layers[..number].iter().flat_map(written_by).collect();
                let waits = there.iter().filter(|(tensor, _)| own.contains(tensor) || later.contains(tensor));
                let mut dies = there.iter().filter(|(tensor, _)| own.contains(tensor) && !later.contains(tensor));
                let mut elements: i64 = waits.map(|(_, shape)| size(*shape)).sum();
                let in_place = program.layers()[layer.layer].kind.in_place;
                let made: i64 = written_by(layer).map(|(_, shape)| size(shape)).sum();
                if !(in_place && dies.any(|(_, shape)| size(*shape) >= made)) {
                    elements += made;
                }
                prop_assert_eq!(layer.cost[PEAK], 2 * elements, "{:?} {}", row, number);
                peak = peak.max(2 * elements);
            }
            prop_assert_eq!(trace.cost[PEAK], peak, "{:?}", row);
        }
    }

    #[test]
    fn each_metric_is_counted_alone_as_with_the_others(program in any_program(), metric in 0..METRICS) {
        let known = enumerate(&program);
        let data = columns(&known);
        for diagram in diagrams(&program, &known) {
            let mut costs = vec![0; known.len()];
            let outputs = Outputs { totals: vec![Output::I64(&mut costs)], valid: None };
            Evaluator::new(&diagram)
                .unwrap()
                .evaluate(&diagram, &as_columns(&data), known.len(), &[metric], outputs, workers(2))
                .unwrap();
            for (position, (row, trace)) in known.iter().enumerate() {
                let alone = trace.as_ref().map_or(INVALID, |trace| trace.cost[metric]);
                prop_assert_eq!(costs[position], alone, "{:?}", row);
            }
        }
    }

    #[test]
    fn layers_cost_the_same_together_as_alone(program in any_program()) {
        let known = enumerate(&program);
        let data = columns(&known);
        let layers = program.layers().len();
        let metrics: Vec<usize> = (0..METRICS).collect();
        let Ok(diagram) = Diagram::compile(program, Limits::default(), NEVER) else { return Ok(()) };
        let mut costs = vec![vec![0; known.len() * layers]; METRICS];
        let mut shapes = vec![0; known.len() * layers * MAX_RANK];
        let table = LayerTable {
            costs: costs.iter_mut().map(Vec::as_mut_slice).collect(),
            shapes: &mut shapes,
        };
        Evaluator::evaluate_layers(&diagram, &as_columns(&data), &metrics, table, workers(1)).unwrap();
        for (position, (row, trace)) in known.iter().enumerate() {
            let Ok(trace) = trace else { continue };
            let mut expected = vec![vec![0; layers]; METRICS];
            let mut sides = vec![Vec::new(); layers];
            for layer in &trace.layers {
                for (metric, expected) in expected.iter_mut().enumerate() {
                    let cost = &mut expected[layer.layer];
                    *cost = match BUILT_IN[metric].combine {
                        Combine::Sum => *cost + layer.cost[metric],
                        Combine::Max => layer.cost[metric].max(*cost),
                    };
                }
                sides[layer.layer] = layer.output_shape.to_vec();
            }
            for (metric, expected) in expected.iter().enumerate() {
                prop_assert_eq!(&costs[metric][position * layers..][..layers], &expected[..], "{:?}", row);
            }
            for (layer, sides) in sides.iter().enumerate() {
                let written = &shapes[(position * layers + layer) * MAX_RANK..][..MAX_RANK];
                prop_assert_eq!(&written[..sides.len()], &sides[..], "{:?}", row);
                prop_assert!(written[sides.len()..].iter().all(|&side| side == 0), "{:?}", row);
            }
        }
    }

    #[test]
    fn the_size_is_the_number_of_distinct_networks(program in any_program()) {
        let known = enumerate(&program);
        let networks = distinct(&known);
        for diagram in diagrams(&program, &known) {
            match diagram.size(NEVER) {
                Ok(size) => prop_assert_eq!(size, networks.len().into()),
                Err(error) => prop_assert_eq!(error.kind, ErrorKind::Limit),
            }
        }
    }

    #[test]
    fn a_product_is_the_number_of_distinct_networks(program in any_program()) {
        let program = program.without_peaks().expect("no custom metrics");
        if let Some(product) = program.product(NEVER).expect("never interrupted") {
            prop_assert_eq!(product, BigUint::from(distinct(&enumerate(&program)).len()));
        }
    }

    #[test]
    fn the_range_of_a_metric_is_that_of_all_networks(program in any_program()) {
        let known = enumerate(&program);
        let networks = distinct(&known);
        for diagram in diagrams(&program, &known) {
            for metric in 0..METRICS {
                let costs = networks.iter().map(|(_, _, cost)| cost[metric]);
                match diagram.range(metric, NEVER) {
                    Ok(range) => prop_assert_eq!(Some(range), costs.clone().min().zip(costs.max())),
                    Err(error) => prop_assert_eq!(error.kind, ErrorKind::Limit),
                }
            }
        }
    }

    #[test]
    fn samples_are_networks(program in any_program(), seed: u64) {
        let known = enumerate(&program);
        let networks: BTreeSet<Vec<u32>> = distinct(&known).into_iter().map(|(row, ..)| row).collect();
        if networks.is_empty() {
            return Ok(());
        }
        for diagram in diagrams(&program, &known) {
            let mut drawn = vec![0_u8; 50 * SIZES.len()];
            diagram.sample(seed, 50, &mut drawn, workers(1)).unwrap();
            for row in 0..50 {
                let row: Vec<u32> = (0..SIZES.len()).map(|decision| drawn[decision * 50 + row].into()).collect();
                prop_assert!(networks.contains(&row), "{:?}", row);
            }
        }
    }

    #[test]
    fn a_walk_asks_for_the_active_decisions(program in any_program()) {
        for (row, trace) in enumerate(&program) {
            let mut asked = vec![false; SIZES.len()];
            let mut walk = Walk::new(&program);
            while let Ok(Some(decision)) = walk.as_ref().map(Walk::open) {
                prop_assert!(!asked[decision]);
                asked[decision] = true;
                walk = walk.and_then(|mut walk| walk.choose(&program, row[decision]).map(|()| walk));
            }
            match trace {
                Ok(trace) => {
                    prop_assert_eq!(walk.unwrap().cost().map(<[i64]>::to_vec), Some(trace.cost));
                    prop_assert_eq!(asked, trace.active);
                }
                Err(error) => prop_assert_eq!(walk.map(|_| ()).unwrap_err(), error),
            }
        }
    }

    #[test]
    fn the_order_of_the_layers_changes_no_network(program in any_program()) {
        let known = enumerate(&program);
        if let Some(diagram) = diagrams(&program, &known).first() {
            for (row, trace) in &known {
                let (again, trace) = (diagram.running().trace(row), trace.as_ref());
                prop_assert_eq!(again.is_ok(), trace.is_ok(), "{:?}", row);
                if let (Ok(again), Ok(trace)) = (again, trace) {
                    prop_assert_eq!((&again.cost, &again.active), (&trace.cost, &trace.active), "{:?}", row);
                    let sorted = |trace: &Trace| {
                        let mut layers: Vec<_> = trace.layers.iter().map(|layer| format!("{layer:?}")).collect();
                        layers.sort();
                        layers
                    };
                    prop_assert_eq!(sorted(&again), sorted(trace), "{:?}", row);
                }
            }
        }
    }

    #[test]
    fn feasible_sets_are_those_of_all_networks(
        program in any_program(),
        picks in vec((0..METRICS, any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3_u8), 1..3),
    ) {
        let known = enumerate(&program);
        let networks = distinct(&known);
        if networks.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = networks.into_iter().collect();
        let mut bounds: Vec<Bound> = Vec::new();
        for (metric, one, two, open) in picks {
            let [one, two] = [one.get(&all).2[metric], two.get(&all).2[metric]];
            let (low, high) = (one.min(two), one.max(two));
            let bound = match open {
                0 => Bound { metric, low: 0, high },
                1 => Bound { metric, low, high: i64::MAX },
                _ => Bound { metric, low, high },
            };
            if bounds.iter().all(|other| other.metric != metric) {
                bounds.push(bound);
            }
        }
        let keeps = |cost: &[i64]| bounds.iter().all(|bound| (bound.low..=bound.high).contains(&cost[bound.metric]));
        let fitting: Vec<_> = all.iter().filter(|(_, _, cost)| keeps(cost)).collect();
        for diagram in diagrams(&program, &known) {
            let diagram = Arc::new(diagram);
            for memory in [MEMORY, 1000] {
                let fits = Feasible::new(Arc::clone(&diagram), bounds.clone(), memory);
                let found = fits.and_then(|fits| Ok((fits.count(NEVER)?, fits)));
                let (count, fits) = match found {
                    Ok(found) => found,
                    Err(error) => {
                        prop_assert_eq!(error.kind, ErrorKind::Limit);
                        continue;
                    }
                };
                let n = BigUint::from(fitting.len());
                prop_assert!(*count.lower() <= n && n <= *count.upper());
                prop_assert_eq!(fits.is_empty(NEVER).unwrap(), fitting.is_empty());
                if fits.is_exact(NEVER).unwrap() {
                    prop_assert_eq!(&count, &Count::Exact(n));
                    members_are(&fits, &fitting)?;
                }
                // Down to the last network: what is allowed at each of its decisions?
                let (row, ..) = &all[all.len() - 1];
                let (mut prefix, mut taken) = (Vec::new(), Vec::new());
                while let Some((decision, allowed)) = fits.allowed(Taken::InOrder(&prefix), NEVER).unwrap() {
                    for (value, &allowed) in allowed.iter().enumerate() {
                        let agrees = |network: &Network| {
                            let chosen = taken.iter().copied().chain([(decision, value as u32)]);
                            chosen.clone().all(|(decision, value): (usize, u32)| {
                                network.1[decision] && network.0[decision] == value
                            })
                        };
                        let expected = fitting.iter().any(|network| agrees(network));
                        prop_assert_eq!(allowed, expected, "{:?} {}", taken, value);
                    }
                    prefix.push(row[decision]);
                    taken.push((decision, row[decision]));
                }
            }
        }
    }
}

/// Holds the members, ranks, marginals, extremes and samples of a set against the networks that fit.
fn members_are(fits: &Feasible, fitting: &[&Network]) -> std::result::Result<(), TestCaseError> {
    let n = fitting.len();
    let decisions = fits.diagram().program().decisions();
    let workers = Workers {
        threads: 2,
        interrupt: NEVER,
    };
    let shown = |network: &Network| -> Vec<u32> {
        let own = network.0.iter().zip(&network.1);
        own.map(|(&index, &active)| if active { index } else { 0 }).collect()
    };
    let expected: HashSet<Vec<u32>> = fitting.iter().map(|network| shown(network)).collect();
    let rows = |columns: &[u32], n: usize| -> Vec<Vec<u32>> {
        (0..n)
            .map(|row| (0..decisions.len()).map(|column| columns[column * n + row]).collect())
            .collect()
    };
    let mut columns = vec![7_u32; n * decisions.len()];
    fits.members(&0_u8.into(), n, &mut columns, workers).unwrap();
    let members = rows(&columns, n);
    prop_assert_eq!(&members.iter().cloned().collect::<HashSet<_>>(), &expected);
    for (rank, member) in members.iter().enumerate() {
        prop_assert_eq!(fits.rank(member, NEVER).unwrap(), Some(rank.into()));
    }
    let marginals = fits.marginals(NEVER).unwrap();
    for (decision, counts) in marginals.counts.iter().enumerate() {
        for (value, count) in (0..).zip(counts) {
            let taken = fitting
                .iter()
                .filter(|network| network.1[decision] && network.0[decision] == value);
            prop_assert_eq!(count, &taken.count().into());
        }
    }
    for metric in 0..METRICS {
        let costs = || fitting.iter().map(|network| network.2[metric]);
        for (end, cost) in [(End::Smallest, costs().min()), (End::Largest, costs().max())] {
            let found = fits.extreme(metric, end, NEVER).unwrap();
            let own = found.map(|found| fitting.iter().find(|network| shown(network) == found).unwrap().2[metric]);
            prop_assert_eq!(own, cost);
        }
    }
    if n > 0 {
        let mut columns = vec![7_u32; 20 * decisions.len()];
        fits.sample(3, 20, &mut columns, workers).unwrap();
        for row in rows(&columns, 20) {
            prop_assert!(expected.contains(&row));
        }
    }
    Ok(())
}

/// Values of the hyperparameters of a layer, most of them small; and shapes for as many inputs as it takes.
fn layer_of(kind: &'static Kind) -> impl Strategy<Value = (Vec<i64>, Vec<Shape>)> {
    let number = prop_oneof![8 => 1_i64..6, 1 => 1_i64..1 << 20, 1 => i64::MAX / 2..i64::MAX];
    let mut args: Vec<BoxedStrategy<i64>> = Vec::new();
    for parameter in &*kind.parameters {
        let one = match parameter.domain {
            Domain::Int(least) if least < 0 => (least.max(-4)..5).boxed(),
            Domain::Int(_) => number.clone().boxed(),
            Domain::OptionalInt(_) => prop_oneof![Just(UNSET), number.clone()].boxed(),
            Domain::Flag => (0_i64..2).boxed(),
            Domain::Keyword(words) => (0..words.len() as i64).boxed(),
            Domain::OptionalFactor => {
                prop_oneof![Just(UNSET), (0.01..4.0f64).prop_map(|by| by.to_bits().cast_signed())].boxed()
            }
            Domain::OptionalKeyword(words) => prop_oneof![Just(UNSET), 0..words.len() as i64].boxed(),
        };
        // Most arguments are left out, so that most layers are taken.
        let one = match parameter.default {
            Some(default) => prop_oneof![2 => Just(default), 1 => one].boxed(),
            None => one,
        };
        let n = match parameter.arity {
            Arity::One => 1,
            Arity::Each(n) => n,
            Arity::Any => 2,
        };
        args.extend(std::iter::repeat_n(one, n));
    }
    let inputs = match kind.inputs {
        (least, usize::MAX) => least.max(1)..=least + 1,
        (least, most) => least..=most,
    };
    let side = prop_oneof![8 => 1_i64..9, 1 => 1_i64..1 << 40];
    let shape = vec(side, 0..5).prop_map(|sides| Shape::new(&sides));
    // Tensors that are joined have mostly one shape.
    let shapes = (shape.clone(), vec((shape, any::<bool>()), inputs)).prop_map(|(first, others)| {
        others
            .into_iter()
            .map(|(own, same)| if same { first } else { own })
            .collect()
    });
    (args, shapes)
}

/// Layers whose arguments have to fit together, so that hardly any draw is taken; `vectors.rs` has cases of them.
const RARELY_TAKEN: [&str; 6] = [
    "ConvLSTM3D",
    "EinsumDense",
    "Fold",
    "FractionalMaxPooling2D",
    "FractionalMaxPooling3D",
    "MultiHeadAttention",
];

#[test]
fn the_formula_of_a_cost_has_its_value() {
    for kind in KINDS {
        let taken = Cell::new(0);
        proptest!(config(4000), |((args, shapes) in layer_of(kind))| {
            if let Ok(output) = kind.output(&args, &shapes) {
                taken.set(taken.get() + 1);
                for shape in kind.extra(&args, &shapes).into_iter().flatten().chain([output]) {
                    let known = |&side: &i64| side >= 1 || (kind.name == "Input" && side == UNKNOWN);
                    prop_assert!(shape.iter().all(known), "{} {:?}", kind.name, shape);
                }
                let cost = kind.cost(&args, &shapes, &output);
                let formula = kind.explain(&args, &shapes, &output);
                prop_assert_eq!(formula.trainable.value(), cost.trainable.0);
                prop_assert_eq!(formula.non_trainable.value(), cost.non_trainable.0);
                prop_assert_eq!(formula.macs.value(), cost.macs.0);
                let sides: Vec<_> = kind.sides(&args, &shapes, &output).iter().map(Formula::value).collect();
                prop_assert!(output.has_unknown() || sides == output[..], "{} {:?} {:?}", kind.name, sides, output);
            }
        });
        assert!(
            taken.get() >= 20 || RARELY_TAKEN.contains(&&*kind.name),
            "{} {taken:?}",
            kind.name
        );
    }
}

#[test]
fn large_numbers_are_counted_or_overflow() {
    let large = prop_oneof![1_i64..100, 1_i64 << 20..1 << 33, i64::MAX - 5..=i64::MAX];
    proptest!(config(500), |(sides in vec(large.clone(), 1..3), units in vec(large, 1..4))| {
        let mut program = Program::new(Settings { bytes_per_weight: 1, bytes_per_activation: 1, in_place: true });
        let values: Arc<[i64]> = units.into();
        let decision = program.decision("units", values.len()).unwrap();
        let units = Expr::Lookup { decision, values: Arc::clone(&values) };
        let input = program.layer("input", Kind::named("Input").unwrap(), constants(&sides), true).unwrap();
        let args = vec![units, Expr::Constant(1), Expr::Constant(UNSET)];
        let dense = program.layer("dense", Kind::named("Dense").unwrap(), args, true).unwrap();
        let tensor = program.apply(Vec::new(), input, Vec::new()).unwrap();
        program.apply(Vec::new(), dense, vec![tensor]).unwrap();

        let wide = |numbers: &[i64]| numbers.iter().try_fold(1_i128, |product, &n| product.checked_mul(n.into()));
        let mut fits = true;
        for (index, &units) in values.iter().enumerate() {
            let (last, others) = sides.split_last().unwrap();
            let exact = (|| {
                let elements = wide(&sides)?;
                let output = wide(others)?.checked_mul(units.into())?;
                let macs = elements.checked_mul(units.into())?;
                let params = (i128::from(*last) + 1).checked_mul(units.into())?;
                let peak = elements.checked_add(output)?;
                [params, params, macs, params, peak].map(|cost| i64::try_from(cost).ok()).into_iter().collect::<Option<Vec<_>>>()
            })();
            // 2^63 - 1 itself stands for what is too large.
            let exact = exact.filter(|costs| !costs.contains(&i64::MAX));
            fits &= exact.is_some();
            match program.trace(&[index as u32]) {
                Ok(trace) => prop_assert_eq!(Some(trace.cost), exact),
                Err(error) => {
                    prop_assert_eq!(error.kind, ErrorKind::Overflow);
                    prop_assert!(exact.is_none());
                }
            }
        }
        match Diagram::compile(program, Limits::default(), NEVER) {
            Ok(_) => prop_assert!(fits),
            Err(error) => {
                prop_assert_eq!(error.kind, ErrorKind::Overflow);
                prop_assert!(!fits);
            }
        }
    });
}

#[test]
fn names_of_names_are_followed_however_many_ways_there_are() {
    // Each node picks one before it and hands it on, or what a layer makes of it: the ways from one to the last are
    // doubled by each.
    let mut program = Program::new(Settings {
        bytes_per_weight: 4,
        bytes_per_activation: 2,
        in_place: true,
    });
    let nodes = 14;
    let layer = |program: &mut Program, guard: &Guard, kind: &str, args: Vec<Expr>, inputs: Vec<Tensor>| {
        let name = format!("l{}", program.layers().len());
        let layer = program
            .layer(&name, Kind::named(kind).expect("a layer"), args, true)
            .expect("its arguments");
        program.apply(guard.clone(), layer, inputs).expect("known tensors")
    };
    let dense = constants(&[3, 1, UNSET]);
    let mut tensors = vec![layer(
        &mut program,
        &Vec::new(),
        "Input",
        constants(&[5, 3]),
        Vec::new(),
    )];
    for node in 0..nodes {
        let only = |decision, value, size| Atom {
            decision,
            allowed: (0..size).map(|other| other == value).collect(),
        };
        let size = tensors.len();
        let reads = program.decision(&format!("reads_{node}"), size).expect("a new name");
        let does = program.decision(&format!("does_{node}"), 2).expect("a new name");
        let [chosen, made] = [program.tensor(), program.tensor()];
        for (value, &tensor) in tensors.iter().enumerate() {
            program
                .alias(vec![only(reads, value, size)], tensor, chosen)
                .expect("known tensors");
        }
        let guard = vec![only(does, 1, 2)];
        let new = layer(&mut program, &guard, "Dense", dense.clone(), vec![chosen]);
        program.alias(guard, new, made).expect("known tensors");
        program
            .alias(vec![only(does, 0, 2)], chosen, made)
            .expect("known tensors");
        tensors.push(made);
    }
    layer(&mut program, &Vec::new(), "Dense", dense, vec![tensors[nodes]]);
    let limits = Limits {
        visited: 1000,
        ..Limits::default()
    };
    let diagram = Diagram::compile(program.clone(), limits, NEVER).expect("networks");
    proptest!(config(200), |(numbers in vec(any::<u32>(), 2 * nodes))| {
        let sizes = program.decisions().iter().map(|decision| decision.size as u32);
        let row: Vec<u32> = numbers.iter().zip(sizes).map(|(&number, size)| number % size).collect();
        let cost = program.trace(&row).unwrap().cost;
        prop_assert_eq!(&written_out(&program, &row).trace(&[]).unwrap().cost, &cost);
        let choices: Vec<_> = row.iter().copied().map(Some).collect();
        prop_assert_eq!(diagram.cost(&choices).unwrap(), Some(cost));
    });
}

#[test]
fn most_programs_have_networks_and_many_have_candidates_that_cannot_be_built() {
    let mut runner = TestRunner::new(config(1));
    let strategy = any_program();
    let (mut some, mut mixed) = (0, 0);
    for _ in 0..300 {
        let known = enumerate(&strategy.new_tree(&mut runner).expect("a program").current());
        let built = known.iter().filter(|(_, trace)| trace.is_ok()).count();
        some += usize::from(built > 0);
        mixed += usize::from(built > 0 && built < known.len());
    }
    assert!(some > 150, "{some}");
    assert!(mixed > 30, "{mixed}");
}

#[test]
fn the_size_of_several_programs_is_a_product() {
    let mut runner = TestRunner::new(config(0));
    let products = (0..300).filter(|_| {
        let program = any_program().new_tree(&mut runner).expect("a program").current();
        let program = program.without_peaks().expect("no custom metrics");
        let product = program.product(NEVER).expect("never interrupted");
        product.is_some_and(|product| product > BigUint::from(1_u8))
    });
    assert!(products.count() > 5);
}

#[test]
fn layers_of_cells_that_share_decisions_are_often_taken_ahead() {
    let mut runner = TestRunner::new(config(1));
    let strategy = (vec(any::<Node>(), 2..4), any::<[u8; 3]>());
    let mut ahead = 0;
    for _ in 0..300 {
        let (nodes, last) = strategy.new_tree(&mut runner).expect("a value").current();
        if let Ok(diagram) = Diagram::compile(cells(&nodes, 3, last), Limits::default(), NEVER) {
            ahead += usize::from(!std::ptr::eq(diagram.running(), diagram.program()));
        }
    }
    assert!(ahead > 60, "{ahead}");
}

#[test]
fn a_constraint_cannot_read_the_input_of_a_layer() {
    let mut program = build(&[], false);
    let condition = Expr::Binary(
        Operator::AtMost,
        Box::new(lookup(0)),
        Box::new(Expr::Incoming { axis: -1, hidden: 0 }),
    );
    let error = program
        .require(Vec::new(), condition, None, "d0 <= channels()", true)
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Argument);
}

#[test]
fn a_constraint_that_does_not_ask_holds_where_a_decision_is_not_taken() {
    let mut program = build(&[], false);
    let taken = |first: bool| -> Vec<bool> { (0..SIZES[1]).map(|value| (value == 0) == first).collect() };
    let branch = |first: bool| {
        vec![Atom {
            decision: 1,
            allowed: taken(first).into(),
        }]
    };
    program.read(Vec::new(), 0).expect("a known decision");
    program.read(branch(true), 2).expect("a known decision");
    let condition = Expr::Binary(Operator::Less, Box::new(lookup(0)), Box::new(lookup(2)));
    program
        .require(Vec::new(), condition, None, "d0 < d2", false)
        .expect("known decisions");
    let (mut refused, mut inactive) = (0, 0);
    for (row, trace) in enumerate(&program) {
        match trace {
            Ok(trace) => inactive += usize::from(!trace.active[2]),
            Err(error) => {
                assert_eq!((error.kind, row[1]), (ErrorKind::Layer, 0));
                assert!(
                    error.message.starts_with("the constraint d0 < d2 is not met"),
                    "{error}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && inactive > 0);
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn paths_along_the_listed_arcs_are_the_networks(program in any_program()) {
        let known = enumerate(&program);
        for diagram in diagrams(&program, &known) {
            let arcs = match diagram.arcs(usize::MAX) {
                Ok(arcs) => arcs,
                Err(error) => {
                    prop_assert_eq!(error.kind, ErrorKind::Limit);
                    prop_assert!(diagram.size(NEVER).is_err());
                    continue;
                }
            };
            prop_assert_eq!(arcs.len(), diagram.stages().map(|(_, _, arcs)| arcs).sum::<usize>());
            prop_assert_eq!(diagram.arcs(arcs.len().wrapping_sub(1)).is_err(), !arcs.is_empty());
            prop_assert_eq!(diagram.memory() > 0, !arcs.is_empty() || diagram.terminal() == 0);
            let mut paths = vec![0_u64; diagram.terminal() as usize + 1];
            paths[0] = 1;
            for (from, to, _, cost) in arcs {
                if let Some(to) = to {
                    prop_assert!(to > from && cost.iter().all(|&cost| cost >= 0));
                    paths[to as usize] += paths[from as usize];
                }
            }
            prop_assert_eq!(paths[diagram.terminal() as usize], distinct(&known).len() as u64);
        }
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn every_answer_of_a_set_is_right_with_any_memory(bytes in bytes()) {
        Case::of(&bytes).check();
    }
}

#[test]
fn found_cases_hold() {
    // What the fuzzing found, shrunk.
    for case in include_str!("programs/found.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let bytes: Vec<u8> = (0..case.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&case[at..at + 2], 16).unwrap())
            .collect();
        let mut case = Case::of(&bytes);
        case.patience = Duration::from_secs(600);
        let done = case.check();
        assert!(done.budgets > 0 && done.slow == 0, "{done}");
    }
}
