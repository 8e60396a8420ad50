"""Random layers: hyperparameters as Keras takes them, and input shapes. Keras refuses some of them."""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget.layers._base import ENGINE_PARAMETERS
from support.keras_layers import CELLS, CLASSES, IMAGES
from support.layer_records import KINDS, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget._core import Parameter

Arguments = dict[str, Any]
Shapes = list[list[int]]
Case = tuple[Arguments, Shapes]


def random_case(rng: Random, kind: str) -> Case:
    """Arguments of a layer and the shapes of its inputs, the batch not counted."""
    arguments, shapes = draw(rng, kind)
    if rng.random() < 0.1:
        _spoil(rng, arguments)
    if shapes and rng.random() < 0.05:
        shapes[0] = shapes[0][:-1] if rng.random() < 0.5 else [*shapes[0], 2]
    return arguments, shapes


def draw(rng: Random, kind: str) -> Case:
    """The same, by the entry of the layer in `DRAWS`; without one, by its parameters."""
    return DRAWS[kind](rng) if kind in DRAWS else draw_by_parameters(rng, kind)


def draw_by_parameters(rng: Random, kind: str) -> Case:
    """Arguments in the domains that the engine knows, and inputs of as many axes as it takes with some of them."""
    inputs, rank = rng.choice(taken_inputs(kind) or [(1, 2)])
    return _by_parameters(rng, kind, inputs, rank)


@cache
def taken_inputs(kind: str) -> list[tuple[int, int]]:
    """How many inputs a layer takes, and of how many axes: what the engine accepted with some arguments."""
    rng = Random(f"inputs {kind}")
    tried = [(inputs, rank) for inputs in range(1, 4) for rank in range(6)]
    return [each for each in tried if any(count(kind, *_by_parameters(rng, kind, *each)) for _ in range(60))]


def _by_parameters(rng: Random, kind: str, inputs: int, rank: int) -> Case:
    known = ENGINE_PARAMETERS[kind]
    arguments: Arguments = {}
    for each in fields(CLASSES[kind]):
        required = each.default is MISSING
        # Options of PyTorch and of calls are no arguments of Keras' constructor.
        of_keras = each.name in known and each.name not in (*CLASSES[kind].PYTORCH, *CLASSES[kind].CALL)
        if required or (of_keras and rng.random() < 0.5):
            # What the engine does not know is a number or a word that does not matter for a count.
            other = rng.choice([0.5, 1, "relu"])
            arguments[each.name] = value_of(rng, known[each.name], rank) if each.name in known else other
    shape = [rng.randint(1, 8) for _ in range(rank)]
    return arguments, [list(shape) for _ in range(inputs)]


def value_of(rng: Random, parameter: Parameter, rank: int) -> Any:
    """A value of a parameter of the engine, for an input of this many axes; rarely one below the least."""
    if parameter.domain.startswith("optional") and rng.random() < 0.3:
        return None
    is_axis = parameter.domain.endswith("int") and (parameter.least is None or parameter.least < -rank)
    several = rank if parameter.arity is None else parameter.arity
    if several < 2 or rng.random() < 0.5:
        return rng.randint(-rank - 1, rank + 1) if is_axis else _number(rng, parameter)
    if is_axis:
        return rng.sample(range(1, rank + 1), min(rng.randint(1, several), rank))
    return [_number(rng, parameter) for _ in range(several)]


def _number(rng: Random, parameter: Parameter) -> Any:
    """What a parameter holds once, or several times."""
    if parameter.domain == "flag":
        return rng.random() < 0.5
    if parameter.domain.endswith("keyword"):
        return rng.choice(parameter.words)
    if parameter.domain.endswith("factor"):
        return rng.choice([0.3, 0.5, 1.5, 2.0])
    return (parameter.least or 0) + (rng.randint(0, 4) if rng.random() < 0.97 else -1)


def other_shapes(rng: Random, shapes: Shapes) -> Shapes:
    """The shapes of the inputs of a second use of the same layer: the same, or changed a little."""
    others = [list(shape) for shape in shapes]
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        shape = rng.choice(others)
        change = rng.random()
        if change < 0.4 and shape:
            axis = rng.randrange(len(shape))
            shape[axis] = max(1, shape[axis] + rng.choice([-2, -1, 1, 1, 2]))
        elif change < 0.6:
            shape.insert(rng.randint(0, len(shape)), rng.randint(1, 3))
        elif change < 0.75 and shape:
            shape.pop(rng.randrange(len(shape)))
        elif len(shape) > 1:
            one, two = rng.sample(range(len(shape)), 2)
            shape[one], shape[two] = shape[two], shape[one]
    if len(others) > 1 and rng.random() < 0.4:
        rng.shuffle(others)
    return others


def _spoil(rng: Random, arguments: Arguments) -> None:
    """Gives one of the sizes, if there is any, a value that no layer takes."""
    sizes = (
        "depth_multiplier",
        "dilation_rate",
        "filters",
        "groups",
        "kernel_size",
        "output_size",
        "pool_size",
        "units",
    )
    names = [name for name in sizes if name in arguments]
    if names:
        arguments[rng.choice(names)] = rng.choice([0, -1, [2, 2, 2, 2], [3, 0]])


