//! A layer as data: its name, its parameters and its rule.

use super::built::Built;
use super::cost::Cost;
use super::mask::Mask;
use super::parameter::{Arity, Domain, Parameter};
use super::quantity::{Count, Formula, Quantity};
use super::refusal::Refusal;
use super::shape::Shape;
use super::sides;
use super::unknown;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The last side of the kernel of a layer (or of its table), by its hyperparameters and its input.
pub(super) type Columns = fn(&[i64], &Shape) -> i64;

/// The shapes of what a layer can give beside its output, by its hyperparameters and its inputs.
type Extra = fn(&[i64], &[Shape]) -> std::result::Result<Vec<Shape>, Refusal>;

/// Refuses a mask of this shape that a call gives to a layer, by its hyperparameters and its inputs.
type Masked = fn(&[i64], &[Shape], Mask, &Shape) -> std::result::Result<(), Refusal>;

/// The rule of one layer: everything archbudget knows of it.
pub(super) trait Rule {
    /// The name of the layer in `keras.layers`.
    const NAME: &'static str;
    /// The hyperparameters that touch shape or cost. A rule reads their values, flattened in this order.
    const PARAMETERS: &'static [Parameter];
    /// How many input tensors it takes, from and to.
    const INPUTS: (usize, usize) = (1, 1);
    /// Whether it only rearranges or works element by element, so that it can write over an input.
    const IN_PLACE: bool = false;
    /// Whether it puts its inputs side by side along the axis that is its only argument: of their sides there only the
    /// sum matters.
    const JOINS: bool = false;
    /// Whether [`Rule::output`] reads unknown sides itself.
    const TAKES_UNKNOWN: bool = false;
    /// What the layer does, for a reader who wonders why it costs nothing.
    const PURPOSE: &'static str = "";
    /// What it is in a recurrent network.
    const ROLE: Role = Role::Plain;
    /// The last side of its kernel, where it has one that is its own weight.
    const COLUMNS: Option<Columns> = None;

    /// The output shape.
    fn output(args: &[i64], inputs: &[Shape]) -> std::result::Result<Shape, Refusal>;

    /// The inputs, with the numbers of those unknown sides that follow from others. It refuses unknown sides that Keras
    /// needs to know.
    fn known(_args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        Ok(inputs.to_vec())
    }

    /// The shapes of its states, if it is recurrent or a cell, for an input that [`Rule::output`] accepted. They are
    /// what it can give beside its output.
    fn states(_args: &[i64], _input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        Ok(Vec::new())
    }

    /// The shapes of all that it can give beside its output, in order, for inputs that [`Rule::output`] accepted.
    fn extra(args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        Self::states(args, &inputs[0])
    }

    /// Refuses a mask of this shape that a call gives it, for inputs that [`Rule::output`] accepted.
    fn mask(_args: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> std::result::Result<(), Refusal> {
        mask.of_steps(Self::ROLE == Role::Recurrent, &inputs[0], given)
    }

    /// The cost, given an output shape that [`Rule::output`] returned.
    fn cost<Q: Quantity>(_args: &[i64], _inputs: &[Shape], _output: &Shape) -> Cost<Q> {
        Cost::none()
    }

    /// The sides of an output shape that [`Rule::output`] returned, as formulas: those of the first input, unless the
    /// rule says otherwise.
    fn sides(_args: &[i64], inputs: &[Shape], _output: &Shape) -> Vec<Formula> {
        sides::unchanged(&inputs[0])
    }

    /// What it is built for by inputs that [`Rule::output`] accepted.
    fn built(_args: &[i64], _inputs: &[Shape]) -> Built {
        Built::anything()
    }
}

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

pub(super) use unchanged;

/// An argument of a wrapper that is a layer.
#[derive(Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name in Keras.
    pub name: &'static str,
    /// Whether it is a list of layers.
    pub many: bool,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether Keras takes a copy of the layer, which has weights of its own.
    pub copied: bool,
}

impl Slot {
    pub(super) const fn one(name: &'static str) -> Self {
        Self {
            name,
            many: false,
            optional: false,
            copied: false,
        }
    }
}

/// A layer inside of another one. In front of its hyperparameters stands a number that says of its weights whether
/// training changes them: 1 or 0, or [`COUNTED`].
#[derive(Debug, Clone)]
pub struct Inner {
    /// The argument that it is.
    pub slot: &'static Slot,
    /// Its rule.
    pub kind: Kind,
    /// How many numbers its hyperparameters are, without the one in front.
    pub len: usize,
}

