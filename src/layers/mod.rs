//! The layers: one file a family, one [`Rule`] a layer.
//!
//! A rule is scalar: the hyperparameters and the input shapes of *one* layer in, its output shape and its costs out, or
//! a [`Refusal`]. Nothing outside this module knows any layer; nothing in it knows of decisions, graphs or batches.
//!
//! Shapes, argument names, defaults and refusals are those of Keras 3 (`keras.layers`).

/// Rules of layers that have no weights and change no shape, each with what it does.
macro_rules! unchanged {
    ($($kind:ident, $purpose:expr;)*) => {$(
        pub(super) struct $kind;

        impl Rule for $kind {
            const NAME: &'static str = stringify!($kind);
            const PARAMETERS: &'static [Parameter] = &[];
            const IN_PLACE: bool = true;
            const PURPOSE: &'static str = $purpose;

            fn output(_: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
                Ok(inputs[0])
            }
        }
    )*};
}

mod activation;
mod attention;
mod cell;
mod convolution;
mod core;
mod dense;
mod embedding;
mod geometry;
mod input;
mod merging;
mod normalization;
mod pooling;
mod preprocessing;
mod quantity;
mod recurrent;
mod regularization;
mod reshaping;
mod shape;
mod wrapper;

pub use quantity::{Count, Formula, Quantity};
pub use shape::{MAX_RANK, Shape};
pub use wrapper::{Inner, Slot, WRAPPERS, Wrapper};

use crate::{Error, Result};
use std::borrow::Cow;
use std::fmt;
use std::ops::Add;
use std::sync::Arc;

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
    /// Any number up to [`MAX_RANK`]; only the last parameter of a layer may be such.
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
    const fn new(name: &'static str, domain: Domain, arity: Arity, default: Option<i64>) -> Self {
        Self {
            name,
            domain,
            arity,
            default,
        }
    }

    /// One integer of at least `least`, which must be given.
    const fn int(name: &'static str, least: i64) -> Self {
        Self::new(name, Domain::Int(least), Arity::One, None)
    }

    /// A flag.
    const fn flag(name: &'static str, default: bool) -> Self {
        Self::new(name, Domain::Flag, Arity::One, Some(default as i64))
    }

    /// One of several words; the first is the default.
    const fn keyword(name: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(name, Domain::Keyword(words), Arity::One, Some(0))
    }

    /// `data_format`, with Keras' usual default.
    const fn data_format() -> Self {
        Self::keyword("data_format", &["channels_last", "channels_first"])
    }

    /// An axis, the batch being axis 0, or as many axes as are named.
    const fn axis(name: &'static str, arity: Arity) -> Self {
        Self::new(name, Domain::Int(i64::MIN + 1), arity, Some(-1))
    }

    /// How many numbers it holds, where that is fixed.
    const fn len(&self) -> usize {
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

/// Why a layer cannot be built. The text is made only when it is asked for: a compiler meets millions of refusals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that was broken; each `{}` stands for the next number.
    rule: &'static str,
    numbers: [i64; 4],
    /// What there is to say instead.
    other: Option<Arc<Other>>,
}

/// What cannot be said by a rule and numbers.
#[derive(Debug, PartialEq, Eq)]
enum Other {
    /// A function from outside refuses: why.
    Reason(String),
    /// A function from outside failed, so that nothing can be said of any network.
    Failure(Error),
    /// A layer of this name refuses, inside of another one, a tensor of this shape.
    Inside(Cow<'static, str>, Shape, Refusal),
    /// A shared layer was built on inputs of these shapes, where they are known, for something else than is found here.
    Shared(Vec<Shape>, Built, Vec<i64>),
}

impl Refusal {
    /// A refusal by this rule; each `{}` in it stands for the next of the numbers.
    pub fn new<const N: usize>(rule: &'static str, numbers: [i64; N]) -> Self {
        let mut all = [0; 4];
        all[..N].copy_from_slice(&numbers);
        Self {
            rule,
            numbers: all,
            other: None,
        }
    }

    /// A function from outside refuses, for this reason.
    pub fn reason(reason: String) -> Self {
        Self {
            other: Some(Arc::new(Other::Reason(reason))),
            ..Self::new("", [])
        }
    }