def _take(rng: Random, likely: float = 0.4, /, **options: Callable[[], Any]) -> Arguments:
    """Some of these arguments."""
    return {name: draw() for name, draw in options.items() if rng.random() < likely}


def _sides(rng: Random, axes: int, most: int) -> int | list[int]:
    return rng.randint(1, most) if rng.random() < 0.5 else [rng.randint(1, most) for _ in range(axes)]


def _image(rng: Random, axes: int, channels: int, arguments: Arguments, most: int = 12) -> Shapes:
    """The shape of an image, in a data format that is drawn too."""
    sides = [rng.randint(1, most) for _ in range(axes)]
    data_format = rng.choice([None, "channels_last", "channels_first", "absent"])
    if data_format != "absent":
        arguments["data_format"] = data_format
    return [[channels, *sides] if data_format == "channels_first" else [*sides, channels]]


def _shape(rng: Random, least: int = 1, most: int = 4) -> list[int]:
    return [rng.randint(1, 6) for _ in range(rng.randint(least, most))]


def _slide(rng: Random, axes: int, arguments: Arguments) -> None:
    """Strides or a dilation, and rarely both."""
    for name in rng.choice([(), (), ("strides",), ("strides",), ("dilation_rate",), ("strides", "dilation_rate")]):
        arguments[name] = _sides(rng, axes, 3)


def _convolution(axes: int) -> Callable[[Random], Case]:
    paddings = ["valid", "same", "SAME"] + (["causal"] if axes == 1 else [])

    def draw(rng: Random) -> Case:
        arguments = {
            "filters": rng.choice([1, 2, 4, 6, 6, 8, 12]),
            "kernel_size": _sides(rng, axes, 5 if axes < 3 else 3),
        }
        _slide(rng, axes, arguments)
        arguments |= _take(
            rng,
            padding=lambda: rng.choice(paddings),
            groups=lambda: rng.choice([1, 2, 2, 2, 3]),
            use_bias=lambda: rng.random() < 0.5,
            lora_rank=lambda: rng.choice([None, 1, 2, 4]),
            activation=lambda: rng.choice([None, "relu"]),
        )
        return arguments, _image(rng, axes, rng.choice([1, 2, 3, 4, 6, 6]), arguments, 14 if axes < 3 else 8)

    return draw


def _transposed(axes: int) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments: Arguments = {"filters": rng.randint(1, 6), "kernel_size": _sides(rng, axes, 5 if axes < 3 else 3)}
        _slide(rng, axes, arguments)
        arguments |= _take(
            rng,
            padding=lambda: rng.choice(["valid", "same", "SAME"]),
            output_padding=lambda: rng.choice([None, 0, 0, 1, [rng.randint(0, 1) for _ in range(axes)]]),
            use_bias=lambda: rng.random() < 0.5,
            activation=lambda: rng.choice([None, "relu"]),
        )
        return arguments, _image(rng, axes, rng.randint(1, 6), arguments, 10 if axes < 3 else 5)

    return draw


def _depthwise(axes: int, *, separable: bool) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments: Arguments = {"filters": rng.choice([1, 2, 3, 4, 6, 8])} if separable else {}
        arguments["kernel_size"] = _sides(rng, axes, 5)
        _slide(rng, axes, arguments)
        arguments |= _take(
            rng,
            padding=lambda: rng.choice(["valid", "same"]),
            depth_multiplier=lambda: rng.randint(1, 4),
            use_bias=lambda: rng.random() < 0.5,
            activation=lambda: rng.choice([None, "relu"]),
        )
        return arguments, _image(rng, axes, rng.choice([1, 2, 3, 4, 6]), arguments, 14)

    return draw


def _dense(rng: Random) -> Case:
    arguments = {"units": rng.randint(1, 12)} | _take(
        rng,
        use_bias=lambda: rng.random() < 0.5,
        lora_rank=lambda: rng.choice([None, 1, 2, 4]),
        activation=lambda: rng.choice([None, "relu", "softmax"]),
    )
    return arguments, [_shape(rng, 0)]


def _pooling(axes: int, *, required: bool) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments = _take(rng, 1.0 if required else 0.7, pool_size=lambda: _sides(rng, axes, 4)) | _take(
            rng,
            strides=lambda: None if rng.random() < 0.2 else _sides(rng, axes, 3),
            padding=lambda: rng.choice(["valid", "same"]),
        )
        return arguments, _image(rng, axes, rng.randint(1, 6), arguments, 14 if axes < 3 else 8)

    return draw


def _global_pooling(axes: int) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments = _take(rng, keepdims=lambda: rng.random() < 0.5)
        return arguments, _image(rng, axes, rng.randint(1, 6), arguments)

    return draw


