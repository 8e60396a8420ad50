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

    /// The product of several numbers that stand for one thing, such as the sides of a kernel; 1 when there are none.
    fn product(values: &[i64], meaning: &'static str) -> Self {
        let mut factors = values.iter().map(|&value| Self::of(value, meaning));
        match factors.next() {
            Some(first) => factors.fold(first, Mul::mul),
            None => Self::of(1, meaning),
        }
    }

    /// Nothing.
    fn zero() -> Self {
        Self::of(0, "")
    }

    /// The same number of a layer at this place inside of another one, such as `layer` or `cells[1]`.
    #[must_use]
    fn at(self, _place: &str) -> Self {
        self
    }
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

/// A cost rule as it is read by people: `(5*5*32 + 1) * 64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// A number and what it stands for; in a layer inside of another one behind its place, as `layer.units`.
    Number(i64, Cow<'static, str>),
    /// A sum of two or more terms.
    Sum(Vec<Formula>),
    /// A product of two or more factors.
    Product(Vec<Formula>),
}

impl Formula {
    /// Each number with its meaning, in reading order.
    pub fn numbers(&self) -> Vec<(i64, &str)> {
        match self {
            Self::Number(value, meaning) => vec![(*value, meaning)],
            Self::Sum(terms) | Self::Product(terms) => terms.iter().flat_map(Self::numbers).collect(),
        }
    }

    /// The value of the formula; saturating, as [`Count`] is.
    pub fn value(&self) -> i64 {
        match self {
            Self::Number(value, _) => *value,
            Self::Sum(terms) => terms.iter().fold(0, |sum, term| sum.saturating_add(term.value())),
            Self::Product(factors) => factors
                .iter()
                .fold(1, |product, factor| product.saturating_mul(factor.value())),
        }
    }

    fn is_zero(&self) -> bool {
        matches!(self, Self::Number(0, _))
    }
}

impl Quantity for Formula {
    fn of(value: i64, meaning: &'static str) -> Self {
        Self::Number(value, Cow::Borrowed(meaning))
    }

    fn at(self, place: &str) -> Self {
        let all = |parts: Vec<Self>| parts.into_iter().map(|part| part.at(place)).collect();
        match self {
            Self::Number(value, meaning) => Self::Number(value, Cow::Owned(format!("{place}.{meaning}"))),
            Self::Sum(terms) => Self::Sum(all(terms)),
            Self::Product(factors) => Self::Product(all(factors)),
        }
    }
}

impl Add for Formula {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        match (self, other) {
            (zero, other) if zero.is_zero() => other,
            (this, zero) if zero.is_zero() => this,
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
            (zero, _) | (_, zero) if zero.is_zero() => zero,
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
        let join = |f: &mut fmt::Formatter<'_>, items: &[Formula], sign: &str| {
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    f.write_str(sign)?;
                }
                match item {
                    Self::Sum(_) => write!(f, "({item})")?,
                    _ => write!(f, "{item}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Number(value, _) => write!(f, "{value}"),
            Self::Sum(terms) => join(f, terms, " + "),
            Self::Product(factors) => {
                let bare = factors.iter().all(|factor| matches!(factor, Self::Number(..)));
                join(f, factors, if bare { "*" } else { " * " })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv<Q: Quantity>(kernel: &[i64], channels: i64, filters: i64) -> Q {
        (Q::product(kernel, "kernel") * Q::of(channels, "channels") + Q::of(1, "bias")) * Q::of(filters, "filters")
    }

    #[test]
    fn one_rule_has_two_readings() {
        let formula: Formula = conv(&[5, 5], 32, 64);
        assert_eq!(formula.to_string(), "(5*5*32 + 1) * 64");
        assert_eq!(formula.value(), 51_264);
        assert_eq!(conv::<Count>(&[5, 5], 32, 64), Count(51_264));
        assert_eq!(formula.numbers()[2], (32, "channels"));
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
