"""A layer of archbudget from the configuration of one of Keras."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import MISSING, dataclass, fields
from typing import Any

from archbudget import layers
from archbudget._expressions import require_name
from archbudget._message import listed, one_line, show
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.importers.keras._legacy import modern
from archbudget.importers.operations import Unknown
from archbudget.layers import Layer, transformers
from archbudget.layers._base import ENGINE_PARAMETERS
from archbudget.layers._elsewhere import UNCOUNTED
from archbudget.layers._words import BY_ARGUMENT, WITH_ARGUMENTS

Custom = Mapping[str, Callable[[dict[str, Any]], Layer]]
"""For custom layers, by registered name or class name, what makes a layer of archbudget of their configuration."""

KINDS: dict[str, type[Layer]] = {
    name: made
    for name in layers.__all__
    if isinstance(made := getattr(layers, name), type)
    and issubclass(made, Layer)
    and made.IN_KERAS
    and name in ENGINE_PARAMETERS
    and name != "Input"
}
"""The layers of Keras that archbudget has, by name."""

WITHOUT_EFFECT = frozenset(
    [
        # All layers, in one version or another.
        *("activity_regularizer", "autocast", "batch_input_shape", "batch_shape", "dtype", "dynamic", "input_dtype"),
        *("input_shape", "supports_masking"),
        # Implementations of one thing.
        *(
            "consume_less",
            "fused",
            "implementation",
            "zero_output_for_mask",
            "unroll",
            "use_cudnn",
            "virtual_batch_size",
        ),
        # Random numbers, and shapes that are known anyway.
        *("input_length", "key_shape", "query_shape", "seed", "value_shape", "noise_shape"),
    ]
)
"""The configuration that changes neither a shape nor a count in any layer, and that archbudget lacks."""

IF_UNSET: Mapping[str, tuple[Any, ...]] = {
    "adjustment": (None,),
    "batch_size": (None,),
    "causal": (False,),
    "groups": (1,),
    "quantization_config": (None,),
    "ragged": (False,),
    "rms_scaling": (False,),
    "sparse": (False,),
    "time_major": (False,),
    "weights": (None,),
}
"""The configuration that archbudget lacks, and the values with which it changes nothing."""

OF_A_LAYER: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(["AutoContrast", "MaxNumBoundingBoxes", "RandomBrightness", "RandomContrast"], ("data_format",)),
    "Solarization": ("data_format",),
    "BatchNormalization": ("mode",),
    **dict.fromkeys(
        ["DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"],
        ("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    ),
    **dict.fromkeys(["Conv1D", "Dense", "SimpleRNN", "GRU", "LSTM"], ("input_dim",)),
}
"""The configuration without effect of single layers, which archbudget lacks there."""

AS_LAYERS = {"ELU": "elu", "LeakyReLU": "leaky_relu", "ReLU": "relu", "Softmax": "softmax"}
"""The layers without weights that stand as activations of other layers, and the words for what they do."""


@dataclass(frozen=True)
class Configured:
    """A layer as a configuration has it."""

    name: str
    kind: str
    """The name of its class."""
    config: dict[str, Any]
    module: str | None = None
    registered: str | None = None
    """The name under which its class is registered; `None` for one of Keras."""
    shared: object = None
    """The number of an object that occurs more than once."""

    @property
    def is_builtin(self) -> bool:
        """Whether its class is one of Keras itself."""
        if self.module is None:
            return self.registered is None or ">" not in self.registered
        return self.module.split(".")[0] in ("keras", "tf_keras", "tensorflow", "tensorflow_core")


def configured(given: Any, what: str) -> Configured:
    """A layer of a configuration.

    Raises:
        SpaceError: If it is none.
    """
    if not isinstance(given, Mapping):
        raise SpaceError(f"{what} must be the configuration of a layer, not {show(given)}")
    kind, config = given.get("class_name"), given.get("config")
    if not isinstance(kind, str) or not isinstance(config, (Mapping, list)):
        raise SpaceError(f"{what} must have a class_name and a config, not {show(given)}")
    if isinstance(config, list):
        config = {"layers": config}  # So is the Sequential of Keras 1.
    named, module, registered = given.get("name", config.get("name")), given.get("module"), given.get("registered_name")
    return Configured(
        named if isinstance(named, str) else config["name"] if isinstance(config.get("name"), str) else "",
        kind,
        dict(config),
        module if isinstance(module, str) else None,
        registered if isinstance(registered, str) else None,
        given.get("shared_object_id"),
    )


def _unknown(given: Configured, live: Any) -> Layer | None:
    """A layer that archbudget does not know, with the weights and the output of the real one, if it has one output."""
    try:
        shape = [*live.output.shape[1:]]
        given_to = live.input if isinstance(live.input, (list, tuple)) else [live.input]
        on = [[*each.shape[1:]] for each in given_to]
        trained, every = live.trainable_weights, live.weights
    except Exception:  # It may raise anything, and has no output before it is called, or several.
        return None
    if not all(isinstance(side, int) for side in shape):
        return None
    params = sum(math.prod(weight.shape) for weight in trained)
    whole = sum(math.prod(weight.shape) for weight in every)
    return Unknown(given.kind, on, shape, params, whole - params)


class Layers:
    """Makes layers; an object that occurs more than once makes one.

    Args:
        custom: What makes those of custom classes.
        is_old: Whether Keras 1 or 2 made them, whose frozen layers freeze what is inside of them.
        strict: Whether a layer that archbudget does not know is refused where the real one is at hand.
    """

    def __init__(self, custom: Custom, *, is_old: bool, strict: bool = True) -> None:
        self._custom = custom
        self._strict = strict
        self._is_old = is_old
        self._shared: dict[object, Layer] = {}

    def of(self, given: Configured, name: str | None, live: Any, *, frozen: bool = False) -> Layer:
        """The layer of a configuration.

        Args:
            given: The configuration.
            name: Its name in the space.
            live: The layer of Keras where it is at hand.
            frozen: Whether a model around it is frozen.

        Raises:
            SpaceError: If archbudget has none; the message says why.
        """
        key = identity(given, live)
        if key is not None and key in self._shared:
            return self._shared[key]
        said = given.config.get("trainable", True) is not False
        frozen = frozen or (self._is_old and not said)
        try:
            made = self._own(given) or self._brought_along(given) or self._builtin(given, live, frozen=frozen)
        except ArchbudgetError:
            unknown = None if self._strict or live is None else _unknown(given, live)
            if unknown is None:
                raise
            made = unknown
        own = copy(made)
        for cached in ("_lowered", "_called", "_tensor"):
            own.__dict__.pop(cached, None)
        own.__dict__["name"] = None if name is None else require_name(name, f"{made.kind}: name must be")
        if (frozen or not (self._is_old or trained(given, live))) and made.kind != "Pipeline":
            own.__dict__["trainable"] = False
        if key is not None:
            self._shared[key] = own
        return own

    def _own(self, given: Configured) -> Layer | None:
        """The layer that the caller makes of a custom one."""
        make = self._custom.get(given.registered or given.kind) or self._custom.get(given.kind)
        if make is None:
            return None
        try:
            made = make(dict(given.config))
        except ArchbudgetError:
            raise
        except Exception as error:  # It may raise anything.
            raise SpaceError(f"its function in custom= failed: {type(error).__name__}: {one_line(error)}") from error
        if not isinstance(made, Layer):
            raise SpaceError(f"its function in custom= must return a layer of archbudget, not {show(made)}")
        return made

    @staticmethod
    def _brought_along(given: Configured) -> Layer | None:
        """The layers that models of `keras.applications`, and those of `to_keras`, bring along."""
        package, _, name = (given.registered or "").partition(">")
        if package == "archbudget" and name in transformers.__all__ and name != "keras_layers":
            common = ("name", "trainable", *WITHOUT_EFFECT)
            made: type[Layer] = getattr(transformers, name)
            return made(**{argument: value for argument, value in given.config.items() if argument not in common})
        if given.module is None or not given.module.startswith(("keras.src.applications.", "keras.applications.")):
            return None
        config = given.config
        if given.kind == "LayerScale":
            return transformers.LayerScale(init_values=config.get("init_values", 1e-6))
        if given.kind == "StochasticDepth":
            return transformers.DropPath(rate=config.get("drop_path_rate", 0.0))
        if given.kind == "CustomScaleLayer":
            return layers.Add()  # The second input is scaled by a number, which is neither a weight nor a MAC.
        return None

    def _builtin(self, given: Configured, live: Any, *, frozen: bool) -> Layer:
        """The layer of the same name."""
        if not given.is_builtin:
            name = given.registered or given.kind
            raise SpaceError(
                f"it is a custom layer: custom={{{name!r}: ...}} takes a function from its config to a layer"
            )
        kind, config = modern(given.kind, given.config)
        made = KINDS.get(kind)
        if made is None:
            if kind in UNCOUNTED:
                raise SpaceError(f"it {UNCOUNTED[kind].replace('; use Input', '')}")
            raise SpaceError(f"archbudget has no such layer; custom={{{kind!r}: ...}} takes a function that makes one")
        _check_types(config)
        if kind == "RandomShear":
            config.update({name: _largest(config[name]) for name in ("x_factor", "y_factor") if name in config})
        arguments = self._arguments(made, config, live, frozen=frozen)
        missing = [each.name for each in fields(made) if each.default is MISSING and each.name not in arguments]
        if missing:
            raise SpaceError(f"its configuration lacks {listed(missing)}")
        return made(**arguments)

    def _arguments(self, made: type[Layer], config: Mapping[str, Any], live: Any, *, frozen: bool) -> dict[str, Any]:
        """The arguments of a layer, of those that its configuration has."""
        known = {each.name for each in fields(made)}
        taken: dict[str, Any] = {}
        for name, value in config.items():
            if name in ("name", "trainable"):
                continue
            if name in made.LAYERS:
                if (
                    made is layers.TimeDistributed
                    and isinstance(value, dict)
                    and value.get("class_name") == "Sequential"
                ):
                    raise SpaceError(
                        "its layer is a Sequential: a TimeDistributed around each layer of that, in a row, is the same "
                        "network, and is read"
                    )
                taken[name] = self._inside(value, f"its {name}", getattr(live, name, None), frozen=frozen)
            elif name in known:
                taken.update(_kept(name, value))
            elif name in WITHOUT_EFFECT or name in OF_A_LAYER.get(made.__name__, ()):
                continue
            elif name not in IF_UNSET or not any(value is unset or value == unset for unset in IF_UNSET[name]):
                raise SpaceError(f"its configuration has {name}={show(value)}, which archbudget does not know")
        return taken

    def _inside(self, given: Any, what: str, live: Any, *, frozen: bool) -> Any:
        """A layer that is the argument of another one, or several."""
        if isinstance(given, list):
            several = live if isinstance(live, (list, tuple)) and len(live) == len(given) else [None] * len(given)
            return [self._inside(each, what, own, frozen=frozen) for each, own in zip(given, several, strict=True)]
        if given is None:
            return None
        inner = configured(given, what)
        if inner.kind in ("Sequential", "Functional", "Model"):
            return self._row(inner, what, live, frozen=frozen)
        return self.of(inner, plain_name(inner.name), live, frozen=frozen)

    def _row(self, given: Configured, what: str, live: Any, *, frozen: bool) -> Layer:
        """A `Sequential` inside another layer, as one layer."""
        entries = given.config.get("layers")
        if given.kind != "Sequential" or not isinstance(entries, list):
            raise SpaceError(f"{what} is a model with a graph of its own, which archbudget cannot put into a layer")
        found = {each.name: each for each in getattr(live, "layers", None) or ()}
        held = [configured(each, what) for each in entries]
        return layers.Pipeline(
            [
                self._inside(each, what, found.get(inner.name), frozen=frozen)
                for each, inner in zip(entries, held, strict=True)
                if inner.kind != "InputLayer"
            ],
            name=plain_name(given.name),
        )


def identity(given: Configured, live: Any) -> object:
    """What two configurations of one layer have in common; `None` for a layer of its own."""
    if live is not None:
        return ("object", id(live))
    return None if not isinstance(given.shared, int) else ("shared", given.shared)


def plain_name(name: str) -> str | None:
    """A name in a space: older versions of Keras allowed slashes in theirs."""
    return name.replace("/", "_") or None


def trained(given: Configured, live: Any) -> bool:
    """Whether training changes the weights of a layer, as Keras' models count them.

    A model asks each weight, and only layers that hold weights themselves tell them. So what is said of a layer around
    others, by its constructor, is forgotten; said later, it was said to the layers inside as well. Attention holds its
    weights in layers that it makes when it is built: only a real one knows what became of them.
    """
    if given.kind in KINDS and (
        KINDS[given.kind].LAYERS or given.kind in ("MultiHeadAttention", "GroupQueryAttention")
    ):
        weights = [] if live is None or KINDS[given.kind].LAYERS else list(live.weights)
        return not weights or any(weight.trainable for weight in weights)
    return given.config.get("trainable", True) is not False


def _largest(factor: Any) -> Any:
    """The factor of a `RandomShear` as it was given: Keras writes `[-0.2, 0.2]`, which it does not take again."""
    is_pair = isinstance(factor, list) and len(factor) == 2 and all(isinstance(each, (int, float)) for each in factor)
    return factor[1] if is_pair and factor[0] == -factor[1] else factor


def _kept(name: str, value: Any) -> dict[str, Any]:
    """An argument, if archbudget keeps it: of functions that change no count it knows Keras' own.

    Raises:
        SpaceError: If it is an activation that may have weights.
    """
    part = name.rpartition("_")[2]
    if part == "activation" and isinstance(value, Mapping):
        kind = value.get("class_name")
        named = kind if isinstance(kind, str) else ""
        if named in AS_LAYERS:
            return {name: AS_LAYERS[named]}
        if named != "function" and named not in BY_ARGUMENT[part]:
            raise SpaceError(f"its {name} is an object of the class {show(kind)}, which may have weights")
    if part in ("initializer", "regularizer", "constraint"):
        word = value.get("class_name") if isinstance(value, Mapping) else value
        if not (isinstance(word, str) and (word in BY_ARGUMENT[part] or word in WITH_ARGUMENTS)):
            return {}
    return {name: value}


def _check_types(config: Mapping[str, Any]) -> None:
    """Refuses a layer whose weights are quantised, as it has scales beside them.

    Raises:
        SpaceError: If it is one.
    """
    given = config.get("dtype")
    kind = given.get("class_name") if isinstance(given, Mapping) else None
    inner = given.get("config") if isinstance(given, Mapping) else None
    name = inner.get("name") if isinstance(inner, Mapping) else given
    quantised = (isinstance(kind, str) and kind not in ("DTypePolicy", "Policy", "PolicyV1")) or (
        isinstance(name, str) and "_from_" in name
    )
    if quantised:
        raise SpaceError(
            f"its weights are quantised (dtype {show(name or kind)}), with scales that are not counted here"
        )
