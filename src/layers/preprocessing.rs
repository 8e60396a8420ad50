//! Layers that prepare images, sound and categories. What they do at random they do while training only.

use super::cost::Cost;
use super::embedding::Embedding;
use super::geometry::{Image, Padding, Window};
use super::kind::{Columns, Rule};
use super::parameter::{Arity, Domain, Parameter, UNSET};
use super::quantity::{Formula, Quantity, Rounded};
use super::refusal::Refusal;
use super::shape::{MAX_RANK, Shape, UNKNOWN};
use super::sides;

/// Rules of layers that leave the shape of an image as it is, each with the numbers of channels that it takes (any if
/// there is none) and what it does.
macro_rules! images {
    ($($kind:ident, $channels:expr, $purpose:expr;)*) => {$(
        pub(super) struct $kind;

        impl Rule for $kind {
            const NAME: &'static str = stringify!($kind);
            const PARAMETERS: &'static [Parameter] = &[Parameter::data_format()];
            const IN_PLACE: bool = true;
            const TAKES_UNKNOWN: bool = true;
            const PURPOSE: &'static str = $purpose;

            fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
                coloured(Image::<2>::of(&inputs[0], args[0])?, $channels)
            }
        }
    )*};
}

const COLOURS: &[i64] = &[3];
const GREY: &[i64] = &[1, 3];

/// The shape of an image that has one of these numbers of channels, or may have it.
fn coloured(image: Image<2>, channels: &[i64]) -> Result<Shape, Refusal> {
    match channels {
        _ if image.channels == UNKNOWN => Ok(image.shape()),
        [one] if image.channels != *one => Err(Refusal::new(
            "it needs images of {} channels, not {}",
            [*one, image.channels],
        )),
        [one, other] if image.channels != *one && image.channels != *other => Err(Refusal::new(
            "it needs images of {} or {} channels, not {}",
            [*one, *other, image.channels],
        )),
        _ => Ok(image.shape()),
    }
}

images! {
    AugMix, GREY, "it changes the values of an image, which needs no weights";
    AutoContrast, &[], "it changes the values of an image, which needs no weights";
    ContrastLimitedAdaptiveHistogramEqualization, &[], "it changes the values of an image, which needs no weights";
    CutMix, &[], "it changes the values of an image, which needs no weights";
    MaxNumBoundingBoxes, &[], "it changes the values of an image, which needs no weights";
    MixUp, &[], "it changes the values of an image, which needs no weights";
    RandAugment, GREY, "it changes the values of an image, which needs no weights";
    RandomBrightness, &[], "it changes the values of an image, which needs no weights";
    RandomColorDegeneration, COLOURS, "it changes the values of an image, which needs no weights";
    RandomColorJitter, &[], "it changes the values of an image, which needs no weights";
    RandomContrast, &[], "it changes the values of an image, which needs no weights";
    RandomElasticTransform, &[], "it changes the values of an image, which needs no weights";
    RandomErasing, &[], "it changes the values of an image, which needs no weights";
    RandomFlip, &[], "it changes the values of an image, which needs no weights";
    RandomGaussianBlur, &[], "it changes the values of an image, which needs no weights";
    RandomGrayscale, GREY, "it changes the values of an image, which needs no weights";
    RandomHue, COLOURS, "it changes the values of an image, which needs no weights";
    RandomInvert, &[], "it changes the values of an image, which needs no weights";
    RandomPerspective, &[], "it changes the values of an image, which needs no weights";
    RandomPosterization, &[], "it changes the values of an image, which needs no weights";
    RandomRotation, &[], "it changes the values of an image, which needs no weights";
    RandomSaturation, COLOURS, "it changes the values of an image, which needs no weights";
    RandomSharpness, &[], "it changes the values of an image, which needs no weights";
    RandomShear, &[], "it changes the values of an image, which needs no weights";
    RandomTranslation, &[], "it changes the values of an image, which needs no weights";
    RandomZoom, &[], "it changes the values of an image, which needs no weights";
    Solarization, &[], "it changes the values of an image, which needs no weights";
}

const SIZED: &[Parameter] = &[
    Parameter::int("height", 1),
    Parameter::int("width", 1),
    Parameter::data_format(),
];

fn sized(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
    let image = Image::<2>::of(&inputs[0], args[2])?;
    Ok(Image {
        spatial: [args[0], args[1]],
        ..image
    }
    .shape())
}

fn sized_sides(args: &[i64], inputs: &[Shape]) -> Vec<Formula> {
    let image = Image::<2>::of(&inputs[0], args[2]).expect("`output` accepted the input");
    let spatial = vec![Formula::of(args[0], "height"), Formula::of(args[1], "width")];
    sides::image(spatial, sides::channels(image.channels), args[2])
}

