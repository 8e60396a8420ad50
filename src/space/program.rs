//! The program: decisions, layers and steps, checked once when it is built.

use super::arguments::{Arguments, Slot, count};
use super::classes::Classes;
use super::condition::Condition;
use super::expr::Expr;
use super::gates::Gates;
use super::guard::{Guard, Tensor};
use super::joins::Joins;
use super::measure::{Measure, Measures};
use super::metric::{BUILT_IN, BuiltIn, Combine, Metric};
use super::needs::Needs;
use super::shapes::{Beside, looks};
use super::skip::Skips;
use super::step::{Action, Step};
use crate::layers::{Kind, Mask, Parameter, Role};
use crate::{Error, Result};
use rustc_hash::FxHashSet;
use std::sync::{Arc, OnceLock};

/// An open choice: a name and how many values it has. What the values are is known to the expressions that read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its unique name.
    pub name: String,
    /// The number of its values, at least 1.
    pub size: usize,
}

/// A layer: its rule and its hyperparameters.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its unique name.
    pub name: String,
    /// Its rule.
    pub kind: Arc<Kind>,
    /// The values of the rule's parameters, flattened.
    pub args: Vec<Expr>,
    /// Those that are computed, by their positions, with what takes them. All others were checked when it was added.
    pub(super) computed: Vec<(usize, Parameter)>,
    /// Whether training changes its weights: 1, or 0 where all of them count as non-trainable.
    pub trainable: Expr,
    /// The bits of one of its weights, where they are not those of the settings.
    pub bits: Option<Expr>,
    /// Decisions that touch neither its shape nor its cost, but that custom metrics may look at.
    pub notes: Vec<usize>,
    /// The masks that its calls give behind its inputs.
    pub masks: Vec<Mask>,
    /// Whether a step applies it.
    pub(super) applied: bool,
    /// Where its weights are remembered, if several steps apply it: they are counted once.
    pub(super) shared: Option<usize>,
    /// The same for layers inside of it, by their numbers.
    pub(super) shared_inside: Vec<(usize, usize)>,
    /// The bits of the weights of layers inside of it, by their numbers, where these have their own.
    pub(super) bits_inside: Vec<(usize, Expr)>,
}

impl Layer {
    /// Where weights of it, or of layers inside, are remembered.
    pub(super) fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        let inside = self.shared_inside.iter().map(|&(_, slot)| slot);
        self.shared.into_iter().chain(inside)
    }

    /// The axis along which it puts its inputs side by side, if it does nothing else and that is no decision.
    fn joins_along(&self) -> Option<i64> {
        match self.args[..] {
            [Expr::Constant(axis)] if self.kind.joins && self.masks.is_empty() => Some(axis),
            _ => None,
        }
    }
}

/// A layer of a program, or one inside of it. Those inside have numbers from 1 on, in the order in which they stand,
/// each in front of those inside of it; 0 is the layer itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The layer of the program, by its position.
    pub layer: usize,
    /// Its number among those inside.
    pub inside: usize,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of one weight.
    pub bytes_per_weight: i64,
    /// Bytes of one value of an activation.
    pub bytes_per_activation: i64,
    /// Whether the layers that can work in place do.
    pub in_place: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bytes_per_weight: 4,
            bytes_per_activation: 4,
            in_place: true,
        }
    }
}

/// A space of networks as a program; see the module. Immutable once it is compiled.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) decisions: Vec<Decision>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) steps: Vec<Step>,
    pub(crate) tensors: usize,
    pub(crate) settings: Settings,
    pub(super) metrics: Vec<Metric>,
    /// Whether peaks of activations are counted; see [`Self::without_peaks`].
    pub(super) peaks: bool,
    pub(super) measures: Option<Measures>,
    /// The conditions that are evaluated part by part, each once.
    pub(super) conditions: Vec<Condition>,
    /// The names of the decisions.
    pub(super) names: FxHashSet<Arc<str>>,
    /// How many layers are applied by more than one step.
    pub(super) shared: usize,
    /// For each tensor, the steps that read it, ascending.
    pub(super) readers: Vec<Vec<usize>>,
    /// For each tensor, the first step that writes it.
    pub(super) writer: Vec<Option<usize>>,
    /// For each decision, the steps that mention it, ascending.
    pub(super) mentions: Vec<Vec<usize>>,
    /// For each layer that is applied by several steps, the last of them.
    pub(super) last_use: Vec<usize>,
    /// For each step the tensors that may be alive beside the layer that it applies, where the program is scheduled. Its
    /// steps then mention the decisions on which this depends, because those that did may be taken before.
    pub(super) beside: Option<Vec<Beside>>,
    /// What is found by reading the steps once.
    pub(super) analyses: Analyses,
}

