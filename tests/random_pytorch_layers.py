"""Random layers with the options that PyTorch has and Keras has not. PyTorch refuses some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from random_layers import DRAWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from random_layers import Arguments, Case

SAME_MEANING = (
    "data_format",
    "depth_multiplier",
    "dilation_rate",
    "filters",
    "groups",
    "kernel_size",
    "output_padding",
    "pool_size",
    "return_sequences",
    "strides",
    "units",
    "use_bias",
)
"""The arguments of Keras that mean the same in PyTorch."""


def random_pytorch_case(rng: Random, kind: str) -> Case:
    """Arguments of a layer, most often with options of PyTorch, and the shape of its input, the batch not counted."""
    arguments, shapes = DRAWS[kind](rng)
    arguments = {name: value for name, value in arguments.items() if name in SAME_MEANING}
    return arguments | OPTIONS[kind](rng), shapes


def _some(rng: Random, **options: Any) -> Arguments:
    return {name: value for name, value in options.items() if rng.random() < 0.6}


def _padding(rng: Random, axes: int, most: int, *, pairs: bool) -> Any:
    """An integer, one for each axis or, if there may be, pairs for some of them."""
    sides: list[Any] = [rng.randint(0, most) for _ in range(axes)]
    form = rng.choice(["one", "sides", "pairs"] if pairs else ["one", "sides"])
    if form == "one":
        return sides[0]
    if form == "pairs":
        sides = [rng.choice([side, [side, rng.randint(0, most)]]) for side in sides]
    return sides


def _convolution(axes: int) -> Callable[[Random], Arguments]:
    return lambda rng: (
        {"padding": _padding(rng, axes, 3, pairs=True)}
        | (
            # PyTorch takes both at once.
            {"strides": rng.randint(1, 3), "dilation_rate": rng.randint(1, 2)} if rng.random() < 0.3 else {}
        )
    )


def _transposed(axes: int) -> Callable[[Random], Arguments]:
    return lambda rng: (
        {"padding": _padding(rng, axes, 3, pairs=False)}
        | _some(
            rng, strides=rng.randint(1, 3), dilation_rate=rng.randint(1, 3), output_padding=rng.choice([0, 0, 1, 2])
        )
    )


def _pooling(axes: int, *, average: bool) -> Callable[[Random], Arguments]:
    return lambda rng: _some(
        rng,
        padding=_padding(rng, axes, 2, pairs=False),
        ceil_mode=rng.random() < 0.8,
        pool_size=rng.randint(1, 6),
        strides=rng.randint(1, 4),
        **({"count_include_pad": rng.random() < 0.5} if average else {}),
    )


def _recurrent(kind: str) -> Callable[[Random], Arguments]:
    return lambda rng: (
        ({} if kind == "GRU" else {"two_biases": True})
        | _some(
            rng,
            num_layers=rng.randint(1, 3),
            bidirectional=rng.random() < 0.7,
            **({"proj_size": rng.randint(0, 4)} if kind == "LSTM" else {}),
        )
    )


def _normalization(rng: Random) -> Arguments:
    trained = rng.random() < 0.5
    return {"center": trained, "scale": trained} | _some(rng, track_running_stats=rng.random() < 0.3)


OPTIONS: dict[str, Callable[[Random], Arguments]] = {
    **{f"Conv{n}D": _convolution(n) for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _transposed(n) for n in (1, 2, 3)},
    **{f"{kind}Conv{n}D": _convolution(n) for kind in ("Depthwise", "Separable") for n in (1, 2)},
    **{f"{kind}Pooling{n}D": _pooling(n, average=kind == "Average") for kind in ("Max", "Average") for n in (1, 2, 3)},
    **{kind: _recurrent(kind) for kind in ("SimpleRNN", "LSTM", "GRU")},
    "BatchNormalization": _normalization,
}
"""For each layer with options of PyTorch a function that draws them."""