pub(super) struct CenterCrop;

impl Rule for CenterCrop {
    const NAME: &'static str = "CenterCrop";
    const PARAMETERS: &'static [Parameter] = SIZED;
    const PURPOSE: &'static str = "it takes the middle of an image, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        sized(args, inputs)
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        sized_sides(args, inputs)
    }
}

pub(super) struct Resizing;

impl Rule for Resizing {
    const NAME: &'static str = "Resizing";
    const PARAMETERS: &'static [Parameter] = SIZED;
    const PURPOSE: &'static str = "it interpolates between the values of an image, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        sized(args, inputs)
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        sized_sides(args, inputs)
    }
}

pub(super) struct STFTSpectrogram;

struct Frames {
    length: i64,
    step: i64,
    /// How many frequencies a frame has.
    bins: i64,
    /// How many kernels there are: the real and the imaginary one, or one of them.
    kernels: i64,
    /// How many values there are for each frequency.
    values: i64,
    padding: i64,
    expand_dims: bool,
    data_format: i64,
}

impl STFTSpectrogram {
    fn parse(args: &[i64]) -> Result<Frames, Refusal> {
        let &[mode, length, step, fft_length, padding, expand_dims, data_format] = args else {
            unreachable!("seven parameters")
        };
        let given = if step == UNSET { length / 2 } else { step };
        if given < 1 || given > length {
            return Err(Refusal::new(
                "its frame_step must be at least 1 and at most its frame_length; they are {} and {}",
                [given, length],
            ));
        }
        let fft_length = match fft_length {
            UNSET => (length as u64)
                .checked_next_power_of_two()
                .and_then(|n| i64::try_from(n).ok()),
            given if given < length => {
                return Err(Refusal::new(
                    "its fft_length must be at least its frame_length; they are {} and {}",
                    [given, length],
                ));
            }
            given => Some(given),
        };
        Ok(Frames {
            length,
            step: given,
            bins: fft_length.ok_or_else(Refusal::overflow)? / 2 + 1,
            kernels: if Self::MODES[mode as usize] == "real" || Self::MODES[mode as usize] == "imag" {
                1
            } else {
                2
            },
            values: 1 + i64::from(Self::MODES[mode as usize] == "stft"),
            padding,
            expand_dims: expand_dims == 1,
            data_format,
        })
    }

    const MODES: [&'static str; 7] = ["log", "magnitude", "psd", "real", "imag", "angle", "stft"];
}

impl Frames {
    /// How many frames a signal has, as a formula.
    fn formula(&self, samples: i64) -> Formula {
        let window = Window {
            size: &[self.length],
            strides: &[self.step],
            dilation: &[1],
            padding: Padding::word(self.padding),
        };
        let names = sides::Names {
            size: "frame_length",
            stride: "frame_step",
        };
        window.sides(&[samples], &names, false).swap_remove(0)
    }

    /// The signal, and how many frames it has.
    fn count(&self, input: &Shape) -> Result<(Image<1>, i64), Refusal> {
        let signal = Image::<1>::of(input, self.data_format)?;
        let window = Window {
            size: &[self.length],
            strides: &[self.step],
            dilation: &[1],
            padding: Padding::word(self.padding),
        };
        let [frames] = window.positions(signal.spatial)?;
        Ok((signal, frames))
    }
}

impl Rule for STFTSpectrogram {
    const NAME: &'static str = "STFTSpectrogram";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::keyword("mode", &Self::MODES),
        Parameter::new("frame_length", Domain::Int(1), Arity::One, Some(256)),
        Parameter::new("frame_step", Domain::OptionalInt(1), Arity::One, Some(UNSET)),
        Parameter::new("fft_length", Domain::OptionalInt(1), Arity::One, Some(UNSET)),
        Parameter::keyword("padding", &["valid", "same"]),
        Parameter::flag("expand_dims", false),
        Parameter::data_format(),
    ];

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let layer = Self::parse(args)?;
        let (signal, frames) = layer.count(&inputs[0])?;
        let bins = layer.bins.checked_mul(layer.values).ok_or_else(Refusal::overflow)?;
        if layer.expand_dims {
            return Ok(Image::<2> {
                spatial: [frames, bins],
                channels: signal.channels,
                data_format: layer.data_format,
            }
            .shape());
        }
        Ok(Image::<1> {
            spatial: [frames],
            channels: bins.checked_mul(signal.channels).ok_or_else(Refusal::overflow)?,
            data_format: layer.data_format,
        }
        .shape())
    }

    fn known(args: &[i64], inputs: &[Shape]) -> Result<Vec<Shape>, Refusal> {
        let signal = Image::<1>::of(&inputs[0], Self::parse(args)?.data_format)?;
        if signal.channels == UNKNOWN {
            return Err(Refusal::new(
                "it must know its channels; give their number in Input",
                [],
            ));
        }
        Ok(inputs.to_vec())
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let layer = Self::parse(args).expect("`output` accepted the arguments");
        let (signal, _) = layer.count(&inputs[0]).expect("`output` accepted the input");
        let frames = layer.formula(signal.spatial[0]);
        let values = Formula::constant(layer.values, "values of each frequency");
        let bins = Formula::of(layer.bins, "frequencies").times(values);
        let channels = sides::channels(signal.channels);
        if layer.expand_dims {
            sides::image(vec![frames, bins], channels, layer.data_format)
        } else {
            sides::image(vec![frames], bins * channels, layer.data_format)
        }
    }

    /// A real and an imaginary kernel of `frame_length * bins` weights, which each channel shares.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let layer = Self::parse(args).expect("`output` accepted the arguments");
        let (signal, frames) = layer.count(&inputs[0]).expect("`output` accepted the input");
        let kernels = || {
            Q::constant(layer.kernels, "kernels, the real and the imaginary one")
                * Q::of(layer.length, "frame_length")
                * Q::of(layer.bins, "frequencies")
        };
        Cost {
            trainable: kernels(),
            non_trainable: Q::zero(),
            macs: Q::of(frames, "frames") * Q::of(signal.channels, "channels of the input") * kernels(),
        }
    }
}

