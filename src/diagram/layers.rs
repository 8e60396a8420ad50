//! What each layer of many candidates costs, and the shape that it gives.
//!
//! **Idea.** An arc of a diagram says what the layers that it lets us finish cost together. The same layers, one by one,
//! are kept for it the first time that a candidate takes it: that candidate runs. A candidate whose arcs were all taken
//! before is put together from what is kept.
//!
//! **Bound.** Each thread keeps a number for each stored arc, and at most [`KEPT`] layers, beyond which it forgets and
//! begins anew. Where arcs are not stored, each candidate runs.

use super::arcs::{DEAD, Diagram, ROOT};
use super::evaluate::{Evaluator, check_columns, check_outputs};
use super::input::{Column, Domain};
use super::parallel::{Workers, work_off_until};
use crate::layers::MAX_RANK;
use crate::space::{Outcome, State};
use crate::{Result, Task};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most layers that a thread keeps: some 30 MB.
const KEPT: usize = 1 << 18;

/// The most arcs for which a thread keeps numbers.
const ARCS: usize = 1 << 23;

/// The costs and the output shape of each layer, for each candidate.
#[derive(Debug)]
pub struct LayerTable<'a> {
    /// For each metric, candidates x layers; 0 where a layer is not in the network.
    pub costs: Vec<&'a mut [i64]>,
    /// Candidates x layers x [`MAX_RANK`] sides; 0 where a layer is not in the network, and behind the last axis.
    pub shapes: &'a mut [i64],
}

/// One layer, as it was applied.
struct Kept {
    layer: usize,
    rank: usize,
    sides: [i64; MAX_RANK],
}

/// The layers that arcs let candidates finish.
struct Layers {
    kept: Vec<Kept>,
    /// For each kept layer its value of each metric.
    costs: Vec<i64>,
    /// For what precedes the first decision, and for each stored arc behind it, where its layers begin and end; or
    /// [`UNKNOWN`].
    of: Vec<(u32, u32)>,
}

/// The position of a part that is not known.
const UNKNOWN: (u32, u32) = (u32::MAX, u32::MAX);

impl Layers {
    fn of(diagram: &Diagram) -> Option<Self> {
        let arcs = diagram.next.len();
        (diagram.is_stored() && arcs <= ARCS).then(|| Self {
            kept: Vec::new(),
            costs: Vec::new(),
            of: vec![UNKNOWN; arcs + 1],
        })
    }

    /// Runs a candidate, and keeps the layers of all its parts.
    fn run(&mut self, diagram: &Diagram, state: &mut State, choices: &[u32], parts: &[usize]) -> Result<()> {
        if self.kept.len() >= KEPT {
            self.kept.clear();
            self.costs.clear();
            self.of.fill(UNKNOWN);
        }
        let program = diagram.running();
        state.reset();
        let mut from = 0;
        for &part in parts {
            let first = self.kept.len() as u32;
            let (kept, costs) = (&mut self.kept, &mut self.costs);
            let outcome = program.run(state, from, |applied, _| {
                let mut sides = [0; MAX_RANK];
                sides[..applied.output_shape.rank()].copy_from_slice(&applied.output_shape);
                kept.push(Kept {
                    layer: applied.layer,
                    rank: applied.output_shape.rank(),
                    sides,
                });
                costs.extend_from_slice(applied.cost);
            });
            if self.of[part] == UNKNOWN {
                self.of[part] = (first, self.kept.len() as u32);
            } else {
                self.kept.truncate(first as usize);
                self.costs.truncate(first as usize * diagram.metrics());
            }
            match outcome {
                Outcome::Open { step, decision } => {
                    state.choose(decision, choices[decision]);
                    from = step;
                }
                Outcome::Complete => {}
                Outcome::Refused { step, refusal } => return Err(program.error(step, &refusal, state)),
                Outcome::Paused { .. } => unreachable!("nothing pauses it"),
            }
        }
        Ok(())
    }
}

/// The parts of a candidate: what precedes its first decision, and its arcs; nothing if it cannot be built.
fn parts_of(diagram: &Diagram, choices: &[u32], parts: &mut Vec<usize>) -> Option<()> {
    parts.clear();
    parts.push(0);
    let mut node = ROOT;
    while node != diagram.terminal() {
        let arc = diagram.stored_arc(node, choices[diagram.stage(node).decision])?;
        node = diagram.next[arc];
        if node == DEAD {
            return None;
        }
        parts.push(arc + 1);
    }
    Some(())
}

/// What a thread needs.
struct Scratch {
    state: State,
    choices: Vec<u32>,
    parts: Vec<usize>,
    layers: Option<Layers>,
    /// The most axes that an output had.
    rank: usize,
}

