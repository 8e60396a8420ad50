"""Random layers and networks against the real Keras and, where it is installed, the real PyTorch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from fuzzing.draws import MOST_COMBINATIONS, Real, any_space
from support import pytorch_layers
from support.keras_layers import FED, IMAGES, MERGING, SCORES, call, describe, make
from support.layer_records import KINDS, count
from support.random_layers import random_case
from support.random_pytorch_layers import DRAWN, random_pytorch_case

if TYPE_CHECKING:
    from random import Random

COUNTED = ("Add", "BatchNormalization", "Conv1D", "Conv2D", "Dense", "DepthwiseConv2D", "Dropout", "Input", "PReLU")
"""Some layers whose products `FlopCounterMode` counts as the definitions say."""
TWICE = sorted(set(KINDS) - {"Input", "RNN", "Pipeline", "Masking", *MERGING, *SCORES, *FED, *IMAGES})
"""The layers of one input, which may be applied to another one again."""


def check_layer(rng: Random) -> str:
    """A layer is counted or refused as by Keras."""
    kind = rng.choice(KINDS)
    arguments, shapes = random_case(rng, kind)
    case = f"{kind}(**{arguments}) on {shapes}"
    expected, counted = describe(kind, arguments, shapes), count(kind, arguments, shapes)
    assert counted == expected, f"{case}: {counted}, but Keras says {expected}"
    if kind in SCORES and shapes:
        alone = [shapes[0]]
        assert count(kind, arguments, alone) is None, f"{case}: accepted on a single tensor, which Keras refuses"
    return case


def check_layer_of_pytorch(rng: Random) -> str:
    """A layer, or an option, of PyTorch is counted or refused as by it, if it is installed."""
    if find_spec("torch") is None:
        return ""
    kind = rng.choice(DRAWN)
    arguments, shapes = random_pytorch_case(rng, kind)
    case = f"{kind}(**{arguments}) on {shapes}"
    expected, counted = pytorch_layers.describe(kind, arguments, shapes), count(kind, arguments, shapes)
    assert counted == expected, f"{case}: {counted}, but PyTorch says {expected}"
    return case


def check_stack(rng: Random) -> str:
    """A stack of modules of PyTorch is counted or refused as by it, if it is installed."""
    if find_spec("torch") is None:
        return ""
    from support import torch_modules

    modules, refused = torch_modules.check_stack(rng)
    return f"a stack of {modules} modules, with {refused} that are refused"


def runs_alone(kind: str, arguments: dict[str, Any], shape: list[int]) -> bool:
    """Whether the real layer runs on one shape, and not only tells its weights and the shape of its output.

    Where it does not, that says nothing about a second use.
    """
    import keras

    try:
        call(kind, make(keras.layers, kind, arguments), [keras.ops.zeros((2, *shape))])
    except Exception:
        return False
    return True


def check_shared(rng: Random) -> str:
    """A layer with two inputs of different shapes is counted or refused as by Keras."""
    import keras

    kind = rng.choice(TWICE)
    arguments, shapes = random_case(rng, kind)
    if len(shapes) != 1:
        return ""
    first = shapes[0]
    others = [list(first), first[::-1], [*first[:-1], 7], [*first, 2], first[1:]]
    others += random_case(rng, kind)[1][:1]
    if len(first) > 1:
        others.append([first[0] * 2, *first[1:-1], first[-1]])
        others.append([*first[:-2], first[-1], first[-2]])
    second = rng.choice(others)
    case = f"one {kind}(**{arguments}) on {first} and {second}"
    if describe(kind, arguments, [first]) is None or describe(kind, arguments, [second]) is None:
        return ""
    sources = [layers.Input(tuple(shape)) for shape in (first, second)]
    try:
        layer = make(layers, kind, arguments)
        arch = ab.Space(inputs=sources, outputs=[layer(source) for source in sources]).architecture()
    except ArchbudgetError:
        arch = None
    inputs = [keras.Input(tuple(shape)) for shape in (first, second)]
    try:
        real = make(keras.layers, kind, arguments)
        outputs = [call(kind, real, [source]) for source in inputs]
        model = keras.Model(inputs, outputs)
        for shape in (first, second):
            call(kind, real, [keras.ops.zeros((2, *shape))])
    except Exception:  # Keras refuses with errors of many types.
        refused = arch is None or not all(runs_alone(kind, arguments, shape) for shape in (first, second))
        assert refused, f"{case}: accepted, but Keras refuses it"
        return case
    if arch is None:
        # What is built for one shape may fit another one by broadcasting, which Keras does not notice.
        assert first != second, f"{case}: refused, but Keras takes it"
        return case
    assert arch.params == model.count_params(), f"{case}: {arch.params}, but Keras says {model.count_params()}"
    # A record has the shape of the first output of those that a layer has.
    shapes_there = [tuple(keras.tree.flatten(output)[0].shape[1:]) for output in outputs]
    assert [record.output_shape for record in arch.layers[-2:]] == shapes_there, case
    return case


def check_network(rng: Random) -> str:
    """A network of a random space has the weights, the shapes and the products that the real ones have."""
    space = any_space(rng, Real)
    if space is None:
        return ""
    if space.combinations > MOST_COMBINATIONS**2:
        return ""
    arch = space.sample(1, seed=rng.randrange(1000))[0]
    case = f"{dict(arch)} of {space._definition}"
    shapes = [tuple(record.output_shape) for record in _outputs(arch)]
    if not _all_lead_on(arch):  # Keras leaves out what no output needs.
        return case
    keras_model = arch.to_keras()
    assert keras_model.count_params() == arch.params, case
    assert [tuple(output.shape[1:]) for output in keras_model.outputs] == shapes, case
    if find_spec("torch") is not None:
        _torch(arch, shapes, case)
    return case


def _torch(arch: ab.Architecture, shapes: list[tuple[int, ...]], case: str) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    try:
        module = arch.to_torch().eval()
    except ArchbudgetError:  # What PyTorch has nothing for.
        return
    counted = sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
    assert counted == arch.trainable_params, f"{case}: {arch.trainable_params}, but PyTorch says {counted}"
    sources = [torch.zeros(1, *record.output_shape) for record in arch.layers if record.type == "Input"]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        made = module(*sources)
    made = list(made) if isinstance(made, (list, tuple)) else [made]
    assert [tuple(each.shape[1:]) for each in made] == shapes, case
    if all(record.type in COUNTED for record in arch.layers):
        assert counter.get_total_flops() == 2 * arch.macs, f"{case}: {arch.macs} MACs"


def _all_lead_on(arch: ab.Architecture) -> bool:
    """Whether each layer leads to an output."""
    needed = {record.output for record in _outputs(arch)}
    for record in reversed(arch.layers):
        if record.output not in needed:
            return False
        needed |= {arch.producer(tensor).output for tensor in record.inputs}  # type: ignore[union-attr]
    return True


def _outputs(arch: ab.Architecture) -> list[Any]:
    tensors = [output if isinstance(output, int) else output[0] for output in arch.space._compiled.outputs]
    return [arch.producer(tensor) for tensor in tensors]
