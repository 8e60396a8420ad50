//! The candidates that fit a budget.
//!
//! [`graph`] is the part of the diagram that the budget leaves, with the costs that it bounds in simple terms. [`axis`]
//! says which sums of a constraint the completions of a node can tell apart; [`table`] counts the completions of each
//! such cell. That is again a diagram, of the feasible candidates alone, and every question is a pass over it:
//! [`members`] (rank, the candidate of a rank), [`mod@write`] (all of them), [`draw`] (samples), [`marginals`], [`extreme`].
//!
//! Where an exact table would take too much memory or work, sums are rounded: down for a superset, which is counted and
//! sampled from, and up for a subset, which is counted too. [`composite`] keeps the number of roundings small.

mod axis;
mod composite;
mod distribution;
mod draw;
mod extreme;
mod graph;
mod marginals;
mod members;
mod number;
mod prefix;
mod rounded;
mod table;
mod write;

use super::parallel::{Workers, default_threads};
use super::{Diagram, Interrupt, ROOT};
use crate::{Error, ErrorKind, Result};
use axis::{Effort, Rounding};
use composite::Composites;
pub use distribution::Distribution;
pub use extreme::End;
use graph::{Graph, Window};
use members::Ranks;
use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};
use number::Number;
pub use prefix::Taken;
use rounded::Plans;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use table::{Cells, Special, Table};

/// What one metric may come to, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The metric, by its position.
    pub metric: usize,
    /// The least it may be.
    pub low: i64,
    /// The most it may be.
    pub high: i64,
}

/// How many candidates fit. Only a table in which no sum was rounded makes an exact count: bounds that happen to be equal
/// stay bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// This many fit.
    Exact(BigUint),
    /// At least `lower` fit, and at most `upper`.
    Between {
        /// This many fit for certain.
        lower: BigUint,
        /// No more fit.
        upper: BigUint,
    },
}

impl Count {
    /// This many fit for certain.
    pub fn lower(&self) -> &BigUint {
        match self {
            Self::Exact(count) => count,
            Self::Between { lower, .. } => lower,
        }
    }

    /// No more fit.
    pub fn upper(&self) -> &BigUint {
        match self {
            Self::Exact(count) => count,
            Self::Between { upper, .. } => upper,
        }
    }
}

/// How many feasible candidates take each value of each decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marginals {
    /// By decision and value.
    pub counts: Vec<Vec<BigUint>>,
    /// How many candidates there are in all.
    pub total: BigUint,
    /// Whether these are the feasible candidates; if not, a few others are among them.
    pub exact: bool,
}

/// The bytes that an answer may take by default.
pub const MEMORY: usize = 1 << 30;

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
    diagram: Arc<Diagram>,
    bounds: Vec<Bound>,
    /// The values that some decisions are held at.
    fixed: Vec<Option<u32>>,
    memory: usize,
    graph: OnceLock<Arc<Graph>>,
    answer: OnceLock<Answer>,
    marginals: OnceLock<Marginals>,
    /// A set that is larger and drawn from faster, where there is one.
    superset: OnceLock<Option<Box<Feasible>>>,
    /// Candidates that were drawn, and those among them that fit.
    drawn: AtomicU64,
    accepted: AtomicU64,
    open_prefixes: prefix::Known,
}

#[derive(Debug)]
struct Answer {
    table: AnyTable,
    ranks: Ranks,
    /// Where the table is not that of the graph.
    rounded: Option<Rounded>,
}

/// What a table of composite arcs and rounded sums needs beside it.
#[derive(Debug)]
struct Rounded {
    /// The graph without rounding.
    composites: Composites,
    /// How many candidates fit for certain; nothing where no sum was rounded after all, so that the table is exact.
    lower: Option<BigUint>,
}

#[derive(Debug)]
enum AnyTable {
    Narrow(Table<u64>),
    Wide(Table<u128>),
    Big(Table<BigUint>),
}

