//! The set of candidates that keep some bounds, and its table.

use super::answer::{Answer, Rounded};
use super::any_table::{AnyTable, Width, with};
use super::axis::{self, Effort, Rounding};
use super::bound::{Bound, Count, Marginals, largest, ratio};
use super::bracket::bracket;
use super::composite::Composites;
use super::graph::{Graph, Interval};
use super::listed::Members;
use super::rounded::Plans;
use super::table::{Cells, Special};
use crate::diagram::{Diagram, ROOT, Workers, default_threads};
use crate::{Error, Interrupt, Result, Task};
use num_bigint::BigUint;
use num_traits::Zero;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The most steps from cell to cell that an exact table may take: some seconds.
const EXACT_WORK: usize = 1 << 32;

/// The same for a rounded one, which is made twice.
const ROUNDED_WORK: usize = 1 << 31;

/// The most bytes of steps that are stored: a bound on several metrics.
const STORED_STEPS: usize = 1 << 26;

/// How close the bounds of a rounded count shall be: `upper / lower - 1`.
const CLOSE: f64 = 0.01;

/// The candidates of a diagram that keep some bounds. What was asked for once is remembered.
#[derive(Debug)]
pub struct Feasible {
    pub(super) diagram: Arc<Diagram>,
    pub(super) bounds: Vec<Bound>,
    /// The values that some decisions are held at.
    pub(super) fixed: Vec<Option<u32>>,
    pub(super) memory: usize,
    pub(super) graph: OnceLock<Arc<Graph>>,
    pub(super) answer: OnceLock<Answer>,
    /// Where an exact table is beyond the limits.
    composites: OnceLock<Arc<Composites>>,
    /// How many fit, where that is not known exactly.
    between: OnceLock<Count>,
    pub(super) marginals: OnceLock<Marginals>,
    /// A set that is larger and drawn from faster, where there is one.
    pub(super) superset: OnceLock<Option<Box<Feasible>>>,
    /// The members by their levels, where they are drawn so.
    pub(super) members: OnceLock<Option<Members>>,
    /// Candidates that were drawn, and those among them that fit.
    pub(super) drawn: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) open_prefixes: Searched,
}

/// Partial candidates, by their node and sums, and whether one of their completions fits.
#[derive(Debug, Default)]
pub(super) struct Searched(pub(super) Mutex<Found>);

/// For a node and sums, whether a completion fits.
pub(super) type Found = FxHashMap<(u32, Box<[i64]>), bool>;

impl Feasible {
    /// The candidates that keep all of these bounds, asked about within some bytes of memory.
    ///
    /// # Errors
    /// `Argument` for a metric that is bounded twice; `Limit` where the diagram is open.
    pub fn new(diagram: Arc<Diagram>, bounds: Vec<Bound>, memory: usize) -> Result<Self> {
        diagram.require_closed()?;
        for (position, bound) in bounds.iter().enumerate() {
            if bounds[..position].iter().any(|other| other.metric == bound.metric) {
                return Err(Error::argument(format!(
                    "{} is bounded twice",
                    diagram.program().metrics()[bound.metric].name
                )));
            }
        }
        Ok(Self {
            diagram,
            bounds,
            fixed: Vec::new(),
            memory,
            graph: OnceLock::new(),
            answer: OnceLock::new(),
            composites: OnceLock::new(),
            between: OnceLock::new(),
            marginals: OnceLock::new(),
            superset: OnceLock::new(),
            members: OnceLock::new(),
            drawn: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            open_prefixes: Searched::default(),
        })
    }

    /// Those of them in which some decisions have a fixed value; the value of an inactive one does not matter.
    ///
    /// # Errors
    /// `Argument` for a wrong number of decisions, or an index outside its domain.
    pub fn fix(&self, fixed: Vec<Option<u32>>) -> Result<Self> {
        let decisions = self.diagram.program().decisions();
        if fixed.len() != decisions.len() {
            return Err(Error::argument(format!(
                "{} values are fixed or left open for {} decisions",
                fixed.len(),
                decisions.len()
            )));
        }
        for (decision, index) in decisions.iter().zip(&fixed) {
            if let Some(index) = index.filter(|&index| index as usize >= decision.size) {
                return Err(Error::argument(format!(
                    "index {index} is not in the domain of decision '{}', which has {} values",
                    decision.name, decision.size
                )));
            }
        }
        let mut part = Self::new(Arc::clone(&self.diagram), self.bounds.clone(), self.memory)?;
        part.fixed = fixed;
        Ok(part)
    }

    /// The diagram of the whole space.
    pub fn diagram(&self) -> &Diagram {
        &self.diagram
    }

    pub(super) fn graph(&self, interrupt: Interrupt<'_>) -> Result<&Arc<Graph>> {
        if let Some(graph) = self.graph.get() {
            return Ok(graph);
        }
        let graph = Graph::new(&self.diagram, &self.bounds, &self.fixed, self.memory, interrupt)?;
        Ok(self.graph.get_or_init(|| Arc::new(graph)))
    }

