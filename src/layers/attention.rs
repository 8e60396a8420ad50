//! Attention: a query looks values up by their keys. With one input all three are the same; with two the key is the
//! value.

use super::built::Built;
use super::cost::Cost;
use super::kind::Rule;
use super::mask::Mask;
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::{Formula, Quantity};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape, UNKNOWN};
use super::sides;

/// Query, and value and key if they are others.
const PROJECTED: (usize, usize) = (1, 3);
/// Query and value, and the key if it is another.
const GIVEN: (usize, usize) = (2, 3);

/// Query, value and key, in the order in which Keras takes them.
struct Sources<'a> {
    query: &'a Shape,
    value: &'a Shape,
    key: &'a Shape,
}

impl<'a> Sources<'a> {
    fn of(inputs: &'a [Shape]) -> Self {
        let query = &inputs[0];
        let value = inputs.get(1).unwrap_or(query);
        Self {
            query,
            value,
            key: inputs.get(2).unwrap_or(value),
        }
    }

    /// The same, where a value stands at every position of a key, and all have the same number of axes, at least this
    /// many.
    fn aligned(inputs: &'a [Shape], least: usize) -> Result<Self, Refusal> {
        let sources = Self::of(inputs);
        let Self { query, value, key } = sources;
        let rank = query.rank();
        if rank < least || value.rank() != rank || key.rank() != rank {
            return Err(Refusal::new(
                "query, value and key must have the same number of axes beside the batch, at least {} \
                 (positions and features), not {}, {} and {}",
                [least as i64, rank as i64, value.rank() as i64, key.rank() as i64],
            ));
        }
        for axis in 0..rank - 1 {
            if value[axis] != key[axis] {
                return Err(Refusal::new(
                    "value and key must agree on every axis but the last; on axis {} they have {} and {}",
                    [axis as i64 + 1, value[axis], key[axis]],
                ));
            }
        }
        Ok(sources)
    }

    /// What attention with projections is built for.
    fn built(&self) -> Built {
        let [query, value, key] = [self.query, self.value, self.key].map(features);
        Built::new(
            "number of axes and features of query, value and key",
            [self.query.rank() as i64 + 1, query, value, key],
        )
    }

    /// Refuses a query that differs from the value on an axis along which it does not look.
    fn check_batch(&self, looks: impl Fn(usize) -> bool) -> Result<(), Refusal> {
        for axis in (0..self.query.rank() - 1).filter(|&axis| !looks(axis)) {
            if self.query[axis] != self.value[axis] {
                return Err(Refusal::new(
                    "query and value must agree on the axes without attention; on axis {} they have {} and {}",
                    [axis as i64 + 1, self.query[axis], self.value[axis]],
                ));
            }
        }
        Ok(())
    }
}

/// Refuses a mask of attention that does not have the positions along its only axis.
fn masked(heads: i64, inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
    let sources = Sources::of(inputs);
    if sources.query.rank() != 2 {
        return Err(Refusal::new(
            "it takes masks where it attends along the only axis of positions; its query has {} axes beside the batch",
            [sources.query.rank() as i64],
        ));
    }
    let own = match mask {
        Mask::Attention => Shape::new(&[heads, sources.query[0], sources.value[0]]),
        Mask::Query => Shape::new(&sources.query[..1]),
        _ => Shape::new(&sources.value[..1]),
    };
    mask.check(&own, given)
}

/// The sides of a query.
fn query_sides(query: &Shape) -> Vec<Formula> {
    sides::listed(query, "axis of the query")
}

fn features(shape: &Shape) -> i64 {
    shape[shape.rank() - 1]
}

fn positions<Q: Quantity>(shape: &Shape, meaning: &'static str) -> Q {
    Q::product(&shape[..shape.rank() - 1], meaning)
}

/// The scores: a query position for each position that it looks at, on each axis that is not looked along; `more` adds
/// positions of key and value to those of the input.
fn scores<Q: Quantity>(sources: &Sources<'_>, looks: impl Fn(usize) -> bool, more: impl Fn(Q) -> Q) -> Q {
    let mut seen = [1; MAX_RANK];
    let mut n = 0;
    for axis in (0..sources.value.rank() - 1).filter(|&axis| looks(axis)) {
        seen[n] = sources.value[axis];
        n += 1;
    }
    let seen = more(Q::product(&seen[..n], "attended positions"));
    positions::<Q>(sources.query, "positions of the query") * seen
}

