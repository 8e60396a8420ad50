//! The numbers that cost rules are written in.
//!
//! A cost rule is one generic function. Read with [`Count`] it is arithmetic; read with [`Formula`] it is the sentence
//! that `explain` prints. The two cannot disagree, because there is only one rule.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, Mul};

/// A non-negative number in a cost rule.
pub trait Quantity: Clone + Add<Output = Self> + Mul<Output = Self> {
    /// The number `value`, and what it stands for.
    fn of(value: i64, meaning: &'static str) -> Self;

    /// A number that belongs to the rule and is no size, such as the 4 gates of an LSTM or the 1 of a bias: formulas
    /// with names show it as it is.
    fn constant(value: i64, meaning: &'static str) -> Self {
        Self::of(value, meaning)
    }

    /// One of several numbers that stand for one thing.
    fn along(value: i64, meaning: &'static str, _along: Along) -> Self {
        Self::of(value, meaning)
    }

    /// The product of several numbers that stand for one thing, such as the sides of an input; 1 when there are none.
    fn product(values: &[i64], meaning: &'static str) -> Self {
        let axis = |axis| match values.len() {
            1 => Along::Whole,
            _ => Along::Axis(axis + 1),
        };
        multiplied(values, meaning, axis)
    }

    /// The product of the sides of an image, or of what has a number for each of them, such as a kernel.
    fn spatial(values: &[i64], meaning: &'static str) -> Self {
        multiplied(values, meaning, |axis| Along::Spatial(axis, values.len()))
    }

    /// Nothing.
    fn zero() -> Self {
        Self::constant(0, "")
    }

    /// The same number of a layer at this place inside of another one, such as `layer` or `cells[1]`.
    #[must_use]
    fn at(self, _place: &str) -> Self {
        self
    }
}

fn multiplied<Q: Quantity>(values: &[i64], meaning: &'static str, along: impl Fn(usize) -> Along) -> Q {
    let mut factors = (0..)
        .zip(values)
        .map(|(axis, &value)| Q::along(value, meaning, along(axis)));
    match factors.next() {
        Some(first) => factors.fold(first, Mul::mul),
        None => Q::constant(1, meaning),
    }
}

/// Which of several numbers that stand for one thing a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// The only one.
    Whole,
    /// That of this axis, the first being 1.
    Axis(usize),
    /// That of this spatial axis, the first being 0, of so many.
    Spatial(usize, usize),
    /// It has no name, but is what it is.
    Constant,
}

/// A count in `0..=i64::MAX` that saturates: a result of `i64::MAX` means that the true number is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub i64);

impl Quantity for Count {
    #[inline]
    fn of(value: i64, _: &'static str) -> Self {
        debug_assert!(value >= 0, "costs are not negative");
        Self(value)
    }
}

impl Add for Count {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul for Count {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        Self(self.0.saturating_mul(other.0))
    }
}

/// A rule as it is read by people: `(5*5*32 + 1) * 64`, or with names
/// `(kernel_height * kernel_width * input_channels + 1) * filters`.
#[derive(Debug, Clone, PartialEq)]
pub enum Formula {
    /// A number.
    Number(Number),
    /// A sum of two or more terms.
    Sum(Vec<Formula>),
    /// A product of two or more factors.
    Product(Vec<Formula>),
    /// What is left of the first where the second is taken away.
    Difference(Box<Formula>, Box<Formula>),
    /// The first divided by the second, rounded down or up.
    Quotient(Box<Formula>, Box<Formula>, Rounded),
    /// A share of it, after a product of doubles, rounded down.
    Share(Box<Formula>, f64),
}

/// How a quotient becomes an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounded {
    /// `floor`.
    Down,
    /// `ceil`.
    Up,
}

/// A number in a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Its value.
    pub value: i64,
    /// What it stands for; in a layer inside of another one behind its place, as `layer.units`.
    pub meaning: Cow<'static, str>,
    along: Along,
}