    pub(super) fn answer(&self, interrupt: Interrupt<'_>) -> Result<&Answer> {
        let composites = match self.exact_or_composites(interrupt)? {
            Ok(answer) => return Ok(answer),
            Err(composites) => composites,
        };
        let answer = self.rounded(composites, interrupt)?;
        Ok(self.answer.get_or_init(|| answer))
    }

    /// The answer, if it is known or exact; otherwise the composites of the graph.
    fn exact_or_composites(&self, interrupt: Interrupt<'_>) -> Result<std::result::Result<&Answer, &Arc<Composites>>> {
        if let Some(answer) = self.answer.get() {
            return Ok(Ok(answer));
        }
        if let Some(composites) = self.composites.get() {
            return Ok(Err(composites));
        }
        let graph = self.graph(interrupt)?;
        if let Some(answer) = self.exact(graph, interrupt)? {
            return Ok(Ok(self.answer.get_or_init(|| answer)));
        }
        let composites = Arc::new(Composites::new((**graph).clone(), interrupt)?);
        Ok(Err(self.composites.get_or_init(|| composites)))
    }

    /// How much may be spent on listing sums.
    fn effort(&self) -> Effort {
        Effort {
            node: (self.memory >> 10).clamp(16, 1 << 20),
            all: (self.memory >> 5).clamp(1 << 10, 1 << 25),
        }
    }

    /// The exact table, if it is within the limits.
    pub(super) fn exact(&self, graph: &Arc<Graph>, interrupt: Interrupt<'_>) -> Result<Option<Answer>> {
        let width = Width::of(graph);
        let effort = self.effort();
        interrupt.begin(Task::Sums, None);
        // Cells are numbered by 32 bits.
        let most = (self.memory / width.bytes()).min(u32::MAX as usize);
        let cells = if graph.dims() <= 1 {
            let axes = (0..graph.dims()).map(|dim| axis::exact(graph, dim, effort, interrupt));
            let axes = axes.collect::<Result<_>>()?;
            let rounding = vec![Rounding::Up; graph.dims()];
            let cells = Cells::all(Arc::clone(graph), axes, Special::default(), rounding);
            let (count, work) = cells.size();
            // Without a constraint there is a cell for each node, and nothing to round.
            if graph.dims() == 1 && (count > most || work > EXACT_WORK) {
                return Ok(None);
            }
            cells
        } else {
            let steps = (self.memory / 32).min(STORED_STEPS);
            match Cells::reached(Arc::clone(graph), most / 16, steps, effort, interrupt)? {
                Some(cells) => cells,
                None => return Ok(None),
            }
        };
        interrupt.begin(Task::Count, Some(cells.size().1 as u64));
        let table = width.table(cells, interrupt)?;
        Ok(Some(Answer {
            ranks: table.ranks(),
            table,
            rounded: None,
        }))
    }

