//! The layers: one file a family, one `Rule` a layer.
//!
//! A rule is scalar: the hyperparameters and the input shapes of *one* layer in, its output shape and its costs out, or
//! a [`Refusal`]. Nothing outside this module knows a layer but `Input`, where every network begins; nothing in it knows of
//! decisions, graphs or batches.
//!
//! Shapes, argument names, defaults and refusals are those of Keras 3 (`keras.layers`).

mod activation;
mod arguments;
mod attention;
mod built;
mod cell;
mod convolution;
mod core;
mod cost;
mod dense;
mod embedding;
mod geometry;
mod input;
mod kind;
mod mask;
mod merging;
mod normalization;
mod parameter;
mod pooling;
mod preprocessing;
mod quantity;
mod recurrent;
mod refusal;
mod regularization;
mod reshaping;
mod shape;
mod sides;
mod unknown;
mod wrapper;

pub use built::Built;
pub use cost::Cost;
pub(crate) use geometry::axis_beside_batch;
pub use kind::{COUNTED, DynamicRule, Held, Inner, Kind, Role, Slot, TRAINABLE};
pub use mask::Mask;
pub use parameter::{Arity, Domain, Parameter, UNSET, factor};
pub use quantity::{Along, Count, Formula, Number, Quantity, Rounded};
pub use refusal::Refusal;
pub use shape::{MAX_RANK, Shape, UNKNOWN};
pub use wrapper::{WRAPPERS, Wrapper};

use crate::{Error, Result};

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

impl Kind {
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
}

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
    fn an_unknown_layer_is_named() {
        let error = Kind::named("Conv9D").unwrap_err();
        assert!(error.message.contains("'Conv9D'") && error.message.contains("Conv2D"));
    }
}
