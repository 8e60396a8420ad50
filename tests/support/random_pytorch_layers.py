"""Random layers of PyTorch, and of Keras with the options that only PyTorch has. PyTorch refuses some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget.layers._base import ENGINE_PARAMETERS
from support.keras_layers import CLASSES
from support.layer_records import ALL_KINDS
from support.random_layers import draw, draw_by_parameters, random_case, value_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from support.random_layers import Arguments, Case, Shapes

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
    "size",
    "strides",
    "units",
    "use_bias",
)
"""The arguments of Keras that mean the same in PyTorch."""


def random_pytorch_case(rng: Random, kind: str) -> Case:
    """Arguments of a layer, most often with options of PyTorch, and the shapes of its inputs, the batch not counted."""
    if kind in OWN:
        return OWN[kind](rng)
    if not CLASSES[kind].IN_KERAS:
        return draw_by_parameters(rng, kind)
    arguments, shapes = draw(rng, kind)
    arguments = {name: value for name, value in arguments.items() if name in SAME_MEANING}
    options = OPTIONS[kind](rng) if kind in OPTIONS else _options(rng, kind, len(shapes[0]))
    return arguments | options, shapes


def _options(rng: Random, kind: str, rank: int) -> Arguments:
    """Options of PyTorch in the domains that the engine knows."""
    known = ENGINE_PARAMETERS[kind]
    return _some(rng, **{name: value_of(rng, known[name], rank) for name in CLASSES[kind].PYTORCH if name in known})


def random_any_case(rng: Random, kind: str) -> Case:
    """Arguments of a layer of Keras, or of one that only PyTorch has, and the shapes of its inputs."""
    return random_case(rng, kind) if CLASSES[kind].IN_KERAS else random_pytorch_case(rng, kind)


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
    def draw(rng: Random) -> Arguments:
        if rng.random() < 0.2:
            # Zeros beside a word are those of Keras.
            return {"padding": "same", "padding_mode": rng.choice(MODES[1:])}
        return (
            {"padding": _padding(rng, axes, 3, pairs=True)}
            | (
                # PyTorch takes both at once.
                {"strides": rng.randint(1, 3), "dilation_rate": rng.randint(1, 2)} if rng.random() < 0.3 else {}
            )
            | _some(rng, padding_mode=rng.choice(MODES))
        )

    return draw


MODES = ["zeros", "reflect", "replicate", "circular"]


def _transposed(axes: int) -> Callable[[Random], Arguments]:
    return lambda rng: (
        {"padding": _padding(rng, axes, 3, pairs=False)}
        | _some(
            rng,
            filters=rng.choice([1, 2, 4, 6]),
            strides=rng.randint(1, 3),
            dilation_rate=rng.randint(1, 3),
            output_padding=rng.choice([0, 0, 1, 2]),
            groups=rng.choice([1, 2, 2, 3]),
        )
    )


def _pooling(axes: int, *, average: bool) -> Callable[[Random], Arguments]:
    return lambda rng: _some(
        rng,
        padding=_padding(rng, axes, 2, pairs=False),
        ceil_mode=rng.random() < 0.8,
        pool_size=rng.randint(1, 6),
        strides=rng.randint(1, 4),
        **(
            {"count_include_pad": rng.random() < 0.5}
            if average
            else {"dilation": rng.choice([rng.randint(1, 4), [rng.randint(1, 3) for _ in range(axes)]])}
        ),
    )


FACTORS = [0.1, 0.3, 1 / 3, 0.5, 2 / 3, 0.99, 1.1, 1.5, 2.0, 2.5, 3.7]


def _up_sampling(axes: int) -> Callable[[Random], Arguments]:
    def draw(rng: Random) -> Arguments:
        if rng.random() < 0.3:
            # A size of the output stands in place of one that Keras draws.
            return {"size": 2, "output_size": _sides(rng, axes, 12)}
        each = [rng.choice([*FACTORS, 1, 2, 3]) for _ in range(axes)]
        return {"size": rng.choice([rng.choice(FACTORS), each]) if axes > 1 else rng.choice(FACTORS)}

    return draw


def _sides(rng: Random, axes: int, most: int, least: int = 1) -> Any:
    if axes == 1 or rng.random() < 0.5:
        return rng.randint(least, most)
    return [rng.randint(least, most) for _ in range(axes)]


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


def _image(rng: Random, axes: int, arguments: Arguments, channels: int | None = None, most: int = 8) -> Shapes:
    """The shape of an image, with its channels first or last."""
    sides = [rng.randint(1, most) for _ in range(axes)]
    channels = rng.randint(1, 6) if channels is None else channels
    if rng.random() < 0.5:
        arguments["data_format"] = "channels_first"
        return [[channels, *sides]]
    return [[*sides, channels]]


def _any_shape(rng: Random, least: int, most: int, side: int = 6) -> list[int]:
    return [rng.randint(1, side) for _ in range(rng.randint(least, most))]


def _by_axis(rng: Random, shape: list[int]) -> Arguments:
    """An axis of a shape, rarely one that is none of it."""
    rank = len(shape)
    return _some(rng, axis=rng.choice([-1, 1, 1, rank, -rank, 0, rank + 1]))


def _attention(rng: Random) -> Case:
    heads, size = rng.randint(1, 4), rng.randint(1, 4)
    query = [rng.randint(1, 6), heads * size]
    arguments = {"num_heads": heads, "key_dim": size} | _some(
        rng, use_bias=rng.random() < 0.5, add_bias_kv=rng.random() < 0.7, add_zero_attn=rng.random() < 0.7
    )
    steps = rng.randint(1, 6)
    value = [steps, rng.randint(1, 9)]
    key = [steps if rng.random() < 0.9 else steps + 1, rng.randint(1, 9)]
    return arguments, [query, value, key][: rng.randint(1, 3)]


def _rms_normalization(rng: Random) -> Case:
    shape = _any_shape(rng, 1, 4)
    axes: Any = list(range(-rng.randint(1, len(shape)), 0))
    return _some(
        rng, axis=axes[0] if len(axes) == 1 and rng.random() < 0.5 else axes, elementwise_affine=rng.random() < 0.3
    ), [shape]


def _embedding_bag(rng: Random) -> Case:
    arguments = {"input_dim": rng.randint(1, 9), "output_dim": rng.randint(1, 9)}
    arguments |= _some(rng, mode=rng.choice(["mean", "sum", "max"]))
    return arguments, [_any_shape(rng, *rng.choice([(1, 1), (1, 1), (1, 1), (0, 2)]))]


def _glu(rng: Random) -> Case:
    shape = _any_shape(rng, 0, 4)
    return _some(rng, axis=rng.randint(-len(shape) - 2, len(shape) + 1)), [shape]


def _instance_normalization(rng: Random) -> Case:
    shape = _any_shape(rng, 1, 5, rng.choice([1, 2, 6]))
    return _by_axis(rng, shape) | _some(rng, affine=rng.random() < 0.7, track_running_stats=rng.random() < 0.7), [shape]


def _local_response_normalization(rng: Random) -> Case:
    shape = _any_shape(rng, 1, 4)
    return {"size": rng.choice([1, 2, 3, 5, 20, 0, -1])} | _by_axis(rng, shape), [shape]


def _lp_pooling(axes: int) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments = {"norm_type": rng.choice([1, 2, 3]), "pool_size": _sides(rng, axes, 4)}
        arguments |= _some(rng, strides=_sides(rng, axes, 3), ceil_mode=rng.random() < 0.7)
        return arguments, _image(rng, axes, arguments)

    return draw


def _fractional_max_pooling(axes: int) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments: Arguments = {"pool_size": _sides(rng, axes, 3)}
        ratios = [rng.choice([0.2, 0.4, 0.5, 2 / 3, 0.9]) for _ in range(axes)]
        forms = [{"output_size": _sides(rng, axes, 5)}, {"output_ratio": rng.choice([ratios, rng.choice(ratios)])}]
        arguments |= rng.choice([*forms, *forms, *forms, {}, forms[0] | forms[1], {"output_ratio": 1.0}])
        return arguments, _image(rng, axes, arguments, most=12)

    return draw


def _margins(axes: int, *, constant: bool = False) -> Callable[[Random], Case]:
    """Margins around sides that may be smaller than they are."""

    def draw(rng: Random) -> Case:
        pairs = [[rng.randint(-2, 4), rng.randint(-2, 4)] for _ in range(axes)]
        padding = rng.choice([rng.randint(-1, 4), pairs[0] if axes == 1 else pairs])
        arguments: Arguments = {"padding": padding} | ({"value": 1.5} if constant else {})
        return arguments, _image(rng, axes, arguments, most=6)

    return draw


def _pixel_shuffle(rng: Random) -> Case:
    arguments: Arguments = {"upscale_factor": rng.randint(1, 3)}
    return arguments, _image(rng, 2, arguments, rng.choice([1, 4, 8, 9, 12, 36]))


def _pixel_unshuffle(rng: Random) -> Case:
    arguments: Arguments = {"downscale_factor": rng.randint(1, 3)}
    return arguments, _image(rng, 2, arguments, most=6)


def _channel_shuffle(rng: Random) -> Case:
    shape = _any_shape(rng, 1, 4)
    return {"groups": rng.randint(1, 3)} | _by_axis(rng, shape), [shape]


def _window(rng: Random) -> Arguments:
    return {"kernel_size": _sides(rng, 2, 4)} | _some(
        rng, strides=_sides(rng, 2, 3), padding=_sides(rng, 2, 3, 0), dilation_rate=_sides(rng, 2, 3)
    )


def _unfold(rng: Random) -> Case:
    arguments = _window(rng)
    return arguments, _image(rng, 2, arguments)


def _fold(rng: Random) -> Case:
    """A sequence for an image, most often of as many positions and channels as it needs."""
    arguments = {"output_size": _sides(rng, 2, 8)} | _window(rng)
    each = {
        name: [value] * 2 if isinstance(value, int) else value
        for name, value in ({"strides": 1, "padding": 0, "dilation_rate": 1} | arguments).items()
    }
    steps, values = 1, 1
    for side, size, stride, around, rate in zip(
        *(each[name] for name in ("output_size", "kernel_size", "strides", "padding", "dilation_rate")), strict=True
    ):
        steps *= (side + 2 * around - rate * (size - 1) - 1) // stride + 1
        values *= size
    wanted = [max(steps, 1) + (rng.random() < 0.1), rng.randint(1, 4) * values + (rng.random() < 0.1)]
    if rng.random() < 0.5:
        arguments["data_format"] = "channels_first"
        wanted.reverse()
    return arguments, [wanted]


OPTIONS: dict[str, Callable[[Random], Arguments]] = {
    **{f"Conv{n}D": _convolution(n) for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _transposed(n) for n in (1, 2, 3)},
    **{f"{kind}Conv{n}D": _convolution(n) for kind in ("Depthwise", "Separable") for n in (1, 2)},
    **{f"{kind}Pooling{n}D": _pooling(n, average=kind == "Average") for kind in ("Max", "Average") for n in (1, 2, 3)},
    **{f"UpSampling{n}D": _up_sampling(n) for n in (1, 2, 3)},
    **{kind: _recurrent(kind) for kind in ("SimpleRNN", "LSTM", "GRU")},
    "BatchNormalization": _normalization,
}
"""For each layer of Keras with options of PyTorch a function that draws them, beside arguments that Keras takes."""

OWN: dict[str, Callable[[Random], Case]] = {
    **{f"LPPooling{n}D": _lp_pooling(n) for n in (1, 2, 3)},
    **{f"FractionalMaxPooling{n}D": _fractional_max_pooling(n) for n in (2, 3)},
    **{
        f"{kind}Padding{n}D": _margins(n, constant=kind == "Constant")
        for kind in ("Constant", "Reflection", "Replication", "Circular")
        for n in (1, 2, 3)
    },
    "ChannelShuffle": _channel_shuffle,
    "EmbeddingBag": _embedding_bag,
    "Fold": _fold,
    "GLU": _glu,
    "InstanceNormalization": _instance_normalization,
    "LocalResponseNormalization": _local_response_normalization,
    "MultiHeadAttention": _attention,
    "PixelShuffle": _pixel_shuffle,
    "PixelUnshuffle": _pixel_unshuffle,
    "RMSNormalization": _rms_normalization,
    "Unfold": _unfold,
}
"""For other layers a function that draws all of their arguments and their inputs."""

DRAWN = list(
    dict.fromkeys(
        [*OPTIONS, *OWN, *(kind for kind in ALL_KINDS if CLASSES[kind].PYTORCH or not CLASSES[kind].IN_KERAS)]
    )
)
"""The layers that are held against PyTorch."""
