//! Which axes are meant, where those of an image are, and how a sliding window covers one.

use super::parameter::{Arity, Domain, EXPLICIT_PADDING, Parameter, UNSET, factor};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape};

/// `padding="valid"`.
pub(super) const VALID: i64 = 0;
/// `padding="causal"`.
const CAUSAL: i64 = 2;
/// `data_format="channels_first"`.
pub(super) const CHANNELS_FIRST: i64 = 1;

/// The axis that Keras means, counted with the batch as axis 0.
pub(super) fn axis(given: i64, shape: &Shape) -> Result<usize, Refusal> {
    let axes = shape.rank() as i64 + 1;
    let axis = if given < 0 { given + axes } else { given };
    if (0..axes).contains(&axis) {
        Ok(axis as usize)
    } else {
        Err(Refusal::new(
            "axis={} is not an axis of an input of {} axes (the batch is axis 0)",
            [given, axes],
        ))
    }
}

/// The axis beside the batch that Keras means, as a position in the shape.
pub(crate) fn axis_beside_batch(given: i64, shape: &Shape) -> Result<usize, Refusal> {
    match axis(given, shape) {
        Ok(1..) => axis(given, shape).map(|axis| axis - 1),
        _ => Err(Refusal::new(
            "axis={} is not an axis beside the batch of an input of {} axes (the batch is axis 0)",
            [given, shape.rank() as i64 + 1],
        )),
    }
}

/// Some axes of a tensor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axes {
    named: [bool; MAX_RANK + 1],
    shape: Shape,
}

impl Axes {
    /// The axes that Keras means, each named once.
    pub(super) fn of(given: &[i64], shape: &Shape) -> Result<Self, Refusal> {
        let mut named = [false; MAX_RANK + 1];
        for &each in given {
            let axis = axis(each, shape)?;
            if std::mem::replace(&mut named[axis], true) {
                return Err(Refusal::new("axis {} is named twice", [axis as i64]));
            }
        }
        Ok(Self { named, shape: *shape })
    }

    /// Refuses the batch as one of them.
    pub(super) fn beside_batch(self) -> Result<Self, Refusal> {
        if self.named[0] {
            return Err(Refusal::new(
                "it cannot have weights for each item of a batch; name other axes than 0",
                [],
            ));
        }
        Ok(self)
    }

    /// The sides of the axes beside the batch, in their order.
    pub(super) fn sides(&self) -> Shape {
        let mut sides = [1; MAX_RANK];
        let mut rank = 0;
        for (&side, _) in self.shape.iter().zip(&self.named[1..]).filter(|(_, named)| **named) {
            sides[rank] = side;
            rank += 1;
        }
        Shape::new(&sides[..rank])
    }
}

/// A tensor of `N` spatial axes and one channel axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image<const N: usize> {
    pub(super) spatial: [i64; N],
    pub(super) channels: i64,
    pub(super) data_format: i64,
}

impl<const N: usize> Image<N> {
    /// Reads a shape as an image.
    pub(super) fn of(shape: &Shape, data_format: i64) -> Result<Self, Refusal> {
        if shape.rank() != N + 1 {
            return Err(Refusal::new(
                "it needs an input of {} axes beside the batch ({} spatial and the channels), not {}",
                [N as i64 + 1, N as i64, shape.rank() as i64],
            ));
        }
        let (first, channels) = if data_format == CHANNELS_FIRST {
            (1, shape[0])
        } else {
            (0, shape[N])
        };
        let mut spatial = [1; N];
        spatial.copy_from_slice(&shape[first..first + N]);
        Ok(Self {
            spatial,
            channels,
            data_format,
        })
    }

    /// The image as a shape, in its data format.
    pub(super) fn shape(&self) -> Shape {
        let mut sides = [1; MAX_RANK];
        if self.data_format == CHANNELS_FIRST {
            sides[0] = self.channels;
            sides[1..=N].copy_from_slice(&self.spatial);
        } else {
            sides[..N].copy_from_slice(&self.spatial);
            sides[N] = self.channels;
        }
        Shape::new(&sides[..=N])
    }
}

