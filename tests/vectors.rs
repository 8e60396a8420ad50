//! Every layer against the vectors that the real Keras and the real `PyTorch` made (`tests/vectors/generate.py`).

use archbudget::layers::{Arity, Cost, Count, Domain, Inner, KINDS, Kind, Parameter, Shape, UNSET, WRAPPERS, Wrapper};
use archbudget::space::{Expr, Program, Settings, Tensor};
use archbudget::{Error, Result};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Every layer, also those around others.
fn names() -> impl Iterator<Item = &'static str> {
    let kinds = KINDS.iter().map(|kind| &*kind.name);
    kinds.chain(WRAPPERS.iter().map(|wrapper| wrapper.name))
}

fn cases(name: &str) -> Vec<Value> {
    let file = format!("{name}.json");
    let mut cases = Vec::new();
    for path in [directory().join(&file), directory().join("pytorch").join(&file)] {
        if let Ok(text) = fs::read_to_string(path) {
            cases.extend(serde_json::from_str::<Vec<Value>>(&text).expect("a list of cases"));
        }
    }
    assert!(
        !cases.is_empty(),
        "{name} has no vectors: run tests/vectors/generate.py {name}"
    );
    cases
}

fn numbers(value: &Value) -> Vec<i64> {
    let items = value.as_array().expect("a list");
    items.iter().map(|item| item.as_i64().expect("an integer")).collect()
}

fn shapes(case: &Value) -> Vec<Shape> {
    let inputs = case["inputs"].as_array().expect("a list of shapes");
    inputs.iter().map(|shape| Shape::new(&numbers(shape))).collect()
}

/// A value of a hyperparameter as the engine knows it.
fn code(parameter: &Parameter, value: &Value) -> Result<i64> {
    let wrong = || Error::argument(format!("{} cannot be {value}", parameter.name));
    let code = match (parameter.domain, value) {
        (Domain::Flag, Value::Bool(flag)) => i64::from(*flag),
        (Domain::Keyword(words) | Domain::OptionalKeyword(words), Value::String(word)) => {
            let known = words.iter().position(|known| **known == word.to_lowercase());
            known.ok_or_else(wrong)? as i64
        }
        (Domain::Keyword(_), Value::Null) => parameter.default.ok_or_else(wrong)?,
        (Domain::OptionalInt(_) | Domain::OptionalKeyword(_) | Domain::OptionalFactor, Value::Null) => UNSET,
        (Domain::OptionalFactor, Value::Number(number)) => number.as_f64().ok_or_else(wrong)?.to_bits().cast_signed(),
        (Domain::Int(_) | Domain::OptionalInt(_), Value::Number(number)) => number.as_i64().ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    parameter.check(code).map(|()| code)
}

/// A layer as the engine is told of it: its rule, and its hyperparameters, flattened.
fn layer(name: &str, lowered: &Value) -> Result<(Kind, Vec<i64>)> {
    let Some(wrapper) = Wrapper::named(name) else {
        let kind = Kind::named(name)?.clone();
        let args = arguments(&kind.parameters, lowered)?;
        return Ok((kind, args));
    };
    let mut args = arguments(wrapper.parameters, lowered)?;
    let mut inner = Vec::new();
    for slot in wrapper.slots {
        let given = &lowered[slot.name];
        let each = match given {
            Value::Null => &[],
            Value::Array(all) if slot.many => &all[..],
            one => std::slice::from_ref(one),
        };
        for described in each {
            let (kind, own) = layer(described[0].as_str().expect("a name"), &described[1])?;
            inner.push(Inner {
                slot,
                kind,
                len: own.len(),
            });
            args.push(i64::from(described[2] == true));
            args.extend(own);
        }
    }
    Ok((wrapper.wrap(inner)?, args))
}

/// The hyperparameters of a case as the engine is told them, in the order of the parameters, flattened.
fn arguments(parameters: &[Parameter], lowered: &Value) -> Result<Vec<i64>> {
    let mut args = Vec::new();
    for parameter in parameters {
        let value = match &lowered[parameter.name] {
            Value::Null
                if parameter.default.is_some()
                    && !matches!(
                        parameter.domain,
                        Domain::OptionalInt(_) | Domain::OptionalKeyword(_) | Domain::OptionalFactor
                    ) =>
            {
                let n = match parameter.arity {
                    Arity::Each(n) => n,
                    Arity::One | Arity::Any => 1,
                };
                args.extend(parameter.default.into_iter().cycle().take(n));
                continue;
            }
            value => value,
        };
        match (parameter.arity, value) {
            (_, Value::Array(items)) => {
                for item in items {
                    args.push(code(parameter, item)?);
                }
            }
            (Arity::Each(n), one) => args.extend(std::iter::repeat_n(code(parameter, one)?, n)),
            (_, one) => args.push(code(parameter, one)?),
        }
    }
    Ok(args)
}

/// The output shape and the cost, straight from the rule.
fn from_rule(kind: &Kind, args: &[i64], inputs: &[Shape]) -> Result<(Shape, Cost<Count>)> {
    let output = kind
        .output(args, inputs)
        .map_err(|refusal| Error::argument(refusal.to_string()))?;
    Ok((output, kind.cost(args, inputs, &output)))
}

/// The layer at the end of a program of inputs and this layer, which gives so many tensors.
fn program(kind: &Kind, args: &[i64], inputs: &[Shape], outputs: usize) -> Result<Program> {
    let mut program = Program::new(Settings::default());
    let input = Kind::named("Input")?;
    let constants = |values: &[i64]| values.iter().copied().map(Expr::Constant).collect();
    let mut tensors: Vec<Tensor> = Vec::new();
    for (number, shape) in inputs.iter().enumerate() {
        let layer = program.layer(&format!("input_{number}"), input, constants(shape), true)?;
        tensors.push(program.apply(Vec::new(), layer, Vec::new())?);
    }
    let layer = program.layer("layer", kind, constants(args), true)?;
    program.apply_for(Vec::new(), layer, tensors, outputs)?;
    Ok(program)
}

#[test]
fn every_layer_has_vectors() {
    for name in names() {
        assert!(cases(name).iter().any(|case| case["error"].is_null()), "{name}");
    }
}

#[test]
fn every_vector_file_has_a_layer() {
    let entries = |path| fs::read_dir(path).expect("the directory of vectors");
    for entry in entries(directory()).chain(entries(directory().join("pytorch"))) {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            assert!(
                names().any(|known| known == name),
                "{name} is not a layer of the engine"
            );
        }
    }
}

