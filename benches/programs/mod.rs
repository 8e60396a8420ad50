//! What the benchmarks measure.

use archbudget::diagram::{Diagram, Limits};
use archbudget::layers::{Kind, UNSET};
use archbudget::space::{Expr, Program, Settings};

/// The `LeNet` family: 73,728 networks.
pub(crate) fn lenet() -> Program {
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

/// The diagram of a program.
pub(crate) fn compile(program: Program) -> Diagram {
    Diagram::compile(program, Limits::default(), &|| false).expect("it compiles")
}