/// Does the same with a table of any numbers.
macro_rules! with {
    ($any:expr, $table:ident => $work:expr) => {
        match &$any {
            AnyTable::Narrow($table) => $work,
            AnyTable::Wide($table) => $work,
            AnyTable::Big($table) => $work,
        }
    };
}

/// How wide the numbers of completions are, those of the root left out.
#[derive(Debug, Clone, Copy)]
enum Width {
    Narrow,
    Wide,
    /// Beyond 128 bits; so many bits at most.
    Big(u64),
}

impl Width {
    fn of(graph: &Graph) -> Self {
        Self::from_node(graph, 1)
    }

    /// The root included.
    fn of_all(graph: &Graph) -> Self {
        Self::from_node(graph, ROOT)
    }

    fn from_node(graph: &Graph, first: u32) -> Self {
        let mut paths: Vec<Option<u128>> = vec![Some(0); graph.terminal() as usize + 1];
        paths[graph.terminal() as usize] = Some(1);
        // Beyond 128 bits about how many there are is enough: logarithms to base 2.
        let mut bits = vec![0.0_f64; paths.len()];
        let (mut most, mut most_bits) = (Some(0), 0.0_f64);
        for node in (first..graph.terminal()).rev() {
            let arcs = graph.arcs_of(node);
            let sum = arcs.clone().try_fold(0_u128, |sum, arc| {
                let ways = paths[graph.arcs[arc].end as usize]?.checked_mul(u128::from(graph.ways(arc)))?;
                sum.checked_add(ways)
            });
            paths[node as usize] = sum;
            bits[node as usize] = match sum {
                Some(sum) => (sum as f64).log2(),
                None => {
                    log_of_sum(arcs.map(|arc| bits[graph.arcs[arc].end as usize] + (graph.ways(arc) as f64).log2()))
                }
            };
            most_bits = most_bits.max(bits[node as usize]);
            most = most.and_then(|most| Some(sum?.max(most)));
        }
        match most {
            Some(most) if u64::try_from(most).is_ok() => Self::Narrow,
            Some(_) => Self::Wide,
            None => Self::Big(most_bits.ceil() as u64 + 1),
        }
    }

    /// The bytes of a number, where it is kept.
    fn bytes(self) -> usize {
        match self {
            Self::Narrow => 8,
            Self::Wide => 16,
            // The vector, what the allocator adds, and half of the digits again, as a vector grows.
            Self::Big(bits) => size_of::<BigUint>() + 16 + bits.div_ceil(64) as usize * 12,
        }
    }

    fn table(self, cells: Cells, interrupt: Interrupt<'_>) -> Result<AnyTable> {
        let workers = Workers {
            threads: default_threads(),
            interrupt,
        };
        Ok(match self {
            Self::Narrow => AnyTable::Narrow(Table::new(cells, workers)?),
            Self::Wide => AnyTable::Wide(Table::new(cells, workers)?),
            Self::Big(_) => AnyTable::Big(Table::new(cells, workers)?),
        })
    }
}

impl AnyTable {
    fn total(&self) -> BigUint {
        with!(*self, table => table.total())
    }

    fn ranks(&self) -> Ranks {
        with!(*self, table => Ranks::of(table))
    }
}

impl Answer {
    fn total(&self) -> BigUint {
        self.table.total()
    }

    fn count(&self) -> Count {
        let upper = self.total();
        match &self.rounded {
            Some(Rounded { lower: Some(lower), .. }) => Count::Between {
                lower: lower.clone(),
                upper,
            },
            _ => Count::Exact(upper),
        }
    }