impl Number {
    /// Its name in formulas with names, made of its meaning: `input_channels` of "channels of the input". A constant has
    /// none.
    pub fn name(&self) -> Option<String> {
        let (place, meaning) = self.meaning.rsplit_once('.').unwrap_or(("", &self.meaning));
        let meaning = meaning.split_once(',').map_or(meaning, |(first, _)| first);
        // "channels of each group of the input" is read from the end.
        let parts: Vec<_> = meaning.split(" of ").collect();
        let words = parts.iter().rev().flat_map(|part| part.split(' '));
        let words = words.filter(|word| !["", "the", "a", "an", "each", "its", "all"].contains(word));
        let own = words.collect::<Vec<_>>().join("_");
        let bare = || {
            own.trim_end_matches("_positions")
                .trim_end_matches("_size")
                .trim_end_matches("_rate")
        };
        let own = match self.along {
            Along::Constant => return None,
            Along::Whole => own,
            Along::Axis(axis) => format!("{own}_{axis}"),
            Along::Spatial(_, 1) if !meaning.contains(' ') => own,
            Along::Spatial(_, 1) => format!("{}_length", bare()),
            Along::Spatial(axis, 2) => format!("{}_{}", bare(), ["height", "width"][axis]),
            Along::Spatial(axis, _) => format!("{}_{}", bare(), ["depth", "height", "width"][axis]),
        };
        let place = place.replace("].", "_").replace(['[', '.'], "_").replace(']', "");
        Some(if place.is_empty() {
            own
        } else {
            format!("{place}_{own}")
        })
    }
}

impl Formula {
    /// A number of its own, without a meaning.
    pub fn just(value: i64) -> Self {
        Self::constant(value, "")
    }

    /// Each number with its meaning, in reading order.
    pub fn numbers(&self) -> Vec<&Number> {
        match self {
            Self::Number(number) => vec![number],
            Self::Sum(parts) | Self::Product(parts) => parts.iter().flat_map(Self::numbers).collect(),
            Self::Difference(one, other) | Self::Quotient(one, other, _) => [one.numbers(), other.numbers()].concat(),
            Self::Share(one, _) => one.numbers(),
        }
    }

    /// The value of the formula; saturating, as [`Count`] is.
    pub fn value(&self) -> i64 {
        match self {
            Self::Number(number) => number.value,
            Self::Sum(terms) => terms.iter().fold(0, |sum, term| sum.saturating_add(term.value())),
            Self::Product(factors) => factors
                .iter()
                .fold(1, |product, factor| product.saturating_mul(factor.value())),
            Self::Difference(one, other) => one.value().saturating_sub(other.value()),
            Self::Quotient(one, other, Rounded::Down) => one.value().div_euclid(other.value().max(1)),
            Self::Quotient(one, other, Rounded::Up) => -(-one.value()).div_euclid(other.value().max(1)),
            Self::Share(one, share) => (one.value() as f64 * share) as i64,
        }
    }