    /// A function from outside failed.
    pub fn failed(error: Error) -> Self {
        Self {
            other: Some(Arc::new(Other::Failure(error))),
            ..Self::new("", [])
        }
    }

    /// The same by a layer inside of another one, on an input of this shape.
    fn inside(self, name: Cow<'static, str>, input: Shape) -> Self {
        if self.is_fatal() {
            return self;
        }
        Self {
            other: Some(Arc::new(Other::Inside(name, input, self))),
            ..Self::new("", [])
        }
    }

    /// A shared layer was built for something else: on these inputs, where they are known, and what is found here.
    pub(crate) fn shared(on: Vec<Shape>, built: Built, here: Vec<i64>) -> Self {
        Self {
            other: Some(Arc::new(Other::Shared(on, built, here))),
            ..Self::new("", [])
        }
    }

    /// How a function from outside failed, if one did.
    pub fn failure(&self) -> Option<&Error> {
        match self.other.as_deref() {
            Some(Other::Failure(error)) => Some(error),
            _ => None,
        }
    }

    /// A number would not fit into 63 bits.
    pub fn overflow() -> Self {
        Self::new(Self::OVERFLOW, [])
    }

    /// A tensor would have this many axes beside the batch.
    fn rank(axes: usize) -> Self {
        Self::new(
            "its output would have {} axes beside the batch; at most {} are supported",
            [axes as i64, MAX_RANK as i64],
        )
    }

    const OVERFLOW: &'static str = "a size or cost would exceed 2^63 - 1, the largest number counted exactly";

    /// Whether it refuses because a number would not fit.
    pub fn is_overflow(&self) -> bool {
        self.rule == Self::OVERFLOW
    }

    /// Whether it is a refusal of the whole space, rather than of one network.
    pub fn is_fatal(&self) -> bool {
        self.is_overflow() || self.failure().is_some()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.other.as_deref() {
            Some(Other::Reason(reason)) => return f.write_str(reason),
            Some(Other::Failure(error)) => return f.write_str(&error.message),
            Some(Other::Inside(name, input, refusal)) => {
                return write!(f, "its {name} cannot be built on input shape {input}: {refusal}");
            }
            Some(Other::Shared(on, built, here)) => {
                let shapes: Vec<_> = on.iter().map(Shape::to_string).collect();
                let on = match shapes.len() {
                    0 => String::new(),
                    1 => format!("on input shape {}, ", shapes[0]),
                    _ => format!("on input shapes {}, ", shapes.join(", ")),
                };
                let Built { what, numbers } = built;
                write!(f, "it is shared, and each use of it must have the same {what}")?;
                return if here.is_empty() {
                    write!(f, ", as {on}where it was built")
                } else {
                    write!(f, ": {numbers:?} {on}where it was built, and {here:?} here")
                };
            }
            None => {}
        }
        let mut parts = self.rule.split("{}");
        f.write_str(parts.next().unwrap_or_default())?;
        for (part, number) in parts.zip(self.numbers) {
            write!(f, "{number}{part}")?;
        }
        Ok(())
    }
}

/// What one layer costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost<Q> {
    /// Weights that training changes.
    pub trainable: Q,
    /// Weights that it does not change, such as moving statistics.
    pub non_trainable: Q,
    /// Multiply-accumulates for one input.
    pub macs: Q,
}

impl<Q: Quantity> Cost<Q> {
    /// The cost of a layer without weights or multiplications.
    fn none() -> Self {
        Self {
            trainable: Q::zero(),
            non_trainable: Q::zero(),
            macs: Q::zero(),
        }
    }

    /// The same with weights that are not trained.
    pub(crate) fn frozen(self) -> Self {
        Self {
            trainable: Q::zero(),
            non_trainable: self.trainable + self.non_trainable,
            macs: self.macs,
        }
    }
}

impl<Q: Quantity> Add for Cost<Q> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            trainable: self.trainable + other.trainable,
            non_trainable: self.non_trainable + other.non_trainable,
            macs: self.macs + other.macs,
        }
    }
}

