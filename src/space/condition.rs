//! Conditions of which a part is known: what their decisions that are taken leave of them.
//!
//! **Idea.** A sum that must not exceed a bound depends on the decisions taken so far only by their sum. So a live state
//! holds not those decisions, but what they leave of the condition: it is evaluated as far as it goes, as a formula is
//! by a derivative (Brzozowski 1964, Derivatives of regular expressions) or by partial evaluation. Sums, products,
//! minima, maxima and conditions that are joined come down to one number for all of their parts that are known; and
//! what can no longer change, whatever the open decisions say, comes down to that value. This is what a decision
//! diagram for a linear or separable constraint keeps for each node (Bergman et al., *Decision Diagrams for
//! Optimization*, 2016, chapter 3).
//!
//! **Bound.** The states are at most as many as the values of the parts that are open: for a sum of n decisions whose
//! values lie between 0 and m at most n * m, rather than all combinations of their values.

use super::expr::{Expr, Operator};
use super::residual::{Residual, Tag};
use super::state::OPEN;
use std::sync::Arc;

/// A condition over several decisions, in a form that can be evaluated part by part. No number in it can leave 63 bits,
/// and nothing in it can be refused.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// What it was made of.
    written: Expr,
    /// The decisions that it reads, each once.
    pub(super) decisions: Vec<usize>,
    tree: Tree,
}

/// The least and the largest value that an expression may have.
type Range = (i128, i128);

#[derive(Debug, Clone)]
enum Tree {
    Constant(i64),
    /// What a decision, by its place among those of the condition, adds.
    Lookup(usize, Arc<[i64]>, Range),
    /// Parts of which those that are known come down to one number.
    Fold(Fold, Vec<Tree>),
    Pair(Operator, Box<(Tree, Tree)>),
}

/// An operator for which neither the order nor the grouping of its sides matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    Sum,
    Product,
    Minimum,
    Maximum,
    All,
    Any,
}

impl Fold {
    fn of(operator: Operator) -> Option<Self> {
        Some(match operator {
            Operator::Add => Self::Sum,
            Operator::Multiply => Self::Product,
            Operator::Minimum => Self::Minimum,
            Operator::Maximum => Self::Maximum,
            Operator::Both => Self::All,
            Operator::Either => Self::Any,
            _ => return None,
        })
    }

    /// The value of no part at all; nothing where there is none.
    fn neutral(self) -> Option<i128> {
        match self {
            Self::Sum | Self::Any => Some(0),
            Self::Product | Self::All => Some(1),
            Self::Minimum | Self::Maximum => None,
        }
    }

    fn join(self, a: i128, b: i128) -> Option<i128> {
        Some(match self {
            Self::Sum => a.checked_add(b)?,
            Self::Product => a.checked_mul(b)?,
            Self::Minimum => a.min(b),
            Self::Maximum => a.max(b),
            Self::All => i128::from(a != 0 && b != 0),
            Self::Any => i128::from(a != 0 || b != 0),
        })
    }

    /// The range of two parts with these ranges.
    fn range(self, (a, b): Range, (c, d): Range) -> Option<Range> {
        Some(match self {
            Self::Product => {
                let ends = [
                    a.checked_mul(c)?,
                    a.checked_mul(d)?,
                    b.checked_mul(c)?,
                    b.checked_mul(d)?,
                ];
                (*ends.iter().min()?, *ends.iter().max()?)
            }
            Self::All | Self::Any => {
                let (one, other) = (truth((a, b)), truth((c, d)));
                (self.join(one.0, other.0)?, self.join(one.1, other.1)?)
            }
            Self::Sum | Self::Minimum | Self::Maximum => (self.join(a, c)?, self.join(b, d)?),
        })
    }
}

/// The range of whether a number is not 0.
fn truth((least, most): Range) -> Range {
    let zero = least <= 0 && 0 <= most;
    (i128::from(!zero), i128::from((least, most) != (0, 0)))
}