/// What is found by reading the steps of a program once; each is made when it is needed first.
#[derive(Debug, Clone, Default)]
pub(super) struct Analyses {
    needs: OnceLock<Needs>,
    skips: OnceLock<Skips>,
    classes: OnceLock<Vec<OnceLock<Classes>>>,
    gates: OnceLock<Gates>,
    joins: OnceLock<Option<Joins>>,
}

impl Program {
    /// An empty program.
    pub fn new(settings: Settings) -> Self {
        Self {
            decisions: Vec::new(),
            layers: Vec::new(),
            steps: Vec::new(),
            tensors: 0,
            settings,
            metrics: BUILT_IN.to_vec(),
            peaks: true,
            measures: None,
            conditions: Vec::new(),
            names: FxHashSet::default(),
            shared: 0,
            readers: Vec::new(),
            writer: Vec::new(),
            mentions: Vec::new(),
            last_use: Vec::new(),
            beside: None,
            analyses: Analyses::default(),
        }
    }

    /// The decisions, by position.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// The layers, by position.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// What is counted for every network, in the order of all cost vectors.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// How the values of a metric join.
    pub(crate) fn combine(&self, metric: usize) -> Combine {
        self.metrics[metric].combine
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether functions from outside give metrics, or the rules of layers.
    pub(crate) fn asks_outside(&self) -> bool {
        self.measures.is_some() || self.layers.iter().any(|layer| layer.kind.opaque)
    }

    /// The same networks without [`BuiltIn::PeakActivationBytes`] among the metrics; nothing where functions give custom
    /// metrics, as these may look at peaks.
    ///
    /// What waits beside a layer is then never asked for, so that runs need to know of the shapes that later layers
    /// read alone.
    pub fn without_peaks(&self) -> Option<Self> {
        if self.measures.is_some() || !self.peaks {
            return None;
        }
        let mut program = Self {
            metrics: self.metrics[..BuiltIn::PeakActivationBytes.index()].to_vec(),
            peaks: false,
            analyses: Analyses::default(),
            ..self.clone()
        };
        // That a tensor is returned matters to what waits alone.
        let returns = |&number: &usize| matches!(self.steps[number].action, Action::Return { .. });
        for readers in &mut program.readers {
            readers.retain(|number| !returns(number));
        }
        Some(program)
    }

    /// The position of the metric of this name.
    ///
    /// # Errors
    /// `Argument` where there is none.
    pub fn metric(&self, name: &str) -> Result<usize> {
        self.metrics
            .iter()
            .position(|metric| metric.name == name)
            .ok_or_else(|| {
                let known: Vec<_> = self.metrics.iter().map(|metric| &*metric.name).collect();
                Error::argument(format!("unknown metric '{name}'; the metrics are {}", known.join(", ")))
            })
    }

    /// Adds metrics that a function gives, layer by layer; once for each distinct layer.
    ///
    /// # Errors
    /// `Argument` for a name that is taken.
    pub fn measure(&mut self, metrics: Vec<Metric>, measure: Arc<dyn Measure>) -> Result<()> {
        for metric in metrics {
            if self.metrics.iter().any(|known| known.name == metric.name) {
                return Err(Error::argument(format!("two metrics are named '{}'", metric.name)));
            }
            self.metrics.push(metric);
        }
        self.measures = Some(Measures::new(measure));
        Ok(())
    }

    /// Adds a decision and returns its position.
    ///
    /// # Errors
    /// `Argument` if it has no value or its name is taken.
    pub fn decision(&mut self, name: &str, size: usize) -> Result<usize> {
        if size == 0 || u32::try_from(size).is_err() {
            return Err(Error::argument(format!(
                "decision '{name}' has {size} values; it needs at least 1 and fewer than 2^32"
            )));
        }
        if !self.names.insert(name.into()) {
            return Err(Error::argument(format!("two decisions are named '{name}'")));
        }
        self.decisions.push(Decision {
            name: name.to_owned(),
            size,
        });
        self.mentions.push(Vec::new());
        Ok(self.decisions.len() - 1)
    }

    /// Adds a layer, not yet applied, and returns its position.
    ///
    /// # Errors
    /// `Argument` if a hyperparameter has a value that its rule never takes, or the numbers are too many or too few.
    pub fn layer(&mut self, name: &str, kind: &Kind, args: Vec<Expr>, trainable: bool) -> Result<usize> {
        let place = |message: String| Error::argument(format!("layer '{name}' ({}): {message}", kind.name));
        count(kind, &args).map_err(|error| place(error.message))?;
        for (arg, parameter) in args.iter().zip(kind.owners(args.len())) {
            match arg {
                Expr::Constant(value) => parameter.check(*value).map_err(|error| place(error.message))?,
                Expr::Lookup { decision, values } => {
                    for &value in values.iter() {
                        parameter.check(value).map_err(|error| {
                            let decision = self.decisions.get(*decision).map_or("?", |decision| &decision.name);
                            place(format!("{} (a value of decision '{decision}')", error.message))
                        })?;
                    }
                }
                Expr::Incoming { .. } | Expr::Binary(..) => {}
            }
        }
        Ok(self.add_layer(name, Arc::new(kind.clone()), args, trainable))
    }

    /// Adds a layer whose hyperparameters were checked already, and returns its position; `slots` are the decisions that
    /// they read, in their order.
    ///
    /// # Errors
    /// `Argument` where a slot, or a value that is kept, is not there.
    pub fn add(&mut self, name: &str, arguments: &Arguments, slots: &[Slot], trainable: bool) -> Result<usize> {
        let args = arguments.placed(slots)?;
        Ok(self.add_layer(name, Arc::clone(&arguments.kind), args, trainable))
    }

    fn add_layer(&mut self, name: &str, kind: Arc<Kind>, args: Vec<Expr>, trainable: bool) -> usize {
        let owners = args.iter().zip(kind.owners(args.len())).enumerate();
        let computed = owners.filter(|(_, (arg, _))| matches!(arg, Expr::Incoming { .. } | Expr::Binary(..)));
        let computed = computed
            .map(|(position, (_, parameter))| (position, *parameter))
            .collect();
        self.layers.push(Layer {
            name: name.to_owned(),
            kind,
            args,
            computed,
            trainable: Expr::Constant(trainable.into()),
            bits: None,
            notes: Vec::new(),
            masks: Vec::new(),
            applied: false,
            shared: None,
            shared_inside: Vec::new(),
            bits_inside: Vec::new(),
        });
        self.layers.len() - 1
    }

    /// Says of a layer that is not applied yet how many bits its weights take, whether they are trained where decisions
    /// say so, and what else custom metrics may look at.
    ///
    /// # Errors
    /// `Argument` for fewer than one bit, or a layer that is not there.
    pub fn annotate(
        &mut self,
        layer: usize,
        bits: Option<Expr>,
        trainable: Option<Expr>,
        notes: Vec<usize>,
    ) -> Result<()> {
        let Some(known) = self.layers.get_mut(layer) else {
            return Err(Error::argument(format!("there is no layer {layer}")));
        };
        let values = match &bits {
            Some(Expr::Constant(bits)) => std::slice::from_ref(bits),
            Some(Expr::Lookup { values, .. }) => values,
            _ => &[],
        };
        if let Some(wrong) = values.iter().find(|&&bits| bits < 1) {
            return Err(Error::argument(format!(
                "layer '{}' ({}): weight_bits must be an integer >= 1, not {wrong}",
                known.name, known.kind.name
            )));
        }
        (known.bits, known.notes) = (bits, notes);
        if let Some(trainable) = trainable {
            known.trainable = trainable;
        }
        Ok(())
    }

    /// Says of a layer, or one inside, that is not applied yet that its weights are those of another one: they are counted
    /// by the first step that applies either.
    ///
    /// # Errors
    /// `Argument` for a layer that is not there, or is applied.
    pub fn share(&mut self, one: Member, other: Member) -> Result<()> {
        self.find(one)?;
        self.find(other)?;
        self.require_not_applied(one.layer)?;
        let slot = self.slot(other);
        let layer = &mut self.layers[one.layer];
        match one.inside {
            0 => layer.shared = Some(slot),
            number => layer.shared_inside.push((number, slot)),
        }
        layer.shared_inside.sort_unstable();
        Ok(())
    }

    /// Says of a layer inside of one that is not applied yet how many bits its weights take, where that is not for the
    /// layer around it to say.
    ///
    /// # Errors
    /// `Argument` for a layer that is not there, or is applied.
    pub fn annotate_inside(&mut self, member: Member, bits: Expr) -> Result<()> {
        self.find(member)?;
        self.require_not_applied(member.layer)?;
        self.layers[member.layer].bits_inside.push((member.inside, bits));
        Ok(())
    }

    /// Refuses a layer that is not there.
    fn find(&self, member: Member) -> Result<()> {
        match self.layers.get(member.layer) {
            Some(layer) if member.inside <= layer.kind.layers_inside() => Ok(()),
            _ => Err(Error::argument(format!("there is no layer {member:?}"))),
        }
    }

    fn require_not_applied(&self, layer: usize) -> Result<()> {
        match self.layers.get(layer) {
            Some(layer) if !layer.applied => Ok(()),
            _ => Err(Error::argument(format!(
                "there is no layer {layer} that is not applied yet"
            ))),
        }
    }

    /// Says of a layer that is not applied yet which masks its calls give behind its inputs.
    ///
    /// # Errors
    /// `Argument` for a layer that is not there, or is applied.
    pub fn mask(&mut self, layer: usize, masks: Vec<Mask>) -> Result<()> {
        self.require_not_applied(layer)?;
        self.layers[layer].masks = masks;
        Ok(())
    }

    /// Where the weights of a layer that several steps may apply are remembered.
    fn slot(&mut self, member: Member) -> usize {
        let layer = &mut self.layers[member.layer];
        let known = match member.inside {
            0 => layer.shared,
            number => layer
                .shared_inside
                .iter()
                .find(|(own, _)| *own == number)
                .map(|own| own.1),
        };
        if let Some(slot) = known {
            return slot;
        }
        let slot = self.shared;
        match member.inside {
            0 => layer.shared = Some(slot),
            number => layer.shared_inside.push((number, slot)),
        }
        layer.shared_inside.sort_unstable();
        self.last_use.push(self.steps.len());
        self.shared += 1;
        slot
    }

    /// Applies a layer to tensors and returns its output.
    ///
    /// A recurrent layer may be given its first states behind its input. Masks stand behind all others.
    ///
    /// # Errors
    /// `Argument` if the layer takes another number of inputs, or something it names is not there.
    pub fn apply(&mut self, guard: Guard, layer: usize, inputs: Vec<Tensor>) -> Result<Tensor> {
        self.apply_for(guard, layer, inputs, 1).map(|outputs| outputs[0])
    }

    /// The same, and returns this many tensors, at least one: its output and what it gives beside it.
    ///
    /// Networks in which it does not give that many are refused.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_for(
        &mut self,
        guard: Guard,
        layer: usize,
        inputs: Vec<Tensor>,
        outputs: usize,
    ) -> Result<Vec<Tensor>> {
        let Some(Layer { name, kind, masks, .. }) = self.layers.get(layer) else {
            return Err(Error::argument(format!("there is no layer {layer}")));
        };
        let (least, most) = kind.inputs;
        let Some(data) = inputs.len().checked_sub(masks.len()) else {
            return Err(Error::argument(format!(
                "layer '{name}' ({}) is called with {} masks; given {} tensors in all",
                kind.name,
                masks.len(),
                inputs.len()
            )));
        };
        if data < least || data > most && kind.role != Role::Recurrent {
            let takes = match (least, most) {
                (0, 0) => "no input".to_owned(),
                (1, 1) => "one input".to_owned(),
                (least, usize::MAX) => format!("a list of at least {least} inputs"),
                (least, most) => format!("{least} to {most} inputs"),
            };
            return Err(Error::argument(format!(
                "layer '{name}' ({}) takes {takes}; given {data}",
                kind.name
            )));
        }
        let made: Vec<_> = (0..outputs.max(1)).map(|_| self.tensor()).collect();
        let (output, extra) = (made[0], made[1..].to_vec());
        self.push(
            guard,
            Action::Layer {
                layer,
                inputs,
                output,
                extra,
            },
        )?;
        Ok(made)
    }