/// What a layer is built for where it is used first: a later use, which shares its weights, must find the same.
///
/// It is what Keras looks at: the sides that the shapes of the weights follow from, and what an `input_spec` fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// What the numbers are, to go behind "must have the same".
    pub what: &'static str,
    /// The numbers; none where it fits everything.
    pub numbers: Vec<i64>,
}

impl Built {
    fn new(what: &'static str, numbers: impl Into<Vec<i64>>) -> Self {
        Self {
            what,
            numbers: numbers.into(),
        }
    }

    /// A layer that does not depend on its input.
    fn anything() -> Self {
        Self::new("", [])
    }

    /// Whether a layer that was built so can be used where it would be built like that.
    pub fn fits(&self, later: &Self) -> bool {
        self.numbers.is_empty() || self.numbers == later.numbers
    }
}

/// The last side of the kernel of a layer (or of its table), by its hyperparameters and its input.
type Columns = fn(&[i64], &Shape) -> i64;

/// The rule of one layer: everything archbudget knows of it.
trait Rule {
    /// The name of the layer in `keras.layers`.
    const NAME: &'static str;
    /// The hyperparameters that touch shape or cost. A rule reads their values, flattened in this order.
    const PARAMETERS: &'static [Parameter];
    /// How many input tensors it takes, from and to.
    const INPUTS: (usize, usize) = (1, 1);
    /// Whether it only rearranges or works element by element on one input, so that it can work in place.
    const IN_PLACE: bool = false;
    /// What the layer does, for a reader who wonders why it costs nothing.
    const PURPOSE: &'static str = "";
    /// What it is in a recurrent network.
    const ROLE: Role = Role::Plain;
    /// The last side of its kernel, where it has one that is its own weight.
    const COLUMNS: Option<Columns> = None;

    /// The output shape.
    fn output(args: &[i64], inputs: &[Shape]) -> std::result::Result<Shape, Refusal>;

    /// The shapes of its states, if it is recurrent or a cell, for an input that [`Rule::output`] accepted. They are what
    /// it can give beside its output.
    fn states(_args: &[i64], _input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        Ok(Vec::new())
    }

    /// The cost, given an output shape that [`Rule::output`] returned.
    fn cost<Q: Quantity>(_args: &[i64], _inputs: &[Shape], _output: &Shape) -> Cost<Q> {
        Cost::none()
    }

    /// What it is built for by inputs that [`Rule::output`] accepted.
    fn built(_args: &[i64], _inputs: &[Shape]) -> Built {
        Built::anything()
    }
}

