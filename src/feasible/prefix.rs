//! Which choices a partial candidate still has.

use super::answer::Answer;
use super::any_table::AnyTable;
use super::extreme::QUICK;
use super::graph::Graph;
use super::net::{Join, Net};
use super::number::Number;
use super::search::{self, Effort};
use super::set::{Feasible, Found};
use super::table::Table;
use crate::diagram::{DEAD, ROOT};
use crate::{Error, ErrorKind, Interrupt, Result};
use num_traits::{ToPrimitive, Zero};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// The most partial candidates that are remembered.
const MOST: usize = 1 << 22;

/// The most partial candidates that are visited for one question, before bounds are made for it.
const FEW: usize = 1 << 12;

/// How to find out whether a completion fits.
#[derive(Clone, Copy)]
enum Judge<'a> {
    /// At most one upper bound: the cheapest completion tells.
    Cheapest,
    /// The exact table.
    Table(&'a Answer),
    /// A search, with what was found remembered.
    Search,
}

/// The choices of a partial candidate.
#[derive(Debug, Clone, Copy)]
pub enum Taken<'a> {
    /// The indices of its values, in the order in which the diagram asks for them.
    InOrder(&'a [u32]),
    /// For each decision the index of its value, if it is taken; and the decision before which to stop, if any.
    ByDecision(&'a [Option<u32>], Option<usize>),
}

/// Where a partial candidate stands; `cell` in the exact table.
struct Prefix {
    node: u32,
    /// What it has come to in each constraint; nothing where it fits no more.
    sums: Option<Vec<i64>>,
    cell: usize,
}

impl Feasible {
    fn judge<'a>(&'a self, graph: &Graph, interrupt: Interrupt<'_>) -> Result<Judge<'a>> {
        if graph.dims() == 0 || (graph.dims() == 1 && graph.windows[0].low <= 0) {
            return Ok(Judge::Cheapest);
        }
        let answer = self.answer(interrupt)?;
        Ok(if answer.rounded.is_none() {
            Judge::Table(answer)
        } else {
            Judge::Search
        })
    }

    /// Whether no candidate fits.
    ///
    /// # Errors
    /// `Limit` where finding out would take too much memory; `Interrupted`.
    pub fn is_empty(&self, interrupt: Interrupt<'_>) -> Result<bool> {
        let graph = self.graph(interrupt)?;
        if graph.empty {
            return Ok(true);
        }
        if graph.dims() > 1 || graph.windows.iter().any(|window| window.low > 0) {
            let exact = self.answer.get().filter(|answer| answer.rounded.is_none());
            if let Some(answer) = exact {
                return Ok(answer.total().is_zero());
            }
            let quick = Effort { labels: QUICK };
            if let Some(fits) = some_fits(graph, ROOT, &vec![0; graph.dims()], quick, interrupt)? {
                return Ok(!fits);
            }
        }
        match self.judge(graph, interrupt)? {
            Judge::Cheapest => Ok(false),
            Judge::Table(answer) => Ok(answer.total().is_zero()),
            Judge::Search => {
                // What is known already, or comes closer, before a search that may not end within the memory.
                let table = self.answer(interrupt)?.count();
                let count = if table.lower().is_zero() && !table.upper().is_zero() {
                    self.count(interrupt)?
                } else {
                    table
                };
                if !count.lower().is_zero() {
                    return Ok(false);
                }
                if count.upper().is_zero() {
                    return Ok(true);
                }
                Ok(!self.search(graph, ROOT, &vec![0; graph.dims()], interrupt)?)
            }
        }
    }

    /// Goes down a prefix. Nothing where a layer refuses.
    fn descend(&self, graph: &Graph, judge: Judge<'_>, prefix: Taken<'_>) -> Result<Option<Prefix>> {
        let diagram = self.diagram();
        let mut at = Prefix {
            node: ROOT,
            sums: (!graph.empty).then(|| vec![0; graph.dims()]),
            cell: 0,
        };
        let mut reader = diagram.reader();
        let mut taken = 0;
        while at.node != diagram.terminal() {
            let stage = diagram.stage(at.node);
            let index = match prefix {
                Taken::InOrder(indices) => indices.get(taken).copied(),
                Taken::ByDecision(_, Some(stop)) if stop == stage.decision => None,
                Taken::ByDecision(choices, _) => choices.get(stage.decision).copied().flatten(),
            };
            let Some(index) = index else { return Ok(Some(at)) };
            taken += 1;
            if index as usize >= stage.size {
                let name = &diagram.program().decisions()[stage.decision].name;
                return Err(Error::argument(format!(
                    "index {index} is not in the domain of decision '{name}', which has {} values",
                    stage.size
                )));
            }
            let arc = at.sums.as_ref().and_then(|_| graph.find(at.node, index));
            if let (Some(arc), Some(sums)) = (arc, &mut at.sums) {
                for (sum, cost) in sums.iter_mut().zip(graph.cost(arc)) {
                    *sum += cost;
                }
                let kept = sums.iter().zip(&graph.windows).all(|(&sum, window)| sum <= window.high);
                let next = match judge {
                    Judge::Table(answer) => answer.table.follow(at.node, at.cell, arc),
                    _ => Some(0),
                };
                match next.filter(|_| kept) {
                    Some(cell) => at.cell = cell,
                    None => at.sums = None,
                }
                at.node = graph.arcs[arc].end;
            } else {
                at.sums = None;
                at.node = reader.arc(at.node, index as usize).next;
                if at.node == DEAD {
                    return Ok(None);
                }
            }
        }
        match prefix {
            Taken::InOrder(indices) if taken < indices.len() => Err(Error::argument(
                "more indices are given than the candidate has decisions",
            )),
            _ => Ok(Some(at)),
        }
    }

    /// For each value of the decision that comes after `prefix`, whether the candidate can still be completed to one
    /// that fits. O(stages + values) once the set was counted.
    ///
    /// Returns the decision too; nothing when the candidate is complete, or cannot be built.
    ///
    /// # Errors
    /// `Argument` for an index outside its domain; `Limit` where finding out would take too much memory; `Interrupted`.
    pub fn allowed(&self, prefix: Taken<'_>, interrupt: Interrupt<'_>) -> Result<Option<(usize, Vec<bool>)>> {
        let graph = self.graph(interrupt)?;
        let judge = self.judge(graph, interrupt)?;
        self.each_choice(graph, judge, prefix, |at, sums, arc| match judge {
            Judge::Cheapest => {
                let mut kept = sums.iter().zip(graph.cost(arc)).zip(&graph.windows);
                Ok(kept.all(|((sum, cost), window)| sum + cost <= window.high))
            }
            Judge::Table(answer) => Ok(answer.table.leads_on(at.node, at.cell, arc)),
            Judge::Search => {
                let after: Vec<_> = sums.iter().zip(graph.cost(arc)).map(|(a, b)| a + b).collect();
                self.search(graph, graph.arcs[arc].end, &after, interrupt)
            }
        })
    }

    /// For each value of the decision that comes after `prefix`, the share of the completions that take it; all zero
    /// where none fits. Where the count is not exact, values that fit have equal shares.
    ///
    /// # Errors
    /// As [`Self::allowed`].
    pub fn shares(&self, prefix: Taken<'_>, interrupt: Interrupt<'_>) -> Result<Option<(usize, Vec<f64>)>> {
        let answer = self.answer(interrupt)?;
        let found = if answer.rounded.is_some() {
            let allowed = self.allowed(prefix, interrupt)?;
            allowed.map(|(decision, fits)| {
                (
                    decision,
                    fits.into_iter().map(|fits| f64::from(u8::from(fits))).collect(),
                )
            })
        } else {
            let graph = self.graph(interrupt)?;
            self.each_choice(graph, Judge::Table(answer), prefix, |at, _, arc| {
                Ok(answer.table.share(at.node, at.cell, arc))
            })?
        };
        Ok(found.map(|(decision, mut shares): (usize, Vec<f64>)| {
            let total: f64 = shares.iter().sum();
            if total > 0.0 {
                for share in &mut shares {
                    *share /= total;
                }
            }
            (decision, shares)
        }))
    }

    /// The decision that comes after a prefix, and for each of its values what `tell` says of the arc, given where the
    /// prefix stands and what it has come to; the default for values that no candidate within the budget has.
    fn each_choice<T: Clone + Default>(
        &self,
        graph: &Graph,
        judge: Judge<'_>,
        prefix: Taken<'_>,
        tell: impl Fn(&Prefix, &[i64], usize) -> Result<T>,
    ) -> Result<Option<(usize, Vec<T>)>> {
        let at = self.descend(graph, judge, prefix)?;
        let Some(at) = at.filter(|at| at.node != graph.terminal()) else {
            return Ok(None);
        };
        let stage = self.diagram().stage(at.node);
        let mut found = vec![T::default(); stage.size];
        if let Some(sums) = &at.sums {
            for arc in graph.arcs_of(at.node) {
                found[graph.arcs[arc].label as usize] = tell(&at, sums, arc)?;
            }
        }
        Ok(Some((stage.decision, found)))
    }

    /// For each decision and value whether some feasible candidate takes it.
    ///
    /// # Errors
    /// As [`Self::allowed`].
    pub fn occurring(&self, interrupt: Interrupt<'_>) -> Result<Vec<Vec<bool>>> {
        let decisions = self.diagram.program().decisions();
        let mut occurs: Vec<Vec<bool>> = decisions.iter().map(|known| vec![false; known.size]).collect();
        let graph = self.graph(interrupt)?;
        match self.judge(graph, interrupt)? {
            // Each arc that is left lies on a candidate that fits.
            Judge::Cheapest => {
                for node in 0..graph.terminal() {
                    for arc in graph.arcs_of(node) {
                        occurs[self.diagram.stage(node).decision][graph.arcs[arc].label as usize] = true;
                    }
                }
            }
            Judge::Table(_) => {
                for (occurs, counts) in occurs.iter_mut().zip(&self.marginals(interrupt)?.counts) {
                    for (occurs, count) in occurs.iter_mut().zip(counts) {
                        *occurs = !count.is_zero();
                    }
                }
            }
            Judge::Search => {
                let marginals = self.marginals(interrupt)?;
                for node in 0..graph.terminal() {
                    let decision = self.diagram.stage(node).decision;
                    for arc in graph.arcs_of(node) {
                        let value = graph.arcs[arc].label as usize;
                        if !occurs[decision][value] && !marginals.counts[decision][value].is_zero() {
                            let part = graph.through(node, arc);
                            let start = vec![0; part.dims()];
                            let mut known = FxHashMap::default();
                            occurs[decision][value] = self.completes(&part, ROOT, &start, &mut known, interrupt)?;
                        }
                    }
                }
            }
        }
        Ok(occurs)
    }

    /// Whether some completion of a partial candidate fits; remembers what was found.
    fn search(&self, graph: &Graph, node: u32, sums: &[i64], interrupt: Interrupt<'_>) -> Result<bool> {
        let mut known = self.open_prefixes.0.lock().map_err(|_| Error::interrupted())?;
        self.completes(graph, node, sums, &mut known, interrupt)
    }

    /// Whether some completion of a partial candidate of a graph fits: a short search depth first, which mostly finds one,
    /// then one with bounds.
    fn completes(
        &self,
        graph: &Graph,
        node: u32,
        sums: &[i64],
        known: &mut Found,
        interrupt: Interrupt<'_>,
    ) -> Result<bool> {
        if known.len() > MOST {
            known.clear();
        }
        let mut search = Search {
            graph,
            left: FEW,
            known,
            interrupt,
        };
        if let Some(fits) = search.fits(node, sums)? {
            return Ok(fits);
        }
        let Some(fits) = some_fits(graph, node, sums, self.search_effort(graph), interrupt)? else {
            return Err(Error::new(
                ErrorKind::Limit,
                "the bounds are too tight together to tell whether a partial candidate can still fit; allow more memory, \
                 or give wider bounds",
            ));
        };
        known.insert((node, sums.into()), fits);
        Ok(fits)
    }
}

/// A search for a candidate that fits, depth first.
struct Search<'a> {
    graph: &'a Graph,
    /// How many more partial candidates it may look at.
    left: usize,
    known: &'a mut Found,
    interrupt: Interrupt<'a>,
}

