//! Chains of layers with up to 10^30 networks, and a slow count of them that knows nothing of diagrams.
//!
//! The count keeps a dictionary from what the rest of a chain can tell apart (the shape, the decisions that come again,
//! the sums) to the number of ways; it asks the rules of the layers alone. Where the dictionary grows too large, sums are
//! rounded down, and what that may hide makes the count an interval.

use super::{Bytes, arguments, constants};
use archbudget::Result;
use archbudget::feasible::Bound;
use archbudget::layers::{Kind, Shape};
use archbudget::space::{
    Atom, BUILT_IN, BuiltIn, Combine, Expr, Guard, LayerTrace, Measure, Metric, Program, Settings, Tensor,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// No space has more networks, so that they can be counted in 128 bits.
const MOST_NETWORKS: f64 = 1e30;

/// The most steps from one dictionary to the next.
const MOST_STEPS: usize = 20_000;

const BYTES_PER_WEIGHT: i64 = 4;
const BYTES_PER_ACTIVATION: i64 = 2;

/// The built-in metrics and those of [`Noted`].
pub const METRICS: usize = BUILT_IN.len() + 2;
const PEAK: usize = 4;

/// The costs of a layer or of a network, in the order of the metrics.
pub type Costs = [i64; METRICS];

/// Metrics from outside: a sum and a maximum that look at everything a layer is told, like a table of latencies.
#[derive(Debug, Clone, Copy)]
pub struct Noted {
    /// Values are below it.
    pub span: i64,
}

impl Noted {
    fn of(self, kind: &str, args: &[i64], notes: &[u32], output: &Shape) -> [i64; 2] {
        let numbers = args.iter().copied().chain(notes.iter().map(|&note| i64::from(note)));
        let bytes = kind.bytes().map(i64::from);
        let hash = bytes
            .chain(numbers)
            .chain(output.iter().copied())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, number| {
                (hash ^ number as u64).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
            });
        let below = |hash: u64| (hash >> 8) as i64 % self.span;
        // Merging and input layers are free, as in most tables of measured times.
        let sum = if matches!(kind, "Add" | "Input") {
            0
        } else {
            below(hash)
        };
        [sum, below(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15))]
    }

    /// Adds these metrics to a program.
    pub fn measure(self, program: &mut Program) {
        let metrics = vec![Metric::new("noted", Combine::Sum), Metric::new("largest", Combine::Max)];
        program.measure(metrics, Arc::new(self)).expect("new names");
    }
}

impl Measure for Noted {
    fn values(&self, kind: &Kind, layer: &LayerTrace) -> Result<Vec<i64>> {
        Ok(self
            .of(&kind.name, &layer.args, &layer.notes, &layer.output_shape)
            .to_vec())
    }
}

#[derive(Debug, Clone)]
enum Arg {
    Number(i64),
    Values(usize, Vec<i64>),
}

impl Arg {
    fn expression(&self) -> Expr {
        match self {
            Self::Number(number) => Expr::Constant(*number),
            Self::Values(decision, values) => Expr::Lookup {
                decision: *decision,
                values: values.as_slice().into(),
            },
        }
    }

    fn decision(&self) -> Option<usize> {
        match self {
            Self::Number(_) => None,
            Self::Values(decision, _) => Some(*decision),
        }
    }

    fn value(&self, chosen: &BTreeMap<usize, u32>) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Values(decision, values) => values[chosen[decision] as usize],
        }
    }
}

/// A layer.
#[derive(Debug, Clone)]
struct Piece {
    kind: &'static str,
    args: Vec<Arg>,
    bits: Option<Arg>,
    notes: Vec<usize>,
}

impl Piece {
    fn decisions(&self) -> impl Iterator<Item = usize> + '_ {
        let args = self.args.iter().chain(&self.bits).filter_map(Arg::decision);
        args.chain(self.notes.iter().copied())
    }
}

/// Layers in a row; added to what they read, if they are a `skip`.
#[derive(Debug, Clone)]
struct Row {
    pieces: Vec<Piece>,
    skip: bool,
}