/// A side times a factor, by the bits of the factor: rounded down, as `PyTorch` does after a product of doubles.
pub(super) fn scaled(axis: usize, side: i64, by: i64) -> Result<i64, Refusal> {
    let product = side as f64 * factor(by);
    if product >= i64::MAX as f64 {
        return Err(Refusal::overflow());
    }
    if product < 1.0 {
        return Err(Refusal::new(
            "so small a share of axis {} of its input, which has {} positions, is no position at all",
            [axis as i64 + 1, side],
        ));
    }
    Ok(product as i64)
}

/// `padding` as this many integers, as `PyTorch` takes it: a parameter of the engine beside the word, for which Keras
/// has no argument of its own.
pub(super) const fn explicit_padding(integers: usize) -> Parameter {
    Parameter::new(
        EXPLICIT_PADDING,
        Domain::OptionalInt(0),
        Arity::Each(integers),
        Some(UNSET),
    )
}

/// `padding` as integers, where it is given so and not as a word.
pub(super) fn given_padding(explicit: &[i64]) -> Option<&[i64]> {
    (!explicit.is_empty() && !explicit.contains(&UNSET)).then_some(explicit)
}

/// What is put around an image before a window slides over it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Padding<'a> {
    /// Nothing.
    Valid,
    /// As much as gives a position for each stride, at both ends (`same`).
    Same,
    /// The same, all of it before the input (`causal`).
    Causal,
    /// This many positions before and after each axis.
    Explicit(&'a [[i64; 2]]),
}

impl<'a> Padding<'a> {
    /// The padding of a word.
    pub(super) fn word(word: i64) -> Self {
        match word {
            VALID => Self::Valid,
            CAUSAL => Self::Causal,
            _ => Self::Same,
        }
    }

    /// The padding of a word, or of the integers before and after each axis where they are given.
    pub(super) fn of(word: i64, explicit: &'a [i64]) -> Self {
        given_padding(explicit).map_or_else(|| Self::word(word), |given| Self::Explicit(given.as_chunks().0))
    }
}

/// What stands in the margins around an input: in `PyTorch` the `padding_mode` of a convolution, or a layer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Margin {
    /// One value. What is negative cuts off.
    Constant,
    /// The input in a mirror, without the value at the edge.
    Reflected,
    /// The value at the edge.
    Replicated,
    /// The other end of the input.
    Circular,
}

impl Margin {
    /// Refuses a margin that an axis cannot fill.
    fn check(self, axis: usize, side: i64, around: [i64; 2]) -> Result<(), Refusal> {
        let [before, after] = around;
        let most = before.max(after);
        let place = [most, axis as i64 + 1, side];
        match self {
            Self::Reflected if most >= side => Err(Refusal::new(
                "a reflected margin must be smaller than what it reflects; it has {} positions on axis {}, and the input {}",
                place,
            )),
            Self::Circular if most > side => Err(Refusal::new(
                "a circular margin must not exceed the input, around which it goes once; it has {} positions on axis {}, and the \
                 input {}",
                place,
            )),
            Self::Constant if side.saturating_add(before.min(0)).saturating_add(after.min(0)) < 0 => Err(Refusal::new(
                "margins of {} and {} cut off more of axis {} than its {} positions",
                [before, after, axis as i64 + 1, side],
            )),
            _ => Ok(()),
        }
    }

    /// The side of an input with margins before and after it.
    pub(super) fn around(self, axis: usize, side: i64, around: [i64; 2]) -> Result<i64, Refusal> {
        self.check(axis, side, around)?;
        let [before, after] = around;
        let sum = i128::from(side) + i128::from(before) + i128::from(after);
        if sum < 1 {
            return Err(Refusal::new(
                "margins of {} and {} leave nothing of axis {} of its input, which has {} positions",
                [before, after, axis as i64 + 1, side],
            ));
        }
        i64::try_from(sum).map_err(|_| Refusal::overflow())
    }
}

/// The positions that a window reaches over, `dilation * (size - 1) + 1`; `None` beyond `i64`.
pub(super) fn span(size: i64, dilation: i64) -> Option<i64> {
    (size - 1).checked_mul(dilation)?.checked_add(1)
}

/// A window that slides over an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) size: &'a [i64],
    pub(super) strides: &'a [i64],
    pub(super) dilation: &'a [i64],
    pub(super) padding: Padding<'a>,
}

