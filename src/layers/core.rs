//! Layers that hand on what they are given.

use super::kind::{Rule, unchanged};
use super::parameter::Parameter;
use super::refusal::Refusal;
use super::shape::Shape;

unchanged! {
    Identity, "it returns its input, which needs no weights";
    Masking, "it marks the steps that later layers skip, which needs no weights";
    Rescaling, "it multiplies and shifts by fixed numbers, which are not weights";
}
