"""Prunes classifiers of digits in several ways to the same budget, and trains them on.

`python benches/pruning.py --table FILE` writes the table of docs/how-to/prune.md. It needs the extra `digits`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import keras
import numpy as np

import archbudget as ab
from archbudget import digits

if TYPE_CHECKING:
    from collections.abc import Callable

Importances = dict[str, np.ndarray]


def wide() -> Any:
    """A residual network with a block of depthwise convolutions, for images of 8x8."""
    layers = keras.layers

    def convolution(x: Any, filters: int, size: int = 3, strides: int = 1, activation: str | None = "relu") -> Any:
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        return layers.Activation(activation)(x) if activation else x

    inputs = keras.Input((8, 8, 1))
    x = convolution(inputs, 16)
    y = convolution(convolution(x, 16), 16, activation=None)
    x = layers.Activation("relu")(layers.Add()([x, y]))
    x = convolution(x, 32, strides=2)
    y = convolution(x, 64, 1)
    y = layers.Activation("relu")(
        layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y))
    )
    y = convolution(y, 32, 1, activation=None)
    x = layers.Add()([x, y])
    x = convolution(x, 32)
    x = layers.Dense(32, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def magnitude(model: Any) -> Importances:
    """The absolute weights that make each channel, divided by the mean of the layer."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D)):
            sums = np.abs(np.asarray(layer.kernel.value)).reshape(-1, layer.kernel.shape[-1]).sum(axis=0)
            found[layer.name] = sums / sums.mean()
    return found


def taylor(model: Any, images: np.ndarray, labels: np.ndarray, batch: int = 98) -> Importances:
    """How much the loss changes without a channel, to the first order, squared (Molchanov et al., CVPR 2019)."""
    trained = [each.value for each in model.trainable_variables]
    others = [each.value for each in model.non_trainable_variables]

    @jax.jit
    def gradients(trained: Any, images: Any, labels: Any) -> Any:
        def loss(values: Any) -> Any:
            found, _ = model.stateless_call(values, others, images, training=False)
            return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, found))

        return jax.grad(loss)(trained)

    places = {id(each): place for place, each in enumerate(model.trainable_variables)}
    kernels = {
        layer.name: places[id(layer.kernel)]
        for layer in model.layers
        if isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D))
    }
    found: Importances = {name: np.zeros(trained[place].shape[-1]) for name, place in kernels.items()}
    for start in range(0, len(images) // batch * batch, batch):
        slopes = gradients(trained, images[start : start + batch], labels[start : start + batch])
        for name, place in kernels.items():
            parts = np.asarray(trained[place] * slopes[place], np.float64)
            found[name] += parts.reshape(-1, parts.shape[-1]).sum(axis=0) ** 2
    return found


def greedy(space: ab.Space, budget: ab.Budget) -> ab.Architecture:
    """Takes the least important channel of all away until the rest fits: a threshold for the whole network."""
    widths = {name: max(decision.values) for name, decision in space.decisions.items()}
    losses = {}
    for name, decision in space.decisions.items():
        values = sorted(decision.values)
        sums = space.evaluate([{**widths, name: value} for value in values])["importance"]
        losses[name] = dict(zip(values[1:], np.diff(sums), strict=True))
    while True:
        arch = space.architecture(widths)
        if not budget.violations(arch.costs):
            return arch
        name = min(
            (each for each in widths if widths[each] in losses[each]), key=lambda each: losses[each][widths[each]]
        )
        widths[name] = max(value for value in space.decisions[name].values if value < widths[name])


def uniform(space: ab.Space, budget: ab.Budget) -> ab.Architecture:
    """All layers narrower by the same factor, the largest that fits."""
    for factor in np.linspace(1, 0, 1001):
        widths = {
            name: min(decision.values, key=lambda value: abs(value - factor * max(decision.values)))
            for name, decision in space.decisions.items()
        }
        arch = space.architecture(widths)
        if not budget.violations(arch.costs):
            return arch
    raise ValueError("nothing fits")


def exact(space: ab.Space, budget: ab.Budget) -> ab.Architecture:
    """The network that keeps most of the importance."""
    return space.within(budget).largest("importance")


WAYS: dict[str, Callable[[ab.Space, ab.Budget], ab.Architecture]] = {
    "exact": exact,
    "greedy threshold": greedy,
    "uniform scaling": uniform,
}


def accuracy(model: Any, part: digits.Part) -> float:
    found = model.predict(part.images, batch_size=len(part.images), verbose=0).argmax(axis=1)
    return float((found == part.digits).mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.25, 0.1])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--tune", type=int, default=5)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    train, _, test = digits.data()
    rows: dict[tuple[float, str], list[tuple[float, ...]]] = {}
    whole = []
    for seed in range(options.seeds):
        keras.utils.set_random_seed(seed)
        model = wide()
        digits.fit(model, train, options.epochs)
        whole.append(accuracy(model, test))
        described = ab.from_keras(model).vary({"conv*.filters": ab.scale(0.05, 1), "hidden.units": ab.scale(0.05, 1)})
        for title, importances in {
            "magnitude": magnitude(model),
            "Taylor": taylor(model, train.images, train.digits),
        }.items():
            space = described.with_metrics([ab.channel_importance(model, importances)])
            full = space.architecture({name: max(each.values) for name, each in space.decisions.items()})
            for share in options.shares:
                budget = ab.Budget(params=int(share * full.params), macs=int(share * full.macs))
                for way, chosen in WAYS.items():
                    start = time.perf_counter()
                    arch = chosen(space, budget)
                    seconds = time.perf_counter() - start
                    pruned = ab.prune_channels(model, arch, importances)
                    before = accuracy(pruned, test)
                    digits.fit(pruned, train, options.tune)
                    kept = arch.costs["importance"] / full.costs["importance"]
                    row = (
                        before,
                        accuracy(pruned, test),
                        kept,
                        arch.params / share / full.params,
                        arch.macs / share / full.macs,
                    )
                    rows.setdefault((share, f"{title}, {way}"), []).append((*row, seconds))
                    print(seed, share, title, way, *(f"{each:.3f}" for each in (*row, seconds)), flush=True)
                    keras.backend.clear_session()
        text = table(rows, whole)
        if options.table:
            options.table.write_text(text + "\n", encoding="utf-8")
    print(text)


def table(rows: dict[tuple[float, str], list[tuple[float, ...]]], whole: list[float]) -> str:
    """The means of all seeds, with the standard deviation of the accuracy in the end."""
    lines = [
        f"{len(whole)} wide networks, {np.mean(whole):.2%} on average:",
        "",
        "| budget | way | before | after training on | importance kept | of the budget: params, MACs |",
        "|---|---|---|---|---|---|",
    ]
    for (share, way), found in rows.items():
        mean = np.mean(found, axis=0)
        spread = np.std(found, axis=0, ddof=1) if len(found) > 1 else np.zeros(len(mean))
        lines.append(
            f"| {share:.0%} | {way} | {mean[0]:.1%} | {mean[1]:.2%} ± {spread[1]:.2%} | {mean[2]:.1%} | "
            f"{mean[3]:.0%}, {mean[4]:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