    /// The formula with names instead of numbers.
    pub fn named(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, true).expect("a string takes everything");
        text
    }

    /// What is left where another one is taken away.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        if other.is(0) {
            return self;
        }
        Self::Difference(Box::new(self), Box::new(other))
    }

    /// It divided by another one.
    #[must_use]
    pub fn over(self, other: Self, rounded: Rounded) -> Self {
        if other.is(1) {
            return self;
        }
        Self::Quotient(Box::new(self), Box::new(other), rounded)
    }

    /// It times another one, where that is not 1.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        if other.is(1) { self } else { self * other }
    }

    fn is(&self, value: i64) -> bool {
        matches!(self, Self::Number(number) if number.value == value)
    }

    fn write(&self, f: &mut impl fmt::Write, named: bool) -> fmt::Result {
        let each = |f: &mut dyn fmt::Write, item: &Formula, closed: bool| {
            let text = if named { item.named() } else { item.to_string() };
            if closed {
                write!(f, "({text})")
            } else {
                f.write_str(&text)
            }
        };
        let join = |f: &mut dyn fmt::Write, items: &[Formula], sign: &str, closed: fn(&Formula) -> bool| {
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    f.write_str(sign)?;
                }
                each(f, item, closed(item))?;
            }
            Ok(())
        };
        let summed = |item: &Formula| matches!(item, Self::Sum(_) | Self::Difference(..));
        let compound = |item: &Formula| !matches!(item, Self::Number(_) | Self::Share(..));
        match self {
            Self::Number(number) => match number.name().filter(|_| named) {
                Some(name) => f.write_str(&name),
                None => write!(f, "{}", number.value),
            },
            Self::Sum(terms) => join(f, terms, " + ", |item| matches!(item, Self::Sum(_))),
            Self::Product(factors) => {
                let bare = !named && factors.iter().all(|factor| matches!(factor, Self::Number(_)));
                let closed = |item: &Formula| {
                    matches!(
                        item,
                        Self::Sum(_) | Self::Difference(..) | Self::Quotient(_, _, Rounded::Down)
                    )
                };
                join(f, factors, if bare { "*" } else { " * " }, closed)
            }
            Self::Difference(one, other) => {
                each(f, one, false)?;
                f.write_str(" - ")?;
                each(f, other, summed(other))
            }
            Self::Quotient(one, other, Rounded::Down) => {
                each(f, one, compound(one))?;
                f.write_str(" // ")?;
                each(f, other, compound(other))
            }
            Self::Quotient(one, other, Rounded::Up) => {
                f.write_str("ceil(")?;
                each(f, one, summed(one))?;
                f.write_str(" / ")?;
                each(f, other, compound(other))?;
                f.write_str(")")
            }
            Self::Share(one, share) => {
                f.write_str("floor(")?;
                each(f, one, summed(one))?;
                write!(f, " * {share:?})")
            }
        }
    }
}

impl Quantity for Formula {
    fn of(value: i64, meaning: &'static str) -> Self {
        Self::along(value, meaning, Along::Whole)
    }

    fn constant(value: i64, meaning: &'static str) -> Self {
        Self::along(value, meaning, Along::Constant)
    }

    fn along(value: i64, meaning: &'static str, along: Along) -> Self {
        let meaning = Cow::Borrowed(meaning);
        Self::Number(Number { value, meaning, along })
    }

    fn at(self, place: &str) -> Self {
        let all = |parts: Vec<Self>| parts.into_iter().map(|part| part.at(place)).collect();
        let boxed = |part: Box<Self>| Box::new(part.at(place));
        match self {
            Self::Number(number) => Self::Number(Number {
                meaning: Cow::Owned(format!("{place}.{}", number.meaning)),
                ..number
            }),
            Self::Sum(terms) => Self::Sum(all(terms)),
            Self::Product(factors) => Self::Product(all(factors)),
            Self::Difference(one, other) => Self::Difference(boxed(one), boxed(other)),
            Self::Quotient(one, other, rounded) => Self::Quotient(boxed(one), boxed(other), rounded),
            Self::Share(one, share) => Self::Share(boxed(one), share),
        }
    }
}

impl Add for Formula {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        match (self, other) {
            (zero, other) if zero.is(0) => other,
            (this, zero) if zero.is(0) => this,
            (Self::Sum(mut terms), other) => {
                terms.push(other);
                Self::Sum(terms)
            }
            (this, other) => Self::Sum(vec![this, other]),
        }
    }
}

impl Mul for Formula {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        match (self, other) {
            (zero, _) | (_, zero) if zero.is(0) => zero,
            (Self::Product(mut factors), Self::Product(more)) => {
                factors.extend(more);
                Self::Product(factors)
            }
            (Self::Product(mut factors), other) => {
                factors.push(other);
                Self::Product(factors)
            }
            (this, Self::Product(mut factors)) => {
                factors.insert(0, this);
                Self::Product(factors)
            }
            (this, other) => Self::Product(vec![this, other]),
        }
    }
}

