//! How many completions keep within any bounds, by tables of sums.
//!
//! **Idea.** Sums of each constraint are put into classes, and a table tells how many completions lie before some
//! classes. With several constraints a table that is fine in all of them would be too large, so there are two: the
//! *rows* are fine in the first constraint and coarse in the others, the *columns* coarse in the first and fine in the
//! others. What lies before fine classes is what the rows tell at the coarse classes below, and the rest of the columns:
//! of a strip that ends in the midst of a coarse class of the first constraint, only one coarse cell is not known.
//!
//! **Bound.** A completion is misplaced only within one fine class, or within one coarse cell. Tables have at most as
//! many items as they are given; with classes `n` in each of two constraints that is `n * COARSE` for each table, where
//! one that is fine in both would have `n * n`. A look-up reads three items.

use std::ops::AddAssign;

/// The most coarse classes of a constraint.
const COARSE: usize = 1 << 9;

/// A number of completions.
pub(super) trait Completions: Copy + Default + AddAssign + TryFrom<u64> + Into<u64> {}

impl Completions for u32 {}
impl Completions for u64 {}

/// Classes of sums that are not negative: as many sums in each as a power of two. The last class is beyond all that count.
#[derive(Debug, Clone, Copy)]
struct Scale {
    len: usize,
    shift: u32,
    /// As many classes as the power of two with this exponent are a coarse one.
    split: u32,
}

impl Scale {
    /// Of sums up to `most`, `2^shift` in each class.
    fn new(most: i64, shift: u32) -> Self {
        let len = (most >> shift) as usize + 2;
        Self {
            len,
            shift,
            split: (len.div_ceil(COARSE)).next_power_of_two().trailing_zeros(),
        }
    }

    #[inline]
    fn class(&self, sum: i64) -> usize {
        ((sum >> self.shift) as usize).min(self.len - 1)
    }

    fn coarse(&self) -> usize {
        self.len.div_ceil(1 << self.split)
    }
}

/// Completions of a node.
pub(super) struct Marked<C, const D: usize> {
    scales: [Scale; D],
    /// How many completions lie before a class of the first constraint, and before coarse classes of the others.
    rows: Vec<C>,
    /// How many lie before a coarse class of the first, and before classes of the others; empty where the rows tell it.
    columns: Vec<C>,
}

impl<C: Completions, const D: usize> Marked<C, D> {
    /// Tables of at most so many cells for completions that come to at most `most`; the classes are as wide in each
    /// constraint as in the others, as parts of `high`.
    pub(super) fn new(most: [i64; D], cells: usize, high: &[i64; D]) -> Self {
        let scales = scales(most, cells, high);
        let (rows, columns) = lens(&scales);
        let items =
            |lens: Option<[usize; D]>| lens.map_or_else(Vec::new, |lens| vec![C::default(); lens.iter().product()]);
        Self {
            scales,
            rows: items(Some(rows)),
            columns: items(columns),
        }
    }

    /// Adds completions that come to these sums, which are at most those that the tables were made for.
    #[inline]
    pub(super) fn mark(&mut self, sums: &[i64; D], ways: u64) {
        let Ok(ways) = C::try_from(ways) else { return };
        let classes: [usize; D] = std::array::from_fn(|dim| self.scales[dim].class(sums[dim]));
        let (rows, columns) = lens(&self.scales);
        let mut row = 0;
        for (dim, len) in rows.into_iter().enumerate() {
            let split = if dim == 0 { 0 } else { self.scales[dim].split };
            row = row * len + (classes[dim] >> split) + 1;
        }
        self.rows[row] += ways;
        let Some(columns) = columns else { return };
        let mut column = 0;
        for (dim, len) in columns.into_iter().enumerate() {
            let split = if dim == 0 { self.scales[dim].split } else { 0 };
            column = column * len + (classes[dim] >> split) + 1;
        }
        self.columns[column] += ways;
    }

    /// Makes the numbers of the cells those of all before them; once all are marked.
    pub(super) fn add_up(&mut self) {
        let (rows, columns) = lens(&self.scales);
        add_up(&mut self.rows, &rows);
        if let Some(columns) = columns {
            add_up(&mut self.columns, &columns);
        }
    }

    /// At least how many completions keep within these sums, which may be negative.
    #[inline]
    pub(super) fn surely_within(&self, sums: &[i64; D]) -> u64 {
        // All classes before that of the next sum are within.
        let ends: [usize; D] = std::array::from_fn(|dim| self.scales[dim].class((sums[dim] + 1).max(0)));
        // Nothing is in the last class.
        let all = ends[0] + 1 == self.scales[0].len;
        self.before(&ends, if all { (1 << self.scales[0].split) - 1 } else { 0 })
    }

    /// At most how many completions keep within these sums, none of which is negative.
    #[inline]
    pub(super) fn perhaps_within(&self, sums: &[i64; D]) -> u64 {
        let ends = std::array::from_fn(|dim| self.scales[dim].class(sums[dim]) + 1);
        self.before(&ends, (1 << self.scales[0].split) - 1)
    }

    /// How many completions lie before some classes; more by a part of a coarse cell where the first is rounded up by
    /// the size of a coarse class less 1, and less where it is not.
    #[inline]
    #[allow(clippy::needless_range_loop)] // A constraint stands in several arrays.
    fn before(&self, ends: &[usize; D], rounded: usize) -> u64 {
        let mut row = ends[0];
        for dim in 1..D {
            let scale = &self.scales[dim];
            row = row * (scale.coarse() + 1) + (ends[dim] >> scale.split);
        }
        let known: u64 = self.rows[row].into();
        if self.columns.is_empty() {
            return known;
        }
        let strip = (ends[0] + rounded) >> self.scales[0].split;
        let (mut whole, mut part) = (strip, strip);
        for dim in 1..D {
            let Scale { len, split, .. } = self.scales[dim];
            whole = whole * (len + 1) + ends[dim];
            part = part * (len + 1) + (ends[dim] >> split << split);
        }
        known + (self.columns[whole].into() - self.columns[part].into())
    }
}