pub(super) struct MultiHeadAttention;

struct MultiHeadArgs<'a> {
    heads: i64,
    key_dim: i64,
    value_dim: i64,
    use_bias: i64,
    use_gate: i64,
    /// A key and a value that are weights, behind those of the input (of `PyTorch`).
    add_bias_kv: i64,
    /// A key and a value of zeros behind them (of `PyTorch`).
    add_zero_attn: i64,
    /// Whether scores are dropped in training, where axes are given.
    drops_scores: i64,
    output_shape: &'a [i64],
    attention_axes: &'a [i64],
}

impl MultiHeadAttention {
    fn parse(args: &[i64]) -> MultiHeadArgs<'_> {
        let (output_shape, attention_axes) = args[8..].split_at(MAX_RANK);
        let sides = output_shape.iter().position(|&side| side == UNSET);
        MultiHeadArgs {
            heads: args[0],
            key_dim: args[1],
            value_dim: if args[2] == UNSET { args[1] } else { args[2] },
            use_bias: args[3],
            use_gate: args[4],
            add_bias_kv: args[5],
            add_zero_attn: args[6],
            drops_scores: args[7],
            output_shape: &output_shape[..sides.unwrap_or(MAX_RANK)],
            attention_axes,
        }
    }
}

/// Along what a query looks.
struct Looks {
    /// The axes of its positions.
    axes: [bool; MAX_RANK],
    /// Whether each head looks at all others.
    heads: bool,
}

impl MultiHeadArgs<'_> {
    /// Along what the query looks.
    ///
    /// Keras counts the axes in the projected tensors, where the heads stand in the place of the features. A negative
    /// axis is counted from the end of the input; one that is still negative, from the end of the projected tensor.
    /// With positions along one axis only, and no dropout, it does not look at them any more.
    fn looks(&self, shape: &Shape) -> Result<Looks, Refusal> {
        let rank = shape.rank();
        let positions = rank - 1;
        let mut looks = Looks {
            axes: [false; MAX_RANK],
            heads: false,
        };
        if self.attention_axes == [UNSET] {
            looks.axes[..positions].fill(true);
        } else {
            let fused = rank == 2 && self.drops_scores == 0;
            for &given in self.attention_axes {
                let axis = if given < 0 {
                    given.saturating_add(rank as i64 + 1)
                } else {
                    given
                };
                let axis = if axis < 0 {
                    axis.saturating_add(rank as i64 + 2)
                } else {
                    axis
                };
                if !(0..rank as i64 + 2).contains(&axis) {
                    return Err(Refusal::new(
                        "attention_axes must name axes of its input, the batch being axis 0, not {} of {}",
                        [given, rank as i64 + 1],
                    ));
                }
                let axis = axis as usize;
                if fused {
                    continue;
                }
                if axis == 0 || axis > rank {
                    return Err(Refusal::new(
                        "attention_axes must name axes between the batch and the features, or the features for the heads, \
                         not {}",
                        [given],
                    ));
                }
                let named = if axis == rank {
                    &mut looks.heads
                } else {
                    &mut looks.axes[axis - 1]
                };
                if std::mem::replace(named, true) {
                    return Err(Refusal::new("axis {} is named twice in attention_axes", [axis as i64]));
                }
            }
            if fused {
                looks.axes[0] = true;
            }
        }
        if !looks.heads && !looks.axes.contains(&true) {
            return Err(Refusal::new(
                "it attends over no axis: attention_axes are the axes between the batch and the features unless they are \
                 given",
                [],
            ));
        }
        Ok(looks)
    }

    /// The features of the output.
    fn outgoing<'b>(&'b self, query: &'b Shape) -> &'b [i64] {
        if self.output_shape.is_empty() {
            &query[query.rank() - 1..]
        } else {
            self.output_shape
        }
    }
}

