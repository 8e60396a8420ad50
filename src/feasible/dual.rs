//! Multipliers of constraints: bounds of what a completion may still come to.
//!
//! **Idea.** Multipliers turn constraints into prices: the largest value less prices, over all candidates whether they
//! keep the constraints or not, is a bound of what those that do may reach (Held and Karp 1970; Geoffrion, *Lagrangean
//! relaxation for integer programming*, 1974), and one pass over the arcs finds it for the completions of each node. The
//! best multipliers are the dual solution of a linear program over all paths, which is solved by generating columns: a
//! small simplex of one row a constraint, priced by longest paths (Desrosiers and Luebbecke, *A primer in column
//! generation*, 2005). Its bound equals that of the linear program on the flow polytope of the diagram.
//!
//! **Exactness.** The simplex works in floating point, and its multipliers are rounded to integers. Any multipliers
//! give a true bound; so what is concluded from them is computed in integers of 128 bits, and never wrong.

use super::net::Net;
use crate::{Error, Interrupt, Result};

/// The most arcs that are looked at to find multipliers.
const WORK: usize = 1 << 28;

/// The price of going beyond a constraint, in ranges of the value.
const BEYOND: f64 = 1e6;

/// What two numbers may differ by and be taken for equal.
const EQUAL: f64 = 1e-9;

/// What was found.
pub(super) struct Prices {
    /// Multipliers, by constraint, the best ones first.
    pub(super) best: Vec<Vec<f64>>,
    /// Paths that keep every window, by the arcs of the net.
    pub(super) paths: Vec<Vec<usize>>,
}

/// A bound on one side of the sum of a constraint.
struct Row {
    dim: usize,
    sign: f64,
    scale: f64,
    most: f64,
}

/// What a variable of the linear program stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Path(usize),
    Slack(usize),
    /// How far all constraints are loosened.
    Beyond,
}

/// The linear program over all paths.
struct Master<'a> {
    net: &'a Net,
    /// Where the values are 0, the windows are looked at: how far inside of all of them the best mix of paths gets.
    by_value: bool,
    rows: Vec<Row>,
    /// For each arc its value, in ranges of all values.
    values: Vec<f64>,
    columns: Vec<(f64, Vec<f64>)>,
    prices: Vec<(f64, Vec<f64>)>,
    paths: Vec<Vec<usize>>,
}

/// Multipliers for which the largest value less prices is as small as it gets; without `by_value`, multipliers that tell
/// best that no candidate keeps all windows.
///
/// # Errors
/// `Interrupted`.
pub(super) fn prices(net: &Net, by_value: bool, interrupt: Interrupt<'_>) -> Result<Prices> {
    let mut rows = Vec::new();
    for (dim, window) in net.windows.iter().enumerate() {
        let scale = window.high.max(1) as f64;
        if window.high < net.to_go(net.start, dim) {
            let most = if by_value { 1.0 } else { 0.0 };
            rows.push(Row {
                dim,
                sign: 1.0,
                scale,
                most,
            });
        }
        if window.low > 0 {
            let least = -(window.low as f64) / scale;
            let most = if by_value { least } else { least - 1.0 };
            rows.push(Row {
                dim,
                sign: -1.0,
                scale,
                most,
            });
        }
    }
    let largest = net
        .values
        .iter()
        .map(|value| value.unsigned_abs())
        .max()
        .unwrap_or(0)
        .max(1) as f64;
    let mut master = Master {
        net,
        by_value,
        rows,
        values: net
            .values
            .iter()
            .map(|&value| if by_value { value as f64 / largest } else { 0.0 })
            .collect(),
        columns: Vec::new(),
        prices: Vec::new(),
        paths: Vec::new(),
    };
    master.solve(interrupt)?;
    let Master {
        rows,
        mut prices,
        paths,
        ..
    } = master;
    prices.sort_by(|a, b| a.0.total_cmp(&b.0));
    let by_dim = prices.into_iter().map(|(_, prices)| {
        let mut multipliers = vec![0.0; net.dims()];
        for (row, price) in rows.iter().zip(prices) {
            multipliers[row.dim] += row.sign * price / row.scale * if by_value { largest } else { 1.0 };
        }
        multipliers
    });
    Ok(Prices {
        best: by_dim.collect(),
        paths,
    })
}

