//! Hyperparameters as Python hands them in.
//!
//! A number is an `int`, a flag a `bool`, a keyword a `str`, several numbers a `list`, and an expression a `tuple` whose
//! first item says what it is: `("decision", position, values)`, `("incoming", axis, None)` or `(operator, left, right)`.

use crate::layers::{Arity, Domain, Kind, Parameter, UNSET};
use crate::space::{Expr, Operator};
use crate::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// A value as Python shows it.
fn show(value: &Bound<'_, PyAny>) -> String {
    value
        .repr()
        .map_or_else(|_| "an object without a repr".to_owned(), |text| text.to_string())
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
        Domain::Keyword(words) => value.cast::<PyString>().ok().and_then(|word| {
            let word = word.to_string();
            words
                .iter()
                .position(|known| **known == word)
                .map(|position| position as i64)
        }),
    };
    let takes = || match parameter.domain {
        Domain::Int(_) => "an integer".to_owned(),
        Domain::OptionalInt(_) => "None or an integer".to_owned(),
        Domain::Flag => "True or False".to_owned(),
        Domain::Keyword(words) => format!("one of {words:?}"),
    };
    let code =
        code.ok_or_else(|| Error::argument(format!("{} must be {}, not {}", parameter.name, takes(), show(value))))?;
    parameter.check(code)?;
    Ok(code)
}

/// A value of a parameter, or an expression for it.
fn item(parameter: &Parameter, value: &Bound<'_, PyAny>) -> Result<Expr> {
    match value.cast::<PyTuple>() {
        Ok(tuple) => expression(tuple, &|value| scalar(parameter, value)),
        Err(_) => scalar(parameter, value).map(Expr::Constant),
    }
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
        "decision" => {
            let values = right.try_iter().map_err(|_| wrong())?;
            let values = values
                .map(|value| code(&value.map_err(|_| wrong())?))
                .collect::<Result<_>>()?;
            Ok(Expr::Lookup {
                decision: left.extract().map_err(|_| wrong())?,
                values,
            })
        }
        "incoming" => Ok(Expr::Incoming(left.extract().map_err(|_| wrong())?)),
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

/// An expression over plain integers.
pub(super) fn number(value: &Bound<'_, PyAny>) -> Result<Expr> {
    let plain = |value: &Bound<'_, PyAny>| integer(value).unwrap_or_else(|| Err(malformed(value)));
    match value.cast::<PyTuple>() {
        Ok(tuple) => expression(tuple, &plain),
        Err(_) => plain(value).map(Expr::Constant),
    }
}

/// The arguments of a layer, flattened in the order of its parameters.
pub(super) fn arguments(kind: &Kind, given: &Bound<'_, PyDict>) -> Result<Vec<Expr>> {
    for name in given.keys() {
        let name = name.to_string();
        if kind.parameter(&name).is_none() {
            let known: Vec<_> = kind.parameters.iter().map(|parameter| parameter.name).collect();
            return Err(Error::argument(format!(
                "{} has no argument '{name}' that touches shape or cost; it has {known:?}",
                kind.name
            )));
        }
    }
    let mut args = Vec::new();
    for parameter in &*kind.parameters {
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

/// The values of the parameters of a layer, as Python would write them.
pub(super) fn values(py: Python<'_>, kind: &Kind, args: &[i64]) -> PyResult<Py<PyDict>> {
    let one = |parameter: &Parameter, value: i64| -> PyResult<Py<PyAny>> {
        Ok(match parameter.domain {
            _ if value == UNSET => py.None(),
            Domain::Flag => (value != 0).into_pyobject(py)?.to_owned().into_any().unbind(),
            Domain::Keyword(words) => words[value as usize].into_pyobject(py)?.into_any().unbind(),
            Domain::Int(_) | Domain::OptionalInt(_) => value.into_pyobject(py)?.into_any().unbind(),
        })
    };
    let dict = PyDict::new(py);
    let mut rest = args;
    for parameter in &*kind.parameters {
        let n = match parameter.arity {
            Arity::One => 1,
            Arity::Each(n) => n,
            Arity::Any => rest.len(),
        };
        let (own, others) = rest.split_at(n);
        rest = others;
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
    Ok(dict.unbind())
}