    /// Refuses what a rounded table cannot tell.
    fn require_exact(&self, what: &str) -> Result<()> {
        if self.rounded.is_none() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Limit,
            format!("this set is counted within bounds only, and {what} needs the exact count; allow more memory"),
        ))
    }
}

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
            marginals: OnceLock::new(),
            superset: OnceLock::new(),
            drawn: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            open_prefixes: prefix::Known::default(),
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

    fn graph(&self, interrupt: Interrupt<'_>) -> Result<&Arc<Graph>> {
        if let Some(graph) = self.graph.get() {
            return Ok(graph);
        }
        let graph = Graph::new(&self.diagram, &self.bounds, &self.fixed, self.memory, interrupt)?;
        Ok(self.graph.get_or_init(|| Arc::new(graph)))
    }

    fn answer(&self, interrupt: Interrupt<'_>) -> Result<&Answer> {
        if let Some(answer) = self.answer.get() {
            return Ok(answer);
        }
        let graph = self.graph(interrupt)?;
        let answer = match self.exact(graph, interrupt)? {
            Some(answer) => answer,
            None => self.rounded(graph, interrupt)?,
        };
        Ok(self.answer.get_or_init(|| answer))
    }

    /// How much may be spent on listing sums.
    fn effort(&self) -> Effort {
        Effort {
            node: (self.memory >> 10).clamp(16, 1 << 20),
            all: (self.memory >> 5).clamp(1 << 10, 1 << 25),
        }
    }

    /// The exact table, if it is within the limits.
    fn exact(&self, graph: &Arc<Graph>, interrupt: Interrupt<'_>) -> Result<Option<Answer>> {
        let width = Width::of(graph);
        let effort = self.effort();
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
        let table = width.table(cells, interrupt)?;
        Ok(Some(Answer {
            ranks: table.ranks(),
            table,
            rounded: None,
        }))
    }

    /// The rounded table that comes close, or as close as the limits allow.
    fn rounded(&self, graph: &Arc<Graph>, interrupt: Interrupt<'_>) -> Result<Answer> {
        let composites = Composites::new((**graph).clone(), interrupt)?;
        let graph = &composites.graph;
        let width = Width::of(graph);
        let wraps = !matches!(width, Width::Big(_));
        let plans = |graph: &Arc<Graph>, one_sided| {
            let rounding = graph.windows.iter().zip(&composites.graph.windows);
            // Sums of a range are rounded down for both bounds, and its ends moved instead.
            let rounding = rounding.map(|(_, own)| if own.low > 0 { Rounding::Down } else { one_sided });
            Plans::new(graph, rounding.collect(), self.memory, wraps, interrupt)
        };
        let plain = plans(graph, Rounding::Down)?;
        let finest = |work: usize| {
            let fits = |classes: usize| {
                // The tables of both bounds are made at once.
                let (count, steps) = plain.cells(classes).size();
                count <= self.memory / (2 * width.bytes()) && steps <= work
            };
            let (mut low, mut high) = (2, 1 << 24);
            while high - low > low / 64 + 1 {
                let middle = low + (high - low) / 2;
                if fits(middle) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            low
        };
        let limit = finest(ROUNDED_WORK);
        // Whoever keeps the one upper bound at its cheapest fits.
        let least = BigUint::from(u8::from(
            graph.windows.iter().all(|window| window.low <= 0) && graph.dims() == 1,
        ));
        let mut classes = finest(ROUNDED_WORK / 16).max(64).min(limit);
        loop {
            let errors = plain.errors(classes);
            let is_rounded = errors.iter().any(|&error| error > 0);
            let make = |upper: bool| -> Result<Option<AnyTable>> {
                let moved = graph.windows.iter().zip(&errors).map(|(&window, error)| match window {
                    window if window.low <= 0 => window,
                    Window { low, high } if upper => Window {
                        low: low.saturating_sub(*error),
                        high,
                    },
                    Window { low, high } => Window {
                        low,
                        high: high.saturating_sub(*error),
                    },
                });
                let windows: Vec<_> = moved.collect();
                if windows.iter().any(|window| window.low > window.high) {
                    return Ok(None);
                }
                let graph = Arc::new(graph.with_windows(windows));
                let plans = plans(&graph, if upper { Rounding::Down } else { Rounding::Up })?;
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
                    rounded: Some(Rounded { composites, lower }),
                });
            }
            // The error is about inversely proportional to the number of classes.
            let wanted = (classes as f64 * (excess / CLOSE).min(1e6) * 1.05).min(limit as f64) as usize;
            classes = wanted.clamp(classes + 1, limit);
        }
    }

    /// How many candidates fit.
    ///
    /// # Errors
    /// `Limit` where even the graph does not fit into memory; `Interrupted`.
    pub fn count(&self, interrupt: Interrupt<'_>) -> Result<Count> {
        Ok(self.answer(interrupt)?.count())
    }

    /// Whether members have ranks; their count is exact then.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub fn is_exact(&self, interrupt: Interrupt<'_>) -> Result<bool> {
        Ok(self.answer(interrupt)?.rounded.is_none())
    }

    /// How many of the candidates that were drawn so far, and of those among them that fit.
    pub fn drawn(&self) -> (u64, u64) {
        (
            self.drawn.load(Ordering::Relaxed),
            self.accepted.load(Ordering::Relaxed),
        )
    }

    fn check_columns(&self, n: usize, len: usize) -> Result<()> {
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

    /// How many candidates take each value of each decision.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub fn marginals(&self, interrupt: Interrupt<'_>) -> Result<&Marginals> {
        if let Some(known) = self.marginals.get() {
            return Ok(known);
        }
        let answer = self.answer(interrupt)?;
        let total = answer.total();
        let narrow = total.to_u64().is_some();
        let counts = match &answer.table {
            AnyTable::Narrow(table) if narrow => self.by_value(answer, &table.through(|&n| n, interrupt)?),
            AnyTable::Narrow(table) => self.by_value(answer, &table.through(|&n| u128::from(n), interrupt)?),
            AnyTable::Wide(table) if total.to_u128().is_some() => {
                self.by_value(answer, &table.through(|&n| n, interrupt)?)
            }
            AnyTable::Wide(table) => self.by_value(answer, &table.through(Number::big, interrupt)?),
            AnyTable::Big(table) => self.by_value(answer, &table.through(Clone::clone, interrupt)?),
        };
        let exact = matches!(answer.count(), Count::Exact(_));
        Ok(self.marginals.get_or_init(|| Marginals { counts, total, exact }))
    }

    /// Adds up what goes through arcs by the values that they stand for.
    fn by_value<W: Number>(&self, answer: &Answer, through: &[W]) -> Vec<Vec<BigUint>> {
        let decisions = self.diagram.program().decisions();
        let mut counts: Vec<Vec<W>> = decisions.iter().map(|known| vec![W::default(); known.size]).collect();
        let spread;
        let (graph, through) = match &answer.rounded {
            None => (self.graph.get().map(|graph| &**graph), through),
            Some(Rounded { composites, .. }) => {
                spread = composites.spread(through);
                (Some(&composites.fine), &spread[..])
            }
        };
        if let Some(graph) = graph {
            for node in 0..graph.terminal() {
                let own = &mut counts[self.diagram.stage(node).decision];
                for arc in graph.arcs_of(node) {
                    own[graph.arcs[arc].label as usize].add(&through[arc]);
                }
            }
        }
        counts.iter().map(|own| own.iter().map(Number::big).collect()).collect()
    }
}

/// The logarithm of a sum, from those of what is added up, to base 2.
fn log_of_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + logs.map(|log| (log - most).exp2()).sum::<f64>().log2()
}

fn ratio(upper: &BigUint, lower: &BigUint) -> f64 {
    if lower.is_zero() {
        return if upper.is_zero() { 1.0 } else { f64::INFINITY };
    }
    let shift = upper.bits().saturating_sub(1000);
    let float = |number: &BigUint| (number >> shift).to_f64().unwrap_or(f64::INFINITY);
    float(upper) / float(lower)
}