impl Master<'_> {
    /// The best path at these prices, by its arcs, and its value less prices.
    fn priced(&self, prices: &[f64]) -> (f64, Vec<usize>) {
        let net = self.net;
        let mut per_cost = vec![0.0; net.dims()];
        for (row, price) in self.rows.iter().zip(prices) {
            per_cost[row.dim] += row.sign * price / row.scale;
        }
        let terminal = net.terminal();
        let mut best = vec![(0.0, usize::MAX); terminal as usize + 1];
        for node in (net.start..terminal).rev() {
            let mut own = (f64::NEG_INFINITY, usize::MAX);
            for arc in net.arcs_of(node) {
                let mut value = self.values[arc] + best[net.ends[arc] as usize].0;
                for (&cost, price) in net.cost(arc).iter().zip(&per_cost) {
                    value -= cost as f64 * price;
                }
                if value > own.0 {
                    own = (value, arc);
                }
            }
            best[node as usize] = own;
        }
        let mut path = Vec::new();
        let mut node = net.start;
        while node != terminal && best[node as usize].1 != usize::MAX {
            let arc = best[node as usize].1;
            path.push(arc);
            node = net.ends[arc];
        }
        (best[net.start as usize].0, path)
    }

    /// Takes a path as a column.
    fn add(&mut self, path: Vec<usize>) -> Column {
        let value = path.iter().map(|&arc| self.values[arc]).sum();
        let mut column: Vec<f64> = self
            .rows
            .iter()
            .map(|row| {
                let sum: f64 = path.iter().map(|&arc| self.net.cost(arc)[row.dim] as f64).sum();
                row.sign * sum / row.scale
            })
            .collect();
        column.push(1.0);
        self.columns.push((value, column));
        if self.net.keeps(&path) {
            self.paths.push(path);
        }
        Column::Path(self.columns.len() - 1)
    }

    fn column(&self, column: Column) -> (f64, Vec<f64>) {
        let rows = self.rows.len();
        let mut entries = vec![0.0; rows + 1];
        match column {
            Column::Path(place) => return self.columns[place].clone(),
            Column::Slack(row) => entries[row] = 1.0,
            Column::Beyond => {
                entries[..rows].fill(-1.0);
                return (if self.by_value { -BEYOND } else { -1.0 }, entries);
            }
        }
        (0.0, entries)
    }

    fn solve(&mut self, interrupt: Interrupt<'_>) -> Result<()> {
        let rows = self.rows.len();
        let (_, path) = self.priced(&vec![0.0; rows]);
        let first = self.add(path);
        let used = self.columns[0].1.clone();
        let mut basis: Vec<Column> = (0..rows).map(Column::Slack).collect();
        basis.push(first);
        let over = |row: usize| used[row] - self.rows[row].most;
        if let Some(worst) = (0..rows).max_by(|&a, &b| over(a).total_cmp(&over(b)))
            && over(worst) > 0.0
        {
            basis[worst] = Column::Beyond;
        }
        let right: Vec<f64> = self.rows.iter().map(|row| row.most).chain([1.0]).collect();
        let rounds = (WORK / (self.net.ends.len() * (self.net.dims() + 1)).max(1)).clamp(16, 400);
        let mut passes = 0;
        for _ in 0..8 * rounds {
            if interrupt.stops() {
                return Err(Error::interrupted());
            }
            let in_basis: Vec<_> = basis.iter().map(|&column| self.column(column)).collect();
            let Some(inverse) = inverse(&in_basis) else {
                return Ok(());
            };
            let duals: Vec<f64> = (0..=rows)
                .map(|row| {
                    in_basis
                        .iter()
                        .zip(&inverse)
                        .map(|((cost, _), line)| cost * line[row])
                        .sum()
                })
                .collect();
            let slack = (0..rows).min_by(|&a, &b| duals[a].total_cmp(&duals[b]));
            let beyond = duals[..rows].iter().sum::<f64>() - if self.by_value { BEYOND } else { 1.0 };
            let entering = if let Some(row) = slack.filter(|&row| duals[row] < -EQUAL) {
                Column::Slack(row)
            } else if beyond > EQUAL * BEYOND && !basis.contains(&Column::Beyond) {
                Column::Beyond
            } else {
                passes += 1;
                if passes > rounds {
                    return Ok(());
                }
                let prices: Vec<f64> = duals[..rows].iter().map(|price| price.max(0.0)).collect();
                let (gain, path) = self.priced(&prices);
                let bound = gain
                    + prices
                        .iter()
                        .zip(&self.rows)
                        .map(|(price, row)| price * row.most)
                        .sum::<f64>();
                self.prices.push((bound, prices));
                if gain - duals[rows] <= EQUAL * gain.abs().max(1.0) {
                    return Ok(());
                }
                self.add(path)
            };
            let (_, entries) = self.column(entering);
            let product = |line: &Vec<f64>, entries: &[f64]| line.iter().zip(entries).map(|(a, b)| a * b).sum::<f64>();
            let mut leaving: Option<(f64, f64, usize)> = None;
            for (place, line) in inverse.iter().enumerate() {
                let step = product(line, &entries);
                if step > EQUAL {
                    let ratio = product(line, &right).max(0.0) / step;
                    if leaving.is_none_or(|(least, size, _)| (ratio, -step) < (least, -size)) {
                        leaving = Some((ratio, step, place));
                    }
                }
            }
            let Some((_, _, place)) = leaving else { return Ok(()) };
            basis[place] = entering;
        }
        Ok(())
    }
}

