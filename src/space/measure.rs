//! Custom metrics: functions of one layer, asked once for each distinct layer.

use super::trace::LayerTrace;
use crate::Result;
use crate::layers::Kind;
use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Gives the value of each custom metric for one layer.
pub trait Measure: fmt::Debug + Send + Sync {
    /// One value for each metric, below 2^63 - 1; of metrics of which the largest value counts, at least 0.
    ///
    /// The numbers of the tensors that it is given are those of the first layer like it.
    ///
    /// # Errors
    /// Whatever ends the work.
    fn values(&self, kind: &Kind, layer: &LayerTrace) -> Result<Vec<i64>>;
}

/// The values of layers, by all that the function is told of a layer.
type Answers = FxHashMap<Box<[i64]>, Arc<[i64]>>;

/// The custom metrics, and what they came to so far.
#[derive(Debug, Clone)]
pub(super) struct Measures {
    pub(super) measure: Arc<dyn Measure>,
    known: Arc<Mutex<Answers>>,
}

impl Measures {
    pub(super) fn new(measure: Arc<dyn Measure>) -> Self {
        Self {
            measure,
            known: Arc::default(),
        }
    }

    /// The values for a layer, by a key of all that is told of it; `layer` makes it if it is met for the first time.
    pub(super) fn values(&self, key: &[i64], kind: &Kind, layer: impl FnOnce() -> LayerTrace) -> Result<Arc<[i64]>> {
        // A function is never called under the lock: it may itself wait for a thread that asks.
        let known = self.known.lock().ok().and_then(|known| known.get(key).cloned());
        if let Some(values) = known {
            return Ok(values);
        }
        let values: Arc<[i64]> = self.measure.values(kind, &layer())?.into();
        if let Ok(mut known) = self.known.lock() {
            known.insert(key.into(), Arc::clone(&values));
        }
        Ok(values)
    }
}
