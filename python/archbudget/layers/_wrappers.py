"""The layers of Keras 3 around other layers, and the cells that `RNN` walks with.

What stands inside is a layer like any other: its hyperparameters may be decisions or expressions, and `channels()` is
what flows into it. The same object elsewhere, inside of another layer or by itself, is one layer with one set of
weights, as in Keras: the first use counts them. Only of the `layer` of a `Bidirectional` Keras takes a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Union

from archbudget._expressions import Expression, lower
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import ENGINE_PARAMETERS, Layer, Member, Nested, layer_class, leaves, require_steps
from archbudget.layers._cell import Cell
from archbudget.layers._recurrent import Recurrent, WithStates, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archbudget._expressions import Decision, IntLike, Lowered, Scalar, Scope
    from archbudget.layers._arguments import Flag, Text

__all__ = ["RNN", "Bidirectional", "Pipeline", "SpectralNormalization", "StackedRNNCells", "TimeDistributed"]

DEPTH = 32
"""The most levels of nested layers."""


class _Wrapper(Layer):
    """A layer that holds others, by the arguments in `LAYERS`."""

    def __post_init__(self) -> None:
        for name in self.LAYERS:
            self._check_layers(name, getattr(self, name))
        for layer in self.inside():
            if layer.kind not in ENGINE_PARAMETERS:
                raise SpaceError(f"{self.kind}: {layer.kind} is a custom layer, which cannot be inside another layer")
            self._check_options(layer)
            self._check_held(layer)
        depth = 1 + max(each.depth if isinstance(each, _Wrapper) else 0 for each in self.inside())
        if depth > DEPTH:
            raise SpaceError(f"{self.kind}: layers may be nested at most {DEPTH} deep")
        object.__setattr__(self, "depth", depth)
        steps = require_steps(1 + sum(each.steps for each in self.inside()), f"a {self.kind} with what it holds")
        object.__setattr__(self, "steps", steps)
        super().__post_init__()

    depth: ClassVar[int]  # Not a field: it is set for each.
    """How many layers stand around each other here."""

    def _check_layers(self, name: str, given: object) -> None:
        if not isinstance(given, Layer):
            raise SpaceError(f"{self.kind}: {name} must be a layer, not {show(given)}")

    def _check_options(self, layer: Layer) -> None:
        """Refuses options that a layer inside another one would never be called with."""
        for name in layer.CALL:
            if getattr(layer, name) is not False:
                raise SpaceError(
                    f"{self.kind}: {name} of {layer.kind} is an option of its call; a layer inside another layer is "
                    "called without options"
                )

    def _check_held(self, layer: Layer) -> None:
        """Refuses a layer that cannot be held."""
        if (count := leaves(layer.nested)) > 1:
            raise SpaceError(
                f"{self.kind}: {show(layer)} makes {count} tensors; a layer inside another layer makes one"
            )
        if layer.needs_batch_size:
            raise SpaceError(f"{self.kind}: a layer inside another layer cannot be stateful, as {show(layer)} is")

    def inside(self) -> Iterator[Layer]:
        """The layers that it holds."""
        for name in self.LAYERS:
            given = getattr(self, name)
            yield from given if isinstance(given, (list, tuple)) else () if given is None else (given,)

    def members(self, around: tuple[Layer, ...] = (), *, copied: bool = False) -> Iterator[Member]:
        """The layers that it holds, each in front of those that that one holds."""
        around = (*around, self)
        for name in self.LAYERS:
            given = getattr(self, name)
            for layer in given if isinstance(given, (list, tuple)) else () if given is None else (given,):
                apart = copied or name in self.COPIED
                yield Member(layer, around, apart)
                yield from layer.members(around, copied=apart)

    def lowered(self, scope: Scope) -> dict[str, Lowered]:
        """The hyperparameters that touch shape or cost, as the engine takes them; of each layer inside, too."""
        return {**super().lowered(scope), **{name: _lowered(getattr(self, name), scope) for name in self.LAYERS}}

    def other_decisions(self) -> Iterator[Decision]:
        """The decisions that touch neither shape nor cost."""
        yield from super().other_decisions()
        for layer in self.inside():
            yield from layer.other_decisions()

    def all_decisions(self) -> Iterator[Decision]:
        """The decisions that any argument reads, or that of a layer inside."""
        yield from super().all_decisions()
        for layer in self.inside():
            yield from layer.all_decisions()

    def other_arguments(self, chosen: Mapping[str, Scalar]) -> dict[str, Any]:
        """The arguments that touch neither shape nor cost, by value; those of an inner layer as a nested dict."""
        others = super().other_arguments(chosen)
        for name in self.LAYERS:
            others.pop(name, None)
            if found := _other(getattr(self, name), chosen):
                others[name] = found
        return others

    def recorded(self, counted: Mapping[str, Any], values: Sequence[tuple[Scalar, ...]]) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; those of a layer inside as that one records them."""
        known = super().recorded(counted, values)
        inside = {name: _recorded(getattr(self, name), known[name]) for name in self.LAYERS if name in known}
        return {**known, **inside}

    def beyond_keras(self, counted: Mapping[str, Any], chosen: Mapping[str, Scalar]) -> str | None:
        """What Keras has not, of the layers inside."""
        for name in self.LAYERS:
            if (found := _beyond(getattr(self, name), counted.get(name), chosen)) is not None:
                return found
        return None