impl fmt::Display for Formula {
    /// Products of bare numbers are set tight (`5*5*32`), everything else with spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv<Q: Quantity>(kernel: &[i64], channels: i64, filters: i64) -> Q {
        let fan_in = Q::spatial(kernel, "kernel_size") * Q::of(channels, "channels of the input");
        (fan_in + Q::constant(1, "bias")) * Q::of(filters, "filters")
    }

    #[test]
    fn one_rule_has_two_readings() {
        let formula: Formula = conv(&[5, 5], 32, 64);
        assert_eq!(formula.to_string(), "(5*5*32 + 1) * 64");
        assert_eq!(formula.value(), 51_264);
        assert_eq!(conv::<Count>(&[5, 5], 32, 64), Count(51_264));
        assert_eq!(
            formula.named(),
            "(kernel_height * kernel_width * input_channels + 1) * filters"
        );
        assert_eq!(
            (formula.numbers()[2].value, &*formula.numbers()[2].meaning),
            (32, "channels of the input")
        );
    }

    #[test]
    fn names_are_made_of_meanings() {
        let name = |meaning, along| Formula::along(3, meaning, along).named();
        assert_eq!(
            name("channels of each group of the input", Along::Whole),
            "input_group_channels"
        );
        assert_eq!(name("filters", Along::Whole), "filters");
        assert_eq!(name("features of the output", Along::Axis(2)), "output_features_2");
        assert_eq!(name("output positions", Along::Spatial(0, 1)), "output_length");
        assert_eq!(name("output positions", Along::Spatial(0, 3)), "output_depth");
        assert_eq!(name("kernel_size", Along::Spatial(0, 1)), "kernel_size");
        assert_eq!(name("kernel_size", Along::Spatial(1, 2)), "kernel_width");
        assert_eq!(name("gates", Along::Constant), "3");
        let inside = Formula::of(3, "units").at("cells[1]").at("cell");
        assert_eq!(inside.named(), "cell_cells_1_units");
    }

    #[test]
    fn quotients_and_differences_are_written_as_they_are_meant() {
        let of = |value, meaning| Formula::of(value, meaning);
        let (a, b, c) = (of(7, "sides"), of(2, "step"), of(3, "window"));
        let windows = a.clone().minus(b.clone() + c.clone()).over(b.clone(), Rounded::Down) + Formula::just(1);
        assert_eq!(windows.named(), "(sides - (step + window)) // step + 1");
        assert_eq!(
            (windows.to_string(), windows.value()),
            ("(7 - (2 + 3)) // 2 + 1".to_owned(), 2)
        );
        let up = (a.clone() * c.clone()).over(b.clone(), Rounded::Up) * c;
        assert_eq!(
            (up.named(), up.value()),
            ("ceil(sides * window / step) * window".to_owned(), 33)
        );
        assert_eq!(b.clone().over(Formula::just(1), Rounded::Up), b);
        let share = Formula::Share(Box::new(a), 1.5);
        assert_eq!(
            (share.named(), share.to_string(), share.value()),
            ("floor(sides * 1.5)".to_owned(), "floor(7 * 1.5)".to_owned(), 10)
        );
    }

    #[test]
    fn counts_saturate() {
        assert_eq!(conv::<Count>(&[1 << 40, 1 << 40], 1, 1), Count(i64::MAX));
    }

    #[test]
    fn zero_terms_and_factors_vanish_from_formulas() {
        let formula = Formula::zero() + Formula::of(3, "") * Formula::of(2, "") + Formula::zero();
        assert_eq!(formula.to_string(), "3*2");
        assert_eq!((Formula::zero() * Formula::of(2, "")).to_string(), "0");
    }
}