/// The range of an operator that does not fold; nothing where it might be refused.
fn pair(operator: Operator, a: Range, b: Range) -> Option<Range> {
    if a.0 == a.1 && b.0 == b.1 {
        let value = operator
            .apply(i64::try_from(a.0).ok()?, i64::try_from(b.0).ok()?)
            .ok()?;
        return Some((value.into(), value.into()));
    }
    let settled = |never: bool, always: bool| (i128::from(always), i128::from(!never));
    Some(match operator {
        Operator::AtMost => settled(a.0 > b.1, a.1 <= b.0),
        Operator::Less => settled(a.0 >= b.1, a.1 < b.0),
        Operator::Equal => settled(a.1 < b.0 || b.1 < a.0, false),
        Operator::Different => settled(false, a.1 < b.0 || b.1 < a.0),
        Operator::FloorDivide if b.0 > 0 => {
            let ends = [(a.0, b.0), (a.0, b.1), (a.1, b.0), (a.1, b.1)].map(|(a, b)| a.div_euclid(b));
            (*ends.iter().min()?, *ends.iter().max()?)
        }
        Operator::Modulo if b.0 > 0 => (0, b.1 - 1),
        Operator::RoundTo if b.0 > 0 && a.0 >= 0 => (1, a.1 + 2 * b.1),
        Operator::Power if a.0 >= 0 && b.0 >= 0 => {
            let power = |a: i128, b: i128| a.checked_pow(u32::try_from(b).ok()?);
            // 0 to the power of 0 is 1.
            (power(a.0, b.0)?.min(power(a.0, b.1)?), power(a.1, b.1)?.max(1))
        }
        _ => return None,
    })
}

fn fits(range: Range) -> Option<Range> {
    let within = |value| i64::try_from(value).is_ok();
    (within(range.0) && within(range.1)).then_some(range)
}

/// A place in a residual.
#[derive(Default)]
struct Cursor {
    tag: usize,
    value: usize,
}

impl Condition {
    /// A condition over two or more decisions; nothing where it cannot be evaluated part by part.
    pub(super) fn of(written: &Expr) -> Option<Self> {
        let mut decisions = Vec::new();
        written.visit(&mut |decision, _| decisions.push(decision));
        decisions.sort_unstable();
        decisions.dedup();
        if decisions.len() < 2 || written.reads_input() {
            return None;
        }
        let tree = tree(written, &decisions)?;
        tree.range()?;
        Some(Self {
            written: written.clone(),
            decisions,
            tree,
        })
    }

    /// Whether it is made of this.
    pub(super) fn is(&self, written: &Expr) -> bool {
        self.written == *written
    }

    /// How much is visited where it is evaluated.
    pub(super) fn size(&self) -> usize {
        self.tree.size()
    }

    /// What is left of it where these values are chosen, beside those that are in what was left before.
    pub(super) fn left(&self, before: Option<&Residual>, chosen: &[u32]) -> Residual {
        let mut after = Residual {
            taken: self
                .decisions
                .iter()
                .map(|&decision| chosen[decision] != OPEN)
                .collect(),
            ..Residual::default()
        };
        if let Some(before) = before {
            after
                .taken
                .iter_mut()
                .zip(before.taken())
                .for_each(|(now, then)| *now |= then);
        }
        let mut cursor = Cursor::default();
        self.evaluate(&self.tree, before, &mut cursor, chosen, &mut after);
        after
    }

    /// Adds what is left of a part, and returns its range.
    fn evaluate(
        &self,
        tree: &Tree,
        before: Option<&Residual>,
        cursor: &mut Cursor,
        chosen: &[u32],
        after: &mut Residual,
    ) -> Range {
        let place = (after.tags.len(), after.values.len());
        let known = before.map(|before| {
            let tag = before.tags[cursor.tag];
            cursor.tag += 1;
            tag
        });
        after.tags.push(Tag::Open as u8);
        let range = if known == Some(Tag::Known as u8) {
            let value = i128::from(before.map_or(0, |before| before.values[cursor.value]));
            cursor.value += 1;
            (value, value)
        } else {
            match tree {
                Tree::Constant(value) => (i128::from(*value), i128::from(*value)),
                Tree::Lookup(slot, values, range) => match chosen[self.decisions[*slot]] {
                    OPEN => *range,
                    value => (values[value as usize].into(), values[value as usize].into()),
                },
                Tree::Fold(fold, parts) => self.fold(*fold, parts, before, cursor, chosen, after),
                Tree::Pair(operator, sides) => {
                    let left = self.evaluate(&sides.0, before, cursor, chosen, after);
                    let right = self.evaluate(&sides.1, before, cursor, chosen, after);
                    pair(*operator, left, right).unwrap_or((i128::MIN, i128::MAX))
                }
            }
        };
        if range.0 == range.1 {
            // Nothing that is open can change it.
            after.tags.truncate(place.0);
            after.values.truncate(place.1);
            after.tags.push(Tag::Known as u8);
            after.values.push(range.0 as i64);
        }
        range
    }

