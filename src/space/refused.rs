//! Why a network cannot be built, in one line and as data.

use super::program::{Layer, Program};
use super::state::State;
use super::step::Action;
use crate::layers::{Refusal, Shape};
use crate::{Error, ErrorKind, Refused};

impl Program {
    /// Why a step refused, in one line and as data. `state` is the one it refused in.
    pub(crate) fn error(&self, step: usize, refusal: &Refusal, state: &State) -> Error {
        if let Some(failure) = refusal.failure() {
            return failure.clone();
        }
        let kind = if refusal.is_overflow() {
            ErrorKind::Overflow
        } else {
            ErrorKind::Layer
        };
        let rule = refusal.to_string();
        let (message, refused) = match &self.steps[step].action {
            Action::Layer { layer, inputs, .. } => self.refused_layer(*layer, inputs.len(), rule, state),
            Action::Require { text, .. } => (
                format!("the constraint {text} is not met: {rule}"),
                Refused {
                    layer: None,
                    kind: None,
                    input_shapes: None,
                    rule: text.clone(),
                    arguments: None,
                },
            ),
            Action::Alias { .. } | Action::Read { .. } | Action::Wait { .. } | Action::Return { .. } => {
                return Error::new(kind, rule);
            }
        };
        Error {
            refused: Some(Box::new(refused)),
            ..Error::new(kind, message)
        }
    }

    /// Why a layer refused: its name, its input shapes, the rule, and its arguments where they are known.
    fn refused_layer(&self, layer: usize, inputs: usize, rule: String, state: &State) -> (String, Refused) {
        let Layer { name, kind, args, .. } = &self.layers[layer];
        let known = state.args.len() == args.len();
        let message = if known {
            self.refusal(layer, &state.inputs, &state.args, &rule)
        } else {
            format!("layer '{name}' cannot be built: {rule}")
        };
        let shapes = || state.inputs.iter().map(|shape| shape.to_vec()).collect();
        let refused = Refused {
            layer: Some(name.clone()),
            kind: Some(kind.name.to_string()),
            input_shapes: (state.inputs.len() == inputs).then(shapes),
            rule,
            // What the numbers of a custom layer mean only its function knows.
            arguments: (known && !kind.opaque).then(|| kind.arguments(&state.args)),
        };
        (message, refused)
    }

    /// Why a layer refused, in one line: its name, its input shapes, the rule, and its arguments.
    fn refusal(&self, layer: usize, inputs: &[Shape], args: &[i64], reason: &str) -> String {
        let Layer { name, kind, .. } = &self.layers[layer];
        let shapes: Vec<_> = inputs.iter().map(Shape::to_string).collect();
        let place = format!("layer '{name}' ({}) cannot be built", kind.name);
        let input = match shapes.len() {
            0 => String::new(),
            1 => format!(" on input shape {}", shapes[0]),
            _ => format!(" on input shapes {}", shapes.join(", ")),
        };
        if kind.opaque {
            return format!("{place}{input}: {reason}");
        }
        match kind.show(args) {
            shown if shown.is_empty() => format!("{place}{input}: {reason}"),
            shown => format!("{place}{input}: {reason}. Arguments: {shown}"),
        }
    }
}
