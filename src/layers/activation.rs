//! Activations without weights.

use super::{Parameter, Refusal, Rule, Shape};

macro_rules! activations {
    ($($kind:ident)*) => {$(
        pub(super) struct $kind;

        impl Rule for $kind {
            const NAME: &'static str = stringify!($kind);
            const PARAMETERS: &'static [Parameter] = &[];
            const IN_PLACE: bool = true;
            const PURPOSE: &'static str = "it applies a fixed function to each value, which needs no weights";

            fn output(_: &[i64], inputs: &[Shape]) -> Result<Shape, Refusal> {
                Ok(inputs[0])
            }
        }
    )*};
}

activations! { Activation ReLU }