    /// A tensor for [`Self::alias`] to write.
    pub fn tensor(&mut self) -> Tensor {
        self.readers.push(Vec::new());
        self.writer.push(None);
        self.tensors += 1;
        Tensor(self.tensors - 1)
    }

    /// Gives `from` the second name `to`.
    ///
    /// # Errors
    /// `Argument` if something it names is not there.
    pub fn alias(&mut self, guard: Guard, from: Tensor, to: Tensor) -> Result<()> {
        self.push(guard, Action::Alias { from, to })
    }

    /// Refuses candidates for which the condition is 0.
    ///
    /// If it does not ask, it never makes a decision active: it is only evaluated where all that it reads is taken. It
    /// may read the sides of `input`.
    ///
    /// # Errors
    /// `Argument` if something it names is not there.
    pub fn require(
        &mut self,
        guard: Guard,
        condition: Expr,
        input: Option<Tensor>,
        text: &str,
        asks: bool,
    ) -> Result<()> {
        let input = input.filter(|_| condition.reads_input());
        if condition.reads_input() && input.is_none() {
            return Err(Error::argument(format!(
                "the constraint {text} reads the input of a layer, but stands beside no layer"
            )));
        }
        self.push(
            guard,
            Action::Require {
                condition,
                input,
                text: text.to_owned(),
                asks,
            },
        )
    }

