//! One case of the fuzzing: a space, budgets, and how much memory there is; and all that has to hold of them.

use super::chain::{Chain, Counted, Noted};
use super::{Bytes, Network, build, cells, distinct, enumerate, returns};
use archbudget::diagram::{Column, Diagram, Evaluator, INVALID, Limits, Output, Outputs, Strided, Workers};
use archbudget::feasible::{Bound, Count, End, Feasible, MEMORY, Taken};
use archbudget::space::Program;
use archbudget::{ErrorKind, Interrupt, Result};
use num_bigint::BigUint;
use num_traits::{CheckedSub, ToPrimitive, Zero};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The patience with a case unless it is given another.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a budget says of one metric.
#[derive(Debug, Clone, Copy)]
struct Pick {
    metric: u8,
    /// Which ends there are.
    form: u8,
    low: [u8; 2],
    high: [u8; 2],
}

/// A budget, and the memory to answer within.
#[derive(Debug, Clone)]
struct Question {
    picks: Vec<Pick>,
    memory: [u8; 2],
}

/// A space and what is asked of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// How long a question may take before it is given up, which is counted and no failure.
    pub patience: Duration,
    space: Space,
    limits: u8,
    questions: Vec<Question>,
}

#[derive(Debug, Clone)]
enum Space {
    /// So small that every network is listed.
    Listed(Box<Program>),
    /// Counted by [`Chain::count`].
    Chain(Chain),
}

/// How much was done.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Spaces that have a network.
    pub spaces: u64,
    /// Budgets that were asked about.
    pub budgets: u64,
    /// Those among them with at most 64 KiB of memory.
    pub little: u64,
    /// Sets that were counted exactly, and within bounds.
    pub exact: u64,
    pub rounded: u64,
    /// Questions that met a limit, or took too long.
    pub limited: u64,
    pub slow: u64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.spaces += other.spaces;
        self.budgets += other.budgets;
        self.little += other.little;
        self.exact += other.exact;
        self.rounded += other.rounded;
        self.limited += other.limited;
        self.slow += other.slow;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            spaces,
            budgets,
            little,
            exact,
            rounded,
            limited,
            slow,
        } = self;
        write!(
            f,
            "{spaces} spaces, {budgets} budgets ({little} with little memory): {exact} sets exact, {rounded} within bounds, \
             {limited} beyond a limit, {slow} given up"
        )
    }
}

/// What is known of a space beside its diagram.
struct Known {
    /// All its networks, or some.
    networks: Vec<Network>,
    chain: Option<Chain>,
    /// How many there are.
    all: Counted,
}

impl Case {
    /// The case that bytes describe: the kind of space, limits, the questions, then the space.
    pub fn of(bytes: &[u8]) -> Self {
        let mut bytes = Bytes(bytes);
        let [family, limits, n] = bytes.take();
        let questions = (0..=n % 6).map(|_| {
            let [metrics, memory @ ..] = bytes.take::<3>();
            let picks = (0..=metrics % 3).map(|_| {
                let [metric, form, low, lower, high, higher] = bytes.take();
                Pick {
                    metric,
                    form,
                    low: [low, lower],
                    high: [high, higher],
                }
            });
            Question {
                picks: picks.collect(),
                memory,
            }
        });
        let questions = questions.collect();
        let space = if family < 224 {
            let [times, span, outputs @ ..] = bytes.take::<5>();
            let mut program = if family % 3 < 2 {
                let mut steps = Vec::new();
                while !bytes.is_empty() && steps.len() < 14 {
                    let [what, first, second] = bytes.take();
                    steps.push((what, first, second, bytes.take(), bytes.take()));
                }
                let near = family % 3 == 1;
                if near {
                    steps.truncate(6);
                    steps = steps.repeat(usize::from(times % 2) + 2);
                }
                build(&steps, near)
            } else {
                let last = bytes.take();
                let mut nodes = Vec::new();
                while nodes.is_empty() || !bytes.is_empty() && nodes.len() < 4 {
                    let [reads, does] = bytes.take();
                    nodes.push((reads, does, bytes.take()));
                }
                cells(&nodes, usize::from(times % 3) + 1, last)
            };
            returns(&mut program, &outputs[..usize::from(times / 8 % 4)]);
            if span.is_multiple_of(2) {
                let span = [2, 40, 1 << 40][usize::from(span / 2 % 3)];
                Noted { span }.measure(&mut program);
            }
            Space::Listed(Box::new(program))
        } else {
            Space::Chain(Chain::of(&mut bytes))
        };
        Self {
            patience: PATIENCE,
            space,
            limits,
            questions,
        }
    }