def _lowered(given: Any, scope: Scope) -> Lowered:
    """What the engine is told of a layer inside: its kind, its hyperparameters, and whether training changes it."""
    if isinstance(given, (list, tuple)):
        return [_lowered(each, scope) for each in given]
    return None if given is None else (given.kind, given.lowered(scope), lower(given.trainable, scope))


def _other(given: Any, chosen: Mapping[str, Scalar]) -> Any:
    """The arguments of layers inside that touch neither shape nor cost; nothing where there are none."""
    if isinstance(given, (list, tuple)):
        found = tuple(_other(each, chosen) for each in given)
        return found if any(found) else ()
    return {} if given is None else given.other_arguments(chosen)


def _recorded(given: Any, counted: Any) -> Any:
    """What layers inside record."""
    if isinstance(given, (list, tuple)) and isinstance(counted, tuple):
        return tuple(_recorded(*each) for each in zip(given, counted, strict=True))
    return given.recorded(counted, ()) if isinstance(given, Layer) else counted


def _beyond(given: Any, counted: Any, chosen: Mapping[str, Scalar]) -> str | None:
    """What Keras has not of layers inside."""
    if given is None:
        return None
    pairs = zip(given, counted, strict=True) if isinstance(given, (list, tuple)) else [(given, counted)]
    return next((found for layer, own in pairs if (found := layer.beyond_keras(own, chosen)) is not None), None)


