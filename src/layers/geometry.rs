//! Which axes are meant, where those of an image are, and how a sliding window covers one.

use super::{MAX_RANK, Refusal, Shape};

/// `padding="valid"`.
pub(super) const VALID: i64 = 0;
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
pub(super) fn axis_beside_batch(given: i64, shape: &Shape) -> Result<usize, Refusal> {
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
        let mut sides = [1; super::MAX_RANK];
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

/// A window that slides over an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) size: &'a [i64],
    pub(super) strides: &'a [i64],
    pub(super) dilation: &'a [i64],
    pub(super) padding: i64,
}

impl Window<'_> {
    /// How often the window fits along each axis: `floor((side - dilation * (size - 1) - 1) / stride) + 1` for
    /// `padding="valid"`, `ceil(side / stride)` otherwise (`compute_conv_output_shape` of Keras 3).
    pub(super) fn positions<const N: usize>(&self, spatial: [i64; N]) -> Result<[i64; N], Refusal> {
        let mut positions = [0; N];
        for axis in 0..N {
            let (side, size, stride) = (spatial[axis], self.size[axis], self.strides[axis]);
            positions[axis] = if self.padding == VALID {
                let span = (size - 1)
                    .checked_mul(self.dilation[axis])
                    .and_then(|span| span.checked_add(1))
                    .ok_or_else(Refusal::overflow)?;
                if span > side {
                    return Err(Refusal::new(
                        "with padding='valid' its window of {} (spanning {}) does not fit into axis {} of its input, \
                         which has {} positions: the output size would be zero or negative",
                        [size, span, axis as i64 + 1, side],
                    ));
                }
                (side - span) / stride + 1
            } else {
                (side - 1) / stride + 1
            };
        }
        Ok(positions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_what_keras_says() {
        let slide = |side, size, stride, dilation, padding| {
            Window {
                size: &[size],
                strides: &[stride],
                dilation: &[dilation],
                padding,
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
