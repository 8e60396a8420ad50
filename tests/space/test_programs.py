"""Eight programs as users write them: a space, what fits, a search, the best network, a table and a file."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

import archbudget as ab
from archbudget import layers

optuna.logging.set_verbosity(optuna.logging.WARNING)


def kept(space: ab.Space, folder: Path) -> ab.Space:
    """The space, read back from its file."""
    space.save(folder / "space.yaml")
    return ab.Space.load(folder / "space.yaml")


def brute_force(space: ab.Space, budget: dict[str, int]) -> int:
    """How many networks fit, one by one."""
    return sum(all(getattr(arch, metric) <= most for metric, most in budget.items()) for arch in space)


def best_of(space: ab.Space, budget: ab.Budget, objective: Any, n_trials: int = 12) -> ab.Architecture:
    """The largest of a short search, all trials of which have the totals that their table is evaluated to."""
    study = ab.search(space, objective, budget, n_trials=n_trials, direction="maximize", seed=0)
    best = space.best(study)
    trials = study.trials_dataframe()
    assert space.evaluate(trials)["params"].tolist() == trials["user_attrs_params"].tolist()
    assert objective(best) == study.best_value == trials["value"].max()
    assert space.from_trial(study.best_trial) == space.architecture(study.best_params) == best
    assert best in space.within(budget)
    return best


def from_table(space: ab.Space, candidates: ab.Candidates, folder: Path) -> None:
    """Decisions and costs side by side go through pandas and a file, and each row is its network again."""
    counts = space.evaluate(candidates)
    table = candidates.to_pandas().join(counts.to_pandas())
    table.to_csv(folder / "table.csv", index=False)
    read = pd.read_csv(folder / "table.csv", keep_default_na=False, na_values=[""])
    for given in (table, read, table.sort_values("macs").sort_index()):
        np.testing.assert_array_equal(space.evaluate(given)["macs"], counts["macs"])
    rows = [row for _, row in table.head(5).iterrows()]
    assert [space.architecture(row) for row in rows] == list(candidates[:5])
    assert all(row in space.within(ab.Budget(params=int(row["params"]))) for row in rows)
    assert not any(row in space.within(ab.Budget(params=int(row["params"]) - 1)) for row in rows)


def test_tensors_are_merged_by_operators() -> None:
    x = layers.Input((4,))
    h = layers.Dense(4)(x)
    merged = ab.Space(inputs=x, outputs=(x + h) * (h - x))
    by_layers = layers.Multiply()([layers.Add()([x, h]), layers.Subtract()([h, x])])
    assert merged == ab.Space(inputs=x, outputs=by_layers)
    for refused in (lambda: x * 2, lambda: 1 + h, lambda: h - np.int64(1)):
        with pytest.raises(ab.errors.SpaceError, match=r"merges two tensors.*layers\.Rescaling"):
            refused()


def test_ordinary_slips_are_answered_with_what_is_right() -> None:
    x, norm = layers.Input((4,)), ab.Choice("norm", ["batch", "none"])
    slips: dict[str, Any] = {
        r"Space\(inputs=x, outputs=y\)": lambda: ab.Space(x, layers.Dense(2)(x)),  # type: ignore[misc, arg-type]
        r"no layer is an empty list, \[\]": lambda: ab.OneOf("norm", {"yes": layers.ReLU(), "no": None}),  # type: ignore[dict-item]
        "give each value of a decision its block": lambda: ab.OneOf(norm == "batch", {True: [], False: []}),  # type: ignore[arg-type]
        "each side of a tuple may be a decision": lambda: ab.Choice("kernel", [(3, 3), (1, 3)]),  # type: ignore[list-item]
        "there are blocks$": lambda: layers.Sequential([], name="encoder"),  # type: ignore[call-arg]
    }
    for message, slip in slips.items():
        with pytest.raises(ab.errors.SpaceError, match=message):
            slip()


def test_a_row_may_hold_metrics_and_keywords_may_not() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 9))])
    assert space.architecture({"units": 3, "params": 15, "valid": True}).params == 15
    with pytest.raises(ab.errors.SpaceError, match="'params'"):
        space.architecture(units=3, params=15)
    with pytest.raises(ab.errors.SpaceError, match=r"'unit'.*units"):
        space.architecture({"unit": 3, "units": 3})


def test_a_seed_of_a_sampler_makes_a_study_again() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("a", 1, 99)), layers.Dense(ab.Int("b", 1, 99))])
    budget = ab.Budget(params=5_000)

    def taken(seed: int) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=ab.BudgetSampler(space, budget, seed=seed))
        study.optimize(lambda trial: space.suggest(trial).params, n_trials=15)
        return [trial.params for trial in study.trials]

    assert taken(3) == taken(3) != taken(4)
    with pytest.raises(ab.errors.SpaceError, match=r"TPESampler\(seed=3\)"):
        ab.BudgetSampler(space, budget, base=optuna.samplers.TPESampler(), seed=3)
    with pytest.raises(ab.errors.SpaceError, match="seed must be None or an integer of at least 0, not -1"):
        ab.BudgetSampler(space, budget, seed=-1)


def test_keyword_spotter_in_64_kb_of_flash_and_32_kb_of_sram(tmp_path: Path) -> None:
    width, kernel = ab.Int("width", 16, 128, step=8), ab.Choice("kernel", [3, 5])
    norm = [layers.BatchNormalization(), layers.ReLU()]
    space = ab.Space(
        [
            layers.Input((49, 10, 1)),
            layers.Conv2D(width, (10, 4), strides=(2, 2), padding="same", use_bias=False),
            *norm,
            ab.Repeat(
                ab.Int("depth", 1, 4),
                [
                    layers.DepthwiseConv2D(kernel, padding="same", use_bias=False),
                    layers.BatchNormalization(),
                    layers.ReLU(),
                    layers.Conv2D(width, 1, use_bias=False),
                    layers.BatchNormalization(),
                    layers.ReLU(),
                ],
                shared=["width"],
            ),
            layers.GlobalAveragePooling2D(),
            layers.Dense(12, activation="softmax"),
        ],
        bytes_per_weight=1,
        bytes_per_activation=1,
    )
    limits = {"weight_bytes": 64 * 1024, "peak_activation_bytes": 32 * 1024}
    budget = ab.Budget(**limits)
    fits = space.within(budget)
    assert space.size == 15 * sum(2**depth for depth in range(1, 5))
    assert fits.count() == brute_force(space, limits)

    def weights(width: int, *kernels: int) -> int:
        blocks = sum((kernel * kernel + width + 8) * width for kernel in kernels)
        return (10 * 4 + 4) * width + blocks + (width + 1) * 12

    best = best_of(space, budget, lambda arch: arch.macs)
    assert best.weight_bytes == weights(
        best["width"], *(best[f"kernel_{number + 1}"] for number in range(best["depth"]))
    )
    # A convolution reads one map of 25 x 5 and makes another.
    assert best.peak_activation_bytes == 2 * 25 * 5 * best["width"] <= limits["peak_activation_bytes"]
    assert best.to_keras().count_params() == best.params
    assert kept(space, tmp_path) == space
    assert kept(space, tmp_path).within(budget).count() == fits.count()
    from_table(space, fits.sample(40, seed=0), tmp_path)


def test_residual_network_with_depths_and_widths(tmp_path: Path) -> None:
    width, norm = ab.Choice("width", [4, 8, 16]), ab.Choice("norm", ["batch", "none"])
    depths = [ab.Int(f"depth{stage}", 1, 3) for stage in range(3)]

    def convolution(filters: Any, kernel: int = 3, strides: int = 1) -> list[Any]:
        return [
            layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=norm == "none"),
            ab.OneOf(norm, {"batch": layers.BatchNormalization(), "none": []}),
        ]

    def block(filters: Any, strides: int = 1) -> list[Any]:
        body = [*convolution(filters, strides=strides), layers.ReLU(), *convolution(filters)]
        shortcut = [] if strides == 1 else convolution(filters, 1, strides)
        return [ab.Residual(body, shortcut=shortcut), layers.ReLU()]

    shared = ["width", "norm"]
    space = ab.Space(
        [
            layers.Input((32, 32, 3)),
            *convolution(width),
            layers.ReLU(),
            ab.Repeat(depths[0], block(width), shared=shared),
            block(width * 2, strides=2),
            ab.Repeat(depths[1] - 1, block(width * 2), shared=shared),
            block(width * 4, strides=2),
            ab.Repeat(depths[2] - 1, block(width * 4), shared=shared),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ],
        constraints=[depths[0] <= depths[1]],
    )
    limits = {"params": 100_000, "macs": 20_000_000}
    budget = ab.Budget(**limits)
    assert space.size == 3 * 2 * (6 * 3)
    assert space.within(budget).count() == brute_force(space, limits)

    # ResNet-20 of He et al. has 269,722 weights, and shortcuts without any; here two of them are projections.
    resnet_20 = space.architecture(width=16, norm="batch", depth0=3, depth1=3, depth2=3)
    assert resnet_20.trainable_params == 269_722 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    assert resnet_20.to_keras().count_params() == resnet_20.params

    def objective(trial: optuna.Trial) -> float:
        arch = space.suggest(trial)
        return arch.params * (1 - trial.suggest_float("rate", 1e-4, 1e-1, log=True))

    study = optuna.create_study(direction="maximize", sampler=ab.BudgetSampler(space, budget, seed=0))
    study.optimize(objective, n_trials=15)
    best = space.best(study)
    assert best.params == study.best_trial.user_attrs["params"] <= limits["params"]
    with pytest.raises(ab.errors.SpaceError, match=r"'rate'.*from_trial\(trial\) or best\(study\)"):
        space.architecture(study.best_params)
    assert kept(space, tmp_path) == space
    from_table(space, space.sample(40, seed=0), tmp_path)


@pytest.mark.parametrize("grouped", [False, True])
def test_causal_decoder_with_tied_embeddings(grouped: bool, tmp_path: Path) -> None:
    vocabulary, context = 8_000, 64
    dim, heads = ab.Int("dim", 64, 384, step=64), ab.Choice("heads", [2, 4, 8])
    groups, depth = ab.Choice("groups", [1, 2, 4]), ab.Int("depth", 1, 8)

    constraints = [groups <= heads] if grouped else []

    def attention(**options: Any) -> layers.Layer:
        if grouped:
            return layers.GroupQueryAttention(dim // heads, heads, groups, use_bias=False, **options)
        return layers.MultiHeadAttention(heads, dim // heads, use_bias=False, **options)

    def feed_forward() -> layers.Sequential:
        return layers.Sequential([layers.Dense(dim * 4, activation="gelu"), layers.Dense(dim)])

    def unrolled(depth: int) -> ab.Space:
        table, tokens = layers.ReversibleEmbedding(vocabulary, dim), layers.Input((context,), dtype="int32")
        x = table(tokens)
        for _ in range(depth):
            h = layers.LayerNormalization()(x)
            x = x + attention()(query=h, value=h, use_causal_mask=True)
            x = x + feed_forward()(layers.LayerNormalization()(x))
        logits = table(layers.LayerNormalization()(x), reverse=True)
        return ab.Space(inputs=tokens, outputs=logits, constraints=constraints)

    def repeated() -> ab.Space:
        table, tokens = layers.ReversibleEmbedding(vocabulary, dim), layers.Input((context,), dtype="int32")
        block = [
            ab.Residual([layers.LayerNormalization(), attention(use_causal_mask=True)]),
            ab.Residual([layers.LayerNormalization(), feed_forward()]),
        ]
        shared = ["dim", "heads", *(["groups"] if grouped else [])]
        x = layers.LayerNormalization()(ab.Repeat(depth, block, shared=shared)(table(tokens)))
        return ab.Space(inputs=tokens, outputs=table(x, reverse=True), constraints=constraints)

    def weights(dim: int, depth: int, heads: int, groups: int) -> int:
        attention = 2 * dim * dim + 2 * dim * groups * (dim // heads)
        return vocabulary * dim + depth * (attention + 4 * dim + 8 * dim * dim + 5 * dim) + 2 * dim

    space, budget = repeated(), ab.Budget(params=10_000_000)
    pairs = [(many, few) for many in (2, 4, 8) for few in ((1, 2, 4) if grouped else (many,)) if few <= many]
    expected = [
        weights(wide, deep, many, few) for wide in range(64, 385, 64) for deep in range(1, 9) for many, few in pairs
    ]
    fits = space.within(budget)
    assert space.size == len(expected)
    assert fits.count() == sum(count <= 10_000_000 for count in expected)
    largest = fits.largest("params")
    assert largest.params == max(count for count in expected if count <= 10_000_000)
    assert largest.layers[-1].macs == context * largest["dim"] * vocabulary

    graph = unrolled(2)
    assert {arch.params for arch in graph} == {arch.params for arch in space if arch["depth"] == 2}
    small = graph.within(budget).smallest("params")
    assert small.to_keras().count_params() == small.params
    best_of(space, budget, lambda arch: arch.params)
    assert kept(graph, tmp_path) == graph
    assert kept(space, tmp_path) == space
    from_table(space, fits.sample(30, seed=0), tmp_path)


def test_widths_of_a_u_net(tmp_path: Path) -> None:
    widths = [ab.Int(f"width{level}", 8, 64, step=8) for level in range(4)]

    def double(x: Any, width: Any) -> Any:
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        return x

    inputs = x = layers.Input((64, 64, 3))
    skips: list[Any] = []
    for width in widths[:-1]:
        skips.append(double(x, width))
        x = layers.MaxPooling2D()(skips[-1])
    x = double(x, widths[-1])
    for width, skip in zip(reversed(widths[:-1]), reversed(skips), strict=True):
        x = double(layers.Concatenate()([layers.Conv2DTranspose(width, 2, strides=2)(x), skip]), width)
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(x)
    rising = [low <= high for low, high in pairwise(widths)]
    space = ab.Space(inputs=inputs, outputs=outputs, constraints=rising)

    def weights(*widths: int) -> int:
        total, channels = 0, 3
        for width in widths:
            total += (9 * channels + 1 + 9 * width + 1) * width
            channels = width
        for width in reversed(widths[:-1]):
            total += (4 * channels + 1) * width + (9 * 2 * width + 1 + 9 * width + 1) * width
            channels = width
        return total + channels + 1

    shapes = [each for each in product(range(8, 65, 8), repeat=4) if list(each) == sorted(each)]
    fits = space.within(ab.Budget(params=100_000))
    assert space.size == len(shapes) == 330
    assert fits.count() == sum(weights(*each) <= 100_000 for each in shapes)
    counts = space.evaluate({f"width{level}": column for level, column in enumerate(zip(*shapes, strict=True))})
    assert counts["params"].tolist() == [weights(*each) for each in shapes]
    limits = {"params": 100_000, "peak_activation_bytes": 2 * 2**20}
    assert space.within(ab.Budget(**limits)).count() == brute_force(space, limits)
    best = best_of(space, ab.Budget(**limits), lambda arch: arch.macs)
    assert best.to_keras().count_params() == best.params
    assert kept(space, tmp_path) == space
    from_table(space, fits.sample(40, seed=0), tmp_path)


def test_tagger_in_both_directions_with_a_choice_of_vocabulary(tmp_path: Path) -> None:
    cell = ab.Choice("cell", ["lstm", "gru"])
    units = ab.Int("units", 16, 64, step=16)
    space = ab.Space(
        [
            layers.Input((40,), dtype="int32"),
            layers.Embedding(ab.Choice("vocabulary", [5_000, 10_000, 20_000]), ab.Int("embed", 16, 64, step=16)),
            layers.SpatialDropout1D(ab.Choice("rate", [0.0, 0.1, 0.3])),
            ab.Repeat(
                ab.Int("depth", 1, 2),
                ab.OneOf(
                    cell,
                    {
                        "lstm": layers.Bidirectional(layers.LSTM(units, return_sequences=True)),
                        "gru": layers.Bidirectional(layers.GRU(units, return_sequences=True)),
                    },
                ),
                shared=["cell", "units"],
            ),
            layers.TimeDistributed(layers.Dense(17, activation="softmax")),
        ]
    )

    def weights(vocabulary: int, embed: int, depth: int, cell: str, units: int) -> int:
        total, features = vocabulary * embed, embed
        for _ in range(depth):
            gates = 4 * (features + units + 1) if cell == "lstm" else 3 * (features + units + 2)
            total, features = total + 2 * gates * units, 2 * units
        return total + (features + 1) * 17

    sides = ([5_000, 10_000, 20_000], range(16, 65, 16), [1, 2], ["lstm", "gru"], range(16, 65, 16))
    expected = [weights(*each) for each in product(*sides)]
    fits = space.within(ab.Budget(params=300_000))
    assert space.size == len(space) == 3 * len(expected)
    assert fits.count() == 3 * sum(count <= 300_000 for count in expected)
    assert fits.marginals()["rate"] == pytest.approx({0.0: 1 / 3, 0.1: 1 / 3, 0.3: 1 / 3})
    best = best_of(space, ab.Budget(params=300_000), lambda arch: -abs(arch.params - 250_000))
    assert best.params == weights(*(best[name] for name in ("vocabulary", "embed", "depth", "cell", "units")))
    assert best.to_keras().count_params() == best.params
    assert kept(space, tmp_path) == space
    from_table(space, fits.sample(40, seed=0), tmp_path)


def test_siamese_network_with_a_branch_for_a_table(tmp_path: Path) -> None:
    filters, embed = ab.Choice("filters", [8, 16, 32]), ab.Int("embed", 8, 32, step=8)
    cells, hidden = ab.Int("cells", 8, 32, step=8), ab.Choice("hidden", [16, 32, 64])
    encoder = layers.Sequential(
        [
            layers.Conv2D(filters, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(filters * 2, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(embed),
        ]
    )
    left, right, table = layers.Input((32, 32, 1)), layers.Input((32, 32, 1)), layers.Input((12,))
    a, b = encoder(left), encoder(right)
    x = layers.Concatenate()([a - b, a * b, layers.Dot(axes=1)([a, b]), layers.Dense(cells)(table)])
    score = layers.Dense(1, activation="sigmoid")(layers.Dense(hidden, activation="relu")(x))
    space = ab.Space(inputs=[left, right, table], outputs=score)

    def costs(filters: int, embed: int, cells: int, hidden: int) -> tuple[int, int]:
        features = 2 * embed + 1 + cells
        encoding = 10 * filters + (18 * filters + 2) * filters + (2 * filters + 1) * embed
        params = encoding + 13 * cells + (features + 1) * hidden + hidden + 1
        once = 30 * 30 * 9 * filters + 13 * 13 * 9 * filters * 2 * filters + 2 * filters * embed
        return params, 2 * once + embed + 12 * cells + features * hidden + hidden

    expected = [costs(*each) for each in product([8, 16, 32], range(8, 33, 8), range(8, 33, 8), [16, 32, 64])]
    budget = ab.Budget(params=8_000, macs=2_000_000)
    fits = space.within(budget)
    assert space.size == len(expected)
    assert fits.count() == sum(params <= 8_000 and macs <= 2_000_000 for params, macs in expected)
    best = best_of(space, budget, lambda arch: arch.macs)
    assert (best.params, best.macs) == costs(best["filters"], best["embed"], best["cells"], best["hidden"])
    model = best.to_keras()
    assert model.count_params() == best.params
    assert [tuple(each.shape[1:]) for each in model.inputs] == [(32, 32, 1), (32, 32, 1), (12,)]
    assert kept(space, tmp_path) == space
    from_table(space, fits.sample(30, seed=0), tmp_path)


def test_cell_of_choices_of_inputs(tmp_path: Path) -> None:
    channels = ab.Choice("channels", [8, 16])

    def operation(name: str, x: Any) -> Any:
        return ab.OneOf(
            name,
            {
                "convolution": layers.Conv2D(channels, 3, padding="same", activation="relu"),
                "separable": layers.SeparableConv2D(channels, 3, padding="same", activation="relu"),
                "pooling": layers.MaxPooling2D(3, strides=1, padding="same"),
                "skip": layers.Identity(),
            },
        )(x)

    image = layers.Input((16, 16, 3))
    nodes = [layers.Conv2D(channels, 3, padding="same")(image)]
    for node in range(1, 4):
        sources = [ab.InputChoice(f"source{node}{side}")(nodes) for side in "ab"]
        left, right = (operation(f"op{node}{side}", x) for side, x in zip("ab", sources, strict=True))
        nodes.append(layers.Add()([left, right]))
    features = layers.GlobalAveragePooling2D()(layers.Concatenate()(nodes[1:]))
    space = ab.Space(inputs=image, outputs=layers.Dense(10)(features))

    # Where an edge comes from changes no weight: 1, 4 and 9 pairs of sources, and 6 operations of 4 kinds.
    def weights(channels: int, kinds: tuple[str, ...]) -> int:
        of = {
            "convolution": (9 * channels + 1) * channels,
            "separable": 9 * channels + (channels + 1) * channels,
            "pooling": 0,
            "skip": 0,
        }
        return 28 * channels + sum(of[kind] for kind in kinds) + (3 * channels + 1) * 10

    kinds = ["convolution", "separable", "pooling", "skip"]
    expected = [weights(wide, each) for wide in (8, 16) for each in product(kinds, repeat=6)]
    budget = ab.Budget(params=5_000)
    fits = space.within(budget)
    assert space.size == 36 * len(expected) == 294_912
    assert fits.count() == 36 * sum(count <= 5_000 for count in expected)
    best = best_of(space, budget, lambda arch: arch.params)
    assert best.params == weights(
        best["channels"], tuple(best[f"op{node}{side}"] for node in (1, 2, 3) for side in "ab")
    )
    assert best.to_keras().count_params() == best.params
    assert kept(space, tmp_path) == space
    from_table(space, fits.sample(40, seed=0), tmp_path)


def test_perceptron_of_a_table_with_two_objectives(tmp_path: Path) -> None:
    norm = ab.Choice("norm", ["batch", "layer", None])
    space = ab.Space(
        [
            layers.Input((20,)),
            ab.Repeat(
                ab.Int("depth", 1, 3),
                [
                    layers.Dense(ab.Int("units", 8, 64, step=8), use_bias=norm != "batch"),
                    ab.OneOf(
                        norm, {"batch": layers.BatchNormalization(), "layer": layers.LayerNormalization(), None: []}
                    ),
                    layers.Activation(ab.Choice("activation", ["relu", "gelu"])),
                    layers.Dropout(ab.Choice("rate", [0.0, 0.1])),
                ],
                shared=["norm", "activation"],
            ),
            layers.Dense(3, activation="softmax"),
        ]
    )

    def weights(norm: str | None, *units: int) -> int:
        total, features = 0, 20
        for each in units:
            total += features * each + {"batch": 4 * each, "layer": 3 * each, None: each}[norm]
            features = each
        return total + (features + 1) * 3

    budget = ab.Budget(params=3_000)
    fits = space.within(budget)
    assert space.size == 3 * 2 * (16 + 16**2 + 16**3)
    assert fits.count() == 2 * sum(
        2**depth * (weights(kind, *units) <= 3_000)
        for kind in ("batch", "layer", None)
        for depth in (1, 2, 3)
        for units in product(range(8, 65, 8), repeat=depth)
    )

    def objectives(arch: ab.Architecture) -> tuple[int, int]:
        return arch.params, -arch.macs

    base = optuna.samplers.NSGAIISampler(population_size=8, seed=0)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=ab.BudgetSampler(space, budget, base=base))
    by_hand = {"depth": 2, "units_1": 16, "units_2": 8, "norm": None, "activation": "relu", "rate_1": 0, "rate_2": 0.1}
    study.enqueue_trial(by_hand)
    study.enqueue_trial(dict(fits.largest("params")))
    study.optimize(lambda trial: objectives(space.suggest(trial)), n_trials=30, n_jobs=2)
    for _ in range(5):
        trial = study.ask()
        study.tell(trial, objectives(space.suggest(trial)))

    assert [trial.state for trial in study.trials] == [optuna.trial.TrialState.COMPLETE] * 35
    networks = [space.from_trial(trial) for trial in study.trials]
    assert [list(objectives(arch)) for arch in networks] == [trial.values for trial in study.trials]
    assert all(arch.params == trial.user_attrs["params"] for arch, trial in zip(networks, study.trials, strict=True))
    assert {network.params for network in networks[:2]} == {weights(None, 16, 8), fits.largest("params").params}
    assert max(arch.params for arch in networks) <= 3_000
    points = {objectives(arch) for arch in networks}
    front = {point for point in points if not any(a <= point[0] and b <= point[1] for a, b in points - {point})}
    assert {objectives(space.from_trial(trial)) for trial in study.best_trials} == front
    with pytest.raises(ab.errors.SpaceError, match="study.best_trials"):
        space.best(study)

    table = study.trials_dataframe()
    assert space.evaluate(table)["params"].tolist() == [arch.params for arch in networks]
    assert networks[0].to_keras().count_params() == networks[0].params
    assert kept(space, tmp_path) == space