@layer_class
class TimeDistributed(_Wrapper):
    """A layer of one input, applied at each position of the first axis: its weights once, its MACs at each of them.

    Input shape: `(steps, ...)`.
    Output shape: `(steps, ...)`, of what the layer makes of one position.
    Weights: those of `layer`.
    MACs: those of `layer`, times the steps.

    Args:
        layer: The layer, of one input and one output.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    layer: Layer

    LAYERS = ("layer",)
    MASKS: ClassVar[tuple[str, ...]] = ("mask",)


@layer_class
class Bidirectional(_Wrapper, WithStates):
    """A recurrent layer, once forward and once backward, with weights for each; their outputs are joined.

    If its layer hands its last states on, so does this one: those of the way forward, then those of the way backward.
    Input shape: that of `layer`, and states to begin with as `initial_state`.
    Output shape: that of `layer`, with twice the last side for `"concat"`.
    Weights: those of both layers.
    MACs: those of both layers.

    Args:
        layer: The layer: `SimpleRNN`, `LSTM`, `GRU`, `RNN` or a `ConvLSTM`.
        merge_mode: How the outputs are joined: `"concat"` (along the last axis), `"sum"`, `"mul"` or `"ave"`; with
            `None` there are two of them. Default: `"concat"`.
        weights: The weights to begin with. Kept for Keras. Default: `None`.
        backward_layer: Another layer for the way backward, with `go_backwards=True` and the same output shape; `None`
            for a copy of `layer`. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    layer: Layer
    merge_mode: Text | None = "concat"
    weights: Any = None
    backward_layer: Layer | None = None

    LAYERS = ("layer", "backward_layer")
    COPIED = ("layer",)

    def __post_init__(self) -> None:
        if isinstance(self.merge_mode, Expression) and None in self.merge_mode.possible:
            raise SpaceError(
                f"Bidirectional: merge_mode=None makes two tensors, and cannot be a value of {show(self.merge_mode)}"
            )
        super().__post_init__()
        forward = getattr(self.layer, "go_backwards", False)
        backward = True if self.backward_layer is None else getattr(self.backward_layer, "go_backwards", True)
        if not isinstance(forward, bool) or not isinstance(backward, bool) or forward == backward:
            raise SpaceError(
                "Bidirectional: of its two layers one must have go_backwards=True and the other one False, not "
                f"{show(forward)} and {show(backward)}"
            )
        for name in ("return_state", "stateful"):
            first, second = (getattr(each, name) for each in self._ways)
            if first is not second:
                raise SpaceError(f"Bidirectional: its two layers must have the same {name}, not {first} and {second}")
        states = [each.states for each in self._ways]
        if self.hands_on and states[0] != states[1]:
            raise SpaceError(
                "Bidirectional: with return_state=True its two layers must have the same states; they have "
                f"{said(states[0])} and {said(states[1])}"
            )

    @property
    def _ways(self) -> tuple[WithStates, WithStates]:
        """The layers forward and backward."""
        return self.layer, self.layer if self.backward_layer is None else self.backward_layer  # type: ignore[return-value]

    def _check_layers(self, name: str, given: object) -> None:
        if name != "backward_layer" or given is not None:
            super()._check_layers(name, given)

    def _check_held(self, layer: Layer) -> None:
        """Nothing: the engine takes only recurrent layers."""
        del layer

    @property
    def states(self) -> tuple[Nested, ...]:
        """Those of both layers."""
        forward, backward = self._ways
        return (*forward.states, *backward.states)

    @property
    def outputs(self) -> tuple[Nested, ...]:
        """One, or one of each layer if they are not joined."""
        return (None, None) if self.merge_mode is None else (None,)

    @property
    def hands_on(self) -> bool:
        """Whether its layers hand their last states on."""
        return self._ways[0].hands_on

    @property
    def needs_batch_size(self) -> bool:
        """Whether its layers keep their states from batch to batch."""
        return self.layer.needs_batch_size

    def _begun(self, given: Any) -> list[Any]:
        forward, backward = (len(each.states) for each in self._ways)
        if given is not None and (forward + backward) // 2 != forward:
            raise SpaceError(
                "Bidirectional: Keras gives half of the initial_state, rounded down, to the layer forward; its two "
                f"layers have {forward} and {backward} states"
            )
        return super()._begun(given)


@layer_class
class SpectralNormalization(_Wrapper):
    """A layer with a kernel whose spectral norm is kept at 1: its weights, and a vector that is not trained.

    Input shape: that of `layer`.
    Output shape: that of `layer`.
    Weights: those of `layer`, and a vector as long as the last side of its kernel, which is not trained.
    MACs: those of `layer`; the iterations take place while training.
    After Miyato et al. (2018).

    Args:
        layer: A layer with a kernel or a table: `Dense`, `EinsumDense`, `Embedding`, a plain, transposed or depthwise
            convolution.
        power_iterations: How often the norm is estimated anew at each step of training, at least 1. It changes no
            count. Default: `1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    layer: Layer
    power_iterations: IntLike = 1

    LAYERS = ("layer",)


@layer_class
class Pipeline(_Wrapper):
    """Layers in a row, as one layer.

    Input shape: that of the first layer.
    Output shape: that of the last layer.
    Weights: those of all layers.
    MACs: those of all layers.

    Args:
        layers: The layers, from input to output; at least one.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Must be `True`: Keras takes no such argument here. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    layers: Sequence[Layer]

    LAYERS = ("layers",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trainable is not True:
            raise SpaceError("Pipeline: Keras takes no argument trainable here")

    def _check_layers(self, name: str, given: object) -> None:
        _check_list(self, name, given, "layers")

    def _check_held(self, layer: Layer) -> None:
        if layer is not self.layers[-1] or layer.needs_batch_size:
            super()._check_held(layer)

    @property
    def nested(self) -> Nested:
        """How the tensors that its last layer makes are nested."""
        return self.layers[-1].nested


def _check_list(layer: Layer, name: str, given: object, what: str) -> None:
    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(each, Layer) for each in given):
        raise SpaceError(f"{layer.kind}: {name} must be a list of {what}, not {show(given)}")


