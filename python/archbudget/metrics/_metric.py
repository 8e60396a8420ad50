"""Metrics that are functions of a layer."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from archbudget._budget import BUILT_IN
from archbudget._guard import guarded, guards
from archbudget._message import listed, show, with_nearest
from archbudget._nested import Opaque, SetOnce
from archbudget._unit import unit_of
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archbudget._records import LayerRecord, Use
    from archbudget._unit import Number


@guards()
class Metric(SetOnce):
    """A custom metric: a quantity that is counted for every network beside the built-in ones.

    Making one costs nothing, and a metric never changes. The threads that compile and count may call its function at
    the same time; each call holds the GIL.

    Args:
        name: The name of the metric in budgets and results, an identifier.
        function: The value of one layer: a function from a [`LayerRecord`][archbudget.LayerRecord] to an integer of at
            least 0, or with a `resolution` to any number. It must always return the same for the same record. The
            record does not say which tensors the layer is connected to, and its `custom` is empty.
        combine: Whether the value of a network is the sum of its layers (`"sum"`), or the largest (`"max"`).
        resolution: What the values of layers are multiples of, such as 1e-6: they may be fractions then, and negative.
            The value of each layer is rounded to it, halves to the even multiple, and held as an integer number of
            resolutions; from there on nothing is rounded. So the sum of L layers is at most L / 2 resolutions off what
            the function returned. Values, sums and bounds are in the unit of the function: floats, or integers where
            the resolution is 1. Values are less than 2^61 resolutions from 0.

    Raises:
        SpaceError: If the name is not an identifier or that of a built-in metric, the function cannot be called, or the
            resolution is not a positive number.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> convolutions = ab.Metric("convolutions", lambda layer: int(layer.type == "Conv2D"))
        >>> space = ab.Space(
        ...     [
        ...         layers.Input((28, 28, 1)),
        ...         layers.Repeat(ab.Int("depth", 1, 4), layers.Conv2D(ab.Choice("filters", [8, 16]), 3)),
        ...     ],
        ...     metrics=[convolutions],
        ... )
        >>> space.within(ab.Budget(custom={"convolutions": 2})).count()
        6
        >>> gain = ab.Metric("gain", lambda layer: 0.1 - layer.params / 8000, resolution=1e-6)
        >>> fits = space.with_metrics([gain]).within(ab.Budget(custom={"gain": (-0.25, None)}))
        >>> fits.count(), fits.largest("gain").costs["gain"]
        (29, 0.271)
    """

    INTERNAL: ClassVar[tuple[str, ...]] = ("check", "unit")

    def __init__(
        self,
        name: str,
        function: Callable[[LayerRecord], Any],
        *,
        combine: Literal["sum", "max"] = "sum",
        resolution: Number | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise SpaceError(f"a metric needs a name that is an identifier, not {show(name)}")
        if name in BUILT_IN or name == "valid":
            raise SpaceError(f"a metric cannot be named '{name}': that is built in")
        if not callable(function):
            raise SpaceError(f"metric '{name}' needs a function of a layer record, not {show(function)}")
        if combine not in ("sum", "max"):
            raise SpaceError(f"metric '{name}': combine must be 'sum' or 'max', not {show(combine)}")
        self.name = name
        self.function = function
        self.combine = combine
        self.unit = unit_of(resolution, f"metric '{name}'", largest=combine == "max")

    @property
    def resolution(self) -> Any:
        """What the values of layers are multiples of; `None` for integers of at least 0."""
        return self.unit.given

    def check(self, uses: Sequence[Use], *, whole: bool) -> None:
        """Checks the layers of a space before they are counted; this class accepts all.

        Args:
            uses: The layers.
            whole: Whether the decisions have all of their values; if not, layers may be missing.
        """

    def __eq__(self, other: object) -> bool:
        """Whether another metric has the same name and counts the same: by an equal function, or an equal table."""
        if not isinstance(other, Metric):
            return NotImplemented
        return type(self) is type(other) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def _parts(self) -> tuple[object, ...]:
        """The parts that equal metrics have in common."""
        return (self.name, self.combine, self.unit, Opaque(self.function))

    def __repr__(self) -> str:
        return f"<Metric {self.name} ({self.combine})>"


def weighted_layers(name: str = "weighted_layers") -> Metric:
    """The metric that counts the layers with weights; a layer that is used several times counts once.

    Args:
        name: The name of the metric.

    Example:
        >>> import archbudget as ab
        >>> ab.spaces.lenet().with_metrics([ab.metrics.weighted_layers()]).range("weighted_layers")
        (4, 4)
    """
    return Metric(name, has_weights)


@guarded
def has_weights(layer: LayerRecord) -> int:
    """1 for a layer with weights, 0 for any other: what `weighted_layers` adds up.

    Example:
        >>> import archbudget as ab
        >>> arch = ab.spaces.lenet().architecture(f1=32, k1=5, f2=64, k2=5, units=128)
        >>> [layer.name for layer in arch.layers if ab.metrics.has_weights(layer)]
        ['conv2d', 'conv2d_1', 'dense', 'dense_1']
    """
    return int(layer.params > 0)


def output_size(layer: str, axis: int | None = None, *, name: str | None = None) -> Metric:
    """The metric of the size of a layer's output: its number of elements, or one side; 0 in networks without the layer.

    With several outputs, their elements are added up, and a side is that of the first output.

    Args:
        layer: The name of the layer in the space, as the description gives it: `features`, or `features_2` in the
            second repetition of a `Repeat`. Automatic names are refused, as they change with the parts of the space.
        axis: The axis of the side, without the batch axis; `None` for the number of elements.
        name: The name of the metric; by default `output_size`.

    A space without such a layer is refused with a [`SpaceError`][archbudget.errors.SpaceError].

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 8), name="hidden")])
        >>> space.with_metrics([ab.metrics.output_size("hidden")]).range("output_size")
        (1, 8)
    """
    return OutputSize(layer, axis, "output_size" if name is None else name)


@guards()
class OutputSize(Metric):
    """What [`output_size`][archbudget.metrics.output_size] makes.

    Args:
        layer: The name of the layer.
        axis: The axis of the side; `None` for the number of elements.
        name: The name of the metric.

    Example:
        >>> import archbudget as ab
        >>> metric = ab.metrics.output_size("hidden")
        >>> type(metric).__name__, metric.layer, metric.combine
        ('OutputSize', 'hidden', 'max')
    """

    INTERNAL = ("size_of",)

    def __init__(self, layer: str, axis: int | None = None, name: str = "output_size") -> None:
        if not isinstance(layer, str):
            raise SpaceError(f"output_size needs the name of a layer, not {show(layer)}")
        if axis is not None and (isinstance(axis, bool) or not isinstance(axis, int)):
            raise SpaceError(f"output_size needs an axis that is an integer or None, not {show(axis)}")
        super().__init__(name, self.size_of, combine="max")
        self.layer = layer
        self.axis = axis

    def _parts(self) -> tuple[object, ...]:
        return (self.name, self.layer, self.axis)

    def check(self, uses: Sequence[Use], *, whole: bool) -> None:
        """Refuses a space without the layer, or in which the layer has an automatic name."""
        found = next((use for use in uses if use.name == self.layer), None)
        if found is None and whole:
            names = [use.name for use in uses]
            shown = with_nearest(self.layer, names)
            raise SpaceError(f"metric '{self.name}': no layer is named {shown}; the layers are {listed(names)}")
        if found is not None and found.layer.name is None:
            raise SpaceError(
                f"metric '{self.name}': the name '{self.layer}' is automatic, and may be another layer's in a part of "
                f"the space; give the layer a name: {found.layer.kind}(..., name='{self.layer}')"
            )

    def size_of(self, layer: LayerRecord) -> int:
        """The value of one layer."""
        if layer.name != self.layer:
            return 0
        if self.axis is not None:
            if not -len(layer.output_shape) <= self.axis < len(layer.output_shape):
                raise SpaceError(f"layer '{self.layer}' has no axis {self.axis}; its output is {layer.output_shape}")
            return layer.output_shape[self.axis]
        return sum(prod(shape) for shape in layer.output_shapes)