#[derive(Debug, Clone)]
enum Stage {
    Row(Row),
    /// One of several rows.
    OneOf(usize, Vec<Row>),
    /// The first so many of several rows, by the index of a decision.
    Repeat(usize, Vec<Row>),
}

/// A row that is there where a decision has one of some values.
#[derive(Debug)]
struct Unit {
    guard: Option<Atom>,
    row: Row,
}

impl Unit {
    /// Adds a row: whole where it skips, otherwise layer by layer.
    fn add(units: &mut Vec<Self>, row: &Row, guard: Option<&Atom>) {
        let rows = if row.skip || row.pieces.is_empty() {
            vec![row.clone()]
        } else {
            let alone = |piece: &Piece| Row {
                pieces: vec![piece.clone()],
                skip: false,
            };
            row.pieces.iter().map(alone).collect()
        };
        units.extend(rows.into_iter().map(|row| Self {
            guard: guard.cloned(),
            row,
        }));
    }

    fn decisions(&self) -> Vec<usize> {
        let own = self.row.pieces.iter().flat_map(Piece::decisions);
        self.guard.iter().map(|atom| atom.decision).chain(own).collect()
    }
}

/// A chain.
#[derive(Debug, Clone)]
pub struct Chain {
    shape: [i64; 2],
    /// How many values each decision has.
    sizes: Vec<usize>,
    stages: Vec<Stage>,
    noted: Noted,
}

/// How many networks keep some bounds: at least `lower`, at most `upper`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub lower: u128,
    pub upper: u128,
}

/// Draws pieces whose decisions are new, or known ones.
struct Draw<'a, 'b> {
    bytes: &'a mut Bytes<'b>,
    sizes: &'a mut Vec<usize>,
    networks: f64,
}

impl Draw<'_, '_> {
    /// A decision of so many values.
    fn decision(&mut self, size: usize) -> Option<usize> {
        let known = (0..self.sizes.len()).find(|&known| self.sizes[known] == size);
        match known {
            Some(known) if size <= 4 && self.bytes.next().is_multiple_of(8) => Some(known),
            _ if self.networks * size as f64 > MOST_NETWORKS => None,
            _ => {
                self.networks *= size as f64;
                self.sizes.push(size);
                Some(self.sizes.len() - 1)
            }
        }
    }

    /// A number, or a decision over a range of them.
    fn number(&mut self, least: i64, most_values: u8) -> Arg {
        let [values, base, step] = self.bytes.take();
        let base = least + i64::from(base % 12);
        let size = usize::from(values % most_values) + 1;
        if size == 1 {
            return Arg::Number(base);
        }
        let step = i64::from(step % 8) + 1;
        match self.decision(size) {
            Some(decision) => Arg::Values(decision, (0..size as i64).map(|value| base + step * value).collect()),
            None => Arg::Number(base),
        }
    }

    fn either(&mut self, values: &[i64]) -> Arg {
        let byte = self.bytes.next();
        if byte.is_multiple_of(4)
            && let Some(decision) = self.decision(values.len())
        {
            return Arg::Values(decision, values.to_vec());
        }
        Arg::Number(values[usize::from(byte / 4) % values.len()])
    }

    /// A layer; one that `keeps` the shape where it stands beside a skip connection.
    fn piece(&mut self, keeps: bool) -> Piece {
        let what = self.bytes.next();
        let same = || Arg::Number(3);
        let (kind, given) = match what % 8 {
            0..3 => {
                let filters = if keeps { same() } else { self.number(1, 9) };
                let kernel = self.number(1, 4);
                // The length stays as it is.
                let padding = Arg::Number(1);
                let bias = self.either(&[1, 0]);
                let given = vec![
                    ("filters", filters),
                    ("kernel_size", kernel),
                    ("padding", padding),
                    ("use_bias", bias),
                ];
                ("Conv1D", given)
            }
            3 | 4 => {
                let units = if keeps { same() } else { self.number(1, 25) };
                ("Dense", vec![("units", units), ("use_bias", self.either(&[0, 1]))])
            }
            5 if !keeps => ("MaxPooling1D", vec![("pool_size", self.number(1, 3))]),
            6 => ("BatchNormalization", Vec::new()),
            _ => ("Dropout", Vec::new()),
        };
        let args = arguments(kind, &given, Arg::Number);
        let mut piece = Piece {
            kind,
            args,
            bits: None,
            notes: Vec::new(),
        };
        let more = self.bytes.next();
        if more.is_multiple_of(8) && what % 8 < 5 {
            piece.bits = Some(self.either(&[8, 4, 3]));
        }
        if (more / 8).is_multiple_of(4) {
            let size = usize::from(self.bytes.next() % 7) + 2;
            piece.notes.extend(self.decision(size));
        }
        piece
    }