/// A partial candidate, and the arcs behind it that were not tried yet.
struct Visit {
    node: u32,
    sums: Box<[i64]>,
    arcs: Range<usize>,
}

/// Whether some candidate of a graph fits that goes on from a node where it came to these sums; nothing where finding out
/// would take more than the effort.
fn some_fits(graph: &Graph, node: u32, sums: &[i64], effort: Effort, interrupt: Interrupt<'_>) -> Result<Option<bool>> {
    let net = Net::new(graph, node, sums, &vec![0; graph.arcs.len()]);
    Ok(match search::best(net, Join::Sum, 1, true, effort, interrupt)? {
        search::Found::All(found) => Some(!found.is_empty()),
        search::Found::Unknown => None,
    })
}

impl Search<'_> {
    /// Whether a completion fits; nothing where it would visit more partial candidates than it may.
    fn fits(&mut self, node: u32, sums: &[i64]) -> Result<Option<bool>> {
        let graph = self.graph;
        if let Some(known) = self.known(node, sums) {
            return Ok(Some(known));
        }
        let mut path = vec![self.open(node, sums.into())?];
        while let Some(last) = path.last_mut() {
            let Some(arc) = last.arcs.next() else {
                path.pop()
                    .map(|Visit { node, sums, .. }| self.known.insert((node, sums), false));
                continue;
            };
            let after: Box<[i64]> = last.sums.iter().zip(graph.cost(arc)).map(|(a, b)| a + b).collect();
            let end = graph.arcs[arc].end;
            match self.known(end, &after) {
                Some(false) => {}
                Some(true) => {
                    let fitting = path.into_iter().map(|Visit { node, sums, .. }| ((node, sums), true));
                    self.known.extend(fitting);
                    return Ok(Some(true));
                }
                None if self.left == 0 => return Ok(None),
                None => path.push(self.open(end, after)?),
            }
        }
        Ok(Some(false))
    }

    /// Whether some completion fits, if that is known without a search.
    fn known(&self, node: u32, sums: &[i64]) -> Option<bool> {
        let graph = self.graph;
        let mut settled = true;
        for (dim, (&sum, window)) in sums.iter().zip(&graph.windows).enumerate() {
            let most = sum + graph.to_go(node, dim);
            if sum > window.high || most < window.low {
                return Some(false);
            }
            settled &= sum >= window.low && most <= window.high;
        }
        if node == graph.terminal() || (settled && graph.is_live(node)) {
            return Some(settled);
        }
        self.known.get(&(node, Box::from(sums))).copied()
    }

    /// Begins to look behind a partial candidate.
    fn open(&mut self, node: u32, sums: Box<[i64]>) -> Result<Visit> {
        self.left -= 1;
        if self.left.is_multiple_of(1024) && self.interrupt.stops() {
            return Err(Error::interrupted());
        }
        let arcs = self.graph.arcs_of(node);
        Ok(Visit { node, sums, arcs })
    }
}