pub(super) struct MelSpectrogram;

impl Rule for MelSpectrogram {
    const NAME: &'static str = "MelSpectrogram";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("fft_length", Domain::Int(1), Arity::One, Some(2048)),
        Parameter::new("sequence_stride", Domain::Int(1), Arity::One, Some(512)),
        Parameter::new("sequence_length", Domain::OptionalInt(1), Arity::One, Some(UNSET)),
        Parameter::new("num_mel_bins", Domain::Int(1), Arity::One, Some(128)),
    ];
    const TAKES_UNKNOWN: bool = true;
    const PURPOSE: &'static str = "it multiplies with a fixed matrix, which is no weight";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let &[fft_length, stride, length, bins] = args else {
            unreachable!("four parameters")
        };
        if length > fft_length {
            return Err(Refusal::new(
                "its sequence_length must be at most its fft_length; they are {} and {}",
                [length, fft_length],
            ));
        }
        let &[samples] = &*inputs[0] else {
            return Err(Refusal::new(
                "it needs an input of 1 axis beside the batch (samples), not {}; of others Keras does not tell the shape",
                [inputs[0].rank() as i64],
            ));
        };
        if samples == UNKNOWN {
            return Ok(Shape::new(&[bins, UNKNOWN]));
        }
        // Half of a frame is put before and after the samples.
        let steps = (samples - fft_length % 2) / stride + 1;
        let described = samples.checked_add(1).ok_or_else(Refusal::overflow)? / stride + 1;
        if steps != described {
            return Err(Refusal::new(
                "of {} samples in strides of {} Keras makes {} steps, but describes {}",
                [samples, stride, steps, described],
            ));
        }
        Ok(Shape::new(&[bins, steps]))
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let samples = Formula::of(inputs[0][0], "samples").minus(Formula::just(args[0] % 2));
        let steps = samples.over(Formula::of(args[1], "sequence_stride"), Rounded::Down) + Formula::just(1);
        vec![Formula::of(args[3], "num_mel_bins"), steps]
    }

    /// No weights: the matrix from frequencies to mel bins is fixed. The Fourier transform is no multiply-accumulate.
    fn cost<Q: Quantity>(args: &[i64], _: &[Shape], output: &Shape) -> Cost<Q> {
        Cost {
            macs: Q::of(output[1], "steps") * (Q::of(args[0] / 2 + 1, "frequencies") * Q::of(args[3], "num_mel_bins")),
            ..Cost::none()
        }
    }
}

/// A vector for each value; an axis of 1 is left out.
fn one_hot(depth: i64, input: &Shape) -> Result<Shape, Refusal> {
    let kept = match input.split_last() {
        Some((1, others)) => others,
        _ => input,
    };
    let rank = kept.len() + 1;
    if rank > MAX_RANK {
        return Err(Refusal::rank(rank));
    }
    let mut sides = [depth; MAX_RANK];
    sides[..kept.len()].copy_from_slice(kept);
    Ok(Shape::new(&sides[..rank]))
}