    fn row(&mut self) -> Row {
        let what = self.bytes.next();
        let skip = what.is_multiple_of(2);
        let n = if skip { 1 + what / 2 % 2 } else { what / 2 % 3 };
        let mut pieces: Vec<_> = (0..n).map(|_| self.piece(skip)).collect();
        if skip {
            // It comes back to the three channels that it may have met.
            let bias = self.either(&[1, 0]);
            let given = [("units", Arg::Number(3)), ("use_bias", bias)];
            pieces.push(Piece {
                kind: "Dense",
                args: arguments("Dense", &given, Arg::Number),
                bits: None,
                notes: Vec::new(),
            });
        }
        Row { pieces, skip }
    }

    fn stage(&mut self) -> Stage {
        let what = self.bytes.next();
        let size = usize::from(what / 8 % 5) + 2;
        match what % 8 {
            6 | 7 => match self.decision(size) {
                Some(decision) => {
                    let mut rows: Vec<_> = (0..size).map(|_| self.row()).collect();
                    if what % 8 == 7 {
                        return Stage::Repeat(decision, rows);
                    }
                    // Mostly one of them is the identity.
                    if what < 192 {
                        rows[0].pieces.clear();
                        rows[0].skip = false;
                    }
                    Stage::OneOf(decision, rows)
                }
                None => Stage::Row(self.row()),
            },
            _ => Stage::Row(Row {
                pieces: vec![self.piece(false)],
                skip: false,
            }),
        }
    }
}

impl Chain {
    /// The chain that bytes describe.
    pub fn of(bytes: &mut Bytes<'_>) -> Self {
        let [length, span, repeated] = bytes.take();
        let mut sizes = Vec::new();
        let mut draw = Draw {
            bytes,
            sizes: &mut sizes,
            networks: 1.0,
        };
        let mut stages = Vec::new();
        while !draw.bytes.is_empty() && stages.len() < 40 {
            // The same description again and again, with new decisions: the chains that people write.
            let times = if repeated.is_multiple_of(4) {
                1 + repeated / 4 % 16
            } else {
                1
            };
            let (mark, mut left) = (draw.bytes.0, draw.bytes.0);
            for _ in 0..times {
                draw.bytes.0 = mark;
                stages.push(draw.stage());
                left = draw.bytes.0;
            }
            draw.bytes.0 = left;
        }
        Self {
            shape: [i64::from(length % 9) + 1, 3],
            sizes,
            stages,
            noted: Noted {
                span: [3, 50, 2000, 1 << 34][usize::from(span % 4)],
            },
        }
    }

    /// How many stages it has.
    pub fn len(&self) -> usize {
        self.stages.len()
    }

