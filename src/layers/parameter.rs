//! The hyperparameters of a layer: their names, the values they take, and their defaults.

use crate::{Argument, Error, Result};

/// The value of an optional hyperparameter that is not set (`None` in Keras).
pub const UNSET: i64 = i64::MIN;

/// What values a hyperparameter takes; inside the engine every value is an `i64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// An integer of at least this value.
    Int(i64),
    /// An integer of at least this value, or [`UNSET`].
    OptionalInt(i64),
    /// False (0) or true (1).
    Flag,
    /// One of these words, by its position.
    Keyword(&'static [&'static str]),
    /// One of these words, by its position, or [`UNSET`].
    OptionalKeyword(&'static [&'static str]),
    /// A number above 0 by its bits (see [`factor`]), or [`UNSET`].
    OptionalFactor,
}

/// The parameter that holds `padding` where it is integers rather than a word.
pub(super) const EXPLICIT_PADDING: &str = "explicit_padding";

/// The number above 0 that these bits are; an `i64` of larger bits is a larger number.
pub fn factor(bits: i64) -> f64 {
    f64::from_bits(bits.cast_unsigned())
}

/// How many numbers a hyperparameter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// One.
    One,
    /// This many; a single number stands for all of them alike.
    Each(usize),
    /// Any number up to `MAX_RANK`; only the last parameter of a layer may be such.
    Any,
}

/// A hyperparameter of a layer, by its Keras name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// The name of the argument in Keras, or of an option that `PyTorch` has and Keras has not.
    pub name: &'static str,
    /// The values it takes.
    pub domain: Domain,
    /// How many numbers it holds.
    pub arity: Arity,
    /// What Keras takes when it is not given; `None` where it must be given.
    pub default: Option<i64>,
}

impl Parameter {
    pub(super) const fn new(name: &'static str, domain: Domain, arity: Arity, default: Option<i64>) -> Self {
        Self {
            name,
            domain,
            arity,
            default,
        }
    }

    /// One integer of at least `least`, which must be given.
    pub(super) const fn int(name: &'static str, least: i64) -> Self {
        Self::new(name, Domain::Int(least), Arity::One, None)
    }

    /// A flag.
    pub(super) const fn flag(name: &'static str, default: bool) -> Self {
        Self::new(name, Domain::Flag, Arity::One, Some(default as i64))
    }

    /// One of several words; the first is the default.
    pub(super) const fn keyword(name: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(name, Domain::Keyword(words), Arity::One, Some(0))
    }

    /// `data_format`, with Keras' usual default.
    pub(super) const fn data_format() -> Self {
        Self::keyword("data_format", &["channels_last", "channels_first"])
    }

    /// An axis, the batch being axis 0, or as many axes as are named.
    pub(super) const fn axis(name: &'static str, arity: Arity) -> Self {
        Self::new(name, Domain::Int(i64::MIN + 1), arity, Some(-1))
    }

    /// How many numbers it holds, where that is fixed.
    pub(super) const fn len(&self) -> usize {
        match self.arity {
            Arity::One => 1,
            Arity::Each(n) => n,
            Arity::Any => 0,
        }
    }

    /// Checks one value of it.
    ///
    /// # Errors
    /// `Argument`, naming the parameter, what it takes and what was given.
    pub fn check(&self, value: i64) -> Result<()> {
        let takes = match self.domain {
            Domain::Int(least) if value >= least => return Ok(()),
            Domain::OptionalInt(least) if value == UNSET || value >= least => return Ok(()),
            Domain::Flag if value == 0 || value == 1 => return Ok(()),
            Domain::OptionalKeyword(_) if value == UNSET => return Ok(()),
            Domain::Keyword(words) | Domain::OptionalKeyword(words) if (0..words.len() as i64).contains(&value) => {
                return Ok(());
            }
            Domain::OptionalFactor if value == UNSET || (value > 0 && factor(value).is_finite()) => return Ok(()),
            Domain::Int(i64::MIN) | Domain::OptionalInt(i64::MIN) => "an integer".to_owned(),
            Domain::Int(least) => format!("an integer >= {least}"),
            Domain::OptionalInt(least) => format!("None or an integer >= {least}"),
            Domain::Flag => "True or False".to_owned(),
            Domain::Keyword(words) => format!("one of {words:?}"),
            Domain::OptionalFactor => "None or a finite number > 0".to_owned(),
            Domain::OptionalKeyword(words) => format!("None or one of {words:?}"),
        };
        let given = match self.domain {
            _ if value == UNSET => "None".to_owned(),
            Domain::OptionalFactor => format!("{:?}", factor(value)),
            _ => value.to_string(),
        };
        Err(Error::argument(format!("{} must be {takes}, not {given}", self.name)))
    }

    /// A value of it as its user writes it.
    pub fn argument(&self, value: i64) -> Argument {
        match self.domain {
            _ if value == UNSET => Argument::Unset,
            Domain::Flag => Argument::Flag(value != 0),
            Domain::Keyword(words) | Domain::OptionalKeyword(words) => Argument::Word(words[value as usize]),
            Domain::Int(_) | Domain::OptionalInt(_) => Argument::Int(value),
            Domain::OptionalFactor => Argument::Factor(factor(value)),
        }
    }

    /// A value of it as a Python user would write it.
    pub fn show(&self, value: i64) -> String {
        match self.domain {
            _ if value == UNSET => "None".to_owned(),
            Domain::Flag => if value == 0 { "False" } else { "True" }.to_owned(),
            Domain::Keyword(words) | Domain::OptionalKeyword(words) => format!("'{}'", words[value as usize]),
            Domain::Int(_) | Domain::OptionalInt(_) => value.to_string(),
            Domain::OptionalFactor => format!("{:?}", factor(value)),
        }
    }
}