    /// The rounded table that comes close, or as close as the limits allow.
    fn rounded(&self, composites: &Arc<Composites>, interrupt: Interrupt<'_>) -> Result<Answer> {
        interrupt.begin(Task::Round, None);
        let graph = &composites.graph;
        let width = Width::of(graph);
        let plain = self.plans(composites, graph, Rounding::Down, interrupt)?;
        let limit = self.finest(&plain, width, ROUNDED_WORK);
        // Whoever keeps the one upper bound at its cheapest fits.
        let least = BigUint::from(u8::from(
            graph.windows.iter().all(|window| window.low <= 0) && graph.dims() == 1,
        ));
        let mut classes = self.finest(&plain, width, ROUNDED_WORK / 16).max(64).min(limit);
        loop {
            let errors = plain.errors(classes);
            let is_rounded = errors.iter().any(|&error| error > 0);
            let make = |upper: bool| -> Result<Option<AnyTable>> {
                let moved = graph.windows.iter().zip(&errors).map(|(&window, error)| match window {
                    window if window.low <= 0 => window,
                    Interval { low, high } if upper => Interval {
                        low: low.saturating_sub(*error),
                        high,
                    },
                    Interval { low, high } => Interval {
                        low,
                        high: high.saturating_sub(*error),
                    },
                });
                let windows: Vec<_> = moved.collect();
                if windows.iter().any(|window| window.low > window.high) {
                    return Ok(None);
                }
                let graph = Arc::new(graph.with_windows(windows));
                let one_sided = if upper { Rounding::Down } else { Rounding::Up };
                let plans = self.plans(composites, &graph, one_sided, interrupt)?;
                width.table(plans.cells(classes), interrupt).map(Some)
            };
            let certain = || {
                let table = make(false)?;
                Ok(table
                    .map_or_else(BigUint::zero, |table| table.total())
                    .max(least.clone()))
            };
            let (lower, table) = std::thread::scope(|scope| {
                let lower = is_rounded.then(|| scope.spawn(certain));
                let upper = make(true);
                (
                    lower.map(|lower| lower.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
                    upper,
                )
            });
            let (lower, Some(table)) = (lower.transpose()?, table?) else {
                return Err(Error::interrupted());
            };
            let (ranks, upper) = (table.ranks(), table.total());
            let excess = lower.as_ref().map_or(0.0, |lower| ratio(&upper, lower) - 1.0);
            if excess <= CLOSE || classes >= limit {
                return Ok(Answer {
                    table,
                    ranks,
                    rounded: Some(Rounded {
                        composites: Arc::clone(composites),
                        lower,
                    }),
                });
            }
            // The error is about inversely proportional to the number of classes.
            let wanted = (classes as f64 * (excess / CLOSE).min(1e6) * 1.05).min(limit as f64) as usize;
            classes = wanted.clamp(classes + 1, limit);
        }
    }

    /// How cells of a graph are made, which is that of the composites but for its windows.
    fn plans(
        &self,
        composites: &Composites,
        graph: &Arc<Graph>,
        one_sided: Rounding,
        interrupt: Interrupt<'_>,
    ) -> Result<Plans> {
        // Sums of a range are rounded down for both bounds, and its ends moved instead.
        let own = composites.graph.windows.iter();
        let rounding = own.map(|own| if own.low > 0 { Rounding::Down } else { one_sided });
        let wraps = !matches!(Width::of(&composites.graph), Width::Big(_));
        Plans::new(graph, rounding.collect(), self.memory, wraps, interrupt)
    }

    /// The most classes with which the tables of both bounds, which are made at once, are within the limits.
    fn finest(&self, plans: &Plans, width: Width, work: usize) -> usize {
        let fits = |classes: usize| {
            let (count, steps) = plans.cells(classes).size();
            count <= self.memory / (2 * width.bytes()) && steps <= work
        };
        largest(2..1 << 24, 64, fits)
    }

    /// How many candidates fit.
    ///
    /// # Errors
    /// `Limit` where even the graph does not fit into memory; `Interrupted`.
    pub fn count(&self, interrupt: Interrupt<'_>) -> Result<Count> {
        if let Some(between) = self.between.get() {
            return Ok(between.clone());
        }
        let composites = match self.exact_or_composites(interrupt)? {
            Ok(answer) => match &answer.rounded {
                None => return Ok(answer.count()),
                Some(rounded) => &rounded.composites,
            },
            Err(composites) => composites,
        };
        let plans = self.plans(composites, &composites.graph, Rounding::Down, interrupt)?;
        let limit = self.finest(&plans, Width::of(&composites.graph), ROUNDED_WORK);
        if plans.errors(limit).iter().all(|&error| error == 0) {
            // A table in which no sum is rounded after all.
            return Ok(self.answer(interrupt)?.count());
        }
        drop(plans);
        interrupt.begin(Task::Round, None);
        let workers = Workers {
            threads: default_threads(),
            interrupt,
        };
        let count = match bracket(&composites.graph, self.memory, workers)? {
            Some((lower, upper)) if ratio(&upper, &lower) - 1.0 <= CLOSE => Count::Between { lower, upper },
            ends => {
                // Whichever is closer.
                let table = self.answer(interrupt)?.count();
                match ends {
                    Some((lower, upper)) if matches!(table, Count::Between { .. }) => Count::Between {
                        lower: lower.max(table.lower().clone()),
                        upper: upper.min(table.upper().clone()),
                    },
                    _ => table,
                }
            }
        };
        Ok(self.between.get_or_init(|| count).clone())
    }

    /// Whether members have ranks; their count is exact then.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub fn is_exact(&self, interrupt: Interrupt<'_>) -> Result<bool> {
        let answer = self.exact_or_composites(interrupt)?;
        Ok(answer.is_ok_and(|answer| answer.rounded.is_none()))
    }

    /// How many of the candidates that were drawn so far, and of those among them that fit.
    pub fn drawn(&self) -> (u64, u64) {
        (
            self.drawn.load(Ordering::Relaxed),
            self.accepted.load(Ordering::Relaxed),
        )
    }

    pub(super) fn check_columns(&self, n: usize, len: usize) -> Result<()> {
        let decisions = self.diagram.program().decisions().len();
        if len == n * decisions {
            return Ok(());
        }
        Err(Error::argument(format!(
            "{decisions} columns of {n} indices are needed"
        )))
    }

    /// The rank of a candidate, by the index of the value of each decision; nothing where it does not fit.
    ///
    /// # Errors
    /// `Argument` for a wrong number of choices; `Limit` where the count is not exact; `Interrupted`.
    pub fn rank(&self, choices: &[u32], interrupt: Interrupt<'_>) -> Result<Option<BigUint>> {
        let answer = self.answer(interrupt)?;
        answer.require_exact("the rank of a candidate")?;
        let graph = self.graph(interrupt)?;
        if choices.len() != self.diagram.program().decisions().len() {
            return Err(Error::argument(format!(
                "{} choices given for {} decisions",
                choices.len(),
                self.diagram.program().decisions().len()
            )));
        }
        if graph.terminal() == ROOT {
            return Ok((!graph.empty).then(BigUint::zero));
        }
        let mut path = Vec::new();
        let mut node = ROOT;
        while node != graph.terminal() {
            let Some(arc) = graph.find(node, choices[self.diagram.stage(node).decision]) else {
                return Ok(None);
            };
            path.push((node, arc));
            node = graph.arcs[arc].end;
        }
        Ok(with!(answer.table, table => table.rank(&path)))
    }
}