    /// Holds every answer of the library against what is known otherwise.
    ///
    /// # Panics
    /// Where one is wrong.
    pub fn check(&self) -> Tally {
        let mut tally = Tally::default();
        let program = match &self.space {
            Space::Listed(program) => (**program).clone(),
            Space::Chain(chain) => chain.program(),
        };
        let metrics = program.metrics().len();
        let listed = matches!(self.space, Space::Listed(_));
        // A long chain is refused by chance so often that none would be drawn from an open diagram.
        let limits = limits(if listed { self.limits } else { self.limits % 210 });
        let stop = patience(self.patience);
        let compiled = Diagram::compile(program.clone(), limits, &stop);
        let networks: Vec<Network> = match &self.space {
            Space::Listed(program) => distinct(&enumerate(program)).into_iter().collect(),
            Space::Chain(_) => Vec::new(),
        };
        let diagram = match compiled {
            Ok(diagram) => Arc::new(diagram),
            Err(error) if error.kind == ErrorKind::Interrupted => {
                tally.slow += 1;
                return tally;
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Layer, "{error}");
                assert!(networks.is_empty(), "there are networks, but: {error}");
                if let Space::Chain(chain) = &self.space {
                    assert_eq!(chain.count(&[]).lower, 0, "there are networks, but: {error}");
                }
                return tally;
            }
        };
        let known = match &self.space {
            Space::Listed(_) => Known::new(networks, None),
            Space::Chain(chain) => Known::new(drawn(&diagram), Some(chain.clone())),
        };
        let size = diagram.size(&patience(self.patience));
        let closed = size.is_ok();
        match size {
            Ok(size) => holds(known.all, &size, &size, "size"),
            Err(error) => assert_eq!(error.kind, ErrorKind::Limit, "{error}"),
        }
        if known.networks.is_empty() {
            return tally;
        }
        tally.spaces += 1;
        // The tables of a long chain take longer to make than anything else.
        if listed || self.limits.is_multiple_of(8) {
            evaluated(&diagram, &known.networks, listed);
        }
        let start = Instant::now();
        for question in &self.questions {
            if start.elapsed() > 2 * self.patience {
                break;
            }
            let bounds = question.bounds(&known.networks, metrics);
            let memory = memory(question.memory);
            tally.budgets += 1;
            tally.little += u64::from(memory <= 1 << 16);
            let mut memory = memory;
            loop {
                let stop = patience(self.patience);
                match known.set(&diagram, &bounds, memory, listed, &stop) {
                    Ok(true) => tally.exact += 1,
                    Ok(false) => tally.rounded += 1,
                    Err(error) if error.kind == ErrorKind::Limit => {
                        tally.limited += 1;
                        // The least that is enough is where most is rounded.
                        if closed && memory < MEMORY {
                            memory = 2 * memory + 100;
                            continue;
                        }
                    }
                    Err(error) if error.kind == ErrorKind::Interrupted => tally.slow += 1,
                    Err(error) => panic!("{bounds:?} within {memory} bytes: {error}"),
                }
                break;
            }
        }
        let Some(question) = self.questions.first() else {
            return tally;
        };
        let asked = if listed { metrics } else { 1 };
        for metric in (0..asked).map(|metric| (metric + usize::from(self.limits)) % metrics) {
            match diagram.distribution(metric, memory(question.memory), &patience(self.patience)) {
                Ok(found) => {
                    let ascending = found.values.windows(2).all(|pair| pair[0] < pair[1]);
                    assert!(ascending, "the values of metric {metric} do not ascend");
                    let total: BigUint = found.counts.iter().sum();
                    holds(known.all, &total, &total, "the total of a distribution");
                    if listed {
                        for (position, (&value, count)) in found.values.iter().zip(&found.counts).enumerate() {
                            let until = found.values.get(position + 1).map_or(i64::MAX, |next| next - 1);
                            let most = until.min(value.saturating_add(found.error)).max(value);
                            let own = |network: &&Network| (value..=most).contains(&network.2[metric]);
                            let n = known.networks.iter().filter(own).count();
                            if found.error == 0 {
                                assert_eq!(*count, n.into(), "networks with metric {metric} = {value}");
                            }
                        }
                    }
                }
                Err(error) => assert!(
                    matches!(error.kind, ErrorKind::Limit | ErrorKind::Interrupted),
                    "the distribution of metric {metric}: {error}"
                ),
            }
        }
        tally
    }
}

