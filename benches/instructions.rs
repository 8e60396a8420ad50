//! The kernels whose instructions are counted, each in a function of its own: `python benches/instructions.py`.

mod programs;

use archbudget::diagram::{Column, Diagram, Evaluator, Instructions, Output, Outputs, Range, Strided, Workers};
use archbudget::space::{BUILT_IN, BuiltIn};
use programs::{compile, lenet};
use std::hint::black_box;

const ROWS: usize = 1 << 16;
const DECISIONS: usize = 5;
const WORKERS: Workers = Workers {
    threads: 1,
    interrupt: &|| false,
};

#[inline(never)]
fn counted_sample(diagram: &Diagram) -> Vec<u8> {
    let mut indices = vec![0_u8; ROWS * DECISIONS];
    diagram.sample(0, ROWS, &mut indices, WORKERS).expect("a sample");
    indices
}

#[inline(never)]
fn counted_params_from_columns(evaluator: &Evaluator, diagram: &Diagram, columns: &[Column]) {
    black_box("columns"); // Otherwise the linker makes one function of this and the next one.
    totals(evaluator, diagram, columns, &[BuiltIn::Params.index()]);
}

#[inline(never)]
fn counted_params_from_rows(evaluator: &Evaluator, diagram: &Diagram, columns: &[Column]) {
    black_box("rows");
    totals(evaluator, diagram, columns, &[BuiltIn::Params.index()]);
}

#[inline(never)]
fn counted_all_metrics(evaluator: &Evaluator, diagram: &Diagram, columns: &[Column]) {
    totals(evaluator, diagram, columns, &(0..BUILT_IN.len()).collect::<Vec<_>>());
}

#[inline(never)]
fn counted_those_that_fit(evaluator: &Evaluator, diagram: &Diagram, columns: &[Column]) {
    let range = Range {
        metric: BuiltIn::Params.index(),
        low: 0,
        high: 100_000,
    };
    let count = evaluator.fit(diagram, columns, ROWS, &[range], None, WORKERS);
    black_box(count).expect("columns of the diagram");
}

fn totals(evaluator: &Evaluator, diagram: &Diagram, columns: &[Column], metrics: &[usize]) {
    let mut totals = vec![vec![0_i64; ROWS]; metrics.len()];
    let outputs = Outputs {
        totals: totals.iter_mut().map(|totals| Output::I64(totals)).collect(),
        valid: None,
    };
    let counted = evaluator.evaluate(diagram, columns, ROWS, metrics, outputs, WORKERS);
    counted.expect("columns of the diagram");
    black_box(totals);
}

fn main() {
    let diagram = compile(lenet());
    let indices = counted_sample(&diagram);
    let columns: Vec<_> = indices
        .chunks(ROWS)
        .map(|column| Column::U8(Strided::new(column, 0, 1, ROWS)))
        .collect();
    let mut in_rows = vec![0_u8; indices.len()];
    for (place, &index) in indices.iter().enumerate() {
        in_rows[place % ROWS * DECISIONS + place / ROWS] = index;
    }
    let rows: Vec<_> = (0..DECISIONS)
        .map(|decision| Column::U8(Strided::new(&in_rows, decision, DECISIONS as isize, ROWS)))
        .collect();
    let instructions = Instructions::best();
    println!("{}", instructions.name());
    let evaluator = Evaluator::with(&diagram, instructions).expect("tables");
    counted_params_from_columns(&evaluator, &diagram, &columns);
    counted_params_from_rows(&evaluator, &diagram, &rows);
    counted_all_metrics(&evaluator, &diagram, &columns);
    counted_those_that_fit(&evaluator, &diagram, &columns);
}
