//! Micro-benchmarks of the passes: `cargo bench`.
#![allow(missing_docs)] // criterion's macros make public items.

use archbudget::diagram::{Column, Diagram, Evaluator, Instructions, Limits, Output, Outputs, Range, Strided, Workers};
use archbudget::layers::{Kind, UNSET};
use archbudget::space::{BUILT_IN, BuiltIn, Expr, Program, Settings};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// The `LeNet` family: 73,728 networks.
fn lenet() -> Program {
    let mut program = Program::new(Settings::default());
    let decision = |program: &mut Program, name: &str, values: Vec<i64>| {
        let decision = program.decision(name, values.len()).expect("a new name");
        Expr::Lookup {
            decision,
            values: values.into(),
        }
    };
    let widths = || (1..=16).map(|width| 8 * width).collect::<Vec<i64>>();
    let f1 = decision(&mut program, "f1", widths());
    let k1 = decision(&mut program, "k1", vec![3, 5, 7]);
    let f2 = decision(&mut program, "f2", widths());
    let k2 = decision(&mut program, "k2", vec![3, 5, 7]);
    let units = decision(&mut program, "units", (1..=32).map(|units| 16 * units).collect());
    let constants = |values: &[i64]| values.iter().copied().map(Expr::Constant).collect::<Vec<_>>();
    let conv = |filters: &Expr, kernel: &Expr| {
        let mut args = vec![filters.clone(), kernel.clone(), kernel.clone()];
        args.extend(constants(&[1, 1, 0, 0, 1, 1, 1, 1]));
        args.extend(constants(&[UNSET, 0, UNSET, UNSET, UNSET, UNSET]));
        args
    };
    let pool = || constants(&[2, 2, UNSET, UNSET, 0, 0, 0, 1, 1, UNSET, UNSET]);
    let dense = |units: Expr| vec![units, Expr::Constant(1), Expr::Constant(UNSET)];
    let mut tensor = None;
    for (kind, args) in [
        ("Input", constants(&[28, 28, 1])),
        ("Conv2D", conv(&f1, &k1)),
        ("MaxPooling2D", pool()),
        ("Conv2D", conv(&f2, &k2)),
        ("MaxPooling2D", pool()),
        ("Flatten", constants(&[0])),
        ("Dense", dense(units)),
        ("Dense", dense(Expr::Constant(10))),
    ] {
        let kind = Kind::named(kind).expect("a layer");
        let layer = program.layer(&kind.name, kind, args, true).expect("good arguments");
        tensor = Some(
            program
                .apply(Vec::new(), layer, tensor.into_iter().collect())
                .expect("one input"),
        );
    }
    program
}

fn compile(program: Program) -> Diagram {
    Diagram::compile(program, Limits::default(), &|| false).expect("it compiles")
}

fn passes(criterion: &mut Criterion) {
    const ROWS: usize = 1 << 20;
    criterion.bench_function("compile", |bencher| bencher.iter(|| compile(lenet())));

    let diagram = compile(lenet());
    let workers = |threads| Workers {
        threads,
        interrupt: &|| false,
    };
    let mut indices = vec![0_u8; ROWS * 5];
    diagram.sample(0, ROWS, &mut indices, workers(1)).expect("a sample");
    let columns: Vec<_> = indices
        .chunks(ROWS)
        .map(|column| Column::U8(Strided::new(column, 0, 1, ROWS)))
        .collect();

    let mut group = criterion.benchmark_group("one thread");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("sample", |bencher| {
        let mut indices = vec![0_u8; ROWS * 5];
        bencher.iter(|| diagram.sample(0, ROWS, black_box(&mut indices), workers(1)));
    });
    for instructions in Instructions::all() {
        let evaluator = Evaluator::with(&diagram, instructions).expect("tables");
        for (name, metrics) in [
            ("params", vec![BuiltIn::Params.index()]),
            ("all metrics", (0..BUILT_IN.len()).collect()),
        ] {
            let mut totals = vec![vec![0_i64; ROWS]; metrics.len()];
            group.bench_function(format!("{name}, {}", instructions.name()), |bencher| {
                bencher.iter(|| {
                    let outputs = Outputs {
                        totals: totals.iter_mut().map(|totals| Output::I64(totals)).collect(),
                        valid: None,
                    };
                    evaluator.evaluate(&diagram, &columns, ROWS, &metrics, outputs, workers(1))
                });
            });
        }
        let range = Range {
            metric: BuiltIn::Params.index(),
            low: 0,
            high: 100_000,
        };
        group.bench_function(format!("count of those that fit, {}", instructions.name()), |bencher| {
            bencher.iter(|| evaluator.fit(&diagram, &columns, ROWS, &[range], None, workers(1)));
        });
    }
    group.finish();
}

criterion_group!(benches, passes);
criterion_main!(benches);