    /// Reads a decision that touches neither shape nor cost.
    ///
    /// # Errors
    /// `Argument` if it is not there.
    pub fn read(&mut self, guard: Guard, decision: usize) -> Result<()> {
        self.push(guard, Action::Read { decision })
    }

    /// Ends the network with its outputs, which stay alive until then.
    ///
    /// # Errors
    /// `Argument` if something it names is not there.
    pub fn returns(&mut self, outputs: Vec<Tensor>) -> Result<()> {
        self.push(Guard::new(), Action::Return { outputs })
    }

    fn push(&mut self, guard: Guard, action: Action) -> Result<()> {
        if matches!(
            self.steps.last(),
            Some(Step {
                action: Action::Return { .. },
                ..
            })
        ) {
            return Err(Error::argument("no step follows the one that ends the network"));
        }
        let mut reads: Vec<(usize, usize)> = Vec::new();
        let mut sources = Vec::new();
        {
            let mut visit = |expr: &Expr| expr.visit(&mut |decision, size| reads.push((decision, size)));
            match &action {
                Action::Layer { layer, .. } => {
                    let layer = &self.layers[*layer];
                    let bits = layer.bits_inside.iter().map(|(_, bits)| bits).chain(&layer.bits);
                    let others = bits.chain([&layer.trainable]);
                    layer.args.iter().chain(others).for_each(&mut visit);
                }
                Action::Require { condition, .. } => visit(condition),
                Action::Alias { .. } | Action::Read { .. } | Action::Wait { .. } | Action::Return { .. } => {}
            }
        }
        match &action {
            Action::Layer { layer, inputs, .. } => {
                sources.extend(inputs);
                let size = |note: usize| self.decisions.get(note).map_or(0, |read| read.size);
                reads.extend(self.layers[*layer].notes.iter().map(|&note| (note, size(note))));
            }
            Action::Alias { from, .. } => sources.push(*from),
            Action::Return { outputs } => sources.extend(outputs),
            Action::Read { decision } => {
                reads.push((*decision, self.decisions.get(*decision).map_or(0, |read| read.size)));
            }
            Action::Require { input, .. } => sources.extend(input),
            Action::Wait { .. } => {}
        }
        let atoms = guard.iter().map(|atom| (atom.decision, atom.allowed.size()));
        for (decision, size) in reads.iter().copied().chain(atoms) {
            match self.decisions.get(decision) {
                Some(known) if known.size == size => {}
                Some(known) => {
                    return Err(Error::argument(format!(
                        "decision '{}' has {} values; a step knows {size}",
                        known.name, known.size
                    )));
                }
                None => return Err(Error::argument(format!("there is no decision {decision}"))),
            }
        }
        let unknown = |tensor: &Tensor| tensor.0 >= self.tensors;
        let written = action.writes().find(unknown);
        if let Some(tensor) = sources.iter().copied().find(unknown).or(written) {
            return Err(Error::argument(format!("there is no tensor {}", tensor.0)));
        }
        reads.sort_by_key(|&(decision, size)| (size, decision));
        reads.dedup();
        let step = self.steps.len();
        if let Action::Layer { layer, .. } = action {
            let again = std::mem::replace(&mut self.layers[layer].applied, true);
            if again {
                self.slot(Member { layer, inside: 0 });
            }
            for slot in self.layers[layer].slots() {
                self.last_use[slot] = step;
            }
        }
        let reads: Vec<_> = reads.into_iter().map(|(decision, _)| decision).collect();
        sources.sort_unstable();
        sources.dedup();
        if let Some(source) = sources.iter().find(|source| self.writer[source.0].is_none()) {
            return Err(Error::argument(format!(
                "tensor {} is read before it is written",
                source.0
            )));
        }
        let condition = match &action {
            Action::Require { condition, .. } => self.condition(condition),
            _ => None,
        };
        let step = Step {
            guard,
            action,
            reads,
            condition,
            known: None,
        };
        self.record(step, &sources, &[]);
        Ok(())
    }