/// Stands for `trainable` of a layer inside whose weights are counted elsewhere.
pub const COUNTED: i64 = -1;

/// What the number in front of the hyperparameters of a layer inside is.
pub const TRAINABLE: Parameter = Parameter::flag("trainable", true);

/// A layer inside of another one, for one input of that.
#[derive(Debug, Clone)]
pub struct Held {
    /// The name of the layer in `keras.layers`.
    pub name: Cow<'static, str>,
    /// The position of the number in front of its hyperparameters, among those of the outermost layer.
    pub mark: usize,
    /// How many numbers its hyperparameters are.
    pub len: usize,
    /// Its input.
    pub on: Shape,
    /// What it is built for by that.
    pub built: Built,
}

/// A rule that is made while the program runs: a layer around another one, or a custom function.
pub trait DynamicRule: fmt::Debug + Send + Sync {
    /// As `Rule::output`.
    ///
    /// # Errors
    /// Why the layer cannot be built.
    fn output(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Shape, Refusal>;

    /// As `Rule::known`.
    ///
    /// # Errors
    /// Which side must be known.
    fn known(&self, _args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        Ok(inputs.to_vec())
    }

    /// As `Rule::cost`, as numbers.
    fn cost(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Count>;
    /// As `Rule::cost`, as formulas.
    fn explain(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Formula>;
    /// As `Rule::sides`; by default they are what they are.
    fn sides(&self, _args: &[i64], _inputs: &[Shape], output: &Shape) -> Vec<Formula> {
        output.iter().map(|&side| Formula::just(side)).collect()
    }
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

    /// As `Rule::mask`.
    ///
    /// # Errors
    /// Why the mask does not fit.
    fn mask(&self, _args: &[i64], _input: &Shape, _mask: Mask, _given: &Shape) -> std::result::Result<(), Refusal> {
        Err(Mask::none())
    }

    /// As [`Kind::held`], where the numbers of the layer begin at this position.
    fn held(&self, _args: &[i64], _input: &Shape, _from: usize, _all: &mut Vec<Held>) {}

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
pub(super) trait Reading: Quantity {
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
        known: Extra,
        cost: fn(&[i64], &[Shape], &Shape) -> Cost<Count>,
        explain: fn(&[i64], &[Shape], &Shape) -> Cost<Formula>,
        sides: fn(&[i64], &[Shape], &Shape) -> Vec<Formula>,
        built: fn(&[i64], &[Shape]) -> Built,
        states: fn(&[i64], &Shape) -> std::result::Result<Vec<Shape>, Refusal>,
        extra: Extra,
        mask: Masked,
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
#[allow(clippy::struct_excessive_bools)] // Each says something of its own.
pub struct Kind {
    /// The name of the layer in `keras.layers`.
    pub name: Cow<'static, str>,
    /// The hyperparameters that touch shape or cost.
    pub parameters: Cow<'static, [Parameter]>,
    /// The fewest and the most input tensors it takes.
    pub inputs: (usize, usize),
    /// Whether it can work in place.
    pub in_place: bool,
    /// As `Rule::JOINS`.
    pub(crate) joins: bool,
    /// As `Rule::TAKES_UNKNOWN`.
    takes_unknown: bool,
    /// What it does, for layers without weights.
    pub purpose: &'static str,
    /// Whether only a custom function knows what its numbers mean.
    pub opaque: bool,
    /// What it is in a recurrent network.
    pub role: Role,
    rule: AnyRule,
}

impl Kind {
    pub(super) const fn of<R: Rule>() -> Self {
        Self {
            name: Cow::Borrowed(R::NAME),
            parameters: Cow::Borrowed(R::PARAMETERS),
            inputs: R::INPUTS,
            in_place: R::IN_PLACE,
            joins: R::JOINS,
            takes_unknown: R::TAKES_UNKNOWN,
            purpose: R::PURPOSE,
            opaque: false,
            role: R::ROLE,
            rule: AnyRule::Static {
                output: R::output,
                known: R::known,
                cost: R::cost::<Count>,
                explain: R::cost::<Formula>,
                sides: R::sides,
                built: R::built,
                states: R::states,
                extra: R::extra,
                mask: R::mask,
                columns: R::COLUMNS,
            },
        }
    }

    /// A layer of one input by a rule that is made while the program runs.
    pub(super) fn dynamic(
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
            joins: false,
            takes_unknown: false,
            purpose,
            opaque: false,
            role: Role::Plain,
            rule: AnyRule::Dynamic(rule),
        }
    }

    /// A layer by a custom function, of any number of integers that only the function understands.
    pub fn outside(name: String, inputs: (usize, usize), in_place: bool, rule: Arc<dyn DynamicRule>) -> Self {
        const ARGUMENTS: &[Parameter] = &[Parameter::new("arguments", Domain::Int(i64::MIN), Arity::Any, None)];
        Self {
            name: Cow::Owned(name),
            parameters: Cow::Borrowed(ARGUMENTS),
            inputs,
            in_place,
            joins: false,
            takes_unknown: false,
            purpose: "its function gives it no weights",
            opaque: true,
            role: Role::Plain,
            rule: AnyRule::Dynamic(rule),
        }
    }

    /// Whether numbers are tried in the place of unknown sides, as its rule reads numbers only.
    fn tries(&self, inputs: &[Shape]) -> bool {
        unknown::any(inputs) && !self.takes_unknown
    }

    /// The output shape of one layer, the first of several; `args` are the values of `parameters`, flattened.
    ///
    /// # Errors
    /// Why it cannot be built.
    pub fn output(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Shape, Refusal> {
        if self.tries(inputs) {
            return unknown::output(self, args, inputs);
        }
        let output = match &self.rule {
            AnyRule::Static { output, .. } => output(args, inputs),
            AnyRule::Dynamic(rule) => rule.output(args, inputs),
        }?;
        if self.role == Role::Recurrent && inputs.len() > 1 {
            check_states(&self.states(args, &inputs[0])?, &inputs[1..])?;
        }
        Ok(output)
    }

    /// As `Rule::known`; the states that a recurrent layer begins with are as large as its own.
    pub(super) fn known(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        let mut known = match &self.rule {
            AnyRule::Static { known, .. } => known(args, inputs),
            AnyRule::Dynamic(rule) => rule.known(args, inputs),
        }?;
        if self.role == Role::Recurrent && known.len() > 1 {
            let input = unknown::first(&known[..1])[0];
            let own = self.output(args, &[input]).and_then(|_| self.states(args, &input));
            for (given, own) in known[1..].iter_mut().zip(own.into_iter().flatten()) {
                if given.rank() == own.rank() {
                    *given = given.known_as(|axis| own[axis]);
                }
            }
        }
        Ok(known)
    }

    /// The shapes of the states of one recurrent layer or cell, for an input that [`Self::output`] accepted.
    pub(super) fn states(&self, args: &[i64], input: &Shape) -> std::result::Result<Vec<Shape>, Refusal> {
        match &self.rule {
            AnyRule::Static { states, .. } => states(args, input),
            AnyRule::Dynamic(rule) => rule.states(args, input),
        }
    }

    /// The shapes of all that one layer can give beside its output, in order, for inputs that [`Self::output`]
    /// accepted.
    ///
    /// # Errors
    /// Why it gives nothing else.
    pub fn extra(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        if self.tries(inputs) {
            return unknown::extra(self, args, inputs);
        }
        match (&self.rule, inputs) {
            (_, []) => Ok(Vec::new()),
            (AnyRule::Static { extra, .. }, _) => extra(args, inputs),
            (AnyRule::Dynamic(rule), [input, ..]) => rule.extra(args, input),
        }
    }

    /// Refuses masks that a call gives it, for inputs that [`Self::output`] accepted, where their shapes are wrong.
    ///
    /// # Errors
    /// Which mask does not fit.
    pub fn check_masks(
        &self,
        args: &[i64],
        inputs: &[Shape],
        masks: &[Mask],
        given: &[Shape],
    ) -> std::result::Result<(), Refusal> {
        if !masks.is_empty() && (unknown::any(inputs) || unknown::any(given)) {
            return unknown::check_masks(self, args, inputs, masks, given);
        }
        let mut pairs = masks.iter().zip(given);
        pairs.try_for_each(|(&mask, given)| self.check_mask(args, inputs, mask, given))
    }

    /// Refuses one mask, as [`Self::check_masks`] does.
    pub(super) fn check_mask(
        &self,
        args: &[i64],
        inputs: &[Shape],
        mask: Mask,
        given: &Shape,
    ) -> std::result::Result<(), Refusal> {
        match &self.rule {
            AnyRule::Static { mask: check, .. } => check(args, inputs, mask, given),
            AnyRule::Dynamic(rule) => rule.mask(args, &inputs[0], mask, given),
        }
    }

    /// The cost of one layer as numbers, given an output shape that [`Self::output`] returned.
    pub fn cost(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Count> {
        if self.tries(inputs) {
            let (shapes, output) = unknown::case(self, args, inputs);
            return self.without_unknown(args, inputs, self.cost(args, &shapes, &output));
        }
        match &self.rule {
            AnyRule::Static { cost, .. } => cost(args, inputs, output),
            AnyRule::Dynamic(rule) => rule.cost(args, inputs, output),
        }
    }

    /// Whether the MACs of one layer can be told, given inputs that [`Self::output`] accepted: they may depend on a side
    /// that is unknown.
    pub fn macs_are_known(&self, args: &[i64], inputs: &[Shape]) -> bool {
        if self.tries(inputs) {
            return unknown::macs_are_known(self, args, inputs);
        }
        !unknown::any(inputs) || unknown::cost_is_known(self, args, inputs)
    }

    /// A cost without MACs that are unknown.
    fn without_unknown<Q: Quantity>(&self, args: &[i64], inputs: &[Shape], cost: Cost<Q>) -> Cost<Q> {
        let macs = if self.macs_are_known(args, inputs) {
            cost.macs
        } else {
            Q::zero()
        };
        Cost { macs, ..cost }
    }

    /// The same as formulas.
    pub fn explain(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Formula> {
        if self.tries(inputs) {
            let (shapes, output) = unknown::case(self, args, inputs);
            return self.without_unknown(args, inputs, self.explain(args, &shapes, &output));
        }
        if unknown::any(inputs) && !self.macs_are_known(args, inputs) {
            return Cost::none();
        }
        match &self.rule {
            AnyRule::Static { explain, .. } => explain(args, inputs, output),
            AnyRule::Dynamic(rule) => rule.explain(args, inputs, output),
        }
    }

    /// The sides of the output shape of one layer as formulas, given an output shape that [`Self::output`] returned.
    /// Where a side of an input is unknown, a number stands in its place.
    pub fn sides(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Vec<Formula> {
        if self.tries(inputs) {
            let (shapes, output) = unknown::case(self, args, inputs);
            return self.sides(args, &shapes, &output);
        }
        let inputs = &unknown::alike_first(inputs)[..];
        match &self.rule {
            AnyRule::Static { sides, .. } => sides(args, inputs, output),
            AnyRule::Dynamic(rule) => rule.sides(args, inputs, output),
        }
    }

    /// What the layer is built for by inputs that [`Self::output`] accepted.
    pub fn built(&self, args: &[i64], inputs: &[Shape]) -> Built {
        if self.tries(inputs) {
            return self.built(args, &unknown::case(self, args, inputs).0);
        }
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

    /// Adds the layers inside, and those inside of them behind each, for an input that [`Self::output`] accepted, where
    /// the numbers of this layer begin at this position.
    pub fn held(&self, args: &[i64], input: &Shape, from: usize, all: &mut Vec<Held>) {
        if let AnyRule::Dynamic(rule) = &self.rule {
            rule.held(args, &unknown::first(&[*input])[0], from, all);
        }
    }

    /// How many layers are inside, with those inside of them.
    pub fn layers_inside(&self) -> usize {
        self.inner().iter().map(|inner| 1 + inner.kind.layers_inside()).sum()
    }

    /// Whether it has a kernel (or a table) that is its own weight.
    pub(super) fn has_kernel(&self) -> bool {
        match &self.rule {
            AnyRule::Static { columns, .. } => columns.is_some(),
            AnyRule::Dynamic(rule) => rule.has_kernel(),
        }
    }

    /// The last side of its kernel, if it has one.
    pub(super) fn columns(&self, args: &[i64], input: &Shape) -> i64 {
        match &self.rule {
            AnyRule::Static { columns, .. } => columns.map_or(0, |columns| columns(args, input)),
            AnyRule::Dynamic(rule) => rule.columns(args, input),
        }
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
        let inner = self
            .inner()
            .iter()
            .flat_map(|inner| std::iter::once(&TRAINABLE).chain(inner.kind.owners(inner.len)));
        Box::new(own.chain(inner))
    }
}

impl unknown::Asked for Kind {
    fn output(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Shape, Refusal> {
        self.output(args, inputs)
    }

    fn known(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        self.known(args, inputs)
    }

    fn extra(&self, args: &[i64], inputs: &[Shape]) -> std::result::Result<Vec<Shape>, Refusal> {
        self.extra(args, inputs)
    }

    fn masks(
        &self,
        args: &[i64],
        inputs: &[Shape],
        masks: &[Mask],
        given: &[Shape],
    ) -> std::result::Result<(), Refusal> {
        self.check_masks(args, inputs, masks, given)
    }

    fn cost(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Count> {
        self.cost(args, inputs, output)
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