/// The ways to keep a diagram; mostly the usual one.
fn limits(byte: u8) -> Limits {
    let default = Limits::default();
    match byte {
        0..160 => default,
        160..190 => Limits { stored: 0, ..default },
        190..210 => Limits { stored: 20, ..default },
        210..220 => Limits { visited: 5, ..default },
        220..230 => Limits { nodes: 3, ..default },
        230..240 => Limits { memory: 600, ..default },
        240..248 => Limits {
            memory: 1 << 14,
            ..default
        },
        _ => Limits { work: 400, ..default },
    }
}

/// The bytes of memory: a third of the numbers mean at most 64 KiB.
fn memory([kind, size]: [u8; 2]) -> usize {
    let size = usize::from(size);
    match kind % 6 {
        // None at all, or a few bytes.
        0 => size * size / 8,
        1 => 1 << (9 + size % 8),
        2 | 3 => (size + 1) << (12 + kind / 6 % 10),
        _ => MEMORY,
    }
}

/// Whether it takes too long; asked by the engine.
fn patience(most: Duration) -> impl Fn() -> bool + Sync {
    let start = Instant::now();
    move || start.elapsed() > most
}

const ALONE: Workers<'static> = Workers {
    threads: 1,
    interrupt: &|| false,
};

/// Rows of indices, of `n` columns after each other.
fn rows<T: Copy + Into<u32>>(columns: &[T], n: usize) -> Vec<Vec<u32>> {
    (0..n)
        .map(|row| columns[row..].iter().step_by(n).map(|&index| index.into()).collect())
        .collect()
}

/// A network of the space, counted alone.
fn network(program: &Program, row: Vec<u32>) -> Network {
    let trace = program
        .trace(&row)
        .unwrap_or_else(|error| panic!("{row:?} is no network: {error}"));
    let shown = shown(&row, &trace.active);
    assert_eq!(row, shown, "an inactive decision has a value");
    (row, trace.active, trace.cost)
}

fn shown(row: &[u32], active: &[bool]) -> Vec<u32> {
    let own = row.iter().zip(active);
    own.map(|(&index, &active)| if active { index } else { 0 }).collect()
}

/// Some networks, drawn.
fn drawn(diagram: &Diagram) -> Vec<Network> {
    const N: usize = 24;
    let decisions = diagram.program().decisions().len();
    let mut columns = vec![0_u8; N * decisions];
    let stop = patience(PATIENCE);
    let workers = Workers {
        threads: 1,
        interrupt: &stop,
    };
    match diagram.sample(1, N, &mut columns, workers) {
        Ok(()) if decisions == 0 => vec![network(diagram.program(), Vec::new())],
        Ok(()) => rows(&columns, N)
            .into_iter()
            .map(|row| network(diagram.program(), row))
            .collect(),
        Err(error) => {
            assert!(
                matches!(error.kind, ErrorKind::Limit | ErrorKind::Interrupted),
                "{error}"
            );
            Vec::new()
        }
    }
}