def _margins(axes: int, argument: str) -> Callable[[Random], Case]:
    """Something before and after each axis."""

    def pair(rng: Random) -> list[int]:
        return [rng.randint(0, 3), rng.randint(0, 3)]

    def draw(rng: Random) -> Case:
        each = pair(rng) if axes == 1 else rng.choice([[pair(rng) for _ in range(axes)], [rng.randint(0, 3)] * axes])
        below = [-1, [-1] * max(axes, 2), [[0, 1]] * (axes - 1) + [[2, -1]], [0] * (axes - 1) + [-2]]
        forms: list[Any] = [rng.randint(0, 3), each, each, rng.choice([*below, [1] * 4, [pair(rng)] * 4])]
        arguments = _take(rng, 0.8, **{argument: lambda: rng.choice(forms)})
        shapes = _image(rng, axes, rng.randint(1, 6), arguments)
        if argument == "cropping" and axes == 1:
            return arguments, _without_format(arguments, shapes)
        return arguments, shapes

    return draw


def _without_format(arguments: Arguments, shapes: Shapes) -> Shapes:
    arguments.pop("data_format", None)
    return shapes


def _up_sampling(axes: int) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        options: dict[str, Callable[[], Any]] = {
            "size": lambda: _sides(rng, axes, 4) if axes > 1 else rng.randint(0, 4)
        }
        if axes == 2:
            options["interpolation"] = lambda: rng.choice(["nearest", "bilinear"])
        arguments = _take(rng, 0.7, **options)
        shapes = _image(rng, axes, rng.randint(1, 6), arguments)
        return arguments, _without_format(arguments, shapes) if axes == 1 else shapes

    return draw


def _reshape(rng: Random) -> Case:
    shape = _shape(rng, 0)
    target = list(shape)
    for _ in range(rng.randint(0, 3)):
        if len(target) > 1 and rng.random() < 0.6:
            target.append(target.pop(rng.randrange(len(target))) * target.pop(rng.randrange(len(target))))
        else:
            target.insert(rng.randint(0, len(target)), 1)
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
        if target:
            target[rng.randrange(len(target))] = rng.choice([-1, -1, -1, -1, 2, 0, -2])
    return {"target_shape": target}, [shape]


def _permute(rng: Random) -> Case:
    shape = _shape(rng, 0)
    dims = list(range(1, len(shape) + 1))
    rng.shuffle(dims)
    if dims and rng.random() < 0.2:
        dims[0] = rng.randint(0, len(dims) + 1)
    return {"dims": dims}, [shape]


def _normalization(rng: Random) -> Case:
    shape = _shape(rng)
    arguments = _take(
        rng,
        axis=lambda: rng.randint(-len(shape) - 2, len(shape) + 1),
        center=lambda: rng.random() < 0.5,
        scale=lambda: rng.random() < 0.5,
        renorm=lambda: rng.random() < 0.5,
        momentum=lambda: 0.9,
    )
    return arguments, [shape]


def _elementwise(rng: Random) -> Case:
    shape = _shape(rng)
    shapes = [list(shape) for _ in range(rng.randint(2, 3))]
    for other in shapes[1:]:
        change = rng.random()
        if change < 0.3:
            other[rng.randrange(len(other))] = 1
        elif change < 0.4:
            other[rng.randrange(len(other))] += 1
        elif change < 0.5 and len(other) > 1:
            del other[0]
    rng.shuffle(shapes)
    return {}, shapes


def _concatenate(rng: Random) -> Case:
    shape = _shape(rng)
    arguments = _take(rng, 0.7, axis=lambda: rng.choice([*range(1, len(shape) + 2), *range(-len(shape), 0)]))
    axis = arguments.get("axis", -1)
    position = axis if axis < 0 else axis - 1
    shapes = [list(shape) for _ in range(rng.randint(2, 4))]
    for other in shapes[1:]:
        if -len(other) <= position < len(other):
            other[position] = rng.randint(1, 5)
        if rng.random() < 0.1:
            other[rng.randrange(len(other))] += 1
        if rng.random() < 0.05:
            other.append(2)
    return arguments, shapes


def _axes(*, weights: bool, none: bool = False) -> Callable[[Random], Case]:
    """A layer that takes one axis or several, each at most once."""

    def draw(rng: Random) -> Case:
        shape = _shape(rng)
        rank = len(shape)
        axis = rng.randint(-rank - 2, rank + 1)
        behind = rng.choice([0, rank + 1])
        several = [each - behind for each in rng.sample(range(1, rank + 1), rng.randint(1, rank))]
        arguments = _take(rng, 0.8, axis=lambda: rng.choice([axis, several, *([None] if none else [])]))
        if weights:
            arguments |= _take(rng, center=lambda: rng.random() < 0.5, scale=lambda: rng.random() < 0.5)
        return arguments, [shape]

    return draw


def _group_normalization(rng: Random) -> Case:
    arguments, [shape] = _normalization(rng)
    for name in ("renorm", "momentum"):
        arguments.pop(name, None)
    if rng.random() < 0.1:
        shape[-1] = 64
    arguments |= _take(rng, 0.9, groups=lambda: rng.choice([-1, 1, 1, 2, 3, 0, 4]))
    return arguments, [shape]