/// The same as formulas, with the name of the depth.
fn one_hot_sides(depth: Formula, input: &Shape) -> Vec<Formula> {
    let mut sides = sides::unchanged(input);
    if input.last() == Some(&1) {
        sides.pop();
    }
    sides.push(depth);
    sides
}

pub(super) struct CategoryEncoding;

impl Rule for CategoryEncoding {
    const NAME: &'static str = "CategoryEncoding";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("num_tokens", 1),
        Parameter::keyword("output_mode", &["multi_hot", "one_hot", "count"]),
    ];
    const PURPOSE: &'static str = "it writes integers as vectors, which needs no weights";

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        match (args[1], inputs[0].rank()) {
            (1, _) => one_hot(args[0], &inputs[0]),
            (_, 1) => Ok(Shape::new(&[args[0]])),
            (_, rank) => Err(Refusal::new(
                "with this output_mode it needs an input of 1 axis beside the batch, not {}; of others Keras does not \
                 tell the shape",
                [rank as i64],
            )),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let depth = Formula::of(args[0], "num_tokens");
        if args[1] == 1 {
            one_hot_sides(depth, &inputs[0])
        } else {
            vec![depth]
        }
    }
}

pub(super) struct Discretization;

impl Rule for Discretization {
    const NAME: &'static str = "Discretization";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("num_bins", 1),
        Parameter::keyword("output_mode", &["int", "one_hot", "multi_hot", "count"]),
    ];
    const PURPOSE: &'static str = "it looks up fixed bins, which needs no weights";

    /// `multi_hot` and `count` join the values along the first axis.
    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        match (args[1], inputs[0].split_first()) {
            (0, _) => Ok(inputs[0]),
            (1, _) => one_hot(args[0], &inputs[0]),
            (_, Some((_, others))) => {
                let mut sides = [args[0]; MAX_RANK];
                sides[..others.len()].copy_from_slice(others);
                Ok(Shape::new(&sides[..=others.len()]))
            }
            (_, None) => Err(Refusal::new(
                "with this output_mode it needs an input of at least 1 axis beside the batch",
                [],
            )),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let depth = Formula::of(args[0], "num_bins");
        match args[1] {
            0 => sides::unchanged(&inputs[0]),
            1 => one_hot_sides(depth, &inputs[0]),
            _ => {
                let others = sides::unchanged(&inputs[0]).into_iter().skip(1);
                others.chain([depth]).collect()
            }
        }
    }
}

pub(super) struct ReversibleEmbedding;

impl Rule for ReversibleEmbedding {
    const NAME: &'static str = "ReversibleEmbedding";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::int("input_dim", 1),
        Parameter::int("output_dim", 1),
        Parameter::flag("tie_weights", true),
        Parameter::flag("reverse", false),
    ];
    const COLUMNS: Option<Columns> = Some(|args, _| args[1]);

    fn output(args: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
        let &[input_dim, output_dim, _, reverse] = args else {
            unreachable!("four parameters")
        };
        if reverse == 0 {
            return Embedding::output(&[input_dim, output_dim, UNSET], inputs);
        }
        match inputs[0].split_last() {
            Some((&last, others)) if last == output_dim => Ok(inputs[0].with(others.len(), input_dim)),
            Some((&last, _)) => Err(Refusal::new(
                "with reverse=True it reads rows of output_dim={} values, not of {}",
                [output_dim, last],
            )),
            None => Err(Refusal::new(
                "with reverse=True it needs an input of at least 1 axis beside the batch",
                [],
            )),
        }
    }

    fn sides(args: &[i64], inputs: &[Shape], _: &Shape) -> Vec<Formula> {
        let input = &inputs[0];
        if args[3] == 1 {
            return sides::with(input, input.rank() - 1, Formula::of(args[0], "input_dim"));
        }
        let mut sides = sides::unchanged(input);
        sides.push(Formula::of(args[1], "output_dim"));
        sides
    }

    /// `input_dim * output_dim` weights, and as many for the way back if they are not tied. A row is looked up; on the
    /// way back each row is multiplied with the whole table.
    fn cost<Q: Quantity>(args: &[i64], inputs: &[Shape], _: &Shape) -> Cost<Q> {
        let rows = || Q::of(args[0], "input_dim");
        let columns = || Q::of(args[1], "output_dim");
        let table = rows() * columns();
        let macs = match inputs[0].split_last() {
            Some((_, [])) if args[3] == 1 => columns() * rows(),
            Some((_, others)) if args[3] == 1 => Q::product(others, "rows") * (columns() * rows()),
            _ => Q::zero(),
        };
        Cost {
            trainable: if args[2] == 1 {
                table
            } else {
                Q::constant(2, "ways") * table
            },
            macs,
            ..Cost::none()
        }
    }
}