    /// The position of a condition that is evaluated part by part; nothing where it cannot be.
    fn condition(&mut self, written: &Expr) -> Option<usize> {
        if let Some(known) = self.conditions.iter().position(|known| known.is(written)) {
            return Some(known);
        }
        self.conditions.push(Condition::of(written)?);
        Some(self.conditions.len() - 1)
    }

    /// Adds a step that reads these tensors, and mentions these decisions beside its own.
    pub(super) fn record(&mut self, step: Step, sources: &[Tensor], looks: &[usize]) {
        let number = self.steps.len();
        self.analyses = Analyses::default();
        for &source in sources {
            self.readers[source.0].push(number);
        }
        for tensor in step.action.writes() {
            self.writer[tensor.0].get_or_insert(number);
        }
        let guard = step.guard.iter().map(|atom| &atom.decision);
        for &decision in step.reads_values().iter().chain(guard).chain(looks) {
            if self.mentions[decision].last() != Some(&number) {
                self.mentions[decision].push(number);
            }
        }
        self.steps.push(step);
    }

    /// The guards that a step evaluates beside its own.
    pub(super) fn looks(&self, step: usize) -> impl Iterator<Item = &Guard> {
        looks(self.beside.as_deref().unwrap_or_default(), step)
    }

    /// Whether a layer works in place.
    pub(super) fn in_place(&self, layer: usize) -> bool {
        self.settings.in_place && self.layers[layer].kind.in_place
    }

