//! The hyperparameters of a layer as its user writes them.

use super::kind::{Inner, Kind};
use super::parameter::{Arity, EXPLICIT_PADDING, Parameter, UNSET};
use crate::Argument;

impl Kind {
    /// Flattened values by parameter, and those of each layer inside.
    #[allow(clippy::type_complexity)] // They are two lists of pairs.
    pub fn split<'a>(&'a self, args: &'a [i64]) -> (Vec<(&'a Parameter, &'a [i64])>, Vec<(&'a Inner, &'a [i64])>) {
        let mut rest = args;
        let mut take = |n: usize| {
            let (own, others) = rest.split_at(n);
            rest = others;
            own
        };
        let inside: usize = self.inner().iter().map(|inner| 1 + inner.len).sum();
        let fixed: usize = self.parameters.iter().map(Parameter::len).sum();
        let own = self.parameters.iter().map(|parameter| {
            let n = match parameter.arity {
                Arity::Any => args.len() - inside - fixed,
                _ => parameter.len(),
            };
            (parameter, take(n))
        });
        let own = own.collect();
        let inner = self.inner().iter().map(|inner| (inner, &take(1 + inner.len)[1..]));
        (own, inner.collect())
    }

    /// Flattened values as a Python user would write them, without those that are not set:
    /// `filters=64, kernel_size=(5, 5), ...`.
    pub fn show(&self, args: &[i64]) -> String {
        let (own, inner) = self.split(args);
        let set = |values: &[i64]| values.is_empty() || values.iter().any(|&value| value != UNSET);
        let own = own.into_iter().filter(|(_, values)| set(values));
        let own = own.map(|(parameter, values)| {
            let shown: Vec<_> = values.iter().map(|&value| parameter.show(value)).collect();
            match parameter.arity {
                Arity::One => format!("{}={}", parameter.name, shown[0]),
                _ => format!("{}=({})", parameter.name, shown.join(", ")),
            }
        });
        let mut texts: Vec<_> = own.collect();
        for same in inner.chunk_by(|(a, _), (b, _)| a.slot == b.slot) {
            let layers = same
                .iter()
                .map(|(inner, args)| format!("{}({})", inner.kind.name, inner.kind.show(args)));
            let layers = layers.collect::<Vec<_>>().join(", ");
            let slot = same[0].0.slot;
            texts.push(if slot.many {
                format!("{}=[{layers}]", slot.name)
            } else {
                format!("{}={layers}", slot.name)
            });
        }
        texts.join(", ")
    }

    /// Flattened values as their user writes them, by name: nothing where all of several are not set, and integers for
    /// `padding` where it is given so.
    pub fn arguments(&self, args: &[i64]) -> Vec<(String, Argument)> {
        let (own, inner) = self.split(args);
        let mut named: Vec<(String, Argument)> = Vec::new();
        let mut explicit = None;
        for (parameter, values) in own {
            let several = || values.iter().map(|&value| parameter.argument(value)).collect();
            let argument = match parameter.arity {
                Arity::One => parameter.argument(values[0]),
                _ if !values.is_empty() && values.iter().all(|&value| value == UNSET) => Argument::Unset,
                _ => Argument::Tuple(several()),
            };
            if parameter.name == EXPLICIT_PADDING {
                explicit = Some(argument);
            } else {
                named.push((parameter.name.to_owned(), argument));
            }
        }
        if let Some(Argument::Tuple(sides)) = explicit {
            let windows = ["kernel_size", "pool_size"];
            let window = named.iter().find(|(name, _)| windows.contains(&name.as_str()));
            let axes = match window {
                Some((_, Argument::Tuple(sizes))) => sizes.len(),
                _ => 1,
            };
            let padding = if sides.len() == axes {
                sides
            } else {
                sides.chunks(2).map(|pair| Argument::Tuple(pair.to_vec())).collect()
            };
            if let Some((_, known)) = named.iter_mut().find(|(name, _)| name == "padding") {
                *known = Argument::Tuple(padding);
            }
        }
        for same in inner.chunk_by(|(a, _), (b, _)| a.slot == b.slot) {
            let layers = same.iter().map(|(inner, args)| {
                let Inner { kind, .. } = inner;
                Argument::Layer(kind.name.to_string(), kind.arguments(args))
            });
            let mut layers: Vec<_> = layers.collect();
            let slot = same[0].0.slot;
            let argument = if slot.many {
                Argument::Tuple(layers)
            } else {
                layers.swap_remove(0)
            };
            named.push((slot.name.to_owned(), argument));
        }
        named
    }
}