@layer_class
class StackedRNNCells(_Wrapper, Cell):
    """Cells on top of each other, as one cell.

    Input shape: `(features)` of a step.
    Output shape: that of the last cell.
    Weights: those of all cells.
    MACs: those of all cells, at each step.

    Args:
        cells: The cells, from input to output; at least one.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    cells: Sequence[Cell]

    LAYERS = ("cells",)

    def _check_layers(self, name: str, given: object) -> None:
        _check_list(self, name, given, "cells")

    @property
    def state(self) -> Nested:
        """Those of each cell."""
        return tuple(cell.state for cell in self.cells)


Cells = Union[Cell, Sequence[Cell]]
"""A cell, or cells on top of each other."""


@layer_class
class RNN(_Wrapper, Recurrent):
    """A cell that walks along a sequence: the weights of the cell, its MACs at each step.

    Input shape: `(steps, features)`, and states to begin with as `initial_state`.
    Output shape: that of the cell, with the steps before it with `return_sequences`; with `return_state` the last
    states behind it.
    Weights: those of the cell.
    MACs: those of the cell, times the steps.

    Args:
        cell: `SimpleRNNCell`, `LSTMCell`, `GRUCell`, `StackedRNNCells`, or a list of them for a stack.
        return_sequences: Whether the output has every step, or the last one alone. Default: `False`.
        return_state: Whether the last states are outputs, too; `True` or `False`, and no decision. Default: `False`.
        go_backwards: Whether it walks from the last step to the first, which changes no count. Default: `False`.
        stateful: Whether the states are kept from batch to batch, which changes no count; each `Input` needs a
            `batch_size` then. Default: `False`.
        unroll: Whether the steps are written out one by one. Kept for Keras. Default: `False`.
        zero_output_for_mask: Whether masked steps give zeros. Kept for Keras. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    cell: Cells
    return_sequences: Flag = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False

    LAYERS: ClassVar[tuple[str, ...]] = ("cell",)

    def _check_layers(self, name: str, given: object) -> None:
        if isinstance(given, (list, tuple)):
            _check_list(self, name, given, "cells")
        elif not isinstance(given, Layer):
            raise SpaceError(f"RNN: {name} must be a cell or a list of cells, not {show(given)}")

    @property
    def states(self) -> tuple[Nested, ...]:
        """Those of its cell, or of its cells."""
        state = self.cell.state if isinstance(self.cell, Cell) else tuple(cell.state for cell in self.cell)
        return (None,) if state is None else state

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.return_state and any(_depth(state) > 1 for state in self.states):
            raise SpaceError(
                "RNN: with return_state=True a stack of cells within another one must not hold an LSTMCell or a stack, "
                "whose states Keras cannot describe"
            )

    def members(self, around: tuple[Layer, ...] = (), *, copied: bool = False) -> Iterator[Member]:
        """The layers that it holds: the stack of a list of cells, too."""
        if isinstance(self.cell, (list, tuple)):
            yield Member(None, (*around, self), copied)
        yield from super().members(around, copied=copied)

    def lowered(self, scope: Scope) -> dict[str, Lowered]:
        """The hyperparameters that touch shape or cost, as the engine takes them: a list of cells as one cell."""
        given = super().lowered(scope)
        if isinstance(given["cell"], list):
            given["cell"] = ("StackedRNNCells", {"cells": given["cell"]}, True)
        return given

    def beyond_keras(self, counted: Mapping[str, Any], chosen: Mapping[str, Scalar]) -> str | None:
        """None: cells have no option of PyTorch."""
        del counted, chosen
        return None


def _depth(nested: Nested) -> int:
    """How deep tensors are nested."""
    return 0 if nested is None else 1 + max(map(_depth, nested))