impl Window<'_> {
    /// How often the window fits along each axis: `ceil(side / stride)` for `same`, else
    /// `floor((before + side + after - dilation * (size - 1) - 1) / stride) + 1` (`compute_conv_output_shape` of Keras 3).
    pub(super) fn positions<const N: usize>(&self, spatial: [i64; N]) -> Result<[i64; N], Refusal> {
        self.along_each(spatial, false)
    }

    /// The same, rounded up: a last window may reach beyond the end, if it starts inside the input or what is put
    /// before it (`pooling_output_shape` of `PyTorch` with `ceil_mode=True`).
    pub(super) fn positions_rounded_up<const N: usize>(&self, spatial: [i64; N]) -> Result<[i64; N], Refusal> {
        self.along_each(spatial, true)
    }

    /// Refuses margins that the input cannot fill, where they are no zeros; as `PyTorch` the words that it has not.
    pub(super) fn check_margins(&self, margin: Margin, spatial: &[i64]) -> Result<(), Refusal> {
        if margin == Margin::Constant {
            return Ok(());
        }
        for (axis, &side) in spatial.iter().enumerate() {
            let around = match self.padding {
                Padding::Valid => return Ok(()),
                Padding::Explicit(pairs) => pairs[axis],
                Padding::Causal => {
                    return Err(Refusal::new(
                        "padding='causal' has zeros in its margins; with another padding_mode give (before, after)",
                        [],
                    ));
                }
                Padding::Same if self.strides[axis] > 1 => {
                    return Err(Refusal::new(
                        "padding='same' with strides > 1 has zeros in its margins; with another padding_mode give integers",
                        [],
                    ));
                }
                Padding::Same => {
                    let missing = span(self.size[axis], self.dilation[axis]).ok_or_else(Refusal::overflow)? - 1;
                    [missing / 2, missing - missing / 2]
                }
            };
            margin.check(axis, side, around)?;
        }
        Ok(())
    }

    fn along_each<const N: usize>(&self, spatial: [i64; N], up: bool) -> Result<[i64; N], Refusal> {
        let mut positions = [0; N];
        for axis in 0..N {
            positions[axis] = self.along(axis, spatial[axis], up)?;
        }
        Ok(positions)
    }

    fn along(&self, axis: usize, side: i64, up: bool) -> Result<i64, Refusal> {
        let (size, stride) = (self.size[axis], self.strides[axis]);
        let (before, after) = match self.padding {
            Padding::Same | Padding::Causal => return Ok((side - 1) / stride + 1),
            Padding::Valid => (0, 0),
            Padding::Explicit(pairs) => (pairs[axis][0], pairs[axis][1]),
        };
        let sum = |a: i64, b: i64| a.checked_add(b).ok_or_else(Refusal::overflow);
        let span = span(size, self.dilation[axis]).ok_or_else(Refusal::overflow)?;
        let padded = sum(sum(side, before)?, after)?;
        let last = sum(padded - span, if up { stride - 1 } else { 0 })?.div_euclid(stride);
        let last = if up && last * stride >= side + before {
            last - 1
        } else {
            last
        };
        if last < 0 {
            return Err(Refusal::new(
                if matches!(self.padding, Padding::Valid) {
                    "with padding='valid' its window of {} (spanning {}) does not fit into axis {} of its input, which has {} \
                     positions: the output size would be zero or negative"
                } else {
                    "its window of {} (spanning {}) does not fit into axis {} of its padded input, which has {} positions: \
                     the output size would be zero or negative"
                },
                [size, span, axis as i64 + 1, padded],
            ));
        }
        Ok(last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_what_keras_says() {
        let slide = |side, size, stride, dilation, word| {
            Window {
                size: &[size],
                strides: &[stride],
                dilation: &[dilation],
                padding: Padding::word(word),
            }
            .positions([side])
            .map(|[n]| n)
        };
        assert_eq!(slide(28, 5, 1, 1, VALID), Ok(24));
        assert_eq!(slide(28, 5, 3, 1, VALID), Ok(8));
        assert_eq!(slide(28, 5, 1, 2, VALID), Ok(20));
        assert_eq!(slide(28, 5, 3, 1, 1), Ok(10));
        assert_eq!(slide(3, 9, 2, 1, 1), Ok(2));
        assert!(slide(4, 5, 1, 1, VALID).is_err());
        assert!(slide(4, i64::MAX, 1, i64::MAX, VALID).unwrap_err().is_overflow());
    }

    #[test]
    fn windows_round_up_as_pytorch_does() {
        let slide = |side, size, stride, around: [i64; 2]| {
            let window = Window {
                size: &[size],
                strides: &[stride],
                dilation: &[1],
                padding: Padding::Explicit(&[around]),
            };
            let one = |positions: Result<[i64; 1], Refusal>| positions.ok().map(|[n]| n);
            (one(window.positions([side])), one(window.positions_rounded_up([side])))
        };
        assert_eq!(slide(112, 3, 2, [0, 0]), (Some(55), Some(56)));
        assert_eq!(slide(2, 3, 2, [0, 0]), (None, Some(1)));
        assert_eq!(slide(2, 5, 2, [0, 0]), (None, None));
        // A last window that would start behind the input is left out.
        assert_eq!(slide(4, 2, 2, [1, 1]), (Some(3), Some(3)));
        assert_eq!(slide(4, 3, 5, [0, 0]), (Some(1), Some(1)));
        assert_eq!(slide(5, 3, 1, [2, 0]), (Some(5), Some(5)));
        assert_eq!(slide(5, 3, 1, [i64::MAX, 1]), (None, None));
    }

    #[test]
    fn margins_are_filled_as_in_pytorch() {
        let around = |margin: Margin, before, after| margin.around(0, 3, [before, after]).ok();
        assert_eq!(around(Margin::Reflected, 2, 2), Some(7));
        assert_eq!(around(Margin::Reflected, 3, -2), None);
        assert_eq!(around(Margin::Circular, 3, -2), Some(4));
        assert_eq!(around(Margin::Circular, -2, 4), None);
        assert_eq!(around(Margin::Replicated, -4, 5), Some(4));
        assert_eq!(around(Margin::Constant, -3, 5), Some(5));
        assert_eq!(around(Margin::Constant, -4, 5), None);
        assert_eq!(around(Margin::Constant, -1, -2), None);
        for margin in [
            Margin::Constant,
            Margin::Reflected,
            Margin::Replicated,
            Margin::Circular,
        ] {
            assert_eq!(around(margin, i64::MIN + 1, i64::MIN + 1), None);
            assert_eq!(around(margin, i64::MAX, i64::MAX), None);
        }
        assert!(Margin::Constant.around(0, 3, [i64::MAX; 2]).unwrap_err().is_overflow());
    }

    #[test]
    fn shares_of_a_side_are_rounded_down_after_a_product_of_doubles() {
        let share = |side, by: f64| scaled(0, side, by.to_bits().cast_signed());
        assert_eq!(share(7, 1.5), Ok(10));
        assert_eq!(share(3, 1.0 / 3.0), Ok(1));
        assert_eq!(share(10, 0.29), Ok(2));
        assert_eq!(share(100, 0.29), Ok(28));
        assert!(share(3, 0.3).is_err());
        assert!(share(3, 1e30).unwrap_err().is_overflow());
        assert!(share(i64::MAX, 1.0).unwrap_err().is_overflow());
    }

    #[test]
    fn axes_are_counted_as_in_keras() {
        let shape = Shape::new(&[3, 28, 30]);
        assert_eq!(axis_beside_batch(-1, &shape), Ok(2));
        assert_eq!(axis_beside_batch(1, &shape), Ok(0));
        for given in [0, -4, -5, 4, i64::MIN + 1, i64::MAX] {
            assert!(axis_beside_batch(given, &shape).is_err());
        }
        assert_eq!(Axes::of(&[-1, 1], &shape).unwrap().sides(), Shape::new(&[3, 30]));
        assert!(Axes::of(&[0], &shape).unwrap().beside_batch().is_err());
        assert!(Axes::of(&[-1, 3], &shape).is_err());
    }

    #[test]
    fn images_know_their_data_format() {
        let shape = Shape::new(&[3, 28, 30]);
        let image = Image::<2>::of(&shape, CHANNELS_FIRST).unwrap();
        assert_eq!((image.spatial, image.channels), ([28, 30], 3));
        assert_eq!(image.shape(), shape);
        assert!(Image::<1>::of(&shape, 0).is_err());
    }
}