impl Rule for MultiHeadAttention {
    const NAME: &'static str = "MultiHeadAttention";
    /// The output shape is given as its first sides, the others unset. Whether it has dropout is told where axes are
    /// given.
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("num_heads", 1),
        Parameter::int("key_dim", 1),
        Parameter::new("value_dim", Domain::OptionalInt(1), Arity::One, Some(UNSET)),
        Parameter::flag("use_bias", true),
        Parameter::flag("use_gate", false),
        Parameter::flag("add_bias_kv", false),
        Parameter::flag("add_zero_attn", false),
        Parameter::flag("drops_scores", false),
        Parameter::new(
            "output_shape",
            Domain::OptionalInt(1),
            Arity::Each(MAX_RANK),
            Some(UNSET),
        ),
        Parameter::new(
            "attention_axes",
            Domain::OptionalInt(i64::MIN + 1),
            Arity::Any,
            Some(UNSET),
        ),
    ];
    const INPUTS: (usize, usize) = PROJECTED;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args);
        let sources = Sources::aligned(inputs, 1)?;
        let looks = layer.looks(sources.query)?;
        sources.check_batch(|axis| looks.axes[axis])?;
        if looks.heads && layer.add_bias_kv + layer.add_zero_attn > 0 {
            return Err(Refusal::new(
                "where its heads attend to each other, add_bias_kv and add_zero_attn have no place",
                [],
            ));
        }
        let kept = sources.query.rank() - 1;
        let outgoing = layer.outgoing(sources.query);
        if kept + outgoing.len() > MAX_RANK {
            return Err(Refusal::rank(kept + outgoing.len()));
        }
        let mut sides = [1; MAX_RANK];
        sides[..kept].copy_from_slice(&sources.query[..kept]);
        sides[kept..kept + outgoing.len()].copy_from_slice(outgoing);
        Ok(Shape::new(&sides[..kept + outgoing.len()]))
    }

    /// Projections of query, key and value to all heads, one back from them, a gate if there is one, and a key and a
    /// value that are learned if there are; the multiply-accumulates of these projections, of the scores and of the
    /// values that are weighted by them.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let layer = Self::parse(args);
        let sources = Sources::of(inputs);
        let looks = layer.looks(sources.query).expect("`output` accepted the axes");
        let bias = || Q::constant(layer.use_bias, "bias");
        let heads = || Q::of(layer.heads, "num_heads");
        let keys = || heads() * Q::of(layer.key_dim, "key_dim");
        let values = || heads() * Q::of(layer.value_dim, "value_dim");
        let query = || Q::of(features(sources.query), "features of the query");
        let key = || Q::of(features(sources.key), "features of the key");
        let value = || Q::of(features(sources.value), "features of the value");
        let out = || Q::product(layer.outgoing(sources.query), "features of the output");
        let asked = || positions::<Q>(sources.query, "positions of the query");
        let seen = || positions::<Q>(sources.value, "positions of the value");
        let learned = || Q::constant(layer.add_bias_kv, "key and value that are learned");
        let zeros = || Q::constant(layer.add_zero_attn, "key and value of zeros");
        let scores = || {
            let scores = scores::<Q>(&sources, |axis| looks.axes[axis], |seen| seen + learned() + zeros());
            if looks.heads {
                scores * Q::of(layer.heads, "attended heads")
            } else {
                scores
            }
        };
        let mut trainable = (query() + bias()) * keys() + (key() + bias()) * keys() + (value() + bias()) * values();
        if layer.add_bias_kv == 1 {
            trainable = trainable + learned() * keys() + learned() * values();
        }
        let mut macs = asked() * (query() * keys()) + seen() * (key() * keys()) + seen() * (value() * values());
        if layer.use_gate == 1 {
            trainable = trainable + (query() + bias()) * values();
            macs = macs + asked() * (query() * values());
        }
        Cost {
            trainable: trainable + (values() + bias()) * out(),
            non_trainable: Q::zero(),
            macs: macs + scores() * keys() + scores() * values() + asked() * (values() * out()),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let layer = Self::parse(args);
        let mut sides = query_sides(&inputs[0]);
        sides.pop();
        match layer.outgoing(&inputs[0]) {
            [one] => sides.push(Formula::of(*one, "features of the output")),
            several => sides.extend(sides::listed(several, "features of the output")),
        }
        sides
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        Sources::of(inputs).built()
    }

    fn extra(args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
        let layer = Self::parse(args);
        let sources = Sources::of(inputs);
        if sources.query.rank() != 2 || layer.looks(sources.query)?.heads {
            return Err(Refusal::new(
                "it gives its scores where it attends along the only axis of positions; its query has {} axes beside the batch",
                [sources.query.rank() as i64],
            ));
        }
        let seen = sources.value[0]
            .checked_add(layer.add_bias_kv + layer.add_zero_attn)
            .ok_or_else(Refusal::overflow)?;
        Ok(vec![Shape::new(&[layer.heads, sources.query[0], seen])])
    }

    fn mask(args: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
        let layer = Self::parse(args);
        if layer.looks(&inputs[0])?.heads {
            return Err(Refusal::new(
                "where its heads attend to each other, it takes no masks",
                [],
            ));
        }
        masked(layer.heads, inputs, mask, given)
    }
}

