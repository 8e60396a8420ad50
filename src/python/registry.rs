//! What the engine knows by name: layers, their parameters, and metrics.

use super::raise::raise;
use crate::layers::{self, Arity, Domain, KINDS, Kind, WRAPPERS, Wrapper};
use crate::space::{BUILT_IN, Combine, Metric};
use pyo3::prelude::*;

/// A hyperparameter that touches shape or cost: its name, its domain, its arity and its default.
#[pyclass(frozen, get_all, module = "archbudget._core")]
pub(super) struct Parameter {
    /// The name of the argument in Keras.
    name: &'static str,
    /// `"int"`, `"optional_int"`, `"flag"`, `"keyword"`, `"optional_keyword"` or `"optional_factor"`.
    domain: &'static str,
    /// The least integer it takes; `None` for what is no integer, and where every integer will do.
    least: Option<i64>,
    /// The words it takes; empty but for keywords.
    words: Vec<&'static str>,
    /// How many numbers it holds; `None` for any number.
    arity: Option<usize>,
    /// Whether it may be left out.
    optional: bool,
}

/// The parameters of each layer that the engine knows, by the name of the layer in Keras; of layers around others their
/// own.
#[pyfunction]
pub(super) fn layer_parameters() -> Vec<(&'static str, Vec<Parameter>)> {
    let parameter = |parameter: &layers::Parameter| {
        let (domain, least, words): (_, _, &[_]) = match parameter.domain {
            Domain::Int(least) => ("int", Some(least), &[]),
            Domain::OptionalInt(least) => ("optional_int", Some(least), &[]),
            Domain::Flag => ("flag", None, &[]),
            Domain::Keyword(words) => ("keyword", None, words),
            Domain::OptionalFactor => ("optional_factor", None, &[]),
            Domain::OptionalKeyword(words) => ("optional_keyword", None, words),
        };
        Parameter {
            name: parameter.name,
            domain,
            least: least.filter(|&least| least > i64::MIN + 1),
            words: words.to_vec(),
            arity: match parameter.arity {
                Arity::One => Some(1),
                Arity::Each(n) => Some(n),
                Arity::Any => None,
            },
            optional: parameter.default.is_some(),
        }
    };
    let kinds = KINDS.iter().map(|kind| (&*kind.name, &*kind.parameters));
    let wrappers = WRAPPERS.iter().map(|wrapper| (wrapper.name, wrapper.parameters));
    kinds
        .chain(wrappers)
        .map(|(name, parameters)| (name, parameters.iter().map(parameter).collect()))
        .collect()
}

/// What a layer without weights does, in a few words; empty for a layer with weights.
#[pyfunction]
pub(super) fn layer_purpose(py: Python<'_>, kind: &str) -> PyResult<&'static str> {
    if let Some(wrapper) = Wrapper::named(kind) {
        return Ok(wrapper.purpose);
    }
    Kind::named(kind)
        .map(|kind| kind.purpose)
        .map_err(|error| raise(py, error))
}

/// The metrics of every space: for each its name, and how its values join (`"sum"` or `"max"`).
#[pyfunction]
pub(super) fn metrics() -> Vec<(String, &'static str)> {
    let combine = |metric: &Metric| match metric.combine {
        Combine::Sum => "sum",
        Combine::Max => "max",
    };
    let metrics = BUILT_IN.iter();
    metrics
        .map(|metric| (metric.name.to_string(), combine(metric)))
        .collect()
}