/// The inverse of the matrix of these columns, unless it has none.
fn inverse(columns: &[(f64, Vec<f64>)]) -> Option<Vec<Vec<f64>>> {
    let size = columns.len();
    let mut lines: Vec<Vec<f64>> = (0..size)
        .map(|row| {
            let own = columns.iter().map(|(_, column)| column[row]);
            own.chain((0..size).map(|other| f64::from(u8::from(other == row))))
                .collect()
        })
        .collect();
    for pivot in 0..size {
        let largest = (pivot..size).max_by(|&a, &b| lines[a][pivot].abs().total_cmp(&lines[b][pivot].abs()))?;
        lines.swap(pivot, largest);
        let by = lines[pivot][pivot];
        if by.abs() < 1e-13 {
            return None;
        }
        for entry in &mut lines[pivot] {
            *entry /= by;
        }
        let own = lines[pivot].clone();
        for (row, line) in lines.iter_mut().enumerate() {
            let times = line[pivot];
            if row != pivot && times != 0.0 {
                for (entry, own) in line.iter_mut().zip(&own) {
                    *entry -= times * own;
                }
            }
        }
    }
    Some(lines.into_iter().map(|line| line[size..].to_vec()).collect())
}

/// What completions may still come to at some multipliers, in integers: `scale` times the value, less prices.
pub(super) struct Relaxed {
    /// How often a value counts; 0 where only the windows matter.
    pub(super) scale: i64,
    /// What one unit of each constraint costs.
    prices: Vec<i64>,
    /// What the windows give back.
    constant: i128,
    /// For each node the most that a completion comes to.
    rest: Vec<i128>,
}

/// The bits that the value of a path, or its price in one constraint, may have.
const BITS: u32 = 116;

impl Relaxed {
    /// The bound at these multipliers; nothing where they are too large for integers.
    pub(super) fn new(net: &Net, multipliers: &[f64], by_value: bool) -> Option<Self> {
        let bits = |number: i128| 128 - number.unsigned_abs().leading_zeros();
        let values = net
            .values
            .iter()
            .map(|&value| i128::from(value).abs())
            .max()
            .unwrap_or(0);
        let length = i128::from(net.terminal()) + 1;
        let mut exponent = 60_u32.min(BITS.checked_sub(bits(values * length.max(1)))?);
        let largest: Vec<i128> = (0..net.dims())
            .map(|dim| i128::from(net.to_go(net.start, dim).max(net.windows[dim].high)) + 1)
            .collect();
        let prices = loop {
            let scale = (1_u64 << exponent) as f64;
            let prices: Vec<f64> = multipliers
                .iter()
                .map(|multiplier| (multiplier * scale).round())
                .collect();
            let fits = prices.iter().zip(&largest).all(|(price, &sum)| {
                price.is_finite() && price.abs() < (1_u64 << 61) as f64 && bits(*price as i128) + bits(sum) <= BITS
            });
            if fits {
                break prices;
            }
            exponent = exponent.checked_sub(1)?;
        };
        let prices: Vec<i64> = prices.into_iter().map(|price| price as i64).collect();
        let given_back = net.windows.iter().zip(&prices);
        let given_back = given_back
            .map(|(window, &price)| i128::from(price) * i128::from(if price >= 0 { window.high } else { window.low }));
        let mut relaxed = Self {
            scale: if by_value { 1 << exponent } else { 0 },
            constant: given_back.sum(),
            prices,
            rest: vec![0; net.terminal() as usize + 1],
        };
        for node in (net.start..net.terminal()).rev() {
            let arcs = net.arcs_of(node);
            let most = arcs.map(|arc| relaxed.arc(net, arc) + relaxed.rest[net.ends[arc] as usize]);
            relaxed.rest[node as usize] = most.reduce(i128::max).unwrap_or(0);
        }
        Some(relaxed)
    }

    /// What an arc comes to.
    fn arc(&self, net: &Net, arc: usize) -> i128 {
        self.so_far(net.values[arc], net.cost(arc))
    }

    #[inline]
    fn so_far(&self, value: i64, sums: &[i64]) -> i128 {
        let mut found = i128::from(self.scale) * i128::from(value);
        for (&sum, &price) in sums.iter().zip(&self.prices) {
            found -= i128::from(sum) * i128::from(price);
        }
        found
    }

    /// The most that `scale` times the value of a candidate comes to that keeps the windows, behind a prefix; a candidate
    /// without values keeps them only where this is not negative.
    #[inline]
    pub(super) fn bound(&self, node: u32, value: i64, sums: &[i64]) -> i128 {
        self.so_far(value, sums) + self.constant + self.rest[node as usize]
    }

    /// For each arc the same for the candidates that use it.
    pub(super) fn through(&self, net: &Net) -> Vec<i128> {
        let mut before = vec![i128::MIN; net.terminal() as usize + 1];
        before[net.start as usize] = 0;
        let mut found = Vec::with_capacity(net.ends.len());
        for node in 0..net.terminal() {
            for arc in net.arcs_of(node) {
                let end = net.ends[arc] as usize;
                let here = before[node as usize] + self.arc(net, arc);
                before[end] = before[end].max(here);
                found.push(here + self.rest[end] + self.constant);
            }
        }
        found
    }
}