    /// The program of all its networks.
    pub fn program(&self) -> Program {
        let mut program = Program::new(Settings {
            bytes_per_weight: BYTES_PER_WEIGHT,
            bytes_per_activation: BYTES_PER_ACTIVATION,
            in_place: true,
        });
        self.noted.measure(&mut program);
        for (decision, &size) in self.sizes.iter().enumerate() {
            program.decision(&format!("d{decision}"), size).expect("a new name");
        }
        let kind = Kind::named("Input").expect("a layer");
        let input = program
            .layer("input", kind, constants(&self.shape), true)
            .expect("a shape");
        let mut tensor = program.apply(Vec::new(), input, Vec::new()).expect("an input");
        for stage in &self.stages {
            tensor = match stage {
                Stage::Row(row) => write(&mut program, row, &Vec::new(), tensor),
                Stage::OneOf(decision, rows) => {
                    program.read(Vec::new(), *decision).expect("a known decision");
                    let met = program.tensor();
                    for (value, row) in rows.iter().enumerate() {
                        let guard = self.guard(*decision, |other| other == value);
                        let out = write(&mut program, row, &guard, tensor);
                        program.alias(guard, out, met).expect("known tensors");
                    }
                    met
                }
                Stage::Repeat(decision, rows) => {
                    program.read(Vec::new(), *decision).expect("a known decision");
                    for (number, row) in rows.iter().enumerate() {
                        let guard = self.guard(*decision, |times| times > number);
                        let out = write(&mut program, row, &guard, tensor);
                        let met = program.tensor();
                        program.alias(guard, out, met).expect("known tensors");
                        let without = self.guard(*decision, |times| times <= number);
                        program.alias(without, tensor, met).expect("known tensors");
                        tensor = met;
                    }
                    tensor
                }
            };
        }
        program.returns(vec![tensor]).expect("a known tensor");
        program
    }

    fn guard(&self, decision: usize, allowed: impl Fn(usize) -> bool) -> Guard {
        let allowed = (0..self.sizes[decision]).map(allowed).collect();
        vec![Atom { decision, allowed }]
    }

    /// How many networks there are that keep all bounds.
    pub fn count(&self, bounds: &[Bound]) -> Counted {
        let combine = |metric: usize| match metric {
            PEAK | 6 => Combine::Max,
            _ => Combine::Sum,
        };
        let combines: Vec<_> = bounds.iter().map(|bound| combine(bound.metric)).collect();
        let units = self.units();
        let (base, shape) = self
            .one("Input", &self.shape, 8 * BYTES_PER_WEIGHT, &[], &[], 0, true)
            .expect("a shape");
        let start: Vec<i64> = bounds.iter().map(|bound| base[bound.metric]).collect();
        let mut unit = vec![1_i64; bounds.len()];
        let mut slack = vec![0_i64; bounds.len()];
        let first = (shape, BTreeMap::new());
        let mut entries: Entries = FxHashMap::from_iter([(first, FxHashMap::from_iter([(start, 1)]))]);
        for (position, part) in units.iter().enumerate() {
            let later: FxHashSet<usize> = units[position + 1..].iter().flat_map(Unit::decisions).collect();
            let options: FxHashMap<_, _> = entries
                .keys()
                .map(|key| (key.clone(), self.options(part, key.0, &key.1, &later)))
                .collect();
            while steps(&entries, &options) > MOST_STEPS && unit.iter().all(|&unit| unit < 1 << 50) {
                for (unit, combine) in unit.iter_mut().zip(&combines) {
                    if *combine == Combine::Sum {
                        *unit *= 2;
                    }
                }
                if unit.iter().all(|&unit| unit == 1) {
                    break;
                }
                entries = rounded(entries, &unit);
            }
            for (slack, unit) in slack.iter_mut().zip(&unit) {
                *slack += unit - 1;
            }
            let mut next: Entries = FxHashMap::default();
            for (key, sums) in rounded(entries, &unit) {
                for ((shape, chosen, cost), ways) in &options[&key] {
                    let into = next.entry((*shape, chosen.clone())).or_default();
                    for (sums, known) in &sums {
                        let joined = sums.iter().zip(bounds).zip(&combines);
                        let joined: Vec<i64> = joined
                            .map(|((&sum, bound), combine)| match combine {
                                Combine::Sum => sum + cost[bound.metric],
                                Combine::Max => sum.max(cost[bound.metric]),
                            })
                            .collect();
                        if joined.iter().zip(bounds).all(|(&sum, bound)| sum <= bound.high) {
                            *into.entry(joined).or_default() += known * ways;
                        }
                    }
                }
            }
            entries = next;
        }
        let mut counted = Counted { lower: 0, upper: 0 };
        for (sums, ways) in entries.values().flatten() {
            let ends = || sums.iter().zip(&slack).zip(bounds);
            if ends().all(|((&sum, slack), bound)| sum <= bound.high && sum + slack >= bound.low) {
                counted.upper += ways;
                if ends().all(|((&sum, slack), bound)| sum >= bound.low && sum + slack <= bound.high) {
                    counted.lower += ways;
                }
            }
        }
        counted
    }

