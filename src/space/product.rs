//! Spaces in which nothing is conditional and nothing refuses: as many networks as combinations of values.
//!
//! A diagram keeps apart all that later layers can tell apart, such as three widths at once in a residual network, which
//! may be too much. Whether a layer refuses depends on its own inputs and arguments alone, and these on few decisions: a
//! table of the shapes of each tensor shows it for all of them, layer by layer.

use super::metric::Combine;
use super::program::Program;
use super::run::bytes_of_weights;
use super::shapes::{Presence, ShapeTable};
use super::state::{Alive, State};
use super::step::Action;
use crate::layers::Refusal;
use crate::{Error, Interrupt, Result};
use num_bigint::BigUint;

/// The most combinations that are tried of what one layer depends on.
const ROWS: usize = 1 << 20;

/// The most that are tried of all layers.
const WORK: usize = 1 << 25;

/// The caller is asked whether to stop each time that this many were tried.
const INTERRUPT_EVERY: usize = 1 << 14;

impl Program {
    /// The number of networks, where each combination of values is certain to be one; nothing where a step depends on a
    /// decision to be taken, where something refuses, and where that takes too long to find out.
    ///
    /// O(combinations of values that one layer depends on), for each layer.
    ///
    /// # Errors
    /// `Interrupted`.
    pub fn product(&self, interrupt: Interrupt<'_>) -> Result<Option<BigUint>> {
        let mut tables: Vec<Option<ShapeTable>> = vec![None; self.tensors];
        let mut read = vec![false; self.decisions.len()];
        let mut totals = vec![0_i64; self.metrics.len()];
        let mut state = self.start();
        let mut work = 0;
        if self.measures.is_some() || self.peaks {
            return Ok(None);
        }
        for (number, step) in self.steps.iter().enumerate() {
            if !step.guard.is_empty() {
                return Ok(None);
            }
            for &decision in &step.reads {
                read[decision] = true;
            }
            match &step.action {
                Action::Layer { .. } => {
                    let Some(largest) = self.certain(number, &mut tables, &mut state, &mut work, interrupt)? else {
                        return Ok(None);
                    };
                    for ((total, own), metric) in totals.iter_mut().zip(largest).zip(self.metrics()) {
                        if metric.combine == Combine::Sum {
                            let Some(sum) = total.checked_add(own) else {
                                return Ok(None);
                            };
                            *total = sum;
                        }
                    }
                }
                Action::Alias { from, to } => {
                    let known = tables[from.0].clone();
                    tables[to.0] = known;
                }
                Action::Read { .. } | Action::Return { .. } => {}
                Action::Require { .. } | Action::Wait { .. } => return Ok(None),
            }
        }
        let sizes = self.decisions.iter().zip(read).filter(|(_, read)| *read);
        Ok(Some(sizes.map(|(decision, _)| BigUint::from(decision.size)).product()))
    }

    /// The largest cost of a layer in each metric, where it refuses nothing; the tables of what it writes are noted.
    fn certain(
        &self,
        number: usize,
        tables: &mut [Option<ShapeTable>],
        state: &mut State,
        work: &mut usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Vec<i64>>> {
        let step = &self.steps[number];
        let Action::Layer {
            layer, inputs, extra, ..
        } = &step.action
        else {
            unreachable!("only layers are asked");
        };
        // Whether a second use finds what the first one was built for is not looked at.
        if self.layers[*layer].slots().next().is_some() {
            return Ok(None);
        }
        let Some(known) = inputs
            .iter()
            .map(|input| tables[input.0].as_ref())
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(None);
        };
        let mut decisions: Vec<usize> = known.iter().flat_map(|table| table.reads()).collect();
        decisions.extend(&step.reads);
        decisions.sort_unstable();
        decisions.dedup();
        let sizes = decisions.iter().map(|&decision| self.decisions[decision].size);
        let decisions: Vec<(usize, usize)> = decisions.iter().copied().zip(sizes).collect();
        let count = decisions
            .iter()
            .try_fold(1, |product: usize, &(_, size)| product.checked_mul(size));
        let Some(count) = count.filter(|&count| count <= ROWS && *work + count <= WORK) else {
            return Ok(None);
        };
        *work += count;
        let mut rows = vec![Vec::with_capacity(count); 1 + extra.len()];
        let mut largest = vec![0; self.metrics.len()];
        let (mut values, mut own) = (Vec::new(), Vec::new());
        for row in 0..count {
            if row % INTERRUPT_EVERY == 0 && interrupt.stops() {
                return Err(Error::interrupted());
            }
            let mut rest = row;
            for &(decision, size) in decisions.iter().rev() {
                state.choose(decision, (rest % size) as u32);
                rest /= size;
            }
            state.inputs.clear();
            for table in &known {
                match table.shape(&state.chosen) {
                    Some(shape) => state.inputs.push(shape),
                    None => return Ok(None),
                }
            }
            if self.tried(*layer, &mut values, state, &mut own, &mut rows).is_err() {
                return Ok(None);
            }
            for (largest, &own) in largest.iter_mut().zip(&own) {
                *largest = own.max(*largest);
            }
        }
        for (tensor, rows) in step.action.writes().zip(rows) {
            tables[tensor.0] = Some(ShapeTable::reduced(decisions.clone(), rows));
        }
        Ok(Some(largest))
    }

    /// Notes what a layer writes and costs, with what is chosen and flows in.
    fn tried(
        &self,
        layer: usize,
        values: &mut Vec<i64>,
        state: &State,
        own: &mut Vec<i64>,
        rows: &mut [Vec<Presence>],
    ) -> std::result::Result<(), Refusal> {
        let output = self.output(layer, values, state)?;
        let extra = self.extra(layer, values, &state.inputs, rows.len() - 1)?;
        let given = &self.layers[layer];
        let inputs = self.data(layer, &state.inputs).0;
        let cost = given.kind.cost(values, inputs, &output);
        let cost = if given.trainable.value(state)? != 0 {
            cost
        } else {
            cost.frozen()
        };
        let bits = match &given.bits {
            Some(bits) => bits.value(state)?,
            None => self.settings.bytes_per_weight.saturating_mul(8),
        };
        if bits < 1 || !given.bits_inside.is_empty() {
            return Err(Refusal::new("its bits are not looked at", []));
        }
        let bytes = bytes_of_weights(values, bits, &[], Vec::new(), |counted| {
            given.kind.cost(counted, inputs, &output).weights()
        })?;
        self.price(false, 0, &cost, bytes, Alive::default(), own)?;
        for (rows, shape) in rows.iter_mut().zip(std::iter::once(output).chain(extra)) {
            rows.push(Presence::There(shape));
        }
        Ok(())
    }
}