pub(super) struct GroupQueryAttention;

impl Rule for GroupQueryAttention {
    const NAME: &'static str = "GroupQueryAttention";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("head_dim", 1),
        Parameter::int("num_query_heads", 1),
        Parameter::int("num_key_value_heads", 1),
        Parameter::flag("use_bias", true),
        Parameter::flag("use_gate", false),
    ];
    const INPUTS: (usize, usize) = PROJECTED;

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        if args[1] % args[2] != 0 {
            return Err(Refusal::new(
                "its num_query_heads must be divisible by its num_key_value_heads; given {} and {}",
                [args[1], args[2]],
            ));
        }
        let sources = Sources::aligned(inputs, 2)?;
        if sources.query.rank() != 2 {
            return Err(Refusal::new(
                "it needs inputs of 2 axes beside the batch (positions and features), not {}",
                [sources.query.rank() as i64],
            ));
        }
        if features(sources.query) != features(sources.value) {
            return Err(Refusal::new(
                "query and value must have the same number of features; given {} and {}",
                [features(sources.query), features(sources.value)],
            ));
        }
        Ok(*sources.query)
    }

    /// As for several heads, but several heads of the query share one of key and value.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let &[head_dim, query_heads, shared_heads, use_bias, use_gate] = args else {
            unreachable!("five parameters")
        };
        let sources = Sources::of(inputs);
        let bias = || Q::constant(use_bias, "bias");
        let head = || Q::of(head_dim, "head_dim");
        let own = || Q::of(query_heads, "num_query_heads") * head();
        let shared = || Q::of(shared_heads, "num_key_value_heads") * head();
        let query = || Q::of(features(sources.query), "features of the query");
        let key = || Q::of(features(sources.key), "features of the key");
        let value = || Q::of(features(sources.value), "features of the value");
        let asked = || positions::<Q>(sources.query, "positions of the query");
        let seen = || positions::<Q>(sources.value, "positions of the value");
        let scores = || scores::<Q>(&sources, |_| true, |seen| seen);
        let mut trainable = (query() + bias()) * own() + (key() + bias()) * shared() + (value() + bias()) * shared();
        let mut macs = asked() * (query() * own()) + seen() * (key() * shared()) + seen() * (value() * shared());
        if use_gate == 1 {
            trainable = trainable + (query() + bias()) * own();
            macs = macs + asked() * (query() * own());
        }
        Cost {
            trainable: trainable + (own() + bias()) * query(),
            non_trainable: Q::zero(),
            macs: macs + scores() * own() + scores() * own() + asked() * (own() * query()),
        }
    }

    fn sides(_: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        query_sides(&inputs[0])
    }

    fn built(_: &[i64], inputs: &[Shape]) -> Built {
        Sources::of(inputs).built()
    }

    fn extra(args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
        let sources = Sources::of(inputs);
        Ok(vec![Shape::new(&[args[1], sources.query[0], sources.value[0]])])
    }

    fn mask(args: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
        masked(args[1], inputs, mask, given)
    }
}

/// The output of attention without projections; query and key are compared feature by feature. Unknown sides may be what
/// others need them to be.
fn attend(inputs: &[Shape]) -> Result<Shape, Refusal> {
    let known = agreed(inputs);
    let sources = Sources::aligned(&known, 2)?;
    let rank = sources.query.rank();
    sources.check_batch(|axis| axis == rank - 2)?;
    if features(sources.query) != features(sources.key) {
        return Err(Refusal::new(
            "query and key must have the same number of features; given {} and {}",
            [features(sources.query), features(sources.key)],
        ));
    }
    let given = Sources::of(inputs);
    Ok(given.query.with(rank - 1, features(given.value)))
}

