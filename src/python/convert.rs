//! Hyperparameters as Python hands them in.
//!
//! A number is an `int`, a flag a `bool`, a keyword a `str`, several numbers a `list`, and an expression a `tuple` whose
//! first item says what it is: `("decision", position, values)`, `("mapped", position, values)` for what a function makes of
//! the values, `("incoming", axis, None)` or `(operator, left, right)`.
//! A layer inside of another one is a `tuple` of its kind, its hyperparameters and whether training changes its weights.

use crate::layers::{Arity, Domain, Inner, Kind, Parameter, Slot, TRAINABLE, UNSET, Wrapper};
use crate::space::{Expr, Operator};
use crate::{Argument, Error, Result};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// A value as messages show it: short, and whatever its `__repr__` does.
fn show(value: &Bound<'_, PyAny>) -> String {
    static SHOW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let shown = || {
        let show = SHOW.import(value.py(), "archbudget._message", "show")?;
        show.call1((value,))?.extract::<String>()
    };
    shown().unwrap_or_else(|_| "an object that cannot be shown".to_owned())
}

/// An integer; numpy's count, floats and bools do not.
fn integer(value: &Bound<'_, PyAny>) -> Option<Result<i64>> {
    if value.is_instance_of::<PyBool>() || value.is_instance_of::<PyFloat>() {
        return None;
    }
    let index = value.call_method0("__index__").ok()?;
    let index = index.cast::<PyInt>().ok()?;
    Some(index.extract::<i64>().map_err(|_| {
        Error::new(
            crate::ErrorKind::Overflow,
            format!(
                "{} does not fit into 63 bits, the range that is counted exactly",
                show(value)
            ),
        )
    }))
}

/// One value of a parameter as the engine knows it.
fn scalar(parameter: &Parameter, value: &Bound<'_, PyAny>) -> Result<i64> {
    let code = match parameter.domain {
        Domain::Int(_) | Domain::OptionalInt(_) => {
            if value.is_none() {
                Some(UNSET)
            } else {
                integer(value)
                    .transpose()
                    .map_err(|error| Error::new(error.kind, format!("{}: {}", parameter.name, error.message)))?
            }
        }
        Domain::Flag => value.extract::<bool>().ok().map(i64::from),
        Domain::OptionalKeyword(_) | Domain::OptionalFactor if value.is_none() => Some(UNSET),
        Domain::Keyword(words) | Domain::OptionalKeyword(words) => value.cast::<PyString>().ok().and_then(|word| {
            // A subclass of `str` may print anything: its characters count.
            let word = word.to_cow().ok()?;
            words
                .iter()
                .position(|known| **known == *word)
                .map(|position| position as i64)
        }),
        Domain::OptionalFactor => value
            .cast::<PyFloat>()
            .ok()
            .map(|number| number.value().to_bits().cast_signed()),
    };
    let takes = || match parameter.domain {
        Domain::Int(_) => "an integer".to_owned(),
        Domain::OptionalInt(_) => "None or an integer".to_owned(),
        Domain::Flag => "True or False".to_owned(),
        Domain::Keyword(words) => format!("one of {words:?}"),
        Domain::OptionalFactor => "None or a float".to_owned(),
        Domain::OptionalKeyword(words) => format!("None or one of {words:?}"),
    };
    let code =
        code.ok_or_else(|| Error::argument(format!("{} must be {}, not {}", parameter.name, takes(), show(value))))?;
    parameter.check(code)?;
    Ok(code)
}

/// A value of a parameter, or an expression for it.
fn item(parameter: &Parameter, value: &Bound<'_, PyAny>) -> Result<Expr> {
    let Ok(tuple) = value.cast::<PyTuple>() else {
        return scalar(parameter, value).map(Expr::Constant);
    };
    let made = expression(tuple, &|value| scalar(parameter, value))?;
    let takes = match (parameter.domain, &made) {
        (_, Expr::Lookup { .. }) | (Domain::Int(_) | Domain::OptionalInt(_), _) => return Ok(made),
        (Domain::Flag, Expr::Binary(operator, ..)) if operator.is_condition() => return Ok(made),
        (Domain::Flag, _) => "True or False, a decision over them, or a condition",
        (Domain::OptionalFactor, _) => "None, a float or a decision over them",
        (Domain::Keyword(_) | Domain::OptionalKeyword(_), _) => "a word, a decision over words, or decision.map(...)",
    };
    // What is calculated is an integer.
    let name = parameter.name;
    Err(Error::argument(format!(
        "{name} must be {takes}, not an expression over integers"
    )))
}

fn malformed(value: &Bound<'_, PyAny>) -> Error {
    Error::argument(format!("{} is not an expression", show(value)))
}