/// A rule that is made while the program runs: a layer around another one, or a function from outside.
pub trait DynamicRule: fmt::Debug + Send + Sync {
    /// As `Rule::output`.
    ///
    /// # Errors
    /// Why the layer cannot be built.
    fn output(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Shape, Refusal>;
    /// As `Rule::cost`, as numbers.
    fn cost(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Count>;
    /// As `Rule::cost`, as formulas.
    fn explain(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Formula>;
    /// As `Rule::built`.
    fn built(&self, args: &[i64], inputs: &[Shape]) -> Built;

    /// As `Rule::states`.
    ///
    /// # Errors
    /// Why it has none.
    fn states(&self, _args: &[i64], _input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        Ok(Vec::new())
    }

    /// The shapes of all that it can give beside its output, in order, for an input that it accepted.
    ///
    /// # Errors
    /// Why it gives nothing else.
    fn extra(&self, args: &[i64], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        self.states(args, input)
    }

    /// The layers inside; their numbers stand behind those of the layer around them.
    fn inner(&self) -> &[Inner] {
        &[]
    }

    /// Whether it has a kernel that is its own weight.
    fn has_kernel(&self) -> bool {
        false
    }

    /// As `Rule::COLUMNS`, if it has a kernel.
    fn columns(&self, _args: &[i64], _input: &Shape) -> i64 {
        0
    }
}

/// A quantity that the cost of any layer can be read in.
trait Reading: Quantity {
    fn cost_of(kind: &Kind, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Self>;
}

impl Reading for Count {
    fn cost_of(kind: &Kind, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Self> {
        kind.cost(args, inputs, output)
    }
}

impl Reading for Formula {
    fn cost_of(kind: &Kind, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Self> {
        kind.explain(args, inputs, output)
    }
}

#[derive(Debug, Clone)]
enum AnyRule {
    Static {
        output: fn(&[i64], &[Shape]) -> std::result::Result<Shape, Refusal>,
        cost: fn(&[i64], &[Shape], &Shape) -> Cost<Count>,
        explain: fn(&[i64], &[Shape], &Shape) -> Cost<Formula>,
        built: fn(&[i64], &[Shape]) -> Built,
        states: fn(&[i64], &Shape) -> std::result::Result<Vec<Shape>, Refusal>,
        columns: Option<Columns>,
    },
    Dynamic(Arc<dyn DynamicRule>),
}

/// What a layer is in a recurrent network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A layer without states.
    Plain,
    /// No layer by itself, but one step of a recurrent one.
    Cell,
    /// It goes through a sequence with states, which it may be given behind its input.
    Recurrent,
}

/// A layer as data: its name, its parameters and its rule.
#[derive(Debug, Clone)]
pub struct Kind {
    /// The name of the layer in `keras.layers`.
    pub name: Cow<'static, str>,
    /// The hyperparameters that touch shape or cost.
    pub parameters: Cow<'static, [Parameter]>,
    /// The fewest and the most input tensors it takes.
    pub inputs: (usize, usize),
    /// Whether it can work in place.
    pub in_place: bool,
    /// What it does, for layers without weights.
    pub purpose: &'static str,
    /// Whether only a function from outside knows what its numbers mean.
    pub opaque: bool,
    /// What it is in a recurrent network.
    pub role: Role,
    rule: AnyRule,
}

impl Kind {
    const fn of<R: Rule>() -> Self {
        Self {
            name: Cow::Borrowed(R::NAME),
            parameters: Cow::Borrowed(R::PARAMETERS),
            inputs: R::INPUTS,
            in_place: R::IN_PLACE,
            purpose: R::PURPOSE,
            opaque: false,
            role: R::ROLE,
            rule: AnyRule::Static {
                output: R::output,
                cost: R::cost::<Count>,
                explain: R::cost::<Formula>,
                built: R::built,
                states: R::states,
                columns: R::COLUMNS,
            },
        }
    }

    /// A layer of one input by a rule that is made while the program runs.
    fn dynamic(
        name: &'static str,
        parameters: &'static [Parameter],
        purpose: &'static str,
        rule: Arc<dyn DynamicRule>,
    ) -> Self {
        Self {
            name: Cow::Borrowed(name),
            parameters: Cow::Borrowed(parameters),
            inputs: (1, 1),
            in_place: false,
            purpose,
            opaque: false,
            role: Role::Plain,
            rule: AnyRule::Dynamic(rule),
        }
    }

    /// A layer by a function from outside, of any number of integers that only the function understands.
    pub fn outside(name: String, inputs: (usize, usize), in_place: bool, rule: Arc<dyn DynamicRule>) -> Self {
        const ARGUMENTS: &[Parameter] = &[Parameter::new("arguments", Domain::Int(i64::MIN), Arity::Any, None)];
        Self {
            name: Cow::Owned(name),
            parameters: Cow::Borrowed(ARGUMENTS),
            inputs,
            in_place,
            purpose: "its function gives it no weights",
            opaque: true,
            role: Role::Plain,
            rule: AnyRule::Dynamic(rule),
        }
    }

    /// The output shape of one layer, the first of several; `args` are the values of `parameters`, flattened.
    ///
    /// # Errors
    /// Why it cannot be built.
    pub fn output(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Shape, Refusal> {
        let output = match &self.rule {
            AnyRule::Static { output, .. } => output(args, inputs),
            AnyRule::Dynamic(rule) => rule.output(args, inputs),
        }?;
        if self.role == Role::Recurrent && inputs.len() > 1 {
            check_states(&self.states(args, &inputs[0])?, &inputs[1..])?;
        }
        Ok(output)
    }

    /// The shapes of the states of one recurrent layer or cell, for an input that [`Self::output`] accepted.
    fn states(&self, args: &[i64], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        match &self.rule {
            AnyRule::Static { states, .. } => states(args, input),
            AnyRule::Dynamic(rule) => rule.states(args, input),
        }
    }

    /// The shapes of all that one layer can give beside its output, in order, for inputs that [`Self::output`] accepted.
    ///
    /// # Errors
    /// Why it gives nothing else.
    pub fn extra(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        match (&self.rule, inputs) {
            (_, []) => Ok(Vec::new()),
            (AnyRule::Static { states, .. }, [input, ..]) => states(args, input),
            (AnyRule::Dynamic(rule), [input, ..]) => rule.extra(args, input),
        }
    }

    /// The cost of one layer as numbers, given an output shape that [`Self::output`] returned.
    pub fn cost(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Count> {
        match &self.rule {
            AnyRule::Static { cost, .. } => cost(args, inputs, output),
            AnyRule::Dynamic(rule) => rule.cost(args, inputs, output),
        }
    }

    /// The same as formulas.
    pub fn explain(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Formula> {
        match &self.rule {
            AnyRule::Static { explain, .. } => explain(args, inputs, output),
            AnyRule::Dynamic(rule) => rule.explain(args, inputs, output),
        }
    }

    /// What the layer is built for by inputs that [`Self::output`] accepted.
    pub fn built(&self, args: &[i64], inputs: &[Shape]) -> Built {
        match &self.rule {
            AnyRule::Static { built, .. } => built(args, inputs),
            AnyRule::Dynamic(rule) => rule.built(args, inputs),
        }
    }

    /// The layers inside; their numbers stand behind its own.
    pub fn inner(&self) -> &[Inner] {
        match &self.rule {
            AnyRule::Static { .. } => &[],
            AnyRule::Dynamic(rule) => rule.inner(),
        }
    }

    /// Whether it has a kernel (or a table) that is its own weight.
    fn has_kernel(&self) -> bool {
        match &self.rule {
            AnyRule::Static { columns, .. } => columns.is_some(),
            AnyRule::Dynamic(rule) => rule.has_kernel(),
        }
    }

    /// The last side of its kernel, if it has one.
    fn columns(&self, args: &[i64], input: &Shape) -> i64 {
        match &self.rule {
            AnyRule::Static { columns, .. } => columns.map_or(0, |columns| columns(args, input)),
            AnyRule::Dynamic(rule) => rule.columns(args, input),
        }
    }

    /// The layer of this name; those around others are a [`Wrapper`].
    ///
    /// # Errors
    /// `Argument` where there is none, naming those that there are.
    pub fn named(name: &str) -> Result<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
            let wrappers = WRAPPERS.iter().map(|wrapper| wrapper.name);
            let known: Vec<_> = KINDS.iter().map(|kind| &*kind.name).chain(wrappers).collect();
            Error::argument(format!("unknown layer '{name}'; the layers are {}", known.join(", ")))
        })
    }

    /// The parameter of this name, and the position of its first number.
    pub fn parameter(&self, name: &str) -> Option<(usize, &Parameter)> {
        let mut offset = 0;
        for parameter in &*self.parameters {
            if parameter.name == name {
                return Some((offset, parameter));
            }
            offset += parameter.len();
        }
        None
    }

    /// The parameter that each of `len` flattened numbers belongs to.
    pub fn owners(&self, len: usize) -> Box<dyn Iterator<Item = &Parameter> + '_> {
        let parameters = &self.parameters;
        let fixed: usize = parameters.iter().map(Parameter::len).sum();
        let own = parameters.iter().flat_map(move |parameter| {
            let n = match parameter.arity {
                Arity::Any => len.saturating_sub(fixed),
                _ => parameter.len(),
            };
            std::iter::repeat_n(parameter, n)
        });
        let inner = self.inner().iter().flat_map(|inner| inner.kind.owners(inner.len));
        Box::new(own.chain(inner))
    }

    /// Flattened values by parameter, and those of each layer inside.
    #[allow(clippy::type_complexity)] // They are two lists of pairs.
    pub fn split<'a>(&'a self, args: &'a [i64]) -> (Vec<(&'a Parameter, &'a [i64])>, Vec<(&'a Inner, &'a [i64])>) {
        let mut rest = args;
        let mut take = |n: usize| {
            let (own, others) = rest.split_at(n);
            rest = others;
            own
        };
        let inside: usize = self.inner().iter().map(|inner| inner.len).sum();
        let fixed: usize = self.parameters.iter().map(Parameter::len).sum();
        let own = self.parameters.iter().map(|parameter| {
            let n = match parameter.arity {
                Arity::Any => args.len() - inside - fixed,
                _ => parameter.len(),
            };
            (parameter, take(n))
        });
        let own = own.collect();
        let inner = self.inner().iter().map(|inner| (inner, take(inner.len)));
        (own, inner.collect())
    }

    /// Flattened values as a Python user would write them, without those that are not set:
    /// `filters=64, kernel_size=(5, 5), ...`.
    pub fn show(&self, args: &[i64]) -> String {
        let (own, inner) = self.split(args);
        let set = |values: &[i64]| values.is_empty() || values.iter().any(|&value| value != UNSET);
        let own = own.into_iter().filter(|(_, values)| set(values));
        let own = own.map(|(parameter, values)| {
            let shown: Vec<_> = values.iter().map(|&value| parameter.show(value)).collect();
            match parameter.arity {
                Arity::One => format!("{}={}", parameter.name, shown[0]),
                _ => format!("{}=({})", parameter.name, shown.join(", ")),
            }
        });
        let mut texts: Vec<_> = own.collect();
        for same in inner.chunk_by(|(a, _), (b, _)| a.slot == b.slot) {
            let layers = same
                .iter()
                .map(|(inner, args)| format!("{}({})", inner.kind.name, inner.kind.show(args)));
            let layers = layers.collect::<Vec<_>>().join(", ");
            let slot = same[0].0.slot;
            texts.push(if slot.many {
                format!("{}=[{layers}]", slot.name)
            } else {
                format!("{}={layers}", slot.name)
            });
        }
        texts.join(", ")
    }
}

/// Refuses states to begin with that are not those of a layer.
fn check_states(own: &[Shape], given: &[Shape]) -> std::result::Result<(), Refusal> {
    if own.len() != given.len() {
        return Err(Refusal::new(
            "it has {} states; {} are given as its initial_state",
            [own.len() as i64, given.len() as i64],
        ));
    }
    for (number, (own, given)) in (1..).zip(own.iter().zip(given)) {
        if own.rank() != given.rank() {
            return Err(Refusal::new(
                "state {} of its initial_state must have {} axes beside the batch, not {}",
                [number, own.rank() as i64, given.rank() as i64],
            ));
        }
        let mut sides = (1..).zip(own.iter().zip(given.iter()));
        if let Some((axis, (&own, &given))) = sides.find(|(_, (own, given))| own != given) {
            return Err(Refusal::new(
                "state {} of its initial_state must be as large as its own; on axis {} that has {}, this one {}",
                [number, axis, own, given],
            ));
        }
    }
    Ok(())
}

/// Every layer but those around others, in the order of the documentation; cells among them.
pub static KINDS: &[Kind] = &[
    Kind::of::<input::Input>(),
    Kind::of::<convolution::Conv<1>>(),
    Kind::of::<convolution::Conv<2>>(),
    Kind::of::<convolution::Conv<3>>(),
    Kind::of::<convolution::ConvTranspose<1>>(),
    Kind::of::<convolution::ConvTranspose<2>>(),
    Kind::of::<convolution::ConvTranspose<3>>(),
    Kind::of::<convolution::DepthwiseConv<1>>(),
    Kind::of::<convolution::DepthwiseConv<2>>(),
    Kind::of::<convolution::SeparableConv<1>>(),
    Kind::of::<convolution::SeparableConv<2>>(),
    Kind::of::<dense::Dense>(),
    Kind::of::<dense::EinsumDense>(),
    Kind::of::<embedding::Embedding>(),
    Kind::of::<embedding::EmbeddingBag>(),
    Kind::of::<recurrent::SimpleRNN>(),
    Kind::of::<recurrent::LSTM>(),
    Kind::of::<recurrent::GRU>(),
    Kind::of::<recurrent::ConvLSTM<1>>(),
    Kind::of::<recurrent::ConvLSTM<2>>(),
    Kind::of::<recurrent::ConvLSTM<3>>(),
    Kind::of::<cell::SimpleRNNCell>(),
    Kind::of::<cell::LSTMCell>(),
    Kind::of::<cell::GRUCell>(),
    Kind::of::<attention::MultiHeadAttention>(),
    Kind::of::<attention::GroupQueryAttention>(),
    Kind::of::<attention::Attention>(),
    Kind::of::<attention::AdditiveAttention>(),
    Kind::of::<pooling::MaxPooling<1>>(),
    Kind::of::<pooling::MaxPooling<2>>(),
    Kind::of::<pooling::MaxPooling<3>>(),
    Kind::of::<pooling::AveragePooling<1>>(),
    Kind::of::<pooling::AveragePooling<2>>(),
    Kind::of::<pooling::AveragePooling<3>>(),
    Kind::of::<pooling::GlobalMaxPooling<1>>(),
    Kind::of::<pooling::GlobalMaxPooling<2>>(),
    Kind::of::<pooling::GlobalMaxPooling<3>>(),
    Kind::of::<pooling::GlobalAveragePooling<1>>(),
    Kind::of::<pooling::GlobalAveragePooling<2>>(),
    Kind::of::<pooling::GlobalAveragePooling<3>>(),
    Kind::of::<pooling::AdaptiveMaxPooling<1>>(),
    Kind::of::<pooling::AdaptiveMaxPooling<2>>(),
    Kind::of::<pooling::AdaptiveMaxPooling<3>>(),
    Kind::of::<pooling::AdaptiveAveragePooling<1>>(),
    Kind::of::<pooling::AdaptiveAveragePooling<2>>(),
    Kind::of::<pooling::AdaptiveAveragePooling<3>>(),
    Kind::of::<pooling::LPPooling<1>>(),
    Kind::of::<pooling::LPPooling<2>>(),
    Kind::of::<pooling::LPPooling<3>>(),
    Kind::of::<pooling::FractionalMaxPooling<2>>(),
    Kind::of::<pooling::FractionalMaxPooling<3>>(),
    Kind::of::<reshaping::Flatten>(),
    Kind::of::<reshaping::ZeroPadding<1>>(),
    Kind::of::<reshaping::ZeroPadding<2>>(),
    Kind::of::<reshaping::ZeroPadding<3>>(),
    Kind::of::<reshaping::ConstantPadding<1>>(),
    Kind::of::<reshaping::ConstantPadding<2>>(),
    Kind::of::<reshaping::ConstantPadding<3>>(),
    Kind::of::<reshaping::ReflectionPadding<1>>(),
    Kind::of::<reshaping::ReflectionPadding<2>>(),
    Kind::of::<reshaping::ReflectionPadding<3>>(),
    Kind::of::<reshaping::ReplicationPadding<1>>(),
    Kind::of::<reshaping::ReplicationPadding<2>>(),
    Kind::of::<reshaping::ReplicationPadding<3>>(),
    Kind::of::<reshaping::CircularPadding<1>>(),
    Kind::of::<reshaping::CircularPadding<2>>(),
    Kind::of::<reshaping::CircularPadding<3>>(),
    Kind::of::<reshaping::Cropping<1>>(),
    Kind::of::<reshaping::Cropping<2>>(),
    Kind::of::<reshaping::Cropping<3>>(),
    Kind::of::<reshaping::UpSampling<1>>(),
    Kind::of::<reshaping::UpSampling<2>>(),
    Kind::of::<reshaping::UpSampling<3>>(),
    Kind::of::<reshaping::Reshape>(),
    Kind::of::<reshaping::Permute>(),
    Kind::of::<reshaping::RepeatVector>(),
    Kind::of::<reshaping::PixelShuffle>(),
    Kind::of::<reshaping::PixelUnshuffle>(),
    Kind::of::<reshaping::ChannelShuffle>(),
    Kind::of::<reshaping::Unfold>(),
    Kind::of::<reshaping::Fold>(),
    Kind::of::<core::Identity>(),
    Kind::of::<core::Masking>(),
    Kind::of::<core::Rescaling>(),
    Kind::of::<regularization::Dropout>(),
    Kind::of::<regularization::SpatialDropout<1>>(),
    Kind::of::<regularization::SpatialDropout<2>>(),
    Kind::of::<regularization::SpatialDropout<3>>(),
    Kind::of::<regularization::GaussianDropout>(),
    Kind::of::<regularization::AlphaDropout>(),
    Kind::of::<regularization::GaussianNoise>(),
    Kind::of::<regularization::ActivityRegularization>(),
    Kind::of::<activation::Activation>(),
    Kind::of::<activation::ReLU>(),
    Kind::of::<activation::LeakyReLU>(),
    Kind::of::<activation::ELU>(),
    Kind::of::<activation::PReLU>(),
    Kind::of::<activation::Softmax>(),
    Kind::of::<activation::GLU>(),
    Kind::of::<normalization::BatchNormalization>(),
    Kind::of::<normalization::LayerNormalization>(),
    Kind::of::<normalization::RMSNormalization>(),
    Kind::of::<normalization::GroupNormalization>(),
    Kind::of::<normalization::InstanceNormalization>(),
    Kind::of::<normalization::LocalResponseNormalization>(),
    Kind::of::<normalization::UnitNormalization>(),
    Kind::of::<normalization::Normalization>(),
    Kind::of::<merging::Add>(),
    Kind::of::<merging::Subtract>(),
    Kind::of::<merging::Multiply>(),
    Kind::of::<merging::Average>(),
    Kind::of::<merging::Maximum>(),
    Kind::of::<merging::Minimum>(),
    Kind::of::<merging::Concatenate>(),
    Kind::of::<merging::Dot>(),
    Kind::of::<preprocessing::AugMix>(),
    Kind::of::<preprocessing::AutoContrast>(),
    Kind::of::<preprocessing::ContrastLimitedAdaptiveHistogramEqualization>(),
    Kind::of::<preprocessing::CutMix>(),
    Kind::of::<preprocessing::MaxNumBoundingBoxes>(),
    Kind::of::<preprocessing::MixUp>(),
    Kind::of::<preprocessing::RandAugment>(),
    Kind::of::<preprocessing::RandomBrightness>(),
    Kind::of::<preprocessing::RandomColorDegeneration>(),
    Kind::of::<preprocessing::RandomColorJitter>(),
    Kind::of::<preprocessing::RandomContrast>(),
    Kind::of::<preprocessing::RandomElasticTransform>(),
    Kind::of::<preprocessing::RandomErasing>(),
    Kind::of::<preprocessing::RandomFlip>(),
    Kind::of::<preprocessing::RandomGaussianBlur>(),
    Kind::of::<preprocessing::RandomGrayscale>(),
    Kind::of::<preprocessing::RandomHue>(),
    Kind::of::<preprocessing::RandomInvert>(),
    Kind::of::<preprocessing::RandomPerspective>(),
    Kind::of::<preprocessing::RandomPosterization>(),
    Kind::of::<preprocessing::RandomRotation>(),
    Kind::of::<preprocessing::RandomSaturation>(),
    Kind::of::<preprocessing::RandomSharpness>(),
    Kind::of::<preprocessing::RandomShear>(),
    Kind::of::<preprocessing::RandomTranslation>(),
    Kind::of::<preprocessing::RandomZoom>(),
    Kind::of::<preprocessing::Solarization>(),
    Kind::of::<preprocessing::CenterCrop>(),
    Kind::of::<preprocessing::Resizing>(),
    Kind::of::<preprocessing::STFTSpectrogram>(),
    Kind::of::<preprocessing::MelSpectrogram>(),
    Kind::of::<preprocessing::CategoryEncoding>(),
    Kind::of::<preprocessing::Discretization>(),
    Kind::of::<preprocessing::ReversibleEmbedding>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_allowed() {
        for (position, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..position].iter().all(|other| other.name != kind.name));
            for parameter in &*kind.parameters {
                if let Some(default) = parameter.default {
                    parameter.check(default).unwrap();
                }
            }
        }
    }

    #[test]
    fn refusals_carry_their_numbers() {
        let refusal = Refusal::new("a kernel of {} does not fit {}", [7, 5]);
        assert_eq!(refusal.to_string(), "a kernel of 7 does not fit 5");
    }

    #[test]
    fn an_unknown_layer_is_named() {
        let error = Kind::named("Conv9D").unwrap_err();
        assert!(error.message.contains("'Conv9D'") && error.message.contains("Conv2D"));
    }
}