/// The sides of the rows, and of the columns where there are some.
fn lens<const D: usize>(scales: &[Scale; D]) -> ([usize; D], Option<[usize; D]>) {
    let sides = |fine: &dyn Fn(usize) -> bool| {
        std::array::from_fn(|dim| {
            1 + if fine(dim) {
                scales[dim].len
            } else {
                scales[dim].coarse()
            }
        })
    };
    let needed = scales.iter().skip(1).any(|scale| scale.split > 0);
    (sides(&|dim| dim == 0), needed.then(|| sides(&|dim| dim > 0)))
}

/// Makes each item the sum of all that stand at or before it in every direction.
fn add_up<C: Completions>(items: &mut [C], sides: &[usize]) {
    let mut stride = 1;
    for side in sides.iter().rev() {
        let block = stride * side;
        for block in items.chunks_exact_mut(block) {
            for cell in stride..block.len() {
                let before = block[cell - stride];
                block[cell] += before;
            }
        }
        stride = block;
    }
}

/// Classes in each constraint, for sums up to these, whose tables have at most this many cells together.
fn scales<const D: usize>(most: [i64; D], cells: usize, high: &[i64; D]) -> [Scale; D] {
    let coarsest = |most: i64| (i64::BITS - most.max(0).leading_zeros()).saturating_sub(1);
    let mut scales = most.map(|most| Scale::new(most.max(0), coarsest(most)));
    loop {
        // The one whose classes are the widest, as parts of its budget, gets more.
        let finer = (0..D).filter(|&dim| scales[dim].shift > 0).map(|dim| {
            let mut finer = scales;
            finer[dim] = Scale::new(most[dim].max(0), scales[dim].shift - 1);
            (dim, finer)
        });
        let fits = |(_, finer): &(usize, [Scale; D])| {
            let (rows, columns) = lens(finer);
            let size = |sides: [usize; D]| sides.iter().copied().fold(1, usize::saturating_mul);
            size(rows).saturating_add(columns.map_or(0, size)) <= cells
        };
        let width = |dim: usize| 2_f64.powi(scales[dim].shift as i32 - 1) / (high[dim] as f64 + 1.0);
        let widest = finer
            .filter(fits)
            .max_by(|(a, _), (b, _)| width(*a).total_cmp(&width(*b)));
        let Some((_, finer)) = widest else { return scales };
        scales = finer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of a simple generator, below `below`.
    fn numbers(seed: u64, below: i64) -> impl FnMut() -> i64 {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as i64).rem_euclid(below)
        }
    }

    fn check<const D: usize>(most: [i64; D], cells: usize) {
        let mut number = numbers(7, i64::from(u32::MAX));
        let mut draw = |most: &[i64; D]| -> [i64; D] { std::array::from_fn(|dim| number() % (most[dim] + 1)) };
        let completions: Vec<[i64; D]> = (0..2000).map(|_| draw(&most)).collect();
        let mut marked = Marked::<u32, D>::new(most, cells, &most);
        for (place, sums) in completions.iter().enumerate() {
            marked.mark(sums, 1 + place as u64 % 3);
        }
        marked.add_up();
        let (mut apart, mut all) = (0, 0);
        for _ in 0..500 {
            let room = draw(&most);
            let within = |sums: &[i64; D]| sums.iter().zip(&room).all(|(sum, room)| sum <= room);
            let ways = completions.iter().enumerate().filter(|(_, sums)| within(sums));
            let truth: u64 = ways.map(|(place, _)| 1 + place as u64 % 3).sum();
            let (lower, upper) = (marked.surely_within(&room), marked.perhaps_within(&room));
            assert!(lower <= truth && truth <= upper, "{lower} <= {truth} <= {upper}");
            (apart, all) = (apart + upper - lower, all + truth);
        }
        // Tables of this size misplace few.
        assert!(apart * 20 <= all, "{apart} of {all} with {cells} cells");
        let ways: u64 = (0..2000).map(|place| 1 + place % 3).sum();
        assert_eq!(marked.perhaps_within(&most), ways);
        assert_eq!(marked.surely_within(&most.map(|most| 2 * most + 2)), ways);
        assert_eq!(marked.surely_within(&[-1; D]), 0);
    }

    #[test]
    fn what_is_within_lies_between_the_bounds() {
        check([1_000_000], 1 << 10);
        check([300, 200], 1 << 17);
        check([1_000_000, 3_000_000_000], 1 << 20);
        check([1_000_000, 12], 1 << 16);
        check([12, 1_000_000], 1 << 16);
        check([100_000, 100_000, 100_000], 1 << 23);
    }

    #[test]
    fn classes_of_single_sums_are_exact() {
        let mut marked = Marked::<u64, 2>::new([700, 900], 1 << 21, &[700, 900]);
        let sums: Vec<[i64; 2]> = (0..=700).map(|first| [first, first * 7 % 901]).collect();
        for sums in &sums {
            marked.mark(sums, 1);
        }
        marked.add_up();
        for room in [[0, 0], [350, 450], [350, 899], [699, 2], [700, 900]] {
            let truth = sums
                .iter()
                .filter(|sums| sums[0] <= room[0] && sums[1] <= room[1])
                .count() as u64;
            assert!(marked.surely_within(&room) <= truth && truth <= marked.perhaps_within(&room));
        }
    }
}