#[test]
fn layers_cost_what_was_found() {
    for name in names() {
        for case in cases(name).iter().filter(|case| case["error"].is_null()) {
            let place = format!("{name} {case}");
            let (kind, args) = layer(name, &case["lowered"]).expect(&place);
            let kind = &kind;
            let inputs = shapes(case);
            let (output, cost) = from_rule(kind, &args, &inputs).expect(&place);
            let expected = |key: &str| case[key].as_i64().expect(key);
            assert_eq!(output.to_vec(), numbers(&case["output"]), "{place}");
            assert_eq!(cost.trainable, Count(expected("trainable")), "{place}");
            assert_eq!(cost.non_trainable, Count(expected("non_trainable")), "{place}");
            assert_eq!(cost.macs, Count(expected("macs")), "{place}");

            let extra: Vec<Vec<i64>> = case["extra"].as_array().into_iter().flatten().map(numbers).collect();
            let program = program(kind, &args, &inputs, 1 + extra.len()).expect(&place);
            let trace = program.trace(&[]).expect(&place);
            let layer = trace.layers.last().expect("a layer");
            assert_eq!(layer.output_shape, output, "{place}");
            let beside: Vec<Vec<i64>> = layer.extra.iter().map(|(_, shape)| shape.to_vec()).collect();
            assert_eq!(beside, extra, "{place}");
            let weights = expected("trainable") + expected("non_trainable");
            assert_eq!(
                layer.cost[..3],
                [weights, expected("trainable"), expected("macs")],
                "{place}"
            );
            assert_eq!(trace.cost[..3], layer.cost[..3], "{place}");
        }
    }
}

#[test]
fn formulas_have_the_value_of_the_cost() {
    for name in names() {
        for case in cases(name).iter().filter(|case| case["error"].is_null()) {
            let (kind, args) = layer(name, &case["lowered"]).expect(name);
            let inputs = shapes(case);
            let (output, cost) = from_rule(&kind, &args, &inputs).expect(name);
            let formulas = kind.explain(&args, &inputs, &output);
            assert_eq!(formulas.trainable.value(), cost.trainable.0, "{name} {case}");
            assert_eq!(formulas.non_trainable.value(), cost.non_trainable.0, "{name} {case}");
            assert_eq!(formulas.macs.value(), cost.macs.0, "{name} {case}");
        }
    }
}

#[test]
fn layers_refuse_what_was_refused() {
    for name in names() {
        // Arguments that are refused by themselves do not reach the engine.
        for case in cases(name)
            .iter()
            .filter(|case| !case["error"].is_null() && !case["lowered"].is_null())
        {
            let inputs = shapes(case);
            let refused = layer(name, &case["lowered"])
                .and_then(|(kind, args)| program(&kind, &args, &inputs, 1))
                .and_then(|program| program.trace(&[]));
            assert!(refused.is_err(), "{name} {case}");
        }
    }
}