    /// When each tensor is needed.
    pub(super) fn needs(&self) -> &Needs {
        self.analyses.needs.get_or_init(|| Needs::of(&self.steps, self.tensors))
    }

    /// Which steps are passed over together.
    pub(super) fn skips(&self) -> &Skips {
        self.analyses.skips.get_or_init(|| Skips::of(&self.steps))
    }

    /// Where conditions are required that are evaluated part by part.
    pub(super) fn gates(&self) -> &Gates {
        let gates = || Gates::of(&self.steps, self.conditions.len(), &self.mentions);
        self.analyses.gates.get_or_init(gates)
    }

    /// Which tensors their readers only put side by side; nothing where functions from outside look at their shapes.
    pub(super) fn joins(&self) -> Option<&Joins> {
        let axis = |step: &Step| match &step.action {
            Action::Layer { layer, .. } if step.known.is_none() => self.layers[*layer].joins_along(),
            _ => None,
        };
        let joins = || {
            let beside = self.beside.as_deref().unwrap_or_default();
            let found = || Joins::of(&self.steps, &self.readers, axis, beside);
            self.measures.is_none().then(found).flatten()
        };
        self.analyses.joins.get_or_init(joins).as_ref()
    }

    /// Which values of a decision the steps from one on can still tell apart.
    pub(super) fn classes(&self, decision: usize) -> &Classes {
        let classes = self.analyses.classes.get_or_init(|| {
            let unknown = std::iter::repeat_with(OnceLock::new);
            unknown.take(self.decisions.len()).collect()
        });
        classes[decision].get_or_init(|| {
            let beside = self.beside.as_deref().unwrap_or_default();
            Classes::of(
                decision,
                self.decisions[decision].size,
                &self.mentions[decision],
                &self.steps,
                beside,
            )
        })
    }
}