/// An expression; `code` turns the values of a decision into numbers.
fn expression(tuple: &Bound<'_, PyTuple>, code: &dyn Fn(&Bound<'_, PyAny>) -> Result<i64>) -> Result<Expr> {
    let wrong = || malformed(tuple.as_any());
    let Ok((name, left, right)) = tuple.extract::<(String, Bound<'_, PyAny>, Bound<'_, PyAny>)>() else {
        return Err(wrong());
    };
    match name.as_str() {
        "decision" | "mapped" => {
            let values = right.try_iter().map_err(|_| wrong())?;
            let values = values
                .map(|value| {
                    let value = value.map_err(|_| wrong())?;
                    match truth(&value) {
                        // A condition is 1 or 0 where an integer is asked for.
                        Some(truth) if name == "mapped" => code(&value).or_else(|_| code(&truth)),
                        _ => code(&value),
                    }
                })
                .collect::<Result<_>>()?;
            Ok(Expr::Lookup {
                decision: left.extract().map_err(|_| wrong())?,
                values,
            })
        }
        "incoming" => Ok(Expr::Incoming {
            axis: left.extract().map_err(|_| wrong())?,
            hidden: 0,
        }),
        name => {
            let operator = Operator::named(name).ok_or_else(wrong)?;
            Ok(Expr::Binary(
                operator,
                Box::new(number(&left)?),
                Box::new(number(&right)?),
            ))
        }
    }
}

/// A flag as 1 or 0; nothing for anything else.
fn truth<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let flag = value.cast::<PyBool>().ok()?.is_true();
    i64::from(flag).into_pyobject(value.py()).ok().map(Bound::into_any)
}

/// An expression over plain integers, in which flags are 1 and 0.
pub(super) fn number(value: &Bound<'_, PyAny>) -> Result<Expr> {
    let plain = |value: &Bound<'_, PyAny>| {
        let value = truth(value).unwrap_or_else(|| value.clone());
        integer(&value).unwrap_or_else(|| Err(malformed(&value)))
    };
    match value.cast::<PyTuple>() {
        Ok(tuple) => expression(tuple, &plain),
        Err(_) => plain(value).map(Expr::Constant),
    }
}

/// A layer as Python describes it: its rule, and its hyperparameters, flattened.
pub(super) fn layer(name: &str, given: &Bound<'_, PyDict>) -> Result<(Kind, Vec<Expr>)> {
    let Some(wrapper) = Wrapper::named(name) else {
        let kind = Kind::named(name)?;
        return Ok((kind.clone(), arguments(&kind.name, &kind.parameters, given)?));
    };
    let own = PyDict::new(given.py());
    let mut inside = Vec::new();
    for (key, value) in given {
        match wrapper.slots.iter().find(|slot| *slot.name == key.to_string()) {
            Some(slot) => inside.push((slot, value)),
            None => own.set_item(key, value).map_err(|_| malformed(given.as_any()))?,
        }
    }
    let mut args = arguments(wrapper.name, wrapper.parameters, &own)?;
    let mut inner = Vec::new();
    for slot in wrapper.slots {
        for (_, value) in inside.iter().filter(|(own, _)| *own == slot) {
            match value.cast::<PyList>() {
                Ok(list) if slot.many => {
                    for value in list {
                        put_inside(wrapper, slot, &value, &mut inner, &mut args)?;
                    }
                }
                _ if value.is_none() && slot.optional => {}
                _ => put_inside(wrapper, slot, value, &mut inner, &mut args)?,
            }
        }
    }
    Ok((wrapper.wrap(inner)?, args))
}

/// Adds a layer to those inside of a wrapper, and its hyperparameters to all of them.
fn put_inside(
    wrapper: &Wrapper,
    slot: &'static Slot,
    value: &Bound<'_, PyAny>,
    inner: &mut Vec<Inner>,
    all: &mut Vec<Expr>,
) -> Result<()> {
    let Ok((name, given, trainable)) = value.extract::<(String, Bound<'_, PyDict>, Bound<'_, PyAny>)>() else {
        return Err(Error::argument(format!(
            "{} must be a layer, not {}",
            slot.name,
            show(value)
        )));
    };
    let inside = |error: Error| Error::new(error.kind, format!("its {name}: {}", error.message));
    let (kind, mut args) = layer(&name, &given).map_err(inside)?;
    let trainable = item(&TRAINABLE, &trainable).map_err(inside)?;
    if wrapper.row && !inner.is_empty() && args.iter().any(Expr::reads_input) {
        return Err(Error::argument(format!(
            "its {name}: an expression over channels() is known only in the first of its {}",
            slot.name
        )));
    }
    if wrapper.steps {
        args = args.into_iter().map(Expr::within_steps).collect();
    }
    inner.push(Inner {
        slot,
        kind,
        len: args.len(),
    });
    all.push(trainable);
    all.extend(args);
    Ok(())
}