/// Holds what is said of many candidates at once against what is said of each; some of them are no networks.
fn evaluated(diagram: &Diagram, networks: &[Network], listed: bool) {
    let sizes: Vec<u32> = diagram.program().decisions().iter().map(|d| d.size as u32).collect();
    if sizes.is_empty() || sizes.iter().any(|&size| size > 255) {
        return;
    }
    let mut all: Vec<Vec<u32>> = networks.iter().map(|network| network.0.clone()).collect();
    // Rows with the values of two networks, which may be anything.
    for pair in networks.windows(2).take(if listed { 40 } else { 12 }) {
        let half = sizes.len() / 2;
        all.push([&pair[0].0[..half], &pair[1].0[half..]].concat());
    }
    let n = all.len();
    let traces: Vec<_> = all.iter().map(|row| diagram.program().trace(row)).collect();
    let column = |decision: usize| all.iter().map(move |row| row[decision]);
    let narrow: Vec<Vec<u8>> = (0..sizes.len()).map(|d| column(d).map(|i| i as u8).collect()).collect();
    let wide: Vec<Vec<u32>> = (0..sizes.len()).map(|d| column(d).collect()).collect();
    let columns: Vec<Column<'_>> = (0..sizes.len())
        .map(|decision| match decision % 2 {
            0 => Column::U8(Strided::new(&narrow[decision], 0, 1, n)),
            _ => Column::U32(Strided::new(&wide[decision], 0, 1, n)),
        })
        .collect();
    let metrics: Vec<usize> = (0..diagram.program().metrics().len()).collect();
    let mut costs = vec![vec![0; n]; metrics.len()];
    let mut valid = vec![false; n];
    let outputs = Outputs {
        totals: costs.iter_mut().map(|costs| Output::I64(costs)).collect(),
        valid: Some(&mut valid),
    };
    Evaluator::new(diagram)
        .and_then(|evaluator| evaluator.evaluate(diagram, &columns, n, &metrics, outputs, ALONE))
        .unwrap_or_else(|error| panic!("evaluate: {error}"));
    for (position, trace) in traces.iter().enumerate() {
        let together: Vec<i64> = costs.iter().map(|costs| costs[position]).collect();
        let alone = trace.as_ref().ok().map(|trace| trace.cost.clone());
        assert_eq!(valid[position], alone.is_some(), "valid of {:?}", all[position]);
        let alone = alone.unwrap_or_else(|| vec![INVALID; metrics.len()]);
        assert_eq!(together, alone, "the costs of {:?}", all[position]);
    }
}

impl Question {
    /// The bounds, near the costs of networks.
    fn bounds(&self, networks: &[Network], metrics: usize) -> Vec<Bound> {
        let mut bounds: Vec<Bound> = Vec::new();
        for pick in &self.picks {
            let metric = usize::from(pick.metric) % metrics;
            if bounds.iter().any(|bound| bound.metric == metric) {
                continue;
            }
            let mut costs: Vec<i64> = networks.iter().map(|network| network.2[metric]).collect();
            costs.sort_unstable();
            let at = |[position, move_by]: [u8; 2]| {
                let cost = costs[usize::from(position) * (costs.len() - 1) / 255];
                let (least, most) = (costs[0], costs[costs.len() - 1]);
                let moved = match move_by {
                    0..100 => cost,
                    100..130 => cost + 1,
                    130..160 => cost - 1,
                    // Anywhere between, and beyond, what the networks have.
                    160..210 => least + (most - least) / 256 * i64::from(position),
                    210..235 => least / 256 * i64::from(position),
                    _ => most.saturating_add(most / 128 * i64::from(position)),
                };
                moved.max(0)
            };
            let [one, two] = [at(pick.low), at(pick.high)];
            let (low, high) = match pick.form % 4 {
                0 | 1 => (0, two),
                2 => (one, i64::MAX),
                _ => (one.min(two), one.max(two)),
            };
            bounds.push(Bound { metric, low, high });
        }
        bounds
    }
}

fn keeps(bounds: &[Bound], cost: &[i64]) -> bool {
    bounds
        .iter()
        .all(|bound| (bound.low..=bound.high).contains(&cost[bound.metric]))
}

/// Holds certain bounds of a count against it.
fn holds(right: Counted, lower: &BigUint, upper: &BigUint, what: &str) {
    let Counted {
        lower: least,
        upper: most,
    } = right;
    assert!(
        lower <= upper && *lower <= most.into() && *upper >= least.into(),
        "{what}: {lower} to {upper}; right is {least} to {most}"
    );
}