    fn fold(
        &self,
        fold: Fold,
        parts: &[Tree],
        before: Option<&Residual>,
        cursor: &mut Cursor,
        chosen: &[u32],
        after: &mut Residual,
    ) -> Range {
        // Before the parts there stands what the known ones come to, if there are any.
        let mut sum = fold.neutral();
        if let Some(before) = before {
            let some = before.tags[cursor.tag];
            cursor.tag += 1;
            if some == Tag::Known as u8 {
                sum = Some(before.values[cursor.value].into());
                cursor.value += 1;
            }
        }
        let place = (after.tags.len(), after.values.len());
        after.tags.push(Tag::Open as u8);
        let mut open: Option<Range> = None;
        for part in parts {
            if let Some(before) = before
                && before.tags[cursor.tag] == Tag::Folded as u8
            {
                cursor.tag += 1;
                after.tags.push(Tag::Folded as u8);
                continue;
            }
            let own = (after.tags.len(), after.values.len());
            let mut range = self.evaluate(part, before, cursor, chosen, after);
            if matches!(fold, Fold::All | Fold::Any) {
                range = truth(range);
            }
            if range.0 == range.1 {
                after.tags.truncate(own.0);
                after.values.truncate(own.1);
                after.tags.push(Tag::Folded as u8);
                sum = sum.map_or(Some(range.0), |sum| fold.join(sum, range.0));
            } else {
                open = open.map_or(Some(range), |open| fold.range(open, range));
            }
        }
        let all = match (sum, open) {
            (Some(sum), Some(open)) => fold.range((sum, sum), open),
            (Some(sum), None) => Some((sum, sum)),
            (None, open) => open,
        };
        if let Some(sum) = sum
            && Some(sum) != fold.neutral()
        {
            after.tags[place.0] = Tag::Known as u8;
            after.values.insert(place.1, sum as i64);
        }
        all.unwrap_or((i128::MIN, i128::MAX))
    }
}

impl Tree {
    /// The least and the largest value; nothing where a number in it may leave 63 bits, or be refused.
    fn range(&self) -> Option<Range> {
        match self {
            Self::Constant(value) => Some((i128::from(*value), i128::from(*value))),
            Self::Lookup(_, _, range) => Some(*range),
            Self::Fold(fold, parts) => {
                // Parts come together in any order, so each on its own must not take the others beyond.
                let mut parts = parts.iter().map(|part| {
                    let range = part.range()?;
                    Some(match fold {
                        Fold::Sum | Fold::Product => {
                            let most = range.0.abs().max(range.1.abs()).max(1);
                            (range, (-most, most))
                        }
                        _ => (range, (0, 1)),
                    })
                });
                let (first, wide) = parts.next()??;
                let mut joined = (
                    if matches!(fold, Fold::All | Fold::Any) {
                        truth(first)
                    } else {
                        first
                    },
                    wide,
                );
                for part in parts {
                    let (range, wide) = part?;
                    joined = (fold.range(joined.0, range)?, fits(fold.range(joined.1, wide)?)?);
                }
                fits(joined.0)
            }
            Self::Pair(operator, sides) => fits(pair(*operator, sides.0.range()?, sides.1.range()?)?),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Constant(_) | Self::Lookup(..) => 1,
            Self::Fold(_, parts) => 1 + parts.iter().map(Self::size).sum::<usize>(),
            Self::Pair(_, sides) => 1 + sides.0.size() + sides.1.size(),
        }
    }
}

