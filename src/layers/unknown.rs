//! Sides that nobody knows before data arrives: what a layer does with them, found by trying numbers in their place.
//!
//! A rule is written for numbers. Where a side of an input is unknown, the rule is asked with two numbers in its place,
//! which most windows fit into and most factors divide. A side of the output that differs is unknown, too; weights that
//! differ depend on a side that must be known, so the layer refuses as in Keras; and where MACs differ they are unknown.

use super::cost::Cost;
use super::mask::Mask;
use super::quantity::Count;
use super::refusal::Refusal;
use super::shape::{Shape, UNKNOWN};

/// A layer, as far as it is asked with numbers in the place of unknown sides.
pub(super) trait Asked {
    /// As `Rule::output`.
    fn output(&self, args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal>;
    /// As `Rule::known`.
    fn known(&self, args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal>;
    /// As `Rule::extra`.
    fn extra(&self, args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal>;
    /// As `Rule::mask`, for several.
    fn masks(&self, args: &[i64], inputs: &[Shape], masks: &[Mask], given: &[Shape]) -> Result<(), Refusal>;
    /// As `Rule::cost`.
    fn cost(&self, args: &[i64], inputs: &[Shape], output: &Shape) -> Cost<Count>;
}

/// The numbers that stand for an unknown side: multiples of all numbers to 10, and of one another.
const STANDS: [i64; 2] = [5_040, 10_080];

/// Whether a side of these shapes is unknown.
pub(super) fn any(inputs: &[Shape]) -> bool {
    inputs.iter().any(Shape::has_unknown)
}

/// The same shapes with a number for each unknown side.
pub(super) fn first(inputs: &[Shape]) -> Vec<Shape> {
    with(inputs, STANDS[0])
}

/// The same shapes with a number for each unknown side: that of another shape on the same axis, where one is known.
pub(super) fn alike_first(inputs: &[Shape]) -> Vec<Shape> {
    alike(inputs, STANDS[0])
}

fn with(inputs: &[Shape], stand: i64) -> Vec<Shape> {
    inputs.iter().map(|shape| shape.known_as(|_| stand)).collect()
}

/// The same shapes, where an unknown side is as large as that of another shape on the same axis, if one is known there.
fn alike(inputs: &[Shape], stand: i64) -> Vec<Shape> {
    let beside = |axis: usize, rank: usize| {
        let same = inputs.iter().filter(|shape| shape.rank() == rank);
        same.map(|shape| shape[axis]).filter(|&side| side != UNKNOWN).max()
    };
    let known = |shape: &Shape| shape.known_as(|axis| beside(axis, shape.rank()).unwrap_or(stand));
    inputs.iter().map(known).collect()
}

/// The output of a layer with the two numbers, and what it read in each case.
fn tried(
    kind: &impl Asked,
    args: &[i64],
    inputs: &[Shape],
    places: fn(&[Shape], i64) -> Vec<Shape>,
) -> Result<[(Vec<Shape>, Shape); 2], Refusal> {
    let inputs = kind.known(args, inputs)?;
    let one = |stand| {
        let shapes = places(&inputs, stand);
        kind.output(args, &shapes).map(|output| (shapes, output))
    };
    Ok([one(STANDS[0])?, one(STANDS[1])?])
}

/// The inputs and the outputs of a layer that can be built, in both cases. Where it can only be with sides that are
/// alike, an unknown side may still be another one, such as 1 that stretches: so it must not have weights.
fn cases(kind: &impl Asked, args: &[i64], inputs: &[Shape]) -> Result<[(Vec<Shape>, Shape); 2], Refusal> {
    tried(kind, args, inputs, with).or_else(|refusal| {
        let again = tried(kind, args, inputs, alike).ok();
        let free = again.filter(|[(shapes, output), _]| kind.cost(args, shapes, output).weights() == 0);
        free.ok_or_else(|| refusal.with_unknown(STANDS[0]))
    })
}

/// A shape whose sides are unknown where they differ.
fn common(first: &Shape, second: &Shape) -> Shape {
    let mut both = *first;
    for axis in 0..first.rank() {
        if first[axis] != second[axis] {
            both = both.with(axis, UNKNOWN);
        }
    }
    both
}

/// As [`Asked::output`].
pub(super) fn output(kind: &impl Asked, args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
    let [first, second] = cases(kind, args, inputs)?;
    if first.1.rank() != second.1.rank() {
        return Err(Refusal::new(
            "the axes of its output depend on a side that is unknown",
            [],
        ));
    }
    let [one, other] = [&first, &second].map(|(shapes, output)| kind.cost(args, shapes, output));
    if one.trainable != other.trainable || one.non_trainable != other.non_trainable {
        return Err(Refusal::unknown_weights());
    }
    let mut output = common(&first.1, &second.1);
    if tried(kind, args, inputs, with).is_err() {
        let rank = output.rank();
        let apart = inputs.iter().any(|input| input.rank() != rank);
        for axis in (0..rank).filter(|&axis| apart || inputs.iter().any(|input| input[axis] == UNKNOWN)) {
            output = output.with(axis, UNKNOWN);
        }
    }
    Ok(output)
}

/// As [`Asked::extra`].
pub(super) fn extra(kind: &impl Asked, args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
    let [first, second] = cases(kind, args, inputs)?;
    let (one, other) = (kind.extra(args, &first.0)?, kind.extra(args, &second.0)?);
    Ok(one.iter().zip(&other).map(|(one, other)| common(one, other)).collect())
}

/// As [`Asked::masks`], where a side of an input or of a mask is unknown.
pub(super) fn check_masks(
    kind: &impl Asked,
    args: &[i64],
    inputs: &[Shape],
    masks: &[Mask],
    given: &[Shape],
) -> Result<(), Refusal> {
    let all: Vec<Shape> = inputs.iter().chain(given).copied().collect();
    let check = |places: fn(&[Shape], i64) -> Vec<Shape>| {
        let shapes = places(&all, STANDS[0]);
        let (inputs, given) = shapes.split_at(inputs.len());
        kind.masks(args, inputs, masks, given)
    };
    // A mask and a tensor have different axes: here a known side beside an unknown one is for the data to tell.
    check(with).or_else(|refusal| {
        if any(inputs) && any(given) {
            Err(refusal.with_unknown(STANDS[0]))
        } else {
            Ok(())
        }
    })
}

/// The inputs and the output of a layer that can be built, with numbers in the place of what is unknown.
pub(super) fn case(kind: &impl Asked, args: &[i64], inputs: &[Shape]) -> (Vec<Shape>, Shape) {
    let [first, _] = cases(kind, args, inputs).expect("`output` gave a shape");
    first
}

/// Whether MACs do not depend on what is unknown.
pub(super) fn macs_are_known(kind: &impl Asked, args: &[i64], inputs: &[Shape]) -> bool {
    let Ok(cases) = tried(kind, args, inputs, with) else {
        return false;
    };
    let [one, other] = cases.map(|(shapes, output)| kind.cost(args, &shapes, &output).macs);
    one == other
}

/// The same for a layer whose rule reads unknown sides itself.
pub(super) fn cost_is_known(kind: &impl Asked, args: &[i64], inputs: &[Shape]) -> bool {
    let Ok(output) = kind.output(args, inputs) else {
        return false;
    };
    let [one, other] = STANDS.map(|stand| kind.cost(args, &with(inputs, stand), &output.known_as(|_| stand)).macs);
    one == other
}