impl Known {
    fn new(networks: Vec<Network>, chain: Option<Chain>) -> Self {
        let all = Counted { lower: 0, upper: 0 };
        let mut known = Self { networks, chain, all };
        known.all = known.counted(&[]);
        known
    }

    /// How many networks keep bounds, counted without a diagram.
    fn counted(&self, bounds: &[Bound]) -> Counted {
        if let Some(chain) = &self.chain {
            return chain.count(bounds);
        }
        let n = self.networks.iter().filter(|network| keeps(bounds, &network.2)).count() as u128;
        Counted { lower: n, upper: n }
    }

    /// Holds every answer of a set against what is known; whether it is exact.
    #[allow(clippy::too_many_lines)]
    fn set(
        &self,
        diagram: &Arc<Diagram>,
        bounds: &[Bound],
        memory: usize,
        listed: bool,
        stop: Interrupt<'_>,
    ) -> Result<bool> {
        let case = format!("{bounds:?} within {memory} bytes");
        let program = diagram.program();
        let decisions = program.decisions().len();
        let workers = Workers {
            threads: 2,
            interrupt: stop,
        };
        let fits = Feasible::new(Arc::clone(diagram), bounds.to_vec(), memory)?;
        let empty = fits.is_empty(stop)?;
        let count = fits.count(stop)?;
        let exact = fits.is_exact(stop)?;
        let counted = self.counted(bounds);
        holds(counted, count.lower(), count.upper(), &format!("{case}: the count"));
        assert!(
            !exact || matches!(count, Count::Exact(_)),
            "{case}: members have ranks, but {count:?}"
        );
        if let Count::Exact(count) = &count {
            holds(counted, count, count, &format!("{case}: the exact count"));
        }
        assert!(!empty || counted.lower == 0, "{case}: is_empty, but {counted:?}");
        assert!(empty || counted.upper > 0, "{case}: not is_empty, but {counted:?}");
        assert!(!empty || count.lower().is_zero(), "{case}: is_empty, but {count:?}");
        assert!(empty || !count.upper().is_zero(), "{case}: not is_empty, but {count:?}");
        let fitting: Vec<&Network> = self.networks.iter().filter(|own| keeps(bounds, &own.2)).collect();
        assert!(
            fitting.is_empty() || !empty,
            "{case}: is_empty, but {:?} fits",
            fitting[0]
        );
        let known: HashSet<&[u32]> = fitting.iter().map(|network| &*network.0).collect();
        let member = |row: Vec<u32>, what: &str| {
            let found = network(program, row);
            assert!(keeps(bounds, &found.2), "{case}: {what} {found:?} does not fit");
            assert!(
                !listed || known.contains(&*found.0),
                "{case}: {what} {found:?} is not known"
            );
            found
        };

        // Samples.
        let mut members: Vec<Network> = Vec::new();
        let mut columns = vec![7_u16; 20 * decisions];
        match fits.sample(3, 20, &mut columns, workers) {
            Ok(()) => {
                assert!(!empty, "{case}: drawn from an empty set");
                if decisions > 0 {
                    members.extend(rows(&columns, 20).into_iter().map(|row| member(row, "drawn")));
                }
            }
            Err(error) if error.kind == ErrorKind::Argument => assert!(empty, "{case}: {error}"),
            Err(error) if error.kind == ErrorKind::Limit && !exact => {}
            Err(error) => return Err(error),
        }

        // What may follow a prefix, down to a member where there is one.
        let mut prefix: Vec<u32> = Vec::new();
        let mut row = vec![0; decisions];
        let mut taken: BTreeMap<usize, u32> = BTreeMap::new();
        let mut turn = memory;
        loop {
            let Some((decision, allowed)) = fits.allowed(Taken::InOrder(&prefix), stop)? else {
                if !empty {
                    member(row, "allowed");
                }
                break;
            };
            let shares = match fits.shares(Taken::InOrder(&prefix), stop) {
                Ok(shares) => shares.expect("as for allowed").1,
                Err(error) if error.kind == ErrorKind::Limit && !exact => Vec::new(),
                Err(error) => return Err(error),
            };
            for (share, &allowed) in shares.iter().zip(&allowed) {
                assert_eq!(
                    *share > 0.0,
                    allowed,
                    "{case}: {allowed:?} with shares {shares:?} after {taken:?}"
                );
            }
            if listed {
                for (value, &allowed) in allowed.iter().enumerate() {
                    let agrees = |network: &&Network| {
                        let mut chosen = taken.iter().map(|(&d, &v)| (d, v)).chain([(decision, value as u32)]);
                        chosen.all(|(d, v)| network.1[d] && network.0[d] == v)
                    };
                    let expected = fitting.iter().any(agrees);
                    assert_eq!(
                        allowed, expected,
                        "{case}: allowed after {taken:?}, {decision} = {value}"
                    );
                }
            }
            let open: Vec<usize> = (0..allowed.len()).filter(|&value| allowed[value]).collect();
            assert_eq!(
                open.is_empty(),
                empty,
                "{case}: nothing is allowed after {taken:?}, {decision}"
            );
            let Some(&value) = open.get(turn % open.len().max(1)) else {
                break;
            };
            turn = turn / 2 + 1;
            taken.insert(decision, value as u32);
            prefix.push(value as u32);
            row[decision] = value as u32;
        }

        // Extremes.
        for metric in 0..program.metrics().len() {
            for end in [End::Smallest, End::Largest] {
                match fits.extreme(metric, end, stop) {
                    Ok(None) => assert!(empty, "{case}: no extreme of metric {metric}"),
                    Ok(Some(row)) => {
                        let own = member(shown_of(program, &row), "extreme").2[metric];
                        for other in fitting.iter().copied().chain(&members) {
                            let further = match end {
                                End::Smallest => other.2[metric] < own,
                                End::Largest => other.2[metric] > own,
                            };
                            assert!(
                                !further,
                                "{case}: {end:?} of metric {metric} is {own}, but {other:?} fits"
                            );
                        }
                    }
                    Err(error) if error.kind == ErrorKind::Limit && !exact => {}
                    Err(error) => return Err(error),
                }
            }
        }

        // Values that occur, and how often.
        let occurring = fits.occurring(stop);
        if let Ok(occurring) = &occurring {
            for (decision, values) in occurring.iter().enumerate() {
                for (value, &occurs) in values.iter().enumerate() {
                    let own = |network: &&&Network| network.1[decision] && network.0[decision] == value as u32;
                    let found = fitting.iter().find(own);
                    assert!(
                        occurs || found.is_none(),
                        "{case}: {decision} = {value} does not occur, but {found:?}"
                    );
                    assert!(
                        !occurs || !listed || found.is_some(),
                        "{case}: {decision} = {value} occurs"
                    );
                }
            }
        } else if let Err(error) = &occurring {
            assert!(
                matches!(error.kind, ErrorKind::Interrupted) || error.kind == ErrorKind::Limit && !exact,
                "{case}: {error}"
            );
        }
        let marginals = fits.marginals(stop)?;
        let counted_exactly = matches!(count, Count::Exact(_));
        assert_eq!(marginals.exact, counted_exactly, "{case}: the marginals");
        assert!(
            !counted_exactly || marginals.total == *count.upper(),
            "{case}: {marginals:?}"
        );
        assert!(
            marginals.total >= *count.lower(),
            "{case}: {} in the marginals",
            marginals.total
        );
        for (decision, counts) in marginals.counts.iter().enumerate() {
            assert!(
                counts.iter().sum::<BigUint>() <= marginals.total,
                "{case}: {decision} in {marginals:?}"
            );
            for (value, number) in counts.iter().enumerate() {
                let own = |network: &&&Network| network.1[decision] && network.0[decision] == value as u32;
                let known = fitting.iter().filter(own).count();
                if listed && marginals.exact {
                    assert_eq!(*number, known.into(), "{case}: the marginal of {decision} = {value}");
                }
                assert!(
                    known == 0 || !number.is_zero(),
                    "{case}: no marginal of {decision} = {value}"
                );
                if let (true, Ok(occurring)) = (marginals.exact, &occurring) {
                    assert_eq!(
                        occurring[decision][value],
                        !number.is_zero(),
                        "{case}: {decision} = {value}"
                    );
                }
            }
        }

        // Ranks.
        if exact {
            assert_eq!(marginals.total, *count.upper(), "{case}: the total of the marginals");
            let total = count.upper();
            let mut ranks: Vec<BigUint> = (0..8_u32).map(|part| total * part / 8_u32).collect();
            ranks.extend((1..4_u32).filter_map(|back| total.checked_sub(&back.into())));
            if let (true, Some(total)) = (listed, total.to_u64()) {
                ranks = (0..total).map(BigUint::from).collect();
            }
            let mut found = HashSet::new();
            for rank in ranks.iter().filter(|&rank| rank < total) {
                let mut columns = vec![7_u32; decisions];
                fits.members(rank, 1, &mut columns, workers)?;
                let row = member(columns, "member").0;
                assert_eq!(
                    fits.rank(&row, stop)?.as_ref(),
                    Some(rank),
                    "{case}: the rank of {row:?}"
                );
                found.insert(row);
            }
            assert!(
                !listed || found.len() == fitting.len(),
                "{case}: some members are missing"
            );
            for network in self.networks.iter().chain(&members) {
                let rank = fits.rank(&network.0, stop)?;
                assert_eq!(
                    rank.is_some(),
                    keeps(bounds, &network.2),
                    "{case}: the rank of {network:?}"
                );
                if let Some(rank) = rank {
                    let mut columns = vec![7_u32; decisions];
                    fits.members(&rank, 1, &mut columns, workers)?;
                    assert_eq!(columns, network.0, "{case}: the member of rank {rank}");
                }
            }
        }

        // Parts in which some decisions are held at the values of a member.
        for network in members.iter().take(2) {
            let held = |decision: usize| (turn >> (decision % 16) & 1 == 1).then_some(network.0[decision]);
            let fixed: Vec<Option<u32>> = (0..decisions).map(held).collect();
            let part = fits.fix(fixed.clone())?;
            assert!(!part.is_empty(stop)?, "{case}: nothing with {fixed:?}, but {network:?}");
            let found = part.count(stop)?;
            assert!(
                !found.upper().is_zero() && found.lower() <= count.upper(),
                "{case}: {found:?} with {fixed:?}"
            );
            if listed {
                let agrees = |network: &&&Network| {
                    let mut each = fixed.iter().enumerate();
                    each.all(|(d, value)| value.is_none_or(|value| !network.1[d] || network.0[d] == value))
                };
                let n = BigUint::from(fitting.iter().filter(agrees).count());
                assert!(
                    *found.lower() <= n && n <= *found.upper(),
                    "{case}: {found:?} with {fixed:?}; right is {n}"
                );
            }
        }
        Ok(exact)
    }
}

/// A row as it is shown: 0 where a decision is inactive.
fn shown_of(program: &Program, row: &[u32]) -> Vec<u32> {
    match program.trace(row) {
        Ok(trace) => shown(row, &trace.active),
        Err(_) => row.to_vec(),
    }
}

/// Bytes of cases: their parts have a fixed length, so that what is left out by shrinking is a part.
pub fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let question = (any::<[u8; 3]>(), vec(any::<[u8; 6]>(), 3)).prop_map(|(head, picks)| {
        let picks = &picks[..=usize::from(head[0] % 3)];
        [&head[..], &picks.concat()].concat()
    });
    let head = (any::<u8>(), any::<u8>(), vec(question, 1..7));
    let steps = prop_oneof![9 => vec(any::<[u8; 10]>(), 1..8), 1 => vec(any::<[u8; 10]>(), 8..60)];
    (head, any::<[u8; 5]>(), steps).prop_map(|((family, limits, questions), own, steps)| {
        let n = questions.len() as u8 - 1;
        [&[family, limits, n][..], &questions.concat(), &own, &steps.concat()].concat()
    })
}