/// The tree of an expression; nothing where a table in it cannot be filled.
fn tree(expr: &Expr, decisions: &[usize]) -> Option<Tree> {
    Some(match expr {
        Expr::Constant(value) => Tree::Constant(*value),
        Expr::Lookup { decision, values } => lookup(decisions.binary_search(decision).ok()?, Arc::clone(values))?,
        Expr::Incoming { .. } => return None,
        Expr::Binary(operator, a, b) => {
            let (a, b) = (tree(a, decisions)?, tree(b, decisions)?);
            let difference = |a, b| joined(Fold::Sum, [a, joined(Fold::Product, [Tree::Constant(-1), b])?]);
            let zero = || Tree::Constant(0);
            match operator {
                Operator::Subtract => difference(a, b)?,
                // What is on both sides comes to one number.
                Operator::AtMost | Operator::Less | Operator::Equal | Operator::Different => {
                    tabled(*operator, difference(a, b)?, zero())?
                }
                _ => match Fold::of(*operator) {
                    Some(fold) => joined(fold, [a, b])?,
                    None => tabled(*operator, a, b)?,
                },
            }
        }
    })
}

fn lookup(slot: usize, values: Arc<[i64]>) -> Option<Tree> {
    let range = (i128::from(*values.iter().min()?), i128::from(*values.iter().max()?));
    Some(Tree::Lookup(slot, values, range))
}

/// Two sides of an operator; a table where they read one decision.
fn tabled(operator: Operator, a: Tree, b: Tree) -> Option<Tree> {
    let apply = |a, b| operator.apply(a, b).ok();
    Some(match (&a, &b) {
        (Tree::Constant(a), Tree::Constant(b)) => Tree::Constant(apply(*a, *b)?),
        (Tree::Lookup(slot, values, _), Tree::Constant(b)) => {
            lookup(*slot, values.iter().map(|&a| apply(a, *b)).collect::<Option<_>>()?)?
        }
        (Tree::Constant(a), Tree::Lookup(slot, values, _)) => {
            lookup(*slot, values.iter().map(|&b| apply(*a, b)).collect::<Option<_>>()?)?
        }
        (Tree::Lookup(slot, values, _), Tree::Lookup(other, others, _)) if slot == other => {
            let both = values.iter().zip(others.iter());
            lookup(*slot, both.map(|(&a, &b)| apply(a, b)).collect::<Option<_>>()?)?
        }
        _ => Tree::Pair(operator, Box::new((a, b))),
    })
}