/// The inputs, with the numbers of unknown sides that must be as large as a known one: the positions of value and key, the
/// axes beside the batch and the positions, and the features of query and key.
fn agreed(inputs: &[Shape]) -> Vec<Shape> {
    let mut known = inputs.to_vec();
    let rank = inputs[0].rank();
    if rank < 2 || inputs.iter().any(|input| input.rank() != rank) {
        return known;
    }
    let key = inputs.len() - 1;
    let value = key.min(1);
    for axis in 0..rank {
        let alike: &[usize] = match rank - axis {
            1 => &[0, key],
            2 => &[value, key],
            _ => &[0, value, key],
        };
        let side = alike.iter().map(|&input| inputs[input][axis]).max();
        for &input in alike {
            if known[input][axis] == UNKNOWN {
                known[input] = known[input].with(axis, side.unwrap_or(UNKNOWN));
            }
        }
    }
    known
}

fn attended_sides(inputs: &[Shape]) -> Vec<Formula> {
    let Sources { query, value, .. } = Sources::of(inputs);
    let mut sides = query_sides(query);
    sides[query.rank() - 1] = Formula::of(features(value), "features of the value");
    sides
}

/// The scores of attention without projections: for each position of the query one for each of the value.
fn compared(inputs: &[Shape]) -> Vec<Shape> {
    let Sources { query, value, .. } = Sources::of(inputs);
    let rank = query.rank();
    vec![query.with(rank - 1, value[rank - 2])]
}

/// The multiply-accumulates of the scores, if they are a product, and of the values that are weighted by them.
fn attending<Q: Quantity>(inputs: &[Shape], product: bool) -> Q {
    let sources = Sources::of(inputs);
    let last = sources.query.rank() - 2;
    let scores = || scores::<Q>(&sources, |axis| axis == last, |seen| seen);
    let weighted = scores() * Q::of(features(sources.value), "features of the value");
    if product {
        scores() * Q::of(features(sources.query), "features of the query") + weighted
    } else {
        weighted
    }
}

pub(super) struct Attention;

impl Rule for Attention {
    const NAME: &'static str = "Attention";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::flag("use_scale", false),
        Parameter::keyword("score_mode", &["dot", "concat"]),
    ];
    const INPUTS: (usize, usize) = GIVEN;
    const TAKES_UNKNOWN: bool = true;
    const PURPOSE: &'static str = "it weighs its values by its query and key, without weights of its own";

    fn output(_: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        attend(inputs)
    }

    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        Cost {
            trainable: Q::constant(args[0], "scale") + Q::constant(args[1], "weight of the scores"),
            non_trainable: Q::zero(),
            macs: attending(inputs, args[1] == 0),
        }
    }

    fn sides(_: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        attended_sides(inputs)
    }

    fn extra(_: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
        Ok(compared(inputs))
    }

    fn mask(_: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
        masked(1, inputs, mask, given)
    }
}

pub(super) struct AdditiveAttention;

impl Rule for AdditiveAttention {
    const NAME: &'static str = "AdditiveAttention";
    const PARAMETERS: &'static [Parameter] = &[Parameter::flag("use_scale", true)];
    const INPUTS: (usize, usize) = GIVEN;
    const TAKES_UNKNOWN: bool = true;
    const PURPOSE: &'static str = "it weighs its values by its query and key, without weights of its own";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let output = attend(inputs)?;
        if args[0] == 1 && features(&inputs[0]) == UNKNOWN {
            return Err(Refusal::unknown_weights());
        }
        Ok(output)
    }

    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        Cost {
            trainable: Q::constant(args[0], "scale") * Q::of(features(&inputs[0]), "features of the query"),
            non_trainable: Q::zero(),
            macs: attending(inputs, false),
        }
    }

    fn sides(_: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        attended_sides(inputs)
    }

    fn extra(_: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
        Ok(compared(inputs))
    }

    fn mask(_: &[i64], inputs: &[Shape], mask: Mask, given: &Shape) -> Result<(), Refusal> {
        masked(1, inputs, mask, given)
    }

    fn built(args: &[i64], inputs: &[Shape]) -> Built {
        match args[0] {
            0 => Built::anything(),
            _ => Built::new("features of the query", [features(&inputs[0])]),
        }
    }
}
