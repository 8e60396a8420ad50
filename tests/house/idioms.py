"""What people write every day: it runs, and `mypy --strict` takes it. `tests/house/test_types.py` does both."""

from __future__ import annotations

import numpy as np
import optuna

import archbudget as ab
from archbudget import layers

# Keras' idiom: one name for each tensor in turn.
x = layers.Input((8,))
inputs = x
x = layers.Dense(4)(x)
x = layers.Dense(ab.Int("units", 1, 4), activation="relu")(x)
x = layers.Dropout(0.5)(x)
chain = ab.Space(inputs=inputs, outputs=x)

image = layers.Input((28, 28, 1))
y = layers.Conv2D(ab.Choice("filters", [8, 16]), 3, padding="same")(image)
shortcut = y
y = layers.BatchNormalization()(y)
y = layers.Add()([y, shortcut])
y = ab.InputChoice("source")([y, shortcut])
y = ab.OneOf("op", [layers.ReLU(), layers.Identity()])(y)
y = ab.Repeat(ab.Int("depth", 0, 2), [layers.Conv2D(8, 3), layers.ReLU()])(y)
y = layers.GlobalAveragePooling2D()(y)
outputs = layers.Dense(10)(y)
graph = ab.Space(inputs=image, outputs=outputs)
graph = ab.Space(inputs=[image], outputs=[outputs, y])
sequence = layers.Input((5, 3))
steps, hidden, cell = layers.LSTM(4, return_sequences=True, return_state=True)(sequence)
recurrent = ab.Space(inputs=sequence, outputs=[steps, hidden, cell])

# Lists of blocks of several kinds, in variables.
blocks = [layers.Input((8,)), layers.Dense(3), ab.Repeat(2, layers.Dense(4)), ab.Residual([layers.Dense(4)])]
space = ab.Space(blocks)
body = [layers.Dense(8), layers.ReLU()]
space = ab.Space([layers.Input((8,)), *body, layers.Dense(1)])
space = ab.Space([layers.Input((8,)), body, layers.Dense(1)])
space = ab.Space((layers.Input((8,)), layers.Dense(3)))
more: list[layers.Block] = [layers.Input((8,))]
more.append(layers.Dense(3))
more += [layers.ReLU(), ab.Repeat(3, layers.Dense(4))]
for units in (8, 16):
    more.append(layers.Dense(units))
space = ab.Space(more)
cells = [layers.Dense(4), layers.Dense(8)]
space = ab.Space([layers.Input((8,)), ab.OneOf("op", cells), ab.OneOf("two", {"a": layers.Dense(3), "b": []})])

# Decisions and expressions.
width = ab.Int("width", 8, 64, step=8)
kernel = ab.Choice("kernel", [1, 3])
norm = ab.Choice("norm", ["batch", "none"])
share = ab.Choice("share", [0.5, 1.0])
space = ab.Space(
    [
        layers.Input((32, 32, 3)),
        layers.Conv2D(width * 2 + 1, kernel, padding=kernel // 2, use_bias=ab.equal(norm, "none")),
        layers.Conv2D(ab.round_to(width * 2, 8), (kernel, 3), strides=2, use_bias=(norm == "none")),
        layers.Dropout(ab.Choice("rate", [0.1, 0.5])),
        layers.Flatten(),
        layers.Dense(share.map(lambda value: int(64 * value))),
    ],
    constraints=[width <= 56, ab.either(width < 16, width > 24), ab.both(width >= 8, kernel <= 3)],
)
values = [value * 2 for value in space.decisions["width"].values]

# One network.
arch = space.architecture(width=32, kernel=3, norm="none", rate=0.5, share=1.0)
double: int = arch["width"] * 2
half: int = arch["width"] // 2
word: str = arch["norm"]
large = arch["width"] > 3 and arch["share"] * 2 > 1
params: int = arch.params
macs: int = arch.costs["macs"]
sizes: dict[str, int] = {layer.name: layer.params for layer in arch.layers}

# What fits.
budget = ab.Budget(params=60_000_000, macs=(1, None))
fits = space.within(budget)
said = f"{fits.count():,} of {space.size:,}: {fits.fraction():.1%}, {fits.bounds():,}, {fits.bounds() / space.size:.1%}"
number: int = fits.count()
part: float = fits.fraction()
scaled: ab.Bounds[int] = fits.bounds() * 2
portion: ab.Bounds[float] = fits.bounds() / 3
summed: ab.Bounds[int] = 2 * fits.bounds() + 1
lower: int = fits.bounds().lower
some: ab.Candidates = fits[:10]
first: ab.Architecture = fits[0]
if fits and fits.bounds() <= 10**9 and first in fits and len(fits) > 3:
    totals = [each.params for each in fits] + [each.macs for each in space]
likely = {value: chance * value for value, chance in fits.marginals()["width"].items()}
pruned: ab.Space = fits.prune()

# Batches.
drawn = fits.sample(10, seed=0, replace=False)
indices = np.asarray(drawn)
columns = drawn.values()
best = max(drawn, key=lambda each: each.params)
counts = space.evaluate(drawn)
heaviest = int(counts["params"].max())
counts = space.evaluate(columns, ["params"])
counts = space.evaluate(np.zeros((3, 5), dtype=np.uint8))


# Searches.
def objective(trial: optuna.Trial) -> float:
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    return space.suggest(trial).params * rate


study = optuna.create_study(sampler=ab.BudgetSampler(space, budget))
study.optimize(objective, n_trials=2)
winner: ab.Architecture = space.best(study)
winners = [space.from_trial(trial) for trial in study.trials]


def score(arch: ab.Architecture) -> float:
    return float(arch.params)


def scores(arch: ab.Architecture, trial: optuna.Trial) -> tuple[float, float]:
    return float(arch.params), float(trial.number)


study = ab.search(space, score, budget, n_trials=2)
study = ab.search(space, lambda arch: arch.params, budget, 2)
study = ab.search(space, scores, budget, n_trials=2, directions=["minimize", "maximize"])


# Own layers and metrics.
@layers.custom
def scale(input_shape: tuple[int, ...], *, factor: int = 1) -> layers.Counts:
    return layers.Counts(input_shape, trainable_params=input_shape[-1] * factor)


latency = ab.Metric("latency", lambda layer: layer.macs // 10)
measured: ab.Space = ab.Space([layers.Input((8,)), scale(factor=2), layers.Dense(4)]).with_metrics([latency])
