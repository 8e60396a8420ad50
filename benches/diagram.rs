//! Micro-benchmarks of the passes: `cargo bench`.
#![allow(missing_docs)] // criterion's macros make public items.

mod programs;

use archbudget::diagram::{Column, Evaluator, Instructions, Output, Outputs, Range, Strided, Workers};
use archbudget::space::{BUILT_IN, BuiltIn};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use programs::{compile, lenet};
use std::hint::black_box;

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