/// The arguments of a layer, flattened in the order of its parameters.
fn arguments(layer: &str, parameters: &[Parameter], given: &Bound<'_, PyDict>) -> Result<Vec<Expr>> {
    for name in given.keys() {
        let name = name.to_string();
        if parameters.iter().all(|parameter| parameter.name != name) {
            let known: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
            return Err(Error::argument(format!(
                "{layer} has no argument '{name}' that touches shape or cost; it has {known:?}"
            )));
        }
    }
    let mut args = Vec::new();
    for parameter in parameters {
        let Ok(Some(value)) = given.get_item(parameter.name) else {
            let Some(default) = parameter.default else {
                return Err(Error::argument(format!("{} must be given", parameter.name)));
            };
            let n = match parameter.arity {
                Arity::One | Arity::Any => 1,
                Arity::Each(n) => n,
            };
            args.extend(std::iter::repeat_n(Expr::Constant(default), n));
            continue;
        };
        match (parameter.arity, value.cast::<PyList>()) {
            (Arity::One, Err(_)) => args.push(item(parameter, &value)?),
            (Arity::Each(n), Err(_)) => {
                let one = item(parameter, &value)?;
                args.extend(std::iter::repeat_n(one, n));
            }
            (Arity::Each(n), Ok(list)) if list.len() == n => {
                for value in list {
                    args.push(item(parameter, &value)?);
                }
            }
            (Arity::Any, Ok(list)) => {
                for value in list {
                    args.push(item(parameter, &value)?);
                }
            }
            (arity, _) => {
                let takes = match arity {
                    Arity::One => "one value".to_owned(),
                    Arity::Each(n) => format!("one value or {n} of them"),
                    Arity::Any => "a sequence of values".to_owned(),
                };
                return Err(Error::argument(format!(
                    "{} takes {takes}, not {}",
                    parameter.name,
                    show(&value)
                )));
            }
        }
    }
    Ok(args)
}

/// A hyperparameter as Python writes it; a layer inside is a dict of its own, with its name as `type`.
fn argument<'py>(py: Python<'py>, given: &Argument) -> PyResult<Bound<'py, PyAny>> {
    Ok(match given {
        Argument::Unset => py.None().into_bound(py),
        Argument::Flag(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Argument::Int(number) => number.into_pyobject(py)?.into_any(),
        Argument::Factor(number) => number.into_pyobject(py)?.into_any(),
        Argument::Word(word) => word.into_pyobject(py)?.into_any(),
        Argument::Tuple(items) => {
            let items = items.iter().map(|item| argument(py, item));
            PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any()
        }
        Argument::Layer(kind, named) => {
            let layer = PyDict::new(py);
            layer.set_item("type", kind)?;
            layer.update(arguments_by_name(py, named)?.as_mapping())?;
            layer.into_any()
        }
    })
}

/// Hyperparameters as Python writes them, by name.
pub(super) fn arguments_by_name<'py>(py: Python<'py>, named: &[(String, Argument)]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, given) in named {
        dict.set_item(name, argument(py, given)?)?;
    }
    Ok(dict)
}

/// The values of the parameters of a layer, as Python would write them; of a layer inside a dict of its own, with its
/// name as `type`.
pub(super) fn values(py: Python<'_>, kind: &Kind, args: &[i64]) -> PyResult<Py<PyDict>> {
    let one = |parameter: &Parameter, value: i64| argument(py, &parameter.argument(value));
    let dict = PyDict::new(py);
    let (own, inner) = kind.split(args);
    for (parameter, own) in own {
        if parameter.arity == Arity::One {
            dict.set_item(parameter.name, one(parameter, own[0])?)?;
        } else {
            let own = own
                .iter()
                .map(|&value| one(parameter, value))
                .collect::<PyResult<Vec<_>>>()?;
            dict.set_item(parameter.name, own)?;
        }
    }
    for same in inner.chunk_by(|(a, _), (b, _)| a.slot == b.slot) {
        let layers = same.iter().map(|(inner, args)| {
            let layer = PyDict::new(py);
            layer.set_item("type", &inner.kind.name)?;
            layer.update(values(py, &inner.kind, args)?.bind(py).as_mapping())?;
            Ok(layer)
        });
        let layers = layers.collect::<PyResult<Vec<_>>>()?;
        let slot = same[0].0.slot;
        if slot.many {
            dict.set_item(slot.name, layers)?;
        } else {
            dict.set_item(slot.name, &layers[0])?;
        }
    }
    Ok(dict.unbind())
}