def _given_normalization(rng: Random) -> Case:
    """`Normalization`, sometimes with its mean and variance."""
    arguments, [shape] = _axes(weights=False, none=True)(rng)
    axes = arguments.get("axis", -1)
    axes = [axes] if isinstance(axes, int) else axes or []
    kept = sorted(axis % (len(shape) + 1) for axis in axes)
    if rng.random() < 0.5 and all(1 <= axis <= len(shape) for axis in kept):
        sides = [shape[axis - 1] if rng.random() < 0.8 else rng.randint(1, 3) for axis in kept]
        sides = sides[rng.choice([0, 0, 1]) :]
        for name in ("mean", "variance"):
            arguments[name] = np.ones(sides).tolist()
    return arguments, [shape]


def _prelu(rng: Random) -> Case:
    shape = _shape(rng, 0)
    axis = rng.randint(-1, len(shape) + 1)
    several = rng.sample(range(1, len(shape) + 1), rng.randint(0, len(shape)))
    return _take(rng, 0.7, shared_axes=lambda: rng.choice([axis, several, None])), [shape]


def _dot(rng: Random) -> Case:
    first, second = _shape(rng, 1, 3), _shape(rng, 1, 3)
    axes = [rng.randint(1, len(first)), rng.randint(1, len(second))]
    if rng.random() < 0.8:
        second[axes[1] - 1] = first[axes[0] - 1]
    given: Any = [axis - rng.choice([0, len(shape) + 1]) for axis, shape in zip(axes, (first, second), strict=True)]
    if rng.random() < 0.4:
        given = rng.choice([axes[0], -1])
    return {"axes": given} | _take(rng, normalize=lambda: True), [first, second]


def _pair(rng: Random) -> Case:
    """Two tensors to combine, rarely another number of them."""
    _, shapes = _elementwise(rng)
    return {}, shapes[: rng.choice([2, 2, 2, 3])]


def _spatial_dropout(axes: int) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments: Arguments = {"rate": rng.choice([0, 0.5, 1])}
        shapes = _image(rng, axes, rng.randint(1, 6), arguments)
        return arguments, _without_format(arguments, shapes) if axes == 1 else shapes

    return draw


def _adaptive_pooling(axes: int) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments = {"output_size": _sides(rng, axes, 5) if rng.random() < 0.9 else [2, 2, 2, 2]}
        return arguments, _image(rng, axes, rng.randint(1, 6), arguments, 8 if axes < 3 else 5)

    return draw


def _embedding(rng: Random) -> Case:
    arguments = {"input_dim": rng.randint(0, 20), "output_dim": rng.randint(1, 8)} | _take(
        rng, 0.3, lora_rank=lambda: rng.choice([None, 0, 1, 2]), mask_zero=lambda: True
    )
    return arguments, [_shape(rng, 0)]


