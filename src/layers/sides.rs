//! The sides of outputs as formulas, which `explain` prints.

use super::geometry::{CHANNELS_FIRST, Padding, Window, span};
use super::quantity::{Along, Formula, Quantity, Rounded};
use super::shape::Shape;

/// The side of an input along an axis beside the batch, which is counted from 0.
pub(super) fn axis(input: &Shape, axis: usize) -> Formula {
    Formula::along(input[axis], "axis of the input", Along::Axis(axis + 1))
}

/// The sides of an input.
pub(super) fn unchanged(input: &Shape) -> Vec<Formula> {
    (0..input.rank()).map(|each| axis(input, each)).collect()
}

/// The same with another side in one place.
pub(super) fn with(input: &Shape, place: usize, side: Formula) -> Vec<Formula> {
    let mut sides = unchanged(input);
    sides[place] = side;
    sides
}

/// The values of an input.
pub(super) fn elements(input: &Shape) -> Formula {
    let sides = unchanged(input).into_iter();
    sides
        .reduce(|product, side| product * side)
        .unwrap_or_else(|| Formula::just(1))
}

/// What has a number for each axis, as `shape` or `dims` have.
pub(super) fn listed(values: &[i64], meaning: &'static str) -> Vec<Formula> {
    let each = |(axis, &value)| Formula::along(value, meaning, Along::Axis(axis));
    (1..).zip(values).map(each).collect()
}

/// What has a number for each spatial axis.
pub(super) fn spatial(values: &[i64], meaning: &'static str) -> Vec<Formula> {
    let each = |(axis, &value)| Formula::along(value, meaning, Along::Spatial(axis, values.len()));
    values.iter().enumerate().map(each).collect()
}

/// The spatial sides of an input.
pub(super) fn positions(values: &[i64]) -> Vec<Formula> {
    spatial(values, "positions of the input")
}

/// The channels of an input.
pub(super) fn channels(channels: i64) -> Formula {
    Formula::of(channels, "channels of the input")
}

/// Spatial sides and channels in the order of a data format.
pub(super) fn image(mut spatial: Vec<Formula>, channels: Formula, data_format: i64) -> Vec<Formula> {
    let place = if data_format == CHANNELS_FIRST {
        0
    } else {
        spatial.len()
    };
    spatial.insert(place, channels);
    spatial
}

/// What a layer calls the size and the stride of its window.
pub(super) struct Names {
    pub(super) size: &'static str,
    pub(super) stride: &'static str,
}

pub(super) const KERNEL: Names = Names {
    size: "kernel_size",
    stride: "stride",
};
pub(super) const POOL: Names = Names {
    size: "pool_size",
    stride: "stride",
};

/// The positions that a window reaches over along an axis.
pub(super) fn reach(size: &[i64], dilation: &[i64], axis: usize, names: &Names) -> Formula {
    let along = Along::Spatial(axis, size.len());
    let own = Formula::along(size[axis], names.size, along);
    if dilation[axis] == 1 {
        return own;
    }
    let dilation = Formula::along(dilation[axis], "dilation", along);
    dilation * own.minus(Formula::just(1)) + Formula::just(1)
}

impl Window<'_> {
    /// How often the window fits along each axis, as [`Window::positions`] counts it, or rounded up.
    pub(super) fn sides(&self, spatial: &[i64], names: &Names, up: bool) -> Vec<Formula> {
        let from = positions(spatial);
        let one = |(axis, input): (usize, Formula)| {
            let along = Along::Spatial(axis, spatial.len());
            let stride = Formula::along(self.strides[axis], names.stride, along);
            let [before, after] = match self.padding {
                Padding::Same | Padding::Causal => return input.over(stride, Rounded::Up),
                Padding::Valid => [0; 2],
                Padding::Explicit(pairs) => pairs[axis],
            };
            let around =
                Formula::along(before, "padding before", along) + Formula::along(after, "padding after", along);
            let reach = reach(self.size, self.dilation, axis, names);
            let span = span(self.size[axis], self.dilation[axis]).unwrap_or(i64::MAX);
            let most = spatial[axis]
                .saturating_add(before)
                .saturating_add(after)
                .saturating_sub(span);
            let rest = (input + around).minus(reach);
            if !up {
                return rest.over(stride, Rounded::Down) + Formula::just(1);
            }
            // A last window that would start behind the input is left out.
            let last = most
                .saturating_add(self.strides[axis] - 1)
                .div_euclid(self.strides[axis]);
            let fits = last.saturating_mul(self.strides[axis]) < spatial[axis].saturating_add(before);
            let windows = rest.over(stride, Rounded::Up);
            if fits { windows + Formula::just(1) } else { windows }
        };
        from.into_iter().enumerate().map(one).collect()
    }
}