impl AnyTable {
    fn follow(&self, node: u32, cell: usize, arc: usize) -> Option<usize> {
        match self {
            Self::Narrow(table) => table.cells.follow(node, cell, arc),
            Self::Wide(table) => table.cells.follow(node, cell, arc),
            Self::Big(table) => table.cells.follow(node, cell, arc),
        }
    }

    fn leads_on(&self, node: u32, cell: usize, arc: usize) -> bool {
        match self {
            Self::Narrow(table) => table.leads_on(node, cell, arc).is_some(),
            Self::Wide(table) => table.leads_on(node, cell, arc).is_some(),
            Self::Big(table) => table.leads_on(node, cell, arc).is_some(),
        }
    }

    /// How many completions along an arc fit, as a number to compare.
    fn share(&self, node: u32, cell: usize, arc: usize) -> f64 {
        fn float<N: Number>(table: &Table<N>, node: u32, cell: usize, arc: usize) -> f64 {
            let end = table.cells.graph.arcs[arc].end;
            let next = table.cells.follow(node, cell, arc);
            next.map_or(0.0, |next| table.of(end, next).big().to_f64().unwrap_or(f64::MAX))
        }
        match self {
            Self::Narrow(table) => float(table, node, cell, arc),
            Self::Wide(table) => float(table, node, cell, arc),
            Self::Big(table) => float(table, node, cell, arc),
        }
    }
}