def _states(kind: str, arguments: Arguments, shape: list[int]) -> Shapes:
    """The shapes of the states of a recurrent layer or a cell, without those that a refused one would have."""
    if kind == "Bidirectional":
        both = [arguments["layer"], arguments.get("backward_layer") or arguments["layer"]]
        return [state for layer in both for state in _states(*next(iter(layer.items())), shape)]
    if kind in ("RNN", "StackedRNNCells"):
        given = arguments["cell" if kind == "RNN" else "cells"]
        cells = given if isinstance(given, list) else [given]
        return [state for cell in cells for state in _states(*next(iter(cell.items())), shape)]
    if kind.startswith("ConvLSTM"):
        axes, last = int(kind[-2]), arguments.get("data_format") != "channels_first"
        each = [
            [given] * axes if isinstance(given, int) else given
            for given in (arguments.get(name, 1) for name in ("kernel_size", "strides", "dilation_rate"))
        ]
        whole = str(arguments.get("padding", "valid")).lower() == "same"
        spatial = [
            -(-(side - (0 if whole else (size - 1) * dilation)) // stride)
            for side, size, stride, dilation in zip(shape[1:-1] if last else shape[2:], *each, strict=True)
        ]
        return [[*spatial, arguments["filters"]] if last else [arguments["filters"], *spatial]] * 2
    count = 2 if kind.startswith("LSTM") else 1
    return [[arguments["units"]]] * count if "units" in arguments else []


def _begun(rng: Random, kind: str, arguments: Arguments, shape: list[int]) -> Shapes:
    """The shapes of a sequence and, sometimes, of states to begin with; rarely of other ones."""
    if rng.random() < 0.6:
        return [shape]
    states = [list(state) for state in _states(kind, arguments, shape)]
    if states and rng.random() < 0.3:
        change = rng.randrange(4)
        if change == 0:
            states.pop()
        elif change == 1:
            states.append(states[-1])
        elif change == 2:
            states[rng.randrange(len(states))][-1] += 1
        else:
            states[rng.randrange(len(states))].insert(0, 2)
    return [shape, *([max(side, 1) for side in state] for state in states)]


def _recurrent(kind: str) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments = {"units": rng.randint(1, 6)} | _take(
            rng,
            use_bias=lambda: rng.random() < 0.5,
            return_sequences=lambda: rng.random() < 0.8,
            return_state=lambda: rng.random() < 0.8,
            go_backwards=lambda: True,
            dropout=lambda: 0.2,
        )
        if kind == "GRU":
            arguments |= _take(rng, reset_after=lambda: rng.random() < 0.5)
        return arguments, _begun(rng, kind, arguments, _shape(rng, 2, 2) if rng.random() < 0.9 else _shape(rng))

    return draw


def _conv_lstm(axes: int) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments = {"filters": rng.randint(1, 3), "kernel_size": _sides(rng, axes, 3)}
        _slide(rng, axes, arguments)
        arguments |= _take(
            rng,
            padding=lambda: rng.choice(["valid", "same", "SAME"]),
            use_bias=lambda: rng.random() < 0.5,
            return_sequences=lambda: rng.random() < 0.8,
            return_state=lambda: rng.random() < 0.8,
        )
        shape = [rng.randint(1, 3), *_image(rng, axes, rng.randint(1, 3), arguments, 6)[0]]
        return arguments, _begun(rng, f"ConvLSTM{axes}D", arguments, shape)

    return draw


def _sources(rng: Random, axes: int = 1) -> Shapes:
    """A query, often a value, and sometimes a key; most of them fit."""
    # No side of 1: what Keras would stretch is refused.
    batch = [rng.randint(2, 3) for _ in range(axes - 1)]
    features = rng.randint(2, 6)
    positions = [rng.randint(2, 5) for _ in range(2)] if axes else []
    query = [*batch, *positions[:1], features]
    value = [*batch, *positions[1:], features if rng.random() < 0.6 else rng.randint(2, 6)]
    key = [*value[:-1], features]
    if rng.random() < 0.1:
        key[max(-2, -len(key))] += 1
    if rng.random() < 0.2:
        key[-1] = rng.randint(2, 6)
    return [query, value, key][: rng.randint(1, 3)]


def _heads(rng: Random) -> Case:
    axes = rng.choice([0, 1, 1, 2, 3])
    arguments = {"num_heads": rng.randint(0, 4), "key_dim": rng.randint(1, 5)} | _take(
        rng,
        value_dim=lambda: rng.choice([None, 1, 2, 3]),
        use_bias=lambda: rng.random() < 0.5,
        output_shape=lambda: rng.choice([None, 3, [3], [2, 2]]),
        use_gate=lambda: True,
        dropout=lambda: 0.1,
    )
    rank = axes + 1
    one = rng.randint(-2 * rank - 3, rank + 2)
    some = rng.sample(range(1, rank + 1), rng.randint(0, rank))
    any_ = [rng.randint(-rank - 1, rank + 1) for _ in range(2)]
    arguments |= _take(rng, 0.7, attention_axes=lambda: rng.choice([one, some, some, any_, -1, None]))
    return arguments, _sources(rng, axes)


def _grouped_heads(rng: Random) -> Case:
    shared = rng.randint(1, 3)
    arguments = {
        "head_dim": rng.randint(1, 4),
        "num_query_heads": shared * rng.randint(1, 3) + (rng.random() < 0.1),
        "num_key_value_heads": shared,
    } | _take(rng, use_bias=lambda: rng.random() < 0.5, use_gate=lambda: True)
    return arguments, _sources(rng)


def _scores(kind: str) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments = _take(rng, use_scale=lambda: rng.random() < 0.5)
        if kind == "Attention":
            arguments |= _take(rng, score_mode=lambda: rng.choice(["dot", "concat"]))
        return arguments, _sources(rng, rng.choice([1, 1, 2]))

    return draw


def _einsum(rng: Random) -> Case:
    """A projection, in any order and of any axes, rarely an equation that is refused."""
    shape = _shape(rng)
    letters = "abcdefgh"[: len(shape) + 1]
    new = "xy"[: rng.choice([0, 1, 1, 2])]
    stays = rng.randint(0, len(shape) - 1)
    kept, contracted = letters[: stays + 1], letters[stays + 1 :]
    weights, target = list(contracted + new), list(kept[1:] + new)
    if rng.random() < 0.2:
        weights += rng.sample(kept[1:], rng.randint(0, stays))
    if rng.random() < 0.1 and len(weights) > 1:
        weights.pop()
    if rng.random() < 0.2:
        rng.shuffle(target)
    rng.shuffle(weights)
    known = dict(zip(letters[1:], shape, strict=True))
    sides: list[int | None] = [known.get(axis, rng.randint(1, 5)) for axis in target]
    source = letters
    elided = rng.choice(["", "", "", "left", "right"])
    if elided == "left":
        # Some of the first axes that stay where they are.
        some = rng.randint(0, stays) if target[:stays] == list(kept[1:]) else 0
        source, target, sides = letters[some + 1 :], target[some:], sides[some:]
    elif elided == "right" and len(shape) > 1:
        source, shape = letters, [*shape, *_shape(rng, 0, 1)]
    else:
        elided = ""
    if sides and rng.random() < 0.1:
        sides[rng.randrange(len(sides))] = rng.choice([None, 7])
    if rng.random() < 0.1:
        sides = sides[1:]
    axes = "".join(target)
    bias = rng.choice([None, axes[-1:] or None, axes[:1] or None, axes or None, "z" if rng.random() < 0.2 else None])
    batch = "" if elided == "left" else "a"
    left, right = ("..." if elided == "left" else ""), ("..." if elided == "right" else "")
    arguments: Arguments = {
        "equation": f"{left}{source}{right},{''.join(weights)}->{left}{batch}{axes}{right}",
        "output_shape": sides[0] if len(sides) == 1 and rng.random() < 0.5 and sides[0] else sides,
    }
    arguments |= _take(rng, 0.7, bias_axes=lambda: bias) | _take(rng, 0.2, lora_rank=lambda: rng.choice([0, 2]))
    return arguments, [shape]


def _inside(rng: Random, kind: str) -> tuple[Arguments, list[int]]:
    """A layer to stand inside of another one, sometimes frozen, and the shape of its input."""
    arguments, shapes = draw(rng, kind)
    if kind in ("BatchNormalization", "Dense", "Embedding", "LSTM", "GRUCell", "LSTMCell"):
        # Elsewhere Keras does not freeze what is inside.
        arguments |= _take(rng, 0.1, trainable=lambda: False)
    return {kind: arguments}, shapes[0]


def _time_distributed(rng: Random) -> Case:
    # Keras does not run them here though it describes them, or the other way round.
    left_out = ("CategoryEncoding", "Input", "RMSNormalization", "StackedRNNCells", *IMAGES)
    others = [kind for kind in (*KINDS, *CELLS) if kind not in DRAWS]
    kind = rng.choice([kind for kind in (*DRAWS, *others) if kind not in left_out])
    layer, shape = _inside(rng, kind)
    return {"layer": layer}, [[rng.randint(1, 3), *shape]]


def _bidirectional(rng: Random) -> Case:
    kinds = ["SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM1D", "ConvLSTM2D"]
    kind = rng.choice(kinds) if rng.random() < 0.95 else "Dense"
    layer, shape = _inside(rng, kind)
    own = layer[kind]
    if rng.random() < 0.9:
        own.pop("go_backwards", None)
    arguments = {"layer": layer} | _take(
        rng, 0.6, merge_mode=lambda: rng.choice(["concat", "sum", "mul", "ave", "concat", None])
    )
    if kind in ("SimpleRNN", "LSTM", "GRU") and rng.random() < 0.4:
        units = own["units"] if rng.random() < 0.7 else own["units"] + 1
        backward = {"units": units, "go_backwards": rng.random() < 0.9}
        for name in ("return_sequences", "return_state"):
            if own.get(name) and rng.random() < 0.9:
                backward[name] = True
        arguments["backward_layer"] = {rng.choice([kind, "SimpleRNN", "LSTM", "GRU"]): backward}
    return arguments, _begun(rng, "Bidirectional", arguments, shape)


def _spectral_normalization(rng: Random) -> Case:
    kinds = ["Dense", "Embedding", "EinsumDense", "SpectralNormalization"]
    kinds += [f"{kind}{axes}D" for kind in ("Conv", "DepthwiseConv") for axes in (1, 2)]
    kinds += [f"Conv{axes}DTranspose" for axes in (1, 2, 3)]
    kind = rng.choice(kinds) if rng.random() < 0.9 else rng.choice(["LSTM", "BatchNormalization", "SeparableConv1D"])
    layer, shape = _inside(rng, kind)
    return {"layer": layer} | _take(rng, 0.3, power_iterations=lambda: rng.choice([0, 1, 2, 3])), [shape]


def _cell(kind: str) -> Callable[[Random], Case]:
    def draw(rng: Random) -> Case:
        arguments = {"units": rng.randint(1, 6)} | _take(rng, use_bias=lambda: rng.random() < 0.5)
        if kind == "GRUCell":
            arguments |= _take(rng, reset_after=lambda: rng.random() < 0.5)
        return arguments, [[rng.randint(1, 6)]]

    return draw


def _cells(rng: Random) -> Case:
    kinds = ["SimpleRNNCell", "LSTMCell", "GRUCell"]
    cells = [_inside(rng, rng.choice(kinds))[0] for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.1:
        cells.append({"StackedRNNCells": {"cells": [_inside(rng, rng.choice(kinds))[0] for _ in range(2)]}})
    if rng.random() < 0.05:
        cells.append({"Dense": {"units": 3}})
    return {"cells": cells}, [[rng.randint(1, 6)]]


def _rnn(rng: Random) -> Case:
    kind = rng.choice(["SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells", "Dense"])
    cell, _ = _inside(rng, kind)
    given: Any = cell[kind]["cells"] if kind == "StackedRNNCells" and rng.random() < 0.5 else cell
    arguments = {"cell": given} | _take(
        rng,
        return_sequences=lambda: rng.random() < 0.8,
        return_state=lambda: rng.random() < 0.8,
        go_backwards=lambda: True,
    )
    # With a single step Keras also runs what it cannot run with more.
    shape = [rng.randint(2, 5), rng.randint(1, 6)] if rng.random() < 0.9 else _shape(rng)
    return arguments, _begun(rng, "RNN", arguments, shape)


def _pipeline(rng: Random) -> Case:
    kinds = ["Dense", "Flatten", "LayerNormalization", "ReLU", "RepeatVector", "Dropout", "LSTM", "Conv1D"]
    return {"layers": [_inside(rng, rng.choice(kinds))[0] for _ in range(rng.randint(0, 3))]}, [_shape(rng, 1, 3)]


def _picture(**options: list[Any]) -> Callable[[Random], Case]:
    """A layer that takes images, with some of these arguments, or all of those that it needs."""

    def draw(rng: Random) -> Case:
        arguments = {
            name.rstrip("_"): rng.choice(values)
            for name, values in options.items()
            if name.endswith("_") or rng.random() < 0.5
        }
        formatted = arguments.pop("format", False) is not False
        channels = rng.choice([1, 3, 3, 3, 4])
        # Images of a single row are too small for some.
        [shape] = _image(rng, 2, 0, arguments, 8)
        shapes = [[side + 1 if side else channels for side in shape]]
        if not formatted:
            shapes = [[*shapes[0][1:], shapes[0][0]]] if arguments.get("data_format") == "channels_first" else shapes
            arguments.pop("data_format", None)
        return arguments, shapes

    return draw


FORMAT: dict[str, list[Any]] = {"format_": [None]}
UNIT = [0, 0.3, 1, (0.1, 0.5), 1.5, (0.2, 0.3, 0.4)]
BOTH = [0, 0.3, -0.2, (-0.3, 0.5), 1.5, (0.2,)]
MOVES: dict[str, list[Any]] = {
    "fill_mode": ["reflect", "wrap", "constant", "nearest", "no"],
    "interpolation": ["nearest", "bilinear"],
}


def _stft(rng: Random) -> Case:
    arguments: Arguments = {"frame_length": rng.randint(1, 12)} | _take(
        rng,
        mode=lambda: rng.choice(["log", "magnitude", "psd", "real", "imag", "angle", "stft"]),
        frame_step=lambda: rng.choice([None, 1, 2, 5]),
        fft_length=lambda: rng.choice([None, 8, 16, 17]),
        padding=lambda: rng.choice(["valid", "same"]),
        expand_dims=lambda: True,
    )
    return arguments, _image(rng, 1, rng.randint(1, 3), arguments, 40)


def _mel(rng: Random) -> Case:
    arguments = {"fft_length": rng.choice([8, 15, 16]), "sequence_stride": rng.randint(1, 9)} | _take(
        rng, sequence_length=lambda: rng.choice([None, 8, 12, 20]), num_mel_bins=lambda: rng.randint(1, 6)
    )
    return arguments, [[rng.randint(4, 60)] if rng.random() < 0.9 else _shape(rng)]


def _categories(rng: Random) -> Case:
    arguments = {"num_tokens": rng.randint(0, 6)} | _take(
        rng, 0.7, output_mode=lambda: rng.choice(["multi_hot", "one_hot", "count", "binary"])
    )
    return arguments, [_shape(rng, 0, 3)]


def _bins(rng: Random) -> Case:
    arguments: Arguments = {"bin_boundaries": [0.0, 1.0, 2.5][: rng.randint(1, 3)]} | _take(
        rng, 0.7, output_mode=lambda: rng.choice(["int", "one_hot", "multi_hot", "count", "no"])
    )
    if rng.random() < 0.1:
        arguments["num_bins"] = 3
    return arguments, [_shape(rng, 0, 3)]


def _reversible(rng: Random) -> Case:
    arguments = {"input_dim": rng.randint(0, 20), "output_dim": rng.randint(1, 8)}
    return arguments | _take(rng, tie_weights=lambda: rng.random() < 0.5), [_shape(rng, 0)]


def _anything(**options: list[Any]) -> Callable[[Random], Case]:
    """A layer that takes any shape."""

    def draw(rng: Random) -> Case:
        return {name: rng.choice(values) for name, values in options.items()}, [_shape(rng, 0)]

    return draw


DRAWS: dict[str, Callable[[Random], Case]] = {
    "Input": lambda rng: ({"shape": [rng.randint(1, 30) for _ in range(rng.randint(0, 5))]}, []),
    "Dense": _dense,
    "EinsumDense": _einsum,
    "BatchNormalization": _normalization,
    "LayerNormalization": _axes(weights=True),
    "RMSNormalization": _axes(weights=False),
    "UnitNormalization": _axes(weights=False),
    "Softmax": _axes(weights=False),
    "GroupNormalization": _group_normalization,
    "Normalization": _given_normalization,
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply"), _elementwise),
    "Subtract": _pair,
    "Dot": _dot,
    "Embedding": _embedding,
    "Concatenate": _concatenate,
    "Flatten": _anything(data_format=[None, "channels_last", "channels_first"]),
    "Dropout": _anything(rate=[0, 0.25, 0.5, 1, 1.5, -0.1]),
    "AlphaDropout": _anything(rate=[0, 0.25, 0.5, 1, 1.5, -0.1]),
    "GaussianDropout": _anything(rate=[0, 0.25, 0.5, 1, 1.5, -0.1]),
    "GaussianNoise": _anything(stddev=[0, 0.25, 0.5, 1, 1.5, -0.1]),
    "ActivityRegularization": _anything(l1=[0.0, 0.1, -0.1], l2=[0.0, 0.1]),
    "Identity": _anything(),
    "Masking": _anything(mask_value=[0.0, 1]),
    "Rescaling": _anything(scale=[0.5, 2], offset=[0.0, 1]),
    "LeakyReLU": _anything(negative_slope=[0, 0.1, -0.1]),
    "ELU": _anything(alpha=[0.5, 1]),
    "PReLU": _prelu,
    "Activation": _anything(activation=["relu", "softmax", "gelu", "linear"]),
    "ReLU": _anything(max_value=[None, 6], negative_slope=[0, 0.1], threshold=[0, 1]),
    **{f"Conv{n}D": _convolution(n) for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _transposed(n) for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _depthwise(n, separable=False) for n in (1, 2)},
    **{f"SeparableConv{n}D": _depthwise(n, separable=True) for n in (1, 2)},
    **{f"MaxPooling{n}D": _pooling(n, required=False) for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": _pooling(n, required=True) for n in (1, 2, 3)},
    **{kind: _recurrent(kind) for kind in ("SimpleRNN", "LSTM", "GRU")},
    **{kind: _cell(kind) for kind in ("SimpleRNNCell", "LSTMCell", "GRUCell")},
    "StackedRNNCells": _cells,
    "RNN": _rnn,
    "TimeDistributed": _time_distributed,
    "Bidirectional": _bidirectional,
    "SpectralNormalization": _spectral_normalization,
    "Pipeline": _pipeline,
    "AugMix": _picture(factor=UNIT, **FORMAT),
    "AutoContrast": _picture(),
    "ContrastLimitedAdaptiveHistogramEqualization": _picture(clip_limit=[2.0], **FORMAT),
    "CutMix": _picture(factor=UNIT, **FORMAT),
    "MaxNumBoundingBoxes": _picture(max_number_=[3]),
    "MixUp": _picture(alpha=[0.1], **FORMAT),
    "RandAugment": _picture(factor=UNIT, num_ops=[1], **FORMAT),
    "RandomBrightness": _picture(factor_=BOTH),
    "RandomColorDegeneration": _picture(factor_=BOTH, **FORMAT),
    "RandomColorJitter": _picture(brightness_factor=BOTH, contrast_factor=UNIT, **FORMAT),
    "RandomContrast": _picture(factor_=UNIT),
    "RandomElasticTransform": _picture(factor=UNIT, scale=UNIT, **FORMAT),
    "RandomErasing": _picture(factor=UNIT, scale=UNIT, **FORMAT),
    "RandomFlip": _picture(mode=["horizontal", "vertical"], **FORMAT),
    "RandomGaussianBlur": _picture(factor=UNIT, sigma=UNIT, **FORMAT),
    "RandomGrayscale": _picture(factor=[0, 0.5, 1, 1.5, -0.5], **FORMAT),
    "RandomHue": _picture(factor_=UNIT, **FORMAT),
    "RandomInvert": _picture(factor=UNIT, **FORMAT),
    "RandomPerspective": _picture(factor=UNIT, interpolation=["nearest", "no"], **FORMAT),
    "RandomPosterization": _picture(factor_=[1, 4, 8, 0, 9], **FORMAT),
    "RandomRotation": _picture(factor_=BOTH, **MOVES, **FORMAT),
    "RandomSaturation": _picture(factor_=BOTH, **FORMAT),
    "RandomSharpness": _picture(factor_=UNIT, **FORMAT),
    "RandomShear": _picture(x_factor=UNIT, y_factor=UNIT, **MOVES, **FORMAT),
    "RandomTranslation": _picture(height_factor_=BOTH, width_factor_=BOTH, **MOVES, **FORMAT),
    "RandomZoom": _picture(height_factor_=BOTH, width_factor=BOTH, **MOVES, **FORMAT),
    "Solarization": _picture(addition_factor=UNIT, threshold_factor=UNIT),
    "CenterCrop": _picture(height_=[1, 4, 9, 0], width_=[2, 6, 12], **FORMAT),
    "Resizing": _picture(height_=[1, 4, 9, 0], width_=[2, 6, 12], interpolation=["nearest"], **FORMAT),
    "STFTSpectrogram": _stft,
    "MelSpectrogram": _mel,
    "CategoryEncoding": _categories,
    "Discretization": _bins,
    "ReversibleEmbedding": _reversible,
    "MultiHeadAttention": _heads,
    "GroupQueryAttention": _grouped_heads,
    **{kind: _scores(kind) for kind in ("Attention", "AdditiveAttention")},
    **{f"ConvLSTM{n}D": _conv_lstm(n) for n in (1, 2, 3)},
    **{f"Adaptive{kind}Pooling{n}D": _adaptive_pooling(n) for kind in ("Max", "Average") for n in (1, 2, 3)},
    **{f"SpatialDropout{n}D": _spatial_dropout(n) for n in (1, 2, 3)},
    **{f"Global{kind}Pooling{n}D": _global_pooling(n) for kind in ("Max", "Average") for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": _margins(n, "padding") for n in (1, 2, 3)},
    **{f"Cropping{n}D": _margins(n, "cropping") for n in (1, 2, 3)},
    **{f"UpSampling{n}D": _up_sampling(n) for n in (1, 2, 3)},
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": lambda rng: ({"n": rng.randint(0, 5)}, [_shape(rng, 1, 2)]),
}
"""For layers a function that draws arguments and input shapes: closer to what they take and refuse than what
`draw_by_parameters` draws."""
