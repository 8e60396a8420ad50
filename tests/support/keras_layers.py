"""What the real Keras says of one layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from archbudget import layers
from archbudget.layers._attention import _Heads, _Scores
from archbudget.layers._preprocessing import _Image
from archbudget.layers._recurrent import WithStates

CLASSES = {name: getattr(layers, name) for name in layers.__all__ if isinstance(getattr(layers, name), type)}
"""The public classes, by name."""


BASES = (layers.Layer, layers.Cell, layers.CustomLayer)
"""The public classes that are no layer by themselves."""


def _kinds(base: type) -> list[str]:
    """The public layers of Keras that derive from this class."""
    derived = (name for name, each in CLASSES.items() if issubclass(each, base) and each not in BASES)
    return [name for name in derived if CLASSES[name].IN_KERAS]


MERGING = [name for name in _kinds(layers.Layer) if CLASSES[name].MERGES]
"""The layers that are called on a list of tensors."""
HEADS = _kinds(_Heads)
"""The layers that are called on a query, a value and a key."""
SCORES = _kinds(_Scores)
"""The layers that are called on a list of them."""
CELLS = _kinds(layers.Cell)
"""What is no layer, but one step of one."""
WRAPPERS = [name for name in _kinds(layers.Layer) if CLASSES[name].LAYERS and name not in CELLS]
"""The layers around others."""
RECURRENT = _kinds(WithStates)
"""The layers that may be given states behind their sequence, and hand their own on."""
CHANNELS = {
    **dict.fromkeys(("AugMix", "RandAugment", "RandomGrayscale"), (1, 3)),
    **dict.fromkeys(("RandomColorDegeneration", "RandomHue", "RandomSaturation"), (3,)),
}
"""The numbers of channels that layers of images take, where not all will do; some fail while training."""
IMAGES = {name: CHANNELS.get(name, ()) for name in (*_kinds(_Image), "CenterCrop", "Resizing")}
"""The layers of images, and the numbers of channels that they take where not all will do."""
FED = ("CategoryEncoding", "Discretization", "EinsumDense", "MelSpectrogram", "STFTSpectrogram")
"""The layers that describe tensors which they do not make."""


def make(namespace: Any, kind: str, arguments: dict[str, Any]) -> Any:
    """A layer of Keras or of archbudget; a layer inside of it stands among its arguments as its name and its own."""

    def made(name: str, given: Any) -> Any:
        if isinstance(given, dict):
            ((inside, own),) = given.items()
            return make(namespace, inside, own)
        if isinstance(given, list) and name == "axis":
            return tuple(given)
        return [made("", each) for each in given] if isinstance(given, list) else given

    return getattr(namespace, kind)(**{name: made(name, given) for name, given in arguments.items()})


def describe(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> dict[str, Any] | None:
    """The output shape of a layer, what it gives beside it, its weights and its multiply-accumulates; `None` if Keras
    refuses it.

    The multiply-accumulates follow from the weights that Keras made: each item of a kernel is used once at each
    position of the output, or of the input where the convolution is transposed.
    """
    import keras

    try:
        inputs = [keras.Input(tuple(shape)) for shape in shapes]
        if kind == "Input":
            shape = keras.Input(**arguments).shape[1:]
            return {"output": list(shape), "trainable": 0, "non_trainable": 0, "macs": 0}
        layer = make(keras.layers, kind, arguments)
        extra: list[list[int]] = []
        if kind in CELLS:
            output = keras.layers.RNN(layer)(np.zeros((2, 3, *shapes[0]))).shape[1:]
        else:
            (batch, *output), *others = (each.shape for each in keras.tree.flatten(call(kind, layer, inputs)))
            extra = [list(shape[1:]) for shape in others]
            if batch is not None or (
                kind == "CategoryEncoding" and len(shapes[0]) > 1 and layer.output_mode != "one_hot"
            ):
                # It joins the values of a batch; or what it describes is what it makes by chance.
                return None
        if kind in IMAGES:
            channels = shapes[0][0 if layer.data_format == "channels_first" else -1]
            if len(shapes[0]) != 3 or channels not in (IMAGES[kind] or (channels,)):
                return None
        dtype = int if kind == "CategoryEncoding" else float
        if kind in (*WRAPPERS, *RECURRENT, *FED, *IMAGES):
            made = keras.tree.flatten(call(kind, layer, [np.zeros((2, *shape), dtype) for shape in shapes]))
            if kind == "EinsumDense":
                # What its output_shape leaves open is a side of its input.
                output = [own if side is None else side for side, own in zip(output, made[0].shape[1:], strict=True)]
            if [list(each.shape[1:]) for each in made] != [list(output), *extra]:
                # Keras describes another tensor than it makes: of two layers of different widths in both directions, or
                # of axes that an equation does not name, which it takes in the reverse order.
                return None
        if kind in RECURRENT and shapes[1:] not in ([], states_of(layer)):
            # It stretches the states that it is given, or leaves out some of them; not every backend runs that.
            return None
        if kind == "TimeDistributed":
            # It skips what its layer looks at when it is called.
            layer.layer(keras.Input(tuple(shapes[0][1:])))
        if kind in HEADS + SCORES:
            # What does not fit is noticed only when it is fed; what fits by chance or by broadcasting is left out.
            least = 1 if kind == "MultiHeadAttention" else 2
            if len({len(shape) for shape in shapes}) > 1 or len(shapes[0]) < least:
                return None
            one, two = (products(kind, layer, [np.zeros((count, *shape)) for shape in shapes]) for count in (1, 2))
            if two != 2 * one:
                # It attends over the batch.
                return None
        if kind == "RMSNormalization" and not _scales_what_it_normalizes(layer, shapes[0]):
            return None
        if kind.startswith("ZeroPadding"):
            # Some negative numbers are found only when they are fed.
            layer(np.zeros((2, *shapes[0])))
        if kind in ("EinsumDense", "Softmax"):
            # Their axes are looked at only when they are fed.
            layer(np.zeros((2, *(shapes[0] if kind == "EinsumDense" else [side + 1 for side in shapes[0]]))))
    except Exception:
        # Keras refuses with errors of many types, some of them by accident.
        return None
    if None in output or 0 in output or (kind.startswith("Adaptive") and len(output) != len(shapes[0])):
        # Keras describes a tensor of unknown size or without values, or one pooled over axes that it does not have.
        return None
    return {
        "output": list(output),
        **({"extra": extra} if extra else {}),
        "trainable": sum(math.prod(weight.shape) for weight in layer.trainable_weights),
        "non_trainable": sum(math.prod(weight.shape) for weight in layer.non_trainable_weights),
        "macs": _macs(kind, layer, shapes, list(output)),
    }


def _scales_what_it_normalizes(layer: Any, shape: list[int]) -> bool:
    """Whether an `RMSNormalization` has its scale along its axes; Keras stretches it from the last axis on."""
    ones = np.ones((2, *shape), "float32")
    axes = [axis % ones.ndim for axis in layer.axis]
    scale = np.arange(1.0, 1 + math.prod(layer.scale.shape)).reshape(layer.scale.shape)
    layer.scale.assign(scale)
    sides = [ones.shape[axis] if axis in axes else 1 for axis in range(ones.ndim)]
    expected = ones * scale.transpose(np.argsort(axes)).reshape(sides)
    made = np.asarray(layer(ones))
    return made.shape == expected.shape and np.allclose(made, expected, rtol=1e-2)


def weight_shapes(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> list[tuple[int, ...]]:
    """The shapes of the weights of a layer that is built for inputs of these shapes."""
    import keras

    layer = make(keras.layers, kind, arguments)
    call(kind, layer, [keras.Input(tuple(shape)) for shape in shapes])
    return [tuple(weight.shape) for weight in layer.weights]


def is_used_again(
    kind: str, arguments: dict[str, Any], first: list[list[int]], second: list[list[int]], alone: dict[str, Any]
) -> bool:
    """Whether a layer that is used on inputs of the first shapes can be used on the second ones, too.

    It can if it describes and makes the outputs that it has on these alone.
    """
    import keras

    layer = make(keras.layers, kind, arguments)
    dtype = int if kind == "CategoryEncoding" else float

    def shapes(inputs: list[Any]) -> list[list[int]]:
        return [list(each.shape[1:]) for each in keras.tree.flatten(call(kind, layer, inputs))]

    shapes([keras.Input(tuple(shape)) for shape in first])
    try:
        described = shapes([keras.Input(tuple(shape)) for shape in second])
        # No other side is 11, so that a batch does not pass for another axis.
        made = shapes([np.zeros((11, *shape), dtype) for shape in second])
    except Exception:
        # Keras refuses with errors of many types, some of them by accident.
        return False
    return described == made == [alone["output"], *alone.get("extra", [])]


def states_of(layer: Any) -> list[list[int]]:
    """The shapes of the states of a recurrent layer that is built."""
    import keras

    ways = [layer.forward_layer, layer.backward_layer] if hasattr(layer, "forward_layer") else [layer]
    return [list(state.shape[1:]) for way in ways for state in keras.tree.flatten(way.get_initial_state(2))]


def call(kind: str, layer: Any, inputs: list[Any]) -> Any:
    if kind in RECURRENT and len(inputs) > 1:
        import keras

        ways = [layer.forward_layer, layer.backward_layer] if kind == "Bidirectional" else [layer]
        sizes = [size for way in ways for size in ([0, 0] if "ConvLSTM" in type(way).__name__ else way.state_size)]
        return layer(inputs[0], initial_state=keras.tree.pack_sequence_as(sizes, inputs[1:]))
    if kind in HEADS:
        return layer(inputs[0], *(inputs[1:] or inputs))
    if kind in SCORES:
        return layer(inputs if len(inputs) > 1 else inputs[0])
    return layer(inputs if kind in MERGING else inputs[0])


def products(kind: str, layer: Any, inputs: list[Any]) -> int:
    """How often two numbers are multiplied in the sums of products that attention takes."""
    from keras.src import ops

    count = 0
    einsum, attend = ops.einsum, ops.dot_product_attention

    def counted(equation: str, *operands: Any, **options: Any) -> Any:
        nonlocal count
        terms = equation.split("->")[0].split(",")
        sides = {
            axis: side
            for term, each in zip(terms, operands, strict=True)
            for axis, side in zip(term, each.shape, strict=True)
        }
        count += math.prod(sides.values())
        return einsum(equation, *operands, **options)

    def attended(query: Any, key: Any, value: Any, **options: Any) -> Any:
        nonlocal count
        count += math.prod(query.shape[:3]) * key.shape[1] * (query.shape[3] + value.shape[3])
        return attend(query, key, value, **options)

    ops.einsum, ops.dot_product_attention = counted, attended
    try:
        call(kind, layer, inputs)
    finally:
        ops.einsum, ops.dot_product_attention = einsum, attend
    return count


def _scores_macs(layer: Any, query: list[int], value: list[int]) -> int:
    """The products of queries with keys, if there are any, and of scores with values."""
    product = type(layer).__name__ == "Attention" and layer.score_mode == "dot"
    return math.prod(query[:-1]) * value[-2] * (value[-1] + (query[-1] if product else 0))


def _macs_inside(layer: Any, shape: list[int]) -> int:
    """The multiply-accumulates of a layer inside of another one."""
    output = layer.compute_output_shape((None, *shape))
    return _macs(
        type(layer).__name__, layer, [shape], list((output[0] if isinstance(output[0], tuple) else output)[1:])
    )


def _macs(kind: str, layer: Any, shapes: list[list[int]], output: list[int]) -> int:
    if kind == "TimeDistributed":
        return shapes[0][0] * _macs_inside(layer.layer, shapes[0][1:])
    if kind == "Bidirectional":
        return _macs_inside(layer.forward_layer, shapes[0]) + _macs_inside(layer.backward_layer, shapes[0])
    if kind == "SpectralNormalization":
        return _macs_inside(layer.layer, shapes[0])
    if kind == "Pipeline":
        shape, macs = shapes[0], 0
        for each in layer.layers:
            macs += _macs_inside(each, shape)
            shape = list(each.compute_output_shape((None, *shape))[1:])
        return macs
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if weight.name.endswith("kernel"))
    if getattr(layer, "lora_enabled", False):
        # Its weights are multiplied in each call; without them it is another layer.
        adapted = "kernel" if kernels else "embeddings"
        one, two = (getattr(layer, f"lora_{adapted}_{each}") for each in "ab")
        layer.lora_enabled = False
        return math.prod(one.shape) * two.shape[-1] + _macs(kind, layer, shapes, output)
    if kind == "Dot":
        axes = [layer.axes] * 2 if isinstance(layer.axes, int) else layer.axes
        side = [None, *shapes[0]][axes[0]]
        return side * (math.prod(shapes[0]) // side) * (math.prod(shapes[1]) // side)
    if kind in HEADS:
        return products(kind, layer, [np.zeros((1, *shape)) for shape in shapes])
    if kind in SCORES:
        return _scores_macs(layer, shapes[0], shapes[min(1, len(shapes) - 1)])
    if kind == "STFTSpectrogram":
        channels = shapes[0][0 if layer.data_format == "channels_first" else -1]
        frames = output[0] if layer.data_format == "channels_last" else output[1]
        return frames * channels * kernels
    if kind == "MelSpectrogram":
        return output[1] * (layer.fft_length // 2 + 1) * layer.num_mel_bins
    if kind == "EinsumDense":
        source, weights, target = layer.equation.replace("->", ",").split(",")
        elided = "ABCDEFGH"[: len(shapes[0]) + 1 - len(source.strip("."))]
        source, target = (term.replace("...", elided) for term in (source, target))
        axes = zip(source[1:], shapes[0], strict=True)
        return kernels * math.prod(side for axis, side in axes if axis in target and axis not in weights)
    if kind in CELLS:
        return kernels
    if kind in ("SimpleRNN", "LSTM", "GRU", "RNN"):
        return shapes[0][0] * kernels
    if kind.startswith("ConvLSTM") and not layer.return_sequences:
        output = [shapes[0][0], *output]
    swept = shapes[0] if kind.endswith("Transpose") else output
    first = 1 if kind.startswith("ConvLSTM") else 0
    channels = first if getattr(layer, "data_format", None) == "channels_first" else -1
    return math.prod(swept) // swept[channels] * kernels if kernels else 0
