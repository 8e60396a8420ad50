"""The arena of TensorFlow Lite Micro: tensors, scratch of kernels, and the structures of the interpreter.

The first two share the head of the arena, where the planner puts them; the structures stand at its tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from archbudget._message import listed, show
from archbudget.errors import SpaceError
from archbudget.tflite.graph import FOLDS, converted
from archbudget.tflite.planner import Buffer, alive, planned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archbudget.network import Network
    from archbudget.tflite.graph import Graph
    from archbudget.tflite.nodes import Node


@dataclass(frozen=True)
class Arena:
    """The bytes of the memory that TensorFlow Lite Micro needs for a network, and what they are made of.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.ds_cnn()
        >>> arch = space.architecture(width=64, stride=2, depth=1, kernel_1=3)
        >>> arch.arena()
        Arena(tensors=16000, scratch=0, structures=3552, planning=1120, at_least=16000)
        >>> arch.arena().total, arch.arena_bytes()
        (19552, 19552)
    """

    tensors: int
    """What the planner needs for the tensors alone."""
    scratch: int
    """By how much scratch memory of kernels makes that larger; a plan may also come out smaller."""
    structures: int
    """What the interpreter keeps beside them: a structure for each tensor and operator, and multipliers for each
    channel of weights. That of 64-bit machines with reference kernels, which is more than on 32-bit ones."""
    planning: int
    """What the interpreter needs at most while it plans, in the place that tensors have later; it counts only where it
    is more than these take, as in the smallest networks."""
    at_least: int
    """The most bytes of tensors, each rounded up, that are alive at once: no planner can do with less."""

    @property
    def total(self) -> int:
        """The bytes of the whole arena."""
        return self.structures + max(self.tensors + self.scratch, self.planning)


def arena(network: Network, runtime: str = "tflm", kernels: str = "reference") -> Arena:
    """The arena of a network.

    Raises:
        SpaceError: If there is no such runtime, there are no such kernels, or the conversion is not known.
    """
    check(runtime, kernels)
    graph = converted(network)
    tensors = lifetimes(graph)
    scratch = [
        Buffer(size, step, step)
        for step, node in enumerate(graph.operators, 1)
        for size in KERNELS[kernels](graph, node)
    ]
    alone = planned(tensors)
    both = planned([*tensors, *scratch]) if scratch else alone
    every = len(graph.tensors()) + len(graph.constants) + len(scratch)
    kept = structures(graph, len({each.first for each in scratch}))
    return Arena(alone, both - alone, kept, _PLANNING + 48 * every, alive(tensors))


def check(runtime: object, kernels: object) -> None:
    """Refuses another runtime, or other kernels, than those that are known."""
    if runtime != "tflm":
        raise SpaceError(f"runtime must be 'tflm', TensorFlow Lite Micro, not {show(runtime)}")
    if not isinstance(kernels, str) or kernels not in KERNELS:
        raise SpaceError(f"kernels must be one of {listed(list(KERNELS))}, not {show(kernels)}")


def lifetimes(graph: Graph) -> list[Buffer]:
    """The tensors in the order of the file, each from the operator that writes it to the last one that reads it.

    The first step is before the first operator: the input is there from then on. An output stays until the end.
    """
    first = dict.fromkeys(graph.inputs, 0)
    last = dict(first)
    for step, node in enumerate(graph.operators, 1):
        first[node.output] = step
        last.update(dict.fromkeys((*node.inputs, node.output), step))
    last.update(dict.fromkeys(graph.outputs, len(graph.operators)))
    return [Buffer(graph.size(tensor), first[tensor], last[tensor]) for tensor in graph.tensors()]


def _reference(graph: Graph, node: Node) -> list[int]:
    """The scratch of the kernels in plain C++, which are those of the interpreter in Python."""
    if node.kind not in ("MEAN", "REDUCE_MAX"):
        return []
    axes = [4 * len(graph.shapes[node.inputs[0]]), 4 * prod(node.constants[0].shape)]
    return [*axes, 4 * graph.size(node.output)] if node.kind == "MEAN" else axes


def _cmsis_dsp(graph: Graph, node: Node) -> list[int]:
    """The scratch of CMSIS-NN on cores with the DSP extension, such as Cortex-M4 and M7."""
    channels = graph.shapes[node.inputs[0]][-1]
    if node.kind == "AVERAGE_POOL_2D":
        return [4 * channels]
    if node.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D") or node.geometry is None:
        return _reference(graph, node)
    kernel = prod(node.geometry.kernel)
    if node.kind == "CONV_2D":
        column = channels * kernel
        return [2 * 2 * (column if kernel == 1 else -(-column // 4) * 4)]
    return [2 * channels * kernel]


def _cmsis_mve(graph: Graph, node: Node) -> list[int]:
    """The scratch of CMSIS-NN on cores with Helium, such as Cortex-M55 and M85."""
    channels = graph.shapes[node.inputs[0]][-1]
    if node.kind == "AVERAGE_POOL_2D":
        return []
    if node.kind == "FULLY_CONNECTED":
        return [4 * graph.shapes[node.output][-1]]
    if node.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D") or node.geometry is None:
        return _reference(graph, node)
    kernel = prod(node.geometry.kernel)
    if node.kind == "CONV_2D":
        return [] if kernel == 1 else [4 * (-(-channels * kernel // 16) * 16)]
    return [4 * 124 * kernel]


KERNELS: Mapping[str, Callable[[Graph, Node], list[int]]] = {
    "reference": _reference,
    "cmsis_nn_dsp": _cmsis_dsp,
    "cmsis_nn_mve": _cmsis_mve,
}
"""The scratch buffers of an operator, by the kernels. Those of CMSIS-NN are upper bounds over its versions and
compilers: what its functions `arm_*_get_buffer_size` return."""

_OPTIONS: Mapping[str, tuple[int, int]] = {
    "ADD": (8, 4),
    "AVERAGE_POOL_2D": (40, 4),
    "CONCATENATION": (8, 4),
    "CONV_2D": (28, 4),
    "DEPTHWISE_CONV_2D": (28, 4),
    "FULLY_CONNECTED": (24, 4),
    "MAX_POOL_2D": (40, 4),
    "MEAN": (1, 1),
    "MUL": (4, 4),
    "REDUCE_MAX": (1, 1),
    "RESHAPE": (36, 4),
    "SOFTMAX": (8, 4),
}
"""The bytes and the alignment of the options of an operator, as the interpreter keeps them."""

_DATA: Mapping[str, int] = {
    "ADD": 60,
    "AVERAGE_POOL_2D": 32,
    "CONCATENATION": 80,
    "CONV_2D": 80,
    "DEPTHWISE_CONV_2D": 80,
    "FULLY_CONNECTED": 72,
    "HARD_SWISH": 20,
    "LOGISTIC": 16,
    "MAX_POOL_2D": 32,
    "MEAN": 44,
    "MUL": 36,
    "REDUCE_MAX": 44,
    "RELU": 28,
    "RELU6": 8,
    "SOFTMAX": 80,
    "TANH": 16,
}
"""The bytes of what the kernel of an operator prepares; `RESHAPE` prepares nothing."""

_FIXED = 736
"""What the interpreter keeps for itself, and for the input and the output."""

_PLANNING = 256
"""What planning takes beside 48 bytes for each tensor and scratch buffer, at most."""


def structures(graph: Graph, scratch: int) -> int:
    """The bytes at the tail of the arena, with reference kernels on 64-bit machines.

    They are laid out from the end, each with its alignment. Sizes are those of `tflite-micro` as measured; the last
    bytes depend on details of the order that are not modelled, and are rounded up.

    Args:
        graph: The network.
        scratch: How many operators ask for scratch memory.
    """
    place = 24 * (len(graph.tensors()) + len(graph.constants)) + 64 * len(graph.operators)
    for node in graph.operators:
        size, alignment = _OPTIONS.get(node.kind, (0, 1))
        place = -(-(place + size) // alignment) * alignment
    for size in (_DATA.get(node.kind, 0) for node in graph.operators):
        place = _up(place + size) if size else place
    for node in graph.operators:
        if node.kind in FOLDS:
            for _ in ("multipliers", "shifts"):
                place = _up(place + 4 * node.constants[0].channels)
    return _up(place + 8 * scratch) + _FIXED


def _up(size: int) -> int:
    return -(-size // 16) * 16
