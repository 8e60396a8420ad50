//! Rules and metrics from outside: asked once for each distinct layer, and what they fail with comes out as it was.

use archbudget::diagram::{Diagram, Interrupt, Limits, Workers};
use archbudget::layers::{Built, Cost, Count, DynamicRule, Formula, Kind, Quantity, Refusal, Shape};
use archbudget::space::{BuiltIn, Combine, Expr, LayerTrace, Measure, Metric, Program, Settings};
use archbudget::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const NEVER: Interrupt<'static> = &|| false;
const WIDE: Limits = Limits {
    stored: 1,
    visited: 1,
    nodes: 1 << 20,
    memory: 1 << 30,
    work: u64::MAX,
    little: 0,
};

/// Makes its last axis as long as its argument, with that many weights; 5 it refuses, and with 7 it fails.
#[derive(Debug)]
struct Widen;

impl Widen {
    fn costs<Q: Quantity>(args: &[i64]) -> Cost<Q> {
        Cost {
            trainable: Q::of(args[0], "by a function"),
            non_trainable: Q::of(0, ""),
            macs: Q::of(0, ""),
        }
    }
}

impl DynamicRule for Widen {
    fn output(&self, args: &[i64], _: &[Shape]) -> std::result::Result<Shape, Refusal> {
        match args[0] {
            5 => Err(Refusal::reason("five is too many".to_owned())),
            7 => Err(Refusal::failed(Error::new(ErrorKind::Callback, "seven broke it"))),
            width => Ok(Shape::new(&[width])),
        }
    }

    fn cost(&self, args: &[i64], _: &[Shape], _: &Shape) -> Cost<Count> {
        Self::costs(args)
    }

    fn explain(&self, args: &[i64], _: &[Shape], _: &Shape) -> Cost<Formula> {
        Self::costs(args)
    }

    fn built(&self, _: &[i64], inputs: &[Shape]) -> Built {
        Built {
            what: "features of its input",
            numbers: inputs[0].to_vec(),
        }
    }
}

/// The number of a note plus the width of the output; how often it was asked.
#[derive(Debug, Default)]
struct Noted(AtomicUsize);

impl Measure for Noted {
    fn values(&self, _: &Kind, layer: &LayerTrace) -> Result<Vec<i64>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let noted: i64 = layer.notes.iter().map(|&note| i64::from(note)).sum();
        Ok(vec![noted + layer.output_shape[0]; 2])
    }
}

/// An input of 3, and two layers that take one of the widths each; the second has a note of 2 values.
fn program(widths: &[i64], measure: &Arc<Noted>) -> Program {
    let mut program = Program::new(Settings::default());
    let metrics = vec![Metric::new("noted", Combine::Sum), Metric::new("largest", Combine::Max)];
    program
        .measure(metrics, Arc::clone(measure) as Arc<dyn Measure>)
        .unwrap();
    let input = program
        .layer("input", Kind::named("Input").unwrap(), vec![Expr::Constant(3)], true)
        .unwrap();
    let mut tensor = program.apply(Vec::new(), input, Vec::new()).unwrap();
    let kind = Kind::outside("Widen".to_owned(), (1, 1), false, Arc::new(Widen));
    for name in ["first", "second"] {
        let decision = program.decision(name, widths.len()).unwrap();
        let width = Expr::Lookup {
            decision,
            values: widths.into(),
        };
        let layer = program.layer(name, &kind, vec![width], true).unwrap();
        if name == "second" {
            let note = program.decision("note", 2).unwrap();
            program
                .annotate(layer, Some(Expr::Constant(3)), None, vec![note])
                .unwrap();
        }
        tensor = program.apply(Vec::new(), layer, vec![tensor]).unwrap();
    }
    program
}

#[test]
fn a_metric_is_asked_once_for_each_distinct_layer() {
    let measure = Arc::default();
    let diagram = Diagram::compile(program(&[2, 4, 5], &measure), Limits::default(), NEVER).unwrap();
    // The input, 2 first layers, and 2 x 2 x 2 second ones; width 5 is refused before.
    assert_eq!(measure.0.load(Ordering::Relaxed), 1 + 2 + 8);
    let noted = diagram.program().metric("noted").unwrap();
    let largest = diagram.program().metric("largest").unwrap();
    assert_eq!(diagram.range(noted, NEVER).unwrap(), (3 + 2 + 2, 3 + 4 + 5));
    assert_eq!(diagram.range(largest, NEVER).unwrap(), (3, 5));
    let trace = diagram.trace(&[1, 0, 1]).unwrap();
    assert_eq!((trace.cost[noted], trace.cost[largest]), (3 + 4 + 3, 4));
    // 4 weights of 32 bits and 2 of 3 bits, which take a whole byte.
    assert_eq!(
        (
            trace.cost[BuiltIn::Params.index()],
            trace.cost[BuiltIn::WeightBytes.index()]
        ),
        (6, 17)
    );
    assert_eq!(measure.0.load(Ordering::Relaxed), 11);
    let error = diagram.trace(&[0, 2, 0]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Layer);
    assert!(error.message.ends_with("on input shape (None, 2): five is too many"));
    let refused = error.refused.expect("a layer refused");
    assert_eq!(
        (refused.layer.as_deref(), refused.kind.as_deref()),
        (Some("second"), Some("Widen"))
    );
    assert_eq!(
        (refused.input_shapes, &*refused.rule),
        (Some(vec![vec![2]]), "five is too many")
    );
    assert_eq!(refused.arguments, None);
}

#[test]
fn what_a_function_fails_with_is_no_refusal() {
    let error = Diagram::compile(program(&[2, 7], &Arc::default()), Limits::default(), NEVER).unwrap_err();
    assert_eq!((error.kind, &*error.message), (ErrorKind::Callback, "seven broke it"));
    // Beyond the limits nothing is asked until a candidate is drawn.
    let mut program = program(&[2, 2], &Arc::default());
    let kind = Kind::outside("Widen".to_owned(), (1, 1), false, Arc::new(Widen));
    let last = program.decision("last", 2).unwrap();
    let width = Expr::Lookup {
        decision: last,
        values: [2, 7].into(),
    };
    let layer = program.layer("third", &kind, vec![width], true).unwrap();
    let input = archbudget::space::Tensor(2);
    program.apply(Vec::new(), layer, vec![input]).unwrap();
    let open = Diagram::compile(program, WIDE, NEVER).unwrap();
    for threads in [1, 2] {
        let workers = Workers {
            threads,
            interrupt: NEVER,
        };
        let error = open.sample(0, 1000, &mut vec![0_u8; 4000], workers).unwrap_err();
        assert_eq!(error.message, "seven broke it");
    }
}

#[test]
fn names_of_metrics_are_unique() {
    let mut program = Program::new(Settings::default());
    let metrics = vec![Metric::new("params", Combine::Sum)];
    let error = program.measure(metrics, Arc::new(Noted::default())).unwrap_err();
    assert_eq!(error.message, "two metrics are named 'params'");
    let annotated = program.annotate(0, None, None, Vec::new()).unwrap_err();
    assert_eq!(annotated.message, "there is no layer 0");
}
