//! Rules and metrics that are Python functions, asked once for each distinct layer.

use super::trace::LayerTrace;
use crate::layers::{Built, Cost, Count, DynamicRule, Formula, Quantity, Refusal, Shape};
use crate::space::{self, Measure};
use crate::{Cause, Error, ErrorKind};
use pyo3::prelude::*;
use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A Python function that raised.
fn failed(py: Python<'_>, raised: &PyErr) -> Error {
    Error {
        cause: Some(Cause(Arc::new(raised.clone_ref(py)))),
        ..Error::new(ErrorKind::Callback, raised.to_string())
    }
}

/// A Python function of a `LayerTrace` that returns one integer for each metric.
pub(super) struct PyMeasure {
    function: Py<PyAny>,
}

impl PyMeasure {
    pub(super) fn new(function: Py<PyAny>) -> Self {
        Self { function }
    }
}

impl fmt::Debug for PyMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PyMeasure")
    }
}

impl Measure for PyMeasure {
    fn values(&self, kind: &crate::layers::Kind, layer: &space::LayerTrace) -> crate::Result<Vec<i64>> {
        Python::attach(|py| {
            let ask = || {
                let trace = LayerTrace::of(py, kind, layer)?;
                self.function.bind(py).call1((trace,))?.extract::<Vec<i64>>()
            };
            ask().map_err(|raised| failed(py, &raised))
        })
    }
}

/// What a function says of one layer: the output shape, the costs and what it is built for.
type Said = Result<(Shape, [i64; 3], Built), Refusal>;

/// A Python function that is the rule of a layer.
pub(super) struct PyRule {
    function: Py<PyAny>,
    known: Mutex<FxHashMap<Box<[i64]>, Said>>,
}

/// What the function returns: the output shape, trainable and other weights, multiply-accumulates, and the shapes of the
/// weights if they are stated; or why it refuses.
#[derive(FromPyObject)]
enum Returned {
    Refused(String),
    Built(Vec<i64>, i64, i64, i64, Option<Vec<Vec<i64>>>),
}

/// Shapes as numbers that determine them.
fn numbers<'a>(shapes: impl Iterator<Item = &'a [i64]>) -> Vec<i64> {
    shapes
        .flat_map(|shape| [&[shape.len() as i64], shape].concat())
        .collect()
}

impl PyRule {
    pub(super) fn new(function: Py<PyAny>) -> Self {
        Self {
            function,
            known: Mutex::default(),
        }
    }

    fn ask(&self, args: &[i64], inputs: &[Shape]) -> Said {
        let on = numbers(inputs.iter().map(|shape| &**shape));
        let key = [args, &on].concat();
        // The function is never called under the lock: it may itself wait for a thread that asks.
        let known = self.known.lock().ok().and_then(|known| known.get(&*key).cloned());
        if let Some(answer) = known {
            return answer;
        }
        let shapes: Vec<Vec<i64>> = inputs.iter().map(|shape| shape.to_vec()).collect();
        let returned = Python::attach(|py| {
            let returned = self.function.bind(py).call1((args.to_vec(), shapes));
            let returned = returned.and_then(|returned| returned.extract::<Returned>());
            returned.map_err(|raised| Refusal::failed(failed(py, &raised)))
        })?;
        let answer = match returned {
            Returned::Refused(reason) => Err(Refusal::reason(reason)),
            Returned::Built(shape, trainable, non_trainable, macs, weights) => {
                let built = match weights {
                    Some(weights) => Built {
                        what: "shapes of its weights (the axes of each, then its sides)",
                        numbers: numbers(weights.iter().map(Vec::as_slice)),
                    },
                    None => Built {
                        what: "shapes of its inputs (the axes of each, then its sides), as its Counts state no weight_shapes",
                        numbers: if trainable + non_trainable == 0 { Vec::new() } else { on },
                    },
                };
                Ok((Shape::new(&shape), [trainable, non_trainable, macs], built))
            }
        };
        if let Ok(mut known) = self.known.lock() {
            known.insert(key.into(), answer.clone());
        }
        answer
    }

    fn costs<Q: Quantity>(&self, args: &[i64], inputs: &[Shape]) -> Cost<Q> {
        let (_, numbers, _) = self.ask(args, inputs).expect("`output` gave a shape");
        let [trainable, non_trainable, macs] =
            numbers.map(|number| Q::constant(number, "by the function of the layer"));
        Cost {
            trainable,
            non_trainable,
            macs,
        }
    }
}

impl fmt::Debug for PyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PyRule")
    }
}

impl DynamicRule for PyRule {
    fn output(&self, args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        self.ask(args, inputs).map(|(shape, ..)| shape)
    }

    fn cost(&self, args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Count> {
        self.costs(args, inputs)
    }

    fn explain(&self, args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Formula> {
        self.costs(args, inputs)
    }

    fn built(&self, args: &[i64], inputs: &[Shape]) -> Built {
        self.ask(args, inputs).expect("`output` gave a shape").2
    }
}
