"""Models of Keras 1, 2 and 3, read from objects, configurations and files, of which nothing is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from archbudget._guard import guarded
from archbudget._message import listed, show
from archbudget.errors import SpaceError
from archbudget.importers._refusals import Refusals
from archbudget.importers.keras._graph import Reader
from archbudget.importers.keras._layer import Configured, configured, plain_name
from archbudget.importers.keras._source import source_of
from archbudget.importers.keras._translator import UNKNOWN, Translator, shapes_by_input
from archbudget.space.space import Space

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from archbudget.layers import Layer

__all__ = ["from_keras", "plain_name"]


@guarded
def from_keras(
    model: Any | Mapping[str, Any] | str | os.PathLike[str],
    input_shape: Sequence[int] | Sequence[Sequence[int]] | Mapping[str, Sequence[int]] | None = None,
    strict: bool = True,
    custom: Mapping[str, Callable[[dict[str, Any]], Layer]] | None = None,
) -> Space:
    """Reads a model of Keras 1, 2 or 3 as a space without decisions: `space.architecture()` is the network.

    What a file says is read as data. No code in it is run, no module that it names is imported, and no weights are
    read; Keras is needed only where one of its models is given. Layers have their names, shapes and weights in Keras;
    those of models within the model stand among the others, and where two have the same name, behind the name of their
    model: `encoder.dense`. A model as an object is checked against Keras' own numbers of weights.

    It takes time proportional to the number of layers and calls of them, and holds the GIL but while the space is
    compiled. It is safe to call from several threads, where the model is not changed meanwhile.

    Args:
        model: A model; its configuration, as a dict or as JSON text (`model.to_json()`); or the path of a `.keras`,
            `.json` or `.h5` file. A subclassed model is called on symbolic tensors, and needs `input_shape`.
        input_shape: The shape of the input without the batch, where the model leaves sides unknown or does not have it;
            a list of shapes, or a dict by the names of the inputs, where there are several.
        strict: Whether what cannot be translated is refused. If not, and the model is an object, a layer that
            archbudget does not know keeps the weights and the output shape that it has in Keras; MACs and peak
            activations of the space are unknown then.
        custom: For custom layers, by their registered or their class name, a function that takes the configuration of
            one and returns a layer of archbudget.

    Raises:
        TranslationError: If parts of the model cannot be translated; with the name and the type of each.
        SpaceError: If what is given is no model, or not well formed.
        FileError: If the file cannot be read.

    Example:
        >>> import archbudget as ab
        >>> text = '''{"class_name": "Sequential", "config": [
        ...     {"class_name": "Dense", "config": {"output_dim": 10, "batch_input_shape": [null, 784]}}
        ... ]}'''
        >>> ab.from_keras(text).architecture().params
        7850
    """
    if not isinstance(strict, bool):
        raise SpaceError(f"strict must be True or False, not {show(strict)}")
    functions = _functions(custom)
    source = source_of(model, input_shape)
    given = _top(source.config)
    what = f"the Keras model {show(given.name)}" if given.name else "the Keras model"
    graph = Reader(what).graph(given, source.live)
    refusals = Refusals(what)
    version = source.config.get("keras_version") if isinstance(source.config, dict) else None
    is_old = isinstance(version, str) and version.startswith(("1.", "2."))
    translator = Translator(functions, refusals, frozen=_is_frozen(given, source.live), is_old=is_old, strict=strict)
    translator.name_all(graph)
    inputs = translator.inputs(graph, shapes_by_input(graph, input_shape))
    outputs = translator.outputs(graph, inputs)
    refusals.check()
    if any(each is UNKNOWN for each in [*inputs, *outputs]):
        raise SpaceError(f"{what} has parts that cannot be translated")
    outputs = translator.with_unread(outputs)
    space = Space(inputs=inputs, outputs=outputs, name=given.name or None)
    if source.live is not None:
        _check(space, source.live, source.counted, what)
    return space


def _check(space: Space, live: Any, counted: Any, what: str) -> None:
    """Compares the numbers of weights with those of a real model, if it has any yet.

    Raises:
        SpaceError: If they differ, so that no wrong number leaves; with the layers that differ.
    """
    try:
        real = counted.count_params(), sum(prod(weight.shape) for weight in counted.trainable_weights)
    except ValueError:
        return  # It has no weights before it is called for the first time.
    arch = space.architecture()
    if (arch.params, arch.trainable_params) == real:
        return
    own = {record.name: record.params for record in arch.layers if not record.reused}
    held = [each for each in getattr(live, "layers", ()) if each.name in own and each.count_params() != own[each.name]]
    where = listed(f"{each.name} ({own[each.name]:,}, Keras {each.count_params():,})" for each in held)
    raise SpaceError(
        f"{what} has {real[0]:,} weights in Keras, {real[1]:,} of them trained; archbudget counts {arch.params:,} and "
        f"{arch.trainable_params:,}" + (f"; in {where}" if where else "")
    )


def _is_frozen(given: Configured, live: Any) -> bool:
    """Whether a whole model is frozen, which goes before what its layers say."""
    return given.config.get("trainable", True) is False if live is None else not live.trainable


def _functions(custom: Any) -> dict[str, Callable[[dict[str, Any]], Layer]]:
    """The functions of custom layers.

    Raises:
        SpaceError: If they are none.
    """
    if custom is None:
        return {}
    if not isinstance(custom, Mapping):
        raise SpaceError(f"custom must be a mapping from names of classes to functions, not {show(custom)}")
    for name, function in custom.items():
        if not isinstance(name, str) or not callable(function):
            raise SpaceError(
                f"custom must have a function for the name of a class, not {show(function)} for {show(name)}"
            )
    return dict(custom)


def _top(config: Any) -> Configured:
    """The configuration of a whole model, with or without the name of its class around it.

    Raises:
        SpaceError: If it is none.
    """
    if isinstance(config, list):
        return Configured("", "Sequential", {"layers": config})
    if not isinstance(config, Mapping):
        raise SpaceError(f"the configuration of a model must be a dict, not {show(config)}")
    if isinstance(config.get("layers"), list) and "class_name" not in config:
        name = config.get("name")
        kind = "Functional" if "input_layers" in config else "Sequential"
        return Configured(name if isinstance(name, str) else "", kind, dict(config))
    if "class_name" not in config:
        raise SpaceError(f"the configuration of a model must have a class_name and a config, not {show(config)}")
    given = configured(config, "the model")
    if not isinstance(given.config.get("layers"), list):
        raise SpaceError(
            f"{show(given.kind)} is no Sequential or Functional model: a subclassed model does not say what it is made "
            "of; give the model itself and input_shape="
        )
    return given
