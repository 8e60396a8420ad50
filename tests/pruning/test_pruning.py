"""Pruned models compute what the models that they are made of do without some channels; on random networks."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import archbudget as ab

keras = pytest.importorskip("keras")
L = keras.layers

EVEN = ["tanh", "leaky_relu", "silu", "linear", "softsign"]
"""Activations that make 0 of 0, and of nothing else."""


class Drawn:
    """A random network: its groups are the layers that give the same channels."""

    def __init__(self, seed: int, ends: tuple[str, ...] = ("flat", "pooled", "rows")) -> None:
        self.random = random.Random(seed)
        self.ends = ends
        self.groups: list[tuple[list[str], int, int]] = []
        """Names of layers, their channels, and in how many parts equally many are kept."""
        keras.utils.set_random_seed(seed)
        self.input = keras.Input((8, 8, 3))
        self.model = keras.Model(self.input, self.network(self.input))
        generator = np.random.default_rng(seed)
        for weight in self.model.weights:
            is_variance = "variance" in weight.name
            drawn = generator.uniform(0.5, 1.5, weight.shape) if is_variance else generator.normal(0, 0.4, weight.shape)
            weight.assign(drawn.astype("float32"))

    def name(self) -> str:
        return f"maker_{sum(len(names) for names, _, _ in self.groups)}"

    def convolution(self, x: Any, group: int | None = None, parts: int = 1, **options: Any) -> tuple[Any, int]:
        """A convolution of any kind, of a new group or of one that there is."""
        name = self.name()
        if group is None:
            self.groups.append(([name], self.random.choice([4, 6, 8]) // parts * parts, parts))
            group = len(self.groups) - 1
        else:
            self.groups[group][0].append(name)
        width = self.groups[group][1]
        kinds = [L.Conv2D, L.SeparableConv2D, L.Conv2DTranspose] if not options else [L.Conv2D]
        options = {"padding": "same", "use_bias": self.random.random() < 0.6, "name": name, **options}
        size = options.pop("kernel_size", self.random.choice([1, 3]))
        return self.random.choice(kinds)(width, size, **options)(x), group

    def around(self, x: Any) -> Any:
        """Layers that give the channels that they read."""
        for _ in range(self.random.randrange(3)):
            x = self.random.choice(
                [
                    lambda x: L.BatchNormalization()(x),
                    lambda x: L.Activation(self.random.choice(EVEN))(x),
                    lambda x: L.DepthwiseConv2D(3, padding="same", use_bias=self.random.random() < 0.5)(x),
                    lambda x: L.PReLU(shared_axes=self.random.choice([None, [1, 2]]))(x),
                    lambda x: L.ZeroPadding2D(1)(L.Cropping2D(1)(x)),
                    lambda x: L.UpSampling2D(2)(L.AveragePooling2D(2)(x)),
                    lambda x: L.SpatialDropout2D(0.1)(L.Permute((2, 1, 3))(x)),
                    lambda x: keras.ops.tanh(x),
                ]
            )(x)
        return x

    def network(self, x: Any) -> Any:
        x, group = self.convolution(x)
        groups: list[int] = [group]
        """The groups that the channels of `x` are, one behind the other."""
        for _ in range(self.random.randrange(1, 5)):
            x = self.around(x)
            kind = self.random.choice(["plain", "residual", "concatenated", "gated", "grouped", "multiplied", "nested"])
            if kind == "residual" and len(groups) == 1:
                y, _ = self.convolution(x)
                y, _ = self.convolution(self.around(y), groups[0])
                x = L.Add()([x, y]) if self.random.random() < 0.5 else x + y
            elif kind == "concatenated":
                y, group = self.convolution(x)
                x, groups = L.Concatenate()([x, self.around(y)]), [*groups, group]
            elif kind == "gated":
                if len(groups) > 1:
                    continue
                pooled = L.GlobalAveragePooling2D(keepdims=True)(x)
                inner, _ = self.convolution(pooled, activation=self.random.choice(EVEN), kernel_size=1, padding="valid")
                gate, _ = self.convolution(inner, groups[0], kernel_size=1, padding="valid")
                x = L.Multiply()([x, gate])
            elif kind == "grouped":
                x, group = self.convolution(x)
                names, width, _ = self.groups[group]
                if width % 2 == 0:
                    self.groups[group] = (names, width, 2)
                    x, group = self.convolution(self.around(x), parts=2, groups=2)
                groups = [group]
            elif kind == "multiplied":
                x = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
                x, group = self.convolution(x)
                groups = [group]
            elif kind == "nested":
                inside = keras.Input(x.shape[1:])
                y, group = self.convolution(inside)
                x, groups = keras.Model(inside, self.around(y))(x), [group]
            else:
                x, group = self.convolution(x)
                groups = [group]
        end = self.random.choice(self.ends)
        if end == "flat":
            x = L.Flatten()(L.MaxPooling2D(4)(x))
        elif end == "pooled":
            x = L.GlobalMaxPooling2D()(L.Activation("tanh")(x))
        elif end == "reshaped":
            x = L.Reshape((-1, x.shape[-1]))(x)
            x = L.Flatten()(L.AveragePooling1D(8)(x))
        elif len(groups) == 1:
            x = L.GlobalAveragePooling1D()(L.Reshape((x.shape[1] * x.shape[2], x.shape[-1]))(x))
        else:
            x = L.GlobalAveragePooling2D()(x)
        name = self.name()
        self.groups.append(([name], 6, 1))
        x = L.Dense(6, name=name, activation=self.random.choice(EVEN))(x)
        return L.Dense(3, name="last", activation="softmax")(L.Dropout(0.2)(x))

    def kept(self) -> list[list[int]]:
        """Some channels of each group."""
        found = []
        for _, width, parts in self.groups:
            size = width // parts
            count = self.random.randint(1, size)
            found.append(
                [p * size + each for p in range(parts) for each in sorted(self.random.sample(range(size), count))]
            )
        return found

    def layers(self, model: Any = None) -> dict[str, Any]:
        """The layers by their names, those of models within among them."""
        found = {}
        for layer in (model or self.model).layers:
            found |= self.layers(layer) if isinstance(layer, keras.Model) else {layer.name: layer}
        return found

    def without(self, kept: list[list[int]]) -> None:
        """Makes 0 of all that the channels are that are not kept, in the model itself."""
        layers = self.layers()
        for (names, width, _), own in zip(self.groups, kept, strict=True):
            lost = sorted(set(range(width)) - set(own))
            for name in names:
                layer = layers[name]
                is_transposed = isinstance(layer, L.Conv2DTranspose)
                kernel = layer.pointwise_kernel if isinstance(layer, L.SeparableConv2D) else layer.kernel
                values = kernel.numpy().copy()
                values[(..., lost, slice(None)) if is_transposed else (..., lost)] = 0
                kernel.assign(values)
                if layer.bias is not None:
                    layer.bias.assign(np.where(np.isin(np.arange(width), lost), 0, layer.bias.numpy()))

    def silenced(self) -> None:
        """What layers between add to channels that are 0 becomes 0: which these are is seen in what is computed."""
        added = [
            (layer, weight)
            for layer in self.layers().values()
            for weight in {
                "BatchNormalization": [getattr(layer, "beta", None), getattr(layer, "moving_mean", None)],
                "DepthwiseConv2D": [getattr(layer, "bias", None)],
            }.get(type(layer).__name__, [])
            if weight is not None
        ]
        before = [weight.numpy() for _, weight in added]
        for _, weight in added:
            weight.assign(np.zeros(weight.shape))
        seen = {}
        for layer in {layer.name: layer for layer, _ in added}.values():
            holder = next(model for model in self.models(self.model) if layer in model.layers)
            part = keras.Model(holder.inputs, layer.output)
            seen[layer.name] = (
                np.abs(np.array(part(images(9, holder.inputs[0].shape[1:])))).reshape(-1, layer.output.shape[-1]).max(0)
            )
        for (layer, weight), old in zip(added, before, strict=True):
            weight.assign(np.where(self.is_silent(layer, seen), 0, old))

    def models(self, model: Any) -> list[Any]:
        inner = [each for layer in model.layers if isinstance(layer, keras.Model) for each in self.models(layer)]
        return [model, *inner]

    def is_silent(self, layer: Any, seen: dict[str, Any]) -> Any:
        return seen[layer.name] == 0


def images(seed: int, shape: tuple[int, ...] = (8, 8, 3)) -> Any:
    return np.random.default_rng(seed).normal(size=(5, *shape)).astype("float32")


def outputs(model: Any) -> Any:
    return np.array(model(images(7)))


@pytest.mark.parametrize("seed", range(60))
def test_a_pruned_model_computes_the_same_without_some_channels(seed: int) -> None:
    drawn = Drawn(seed, ("flat", "pooled", "reshaped", "rows"))
    kept = drawn.kept()
    pruned = ab.prune_channels(
        drawn.model, {drawn.random.choice(names): own for (names, _, _), own in zip(drawn.groups, kept, strict=True)}
    )
    widths = {name: len(own) for (names, _, _), own in zip(drawn.groups, kept, strict=True) for name in names}
    made = drawn.layers(pruned)
    assert {name: made[name].output.shape[-1] for name in widths} == widths
    drawn.without(kept)
    drawn.silenced()
    assert np.allclose(outputs(pruned), outputs(drawn.model), atol=1e-5)
    whole = ab.prune_channels(drawn.model, {})
    assert np.array_equal(outputs(whole), outputs(drawn.model))
    assert whole is not drawn.model


def varied(drawn: Drawn) -> Any:
    """The space of all widths of a random network."""
    space = ab.from_keras(drawn.model)
    kinds = {
        record.arguments.get("filters") is not None for record in space.architecture().layers if "maker" in record.name
    }
    changes = {"maker_*.units": ab.scale(0.2, 1)}
    if True in kinds:
        changes["maker_*.filters"] = ab.scale(0.2, 1)
    return space.vary(changes)


@pytest.mark.parametrize("seed", range(100, 140))
def test_channels_that_are_zero_go_first_and_change_nothing(seed: int) -> None:
    drawn = Drawn(seed)
    space = varied(drawn)
    arch = space.sample(1, seed=seed)[0]
    widths = {record.name: record.output_shape[-1] for record in arch.layers}
    kept = []
    for names, width, parts in drawn.groups:
        size, count = width // parts, widths[names[0]] // parts
        kept.append([p * size + each for p in range(parts) for each in drawn.random.sample(range(size), count)])
    drawn.without(kept)
    drawn.silenced()
    pruned = ab.prune_channels(drawn.model, arch)
    assert (pruned.count_params(), pruned.output_shape) == (arch.params, drawn.model.output_shape)
    assert np.allclose(outputs(pruned), outputs(drawn.model), atol=1e-5)
    whole = space.architecture({name: max(each.values) for name, each in space.decisions.items()})
    assert np.array_equal(outputs(ab.prune_channels(drawn.model, whole)), outputs(drawn.model))


@pytest.mark.parametrize("seed", range(200, 215))
def test_the_metric_is_the_importance_that_is_kept(seed: int) -> None:
    drawn = Drawn(seed)
    generator = np.random.default_rng(seed)
    importances = {name: generator.random(width) for names, width, _ in drawn.groups for name in names}
    space = varied(drawn).with_metrics([ab.channel_importance(drawn.model, importances)])
    for arch in space.sample(5, seed=seed):
        widths = {record.name: record.output_shape[-1] for record in arch.layers}
        expected = 0.0
        for names, width, parts in drawn.groups:
            sums = np.sum([importances[name] for name in names], axis=0).reshape(parts, width // parts)
            expected += np.sort(sums, axis=1)[:, ::-1][:, : widths[names[0]] // parts].sum()
        whole = sum(each.sum() for each in importances.values())
        assert abs(arch.costs["importance"] - expected) < 1e-7 * whole