/// Parts that fold, flattened; those that read one decision come together in a table.
fn joined(fold: Fold, sides: [Tree; 2]) -> Option<Tree> {
    let operator = match fold {
        Fold::Sum => Operator::Add,
        Fold::Product => Operator::Multiply,
        Fold::Minimum => Operator::Minimum,
        Fold::Maximum => Operator::Maximum,
        Fold::All => Operator::Both,
        Fold::Any => Operator::Either,
    };
    let mut parts: Vec<Tree> = Vec::new();
    for side in sides {
        match side {
            Tree::Fold(inner, sides) if inner == fold => parts.extend(sides),
            side => parts.push(side),
        }
    }
    // A factor goes into each part of a sum.
    if fold == Fold::Product
        && let [Tree::Constant(factor), Tree::Fold(Fold::Sum, terms)]
        | [Tree::Fold(Fold::Sum, terms), Tree::Constant(factor)] = &parts[..]
    {
        let terms = terms
            .iter()
            .map(|term| joined(Fold::Product, [Tree::Constant(*factor), term.clone()]));
        let terms = terms.collect::<Option<Vec<_>>>()?;
        return Some(Tree::Fold(Fold::Sum, terms));
    }
    let key = |part: &Tree| match part {
        Tree::Constant(_) => 0,
        Tree::Lookup(slot, ..) => 1 + slot,
        Tree::Fold(..) | Tree::Pair(..) => usize::MAX,
    };
    parts.sort_by_key(key);
    let mut merged: Vec<Tree> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.last() {
            Some(last) if key(last) == key(&part) && key(&part) != usize::MAX => {
                let last = merged.pop()?;
                merged.push(tabled(operator, last, part)?);
            }
            _ => merged.push(part),
        }
    }
    if merged.len() == 1 {
        return merged.pop();
    }
    if let [Tree::Constant(_), Tree::Lookup(..)] = &merged[..] {
        let second = merged.pop()?;
        return tabled(operator, merged.pop()?, second);
    }
    Some(Tree::Fold(fold, merged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::State;

    /// Numbers that follow from a seed.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, most: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % most
        }
    }

    const SIZES: [usize; 4] = [2, 3, 3, 2];

    fn expr(numbers: &mut Numbers, depth: usize) -> Expr {
        const OPERATORS: [&str; 15] = [
            "add",
            "subtract",
            "multiply",
            "floor_divide",
            "modulo",
            "power",
            "minimum",
            "maximum",
            "round_to",
            "at_most",
            "less",
            "equal",
            "different",
            "both",
            "either",
        ];
        match numbers.below(if depth == 0 { 2 } else { 8 }) {
            0 => Expr::Constant(numbers.below(7) as i64 - 2),
            1 => {
                let decision = numbers.below(SIZES.len() as u64) as usize;
                let values = (0..SIZES[decision]).map(|_| numbers.below(6) as i64 - 1);
                Expr::Lookup {
                    decision,
                    values: values.collect(),
                }
            }
            _ => {
                let operator = Operator::named(OPERATORS[numbers.below(15) as usize]).unwrap();
                Expr::Binary(
                    operator,
                    Box::new(expr(numbers, depth - 1)),
                    Box::new(expr(numbers, depth - 1)),
                )
            }
        }
    }

    #[test]
    fn what_is_left_comes_to_the_same_in_any_order() {
        let mut numbers = Numbers(1);
        let (mut made, mut early) = (0, 0);
        for _ in 0..20_000 {
            let written = expr(&mut numbers, 4);
            let Some(condition) = Condition::of(&written) else {
                continue;
            };
            made += 1;
            let mut order: Vec<usize> = (0..SIZES.len()).collect();
            for place in (1..order.len()).rev() {
                order.swap(place, numbers.below(place as u64 + 1) as usize);
            }
            let values: Vec<u32> = SIZES.iter().map(|&size| numbers.below(size as u64) as u32).collect();
            let mut state = State::new(0, SIZES.len(), 0, 0, 0);
            values
                .iter()
                .enumerate()
                .for_each(|(decision, &value)| state.choose(decision, value));
            let expected = written.value(&state).unwrap();
            // Each decision is forgotten as soon as it is part of what is left.
            let mut left: Option<Residual> = None;
            for decision in order {
                let mut chosen = vec![OPEN; SIZES.len()];
                chosen[decision] = values[decision];
                let next = condition.left(left.as_ref(), &chosen);
                let mut key = Vec::new();
                next.encode(&mut key);
                assert_eq!(key[0] as usize, key.len() - 1);
                assert_eq!(Residual::decode(&key[1..], condition.decisions.len()), next);
                if let Some(value) = next.value() {
                    early += usize::from(!next.taken().all(|taken| taken));
                    assert_eq!(value, expected, "{written:?}");
                }
                left = Some(next);
            }
            assert_eq!(left.unwrap().value(), Some(expected), "{written:?}");
        }
        assert!(made > 2_000 && early > 500, "{made} {early}");
    }

    #[test]
    fn a_sum_is_one_number() {
        let flag = |decision| Expr::Lookup {
            decision,
            values: [0, 1].into(),
        };
        let sum = (1..12).fold(flag(0), |sum, decision| {
            Expr::Binary(Operator::Add, Box::new(sum), Box::new(flag(decision)))
        });
        let bound = Expr::Binary(Operator::AtMost, Box::new(sum), Box::new(Expr::Constant(3)));
        let condition = Condition::of(&bound).unwrap();
        let mut states = std::collections::HashSet::new();
        for bits in 0..1 << 8 {
            let chosen: Vec<u32> = (0..12).map(|at| if at < 8 { bits >> at & 1 } else { OPEN }).collect();
            let mut key = Vec::new();
            condition.left(None, &chosen).encode(&mut key);
            states.insert(key);
        }
        // 0 to 3 of them are 1, or too many.
        assert_eq!(states.len(), 5);
    }

    #[test]
    fn what_might_be_refused_is_not_evaluated_by_parts() {
        let lookup = |decision, values: [i64; 2]| {
            Box::new(Expr::Lookup {
                decision,
                values: values.into(),
            })
        };
        for (operator, a, b) in [
            (Operator::Add, [0, i64::MAX], [0, 1]),
            (Operator::Multiply, [0, 1 << 40], [0, 1 << 40]),
            (Operator::FloorDivide, [1, 2], [0, 1]),
            (Operator::Power, [2, 3], [0, 200]),
            (Operator::Power, [2, 3], [-1, 1]),
        ] {
            let written = Expr::Binary(operator, lookup(0, a), lookup(1, b));
            assert!(Condition::of(&written).is_none(), "{operator:?}");
        }
    }
}