impl Evaluator {
    /// Writes what each layer of each candidate costs, and its output shape; nothing for one that cannot be built:
    /// custom functions are asked about no other. Returns the most axes that an output has. O(layers) for each candidate.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_layers(
        diagram: &Diagram,
        columns: &[Column<'_>],
        metrics: &[usize],
        table: LayerTable<'_>,
        workers: Workers<'_>,
    ) -> Result<usize> {
        const ROWS: usize = 256;
        let program = diagram.program();
        let layers = program.layers().len();
        let n = table.shapes.len() / (layers * MAX_RANK);
        check_columns(diagram, columns, n)?;
        check_outputs(metrics, table.costs.iter().map(|costs| costs.len()), n * layers)?;
        let mut costs: Vec<_> = table
            .costs
            .into_iter()
            .map(|costs| costs.chunks_mut((ROWS * layers).max(1)))
            .collect();
        let shapes = table.shapes.chunks_mut((ROWS * layers * MAX_RANK).max(1));
        let jobs = shapes.enumerate().map(|(number, shapes)| {
            let costs: Vec<&mut [i64]> = costs.iter_mut().filter_map(Iterator::next).collect();
            (number * ROWS, LayerTable { costs, shapes })
        });
        let scratch = || Scratch {
            state: diagram.running().start(),
            choices: vec![0; columns.len()],
            parts: Vec::new(),
            layers: Layers::of(diagram),
            rank: 0,
        };
        let rank = AtomicUsize::new(0);
        workers.interrupt.begin(Task::Evaluate, Some(n as u64));
        work_off_until(jobs, workers, scratch, |scratch, (start, mut table), ended| {
            table.shapes.fill(0);
            for costs in &mut table.costs {
                costs.fill(0);
            }
            let rows = table.shapes.len() / (layers * MAX_RANK);
            for row in 0..rows {
                if ended() {
                    break;
                }
                for (decision, choice) in scratch.choices.iter_mut().enumerate() {
                    let mut key = [0];
                    let known = &program.decisions()[decision];
                    columns[decision].read_wide(start + row, Domain::of(known), &mut key)?;
                    *choice = key[0];
                }
                write_row(diagram, metrics, scratch, &mut table, row * layers)?;
            }
            rank.fetch_max(scratch.rank, Ordering::Relaxed);
            workers.interrupt.advance(rows as u64);
            Ok(())
        })?;
        Ok(rank.into_inner())
    }
}

/// Writes the layers of one candidate, from a place in the table on.
fn write_row(
    diagram: &Diagram,
    metrics: &[usize],
    scratch: &mut Scratch,
    table: &mut LayerTable<'_>,
    first: usize,
) -> Result<()> {
    let Scratch {
        state,
        choices,
        parts,
        layers,
        rank,
    } = scratch;
    let mut write = |layer: usize, cost: &[i64], sides: &[i64]| {
        let place = first + layer;
        for (costs, &metric) in table.costs.iter_mut().zip(metrics) {
            costs[place] = diagram.program().combine(metric).join(costs[place], cost[metric]);
        }
        let shape = &mut table.shapes[place * MAX_RANK..(place + 1) * MAX_RANK];
        let known = |&side: &i64| if side == crate::layers::UNKNOWN { -1 } else { side };
        shape.fill(0);
        for (to, side) in shape.iter_mut().zip(sides.iter().map(known)) {
            *to = side;
        }
    };
    if let Some(layers) = layers {
        if parts_of(diagram, choices, parts).is_none() {
            return Ok(());
        }
        if parts.iter().any(|&part| layers.of[part] == UNKNOWN) {
            layers.run(diagram, state, choices, parts)?;
        }
        let width = diagram.metrics();
        for &part in &*parts {
            let (begin, end) = layers.of[part];
            for number in begin as usize..end as usize {
                let kept = &layers.kept[number];
                *rank = (*rank).max(kept.rank);
                let own = number * width..(number + 1) * width;
                write(kept.layer, &layers.costs[own], &kept.sides[..kept.rank]);
            }
        }
        return Ok(());
    }
    let chosen: Vec<_> = choices.iter().copied().map(Some).collect();
    if diagram.cost(&chosen)?.is_none() {
        return Ok(());
    }
    let program = diagram.running();
    state.reset();
    let outcome = program.follow(state, choices, |applied, _| {
        *rank = (*rank).max(applied.output_shape.rank());
        write(applied.layer, applied.cost, &applied.output_shape);
    })?;
    match outcome {
        Outcome::Refused { step, refusal } => Err(program.error(step, &refusal, state)),
        _ => Ok(()),
    }
}