    /// The chain as parts that one after the other change the tensor, or leave it as it is.
    fn units(&self) -> Vec<Unit> {
        let mut units = Vec::new();
        for stage in &self.stages {
            match stage {
                Stage::Row(row) => Unit::add(&mut units, row, None),
                Stage::OneOf(decision, rows) => {
                    for (value, row) in rows.iter().enumerate() {
                        Unit::add(&mut units, row, self.guard(*decision, |other| other == value).first());
                    }
                }
                Stage::Repeat(decision, rows) => {
                    for (number, row) in rows.iter().enumerate() {
                        Unit::add(&mut units, row, self.guard(*decision, |times| times > number).first());
                    }
                }
            }
        }
        units
    }

    /// What a part makes of a shape, with each choice that can be built; equal ones together.
    fn options(&self, unit: &Unit, shape: Shape, chosen: &Chosen, later: &FxHashSet<usize>) -> FxHashMap<Made, u128> {
        let mut found = FxHashMap::default();
        let mut add = |chosen: &Chosen, made: Option<(Shape, Costs)>| {
            if let Some((shape, cost)) = made {
                let mut kept = chosen.clone();
                kept.retain(|decision, _| later.contains(decision));
                *found.entry((shape, kept, cost)).or_default() += 1;
            }
        };
        let needed: Vec<usize> = unit.row.pieces.iter().flat_map(Piece::decisions).collect();
        let asked: Vec<usize> = unit.guard.iter().map(|atom| atom.decision).collect();
        self.each(&asked, chosen.clone(), &mut |chosen| {
            let taken = |atom: &Atom| atom.allowed[chosen[&atom.decision] as usize];
            if unit.guard.iter().all(taken) {
                self.each(&needed, chosen.clone(), &mut |chosen| {
                    add(chosen, self.row(&unit.row, shape, chosen));
                });
            } else {
                add(chosen, Some((shape, [0; METRICS])));
            }
        });
        found
    }

    /// Goes through all values of the decisions that are not taken yet.
    fn each(&self, needed: &[usize], mut chosen: Chosen, visit: &mut dyn FnMut(&Chosen)) {
        let Some(&open) = needed.iter().find(|decision| !chosen.contains_key(decision)) else {
            return visit(&chosen);
        };
        for value in 0..self.sizes[open] {
            chosen.insert(open, value as u32);
            self.each(needed, chosen.clone(), visit);
        }
    }

    /// The shape and the costs of a row, unless a layer refuses.
    fn row(&self, row: &Row, from: Shape, chosen: &Chosen) -> Option<(Shape, Costs)> {
        let (mut shape, mut cost) = (from, [0; METRICS]);
        for (number, piece) in row.pieces.iter().enumerate() {
            let args: Vec<i64> = piece.args.iter().map(|arg| arg.value(chosen)).collect();
            let notes: Vec<u32> = piece.notes.iter().map(|note| chosen[note]).collect();
            let bits = piece
                .bits
                .as_ref()
                .map_or(8 * BYTES_PER_WEIGHT, |bits| bits.value(chosen));
            // What the skip connection reads waits beside the layers; the first of them reads it itself.
            let waits = if row.skip && number > 0 { from.elements()? } else { 0 };
            let dies = !(row.skip && number == 0);
            let (own, out) = self.one(piece.kind, &args, bits, &notes, &[shape], waits, dies)?;
            shape = out;
            join(&mut cost, own);
        }
        if row.skip {
            let (own, out) = self.one("Add", &[], 8 * BYTES_PER_WEIGHT, &[], &[from, shape], 0, true)?;
            shape = out;
            join(&mut cost, own);
        }
        Some((shape, cost))
    }

    /// The costs and the output of one layer, by its rule and by the definitions of the metrics.
    #[allow(clippy::too_many_arguments)]
    fn one(
        &self,
        kind: &str,
        args: &[i64],
        bits: i64,
        notes: &[u32],
        inputs: &[Shape],
        waits: i64,
        dies: bool,
    ) -> Option<(Costs, Shape)> {
        let kind = Kind::named(kind).expect("a layer");
        let out = kind.output(args, inputs).ok()?;
        let cost = kind.cost(args, inputs, &out);
        let params = cost.trainable.0 + cost.non_trainable.0;
        let read: i64 = inputs.iter().map(|input| input.elements().expect("small sides")).sum();
        let made = out.elements()?;
        let over = |input: &Shape| input.elements().is_some_and(|elements| elements >= made);
        let written = if kind.in_place && dies && inputs.iter().any(over) {
            0
        } else {
            made
        };
        let peak = BYTES_PER_ACTIVATION * (waits + read + written);
        let [noted, largest] = self.noted.of(&kind.name, args, notes, &out);
        let bytes = (params * bits + 7) / 8;
        let mut own = [0; METRICS];
        for metric in BuiltIn::ALL {
            own[metric.index()] = match metric {
                BuiltIn::Params => params,
                BuiltIn::TrainableParams => cost.trainable.0,
                BuiltIn::Macs => cost.macs.0,
                BuiltIn::WeightBytes => bytes,
                BuiltIn::PeakActivationBytes => peak,
            };
        }
        own[BUILT_IN.len()..].copy_from_slice(&[noted, largest]);
        Some((own, out))
    }
}

/// The values of some decisions.
type Chosen = BTreeMap<usize, u32>;
/// What a stage leaves: a shape, the tied decisions, and the costs.
type Made = (Shape, Chosen, Costs);
/// By shape and tied decisions: by the sums so far, how many ways lead there.
type Entries = FxHashMap<(Shape, Chosen), FxHashMap<Vec<i64>, u128>>;

/// How many sums the next stage adds.
fn steps(entries: &Entries, options: &FxHashMap<(Shape, Chosen), FxHashMap<Made, u128>>) -> usize {
    entries.iter().map(|(key, sums)| sums.len() * options[key].len()).sum()
}

/// The same with sums that are multiples of a unit, rounded down.
fn rounded(mut entries: Entries, unit: &[i64]) -> Entries {
    if unit.iter().any(|&unit| unit > 1) {
        for sums in entries.values_mut() {
            for (mut key, ways) in std::mem::take(sums) {
                for (sum, unit) in key.iter_mut().zip(unit) {
                    *sum -= sum.rem_euclid(*unit);
                }
                *sums.entry(key).or_default() += ways;
            }
        }
    }
    entries
}

fn join(cost: &mut Costs, own: Costs) {
    for (metric, own) in own.into_iter().enumerate() {
        cost[metric] = match metric {
            PEAK | 6 => own.max(cost[metric]),
            _ => cost[metric] + own,
        };
    }
}

/// Writes a row behind a guard.
fn write(program: &mut Program, row: &Row, guard: &Guard, from: Tensor) -> Tensor {
    let mut tensor = from;
    for piece in &row.pieces {
        let kind = Kind::named(piece.kind).expect("a layer");
        let args = piece.args.iter().map(Arg::expression).collect();
        let name = format!("l{}", program.layers().len());
        let layer = program.layer(&name, kind, args, true).expect("its arguments");
        let bits = piece.bits.as_ref().map(Arg::expression);
        program
            .annotate(layer, bits, None, piece.notes.clone())
            .expect("its bits");
        tensor = program
            .apply(guard.clone(), layer, vec![tensor])
            .expect("known tensors");
    }
    if row.skip {
        let name = format!("l{}", program.layers().len());
        let add = Kind::named("Add").expect("a layer");
        let layer = program.layer(&name, add, Vec::new(), true).expect("no arguments");
        tensor = program
            .apply(guard.clone(), layer, vec![from, tensor])
            .expect("known tensors");
    }
    tensor
}
