"""One candidate: a network with every decision taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from archbudget._extras import imported
from archbudget._face import FacedABC
from archbudget._guard import guards
from archbudget._message import hint, show
from archbudget._nested import SetOnce
from archbudget.errors import ArchbudgetError, InvalidArchitectureError, SpaceError, UnknownNameError
from archbudget.network import Network, explain, explained, flops, network_html, summary
from archbudget.space.columns import GAP, index_of
from archbudget.space.description import check_names
from archbudget.space.family import compiled
from archbudget.space.stored import stored
from archbudget.space.table import row_of, values_by_decision
from archbudget.tflite import Arena, arena, flash

if TYPE_CHECKING:
    import os

    from archbudget._core import Trace
    from archbudget._expressions import Expression, Scalar
    from archbudget._records import LayerRecord, Use
    from archbudget.space.family import Family


@guards(but=["to_keras", "to_torch", "to_onnx"])
class Architecture(SetOnce, Mapping[str, Any], metaclass=FacedABC):
    """One network of a space: a read-only mapping from the names of its active decisions to their values.

    Made by [`Space.architecture`][archbudget.Space.architecture], `Space.suggest` and `Candidates[i]`, which run the
    space once for this network, in O(layers). Its values and totals are known from then on; its layers are written out,
    in a second run, the first time that they are needed. An architecture never changes, so it is safe to use from
    several threads. Its methods hold the GIL.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.lenet()
        >>> arch = space.architecture(f1=32, k1=5, f2=64, k2=5, units=128)
        >>> arch["f1"], arch.params, arch.macs
        (32, 184586, 3869952)
        >>> arch.layer("conv2d_1").params
        51264
    """

    INTERNAL = ("chosen_in", "network", "producer", "setting", "text", "use_of", "with_parameters")

    _active: list[bool]
    _totals: list[int]
    _beside: Mapping[str, Any] = {}

    def __init__(self, space: Family, indices: Iterable[int | None], active: list[bool], costs: list[int]) -> None:
        self.space = space
        """The space that the network belongs to."""
        self.indices = tuple([index if index and taken else 0 for index, taken in zip(indices, active, strict=True)])
        """The index of the value of each decision of the space; 0 where the decision is inactive."""
        vars(self).update(_active=active, _totals=costs)

    @cached_property
    def _values(self) -> dict[str, Any]:
        decisions = zip(self.space.decisions.items(), self.indices, self._active, strict=True)
        return {name: decision.values[index] for (name, decision), index, taken in decisions if taken}

    @cached_property
    def _trace(self) -> Trace:
        return compiled(self.space).diagram.trace(list(self.indices))

    @cached_property
    def network(self) -> Network:
        """The network layer by layer, as exporters and texts read it."""
        parts = compiled(self.space)
        values = {**self._beside, **self._values}
        return Network(self._trace, parts.uses, parts.outputs, parts.metrics, values, parts.units)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of the parameters that a followed function reads beside its decisions, such as a rate.

        `Space.suggest` and `Space.from_trial` of a space [`from_function`][archbudget.Space.from_function] know them.
        """
        return MappingProxyType(dict(self._beside))

    def with_parameters(self, parameters: Mapping[str, Any]) -> Architecture:
        """The same network with other parameters."""
        made = object.__new__(Architecture)
        known = ("_beside", "network", "layers")
        vars(made).update({name: value for name, value in vars(self).items() if name not in known})
        vars(made)["_beside"] = dict(parameters)
        return made

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise UnknownNameError(f"{show(name)} is not an active decision{hint(name, self)}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Architecture):
            return self.indices == other.indices and self.space == other.space
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.indices)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.items())
        macs = "unknown" if self.macs is None else f"{self.macs:,}"
        return f"<Architecture {values}: {self.params:,} params, {macs} macs>"

    def _repr_html_(self) -> str:
        """The table of the layers with bars, for notebooks."""
        return network_html(self.network, ", ".join(f"{name}={value}" for name, value in self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, (self.space, self.indices, dict(self._beside)))

    @property
    def costs(self) -> dict[str, Any]:
        """The value of each metric that is known."""
        return dict(self._costs)

    @cached_property
    def _costs(self) -> dict[str, Any]:
        parts = compiled(self.space)
        totals = dict(zip(parts.metrics, self._totals, strict=True))
        return {metric: parts.unit(metric).number(totals[metric]) for metric in self.space.metrics}

    def _total(self, metric: str) -> int:
        """The value of a metric that is always known."""
        return self._totals[compiled(self.space).metrics.index(metric)]

    @property
    def params(self) -> int:
        """The number of weights: what `keras.Model.count_params()` returns."""
        return self._total("params")

    @property
    def trainable_params(self) -> int:
        """The number of trained weights: what `sum(p.numel() for p in torch_model.parameters())` returns."""
        return self._total("trainable_params")

    @property
    def macs(self) -> int | Any:
        """The number of multiply-accumulates for one input; `None` where a side of an input is unknown."""
        return self._costs.get("macs")

    @property
    def weight_bytes(self) -> int:
        """The bytes that the weights take."""
        return self._total("weight_bytes")

    @property
    def peak_activation_bytes(self) -> int | Any:
        """The most bytes of activations that are alive at once; `None` where a side of an input is unknown."""
        return self._costs.get("peak_activation_bytes")

    @cached_property
    def layers(self) -> tuple[LayerRecord, ...]:
        """One record for each layer, in the order in which the layers are applied. O(layers) the first time."""
        return tuple(call.record for call in self.network.calls)

    def layer(self, name: str) -> LayerRecord:
        """The record of a layer.

        Raises:
            SpaceError: If no layer of this network has the name.
        """
        return self.network.call(name).record

    def summary(self) -> str:
        """The table that Keras users know: each layer with its output shape, its weights and its MACs. O(layers)."""
        return summary(self.network)

    def explain(self, layer: str | None = None, format: str = "text") -> str:  # noqa: A002
        """How the weights, MACs and output shape of one layer, or of every layer, are counted. O(layers).

        Each is a formula with names, the same with numbers, and what it comes to:
        `(kernel_height * kernel_width * input_channels + 1) * filters = (5*5*32 + 1) * 64 = 51,264`.

        Args:
            layer: The name of a layer; by default every layer is explained.
            format: `"text"`, `"markdown"` or `"html"`. In the last two names are escaped, so that they show as they
                are.

        Raises:
            SpaceError: If no layer of this network has the name, or there is no such format.
        """
        calls = self.network.calls if layer is None else (self.network.call(layer),)
        return explained((explain(self.network, call) for call in calls), format)

    def flops(self, convention: str = "2macs") -> int:
        """The floating-point operations for one input, which tools and papers count differently. O(layers).

        Args:
            convention: `"2macs"`, two for each multiply-accumulate, as `FlopCounterMode` of PyTorch has them; `"macs"`,
                one for each, which papers on mobile networks call FLOPs; or `"fvcore"`, one for each, and what fvcore
                adds for normalizations at rest and adaptive averages.

        Raises:
            SpaceError: If there is no such convention, `macs` is unknown, or the tool counts a layer in a way that
                depends on how it is written: fvcore does not see recurrent layers and fused attention.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()])
            >>> arch = space.architecture()
            >>> arch.macs, arch.flops(), arch.flops("fvcore")
            (3888, 7776, 4176)
        """
        return flops(self.network, convention)

    def arena(self, runtime: str = "tflm", kernels: str = "reference") -> Arena:
        """The memory that a runtime of microcontrollers needs for the network in int8, and what it is made of.

        The network is what TensorFlow's converter makes of it for inputs of one at a time: normalization and ReLU are
        part of the operators before them. Its tensors are put where the greedy planner of TensorFlow Lite Micro puts
        them, which is exact; see [Definitions](../definitions.md#arena-on-a-microcontroller) for what was measured, and
        for the rest. O(layers^2).

        Args:
            runtime: `"tflm"`, TensorFlow Lite Micro.
            kernels: Whose scratch memory is counted: `"reference"`, of the kernels in plain C++; or an upper bound of
                that of CMSIS-NN, `"cmsis_nn_dsp"` on Cortex-M4, M7 and M33, `"cmsis_nn_mve"` on Cortex-M55 and M85.

        Raises:
            SpaceError: If there is no such runtime or kernel; or it is not known what the converter makes of a layer.

        Example:
            >>> import archbudget as ab
            >>> arch = ab.spaces.ds_cnn().architecture(width=64, stride=2, depth=1, kernel_1=3)
            >>> arch.arena("tflm").tensors
            16000
        """
        return arena(self.network, runtime, kernels)

    def arena_bytes(self, runtime: str = "tflm", kernels: str = "reference") -> int:
        """The bytes of the whole arena: what is to be given to the interpreter as `tensor_arena`.

        It is the `total` of `arena`; arguments and errors are the same. In what was measured it was never less than the
        interpreter takes on a 64-bit machine with reference kernels, and 0 to 32 bytes more; in networks so small that
        planning takes more than their tensors, up to some hundred bytes more.

        Example:
            >>> import archbudget as ab
            >>> arch = ab.spaces.ds_cnn().architecture(width=64, stride=2, depth=1, kernel_1=3)
            >>> arch.arena_bytes(runtime="tflm"), arch.arena_bytes(kernels="cmsis_nn_dsp")
            (19552, 20720)
        """
        return self.arena(runtime, kernels).total

    def flash_bytes(self, weights: str = "int8", *, names: bool = True) -> int:
        """The bytes of the `.tflite` file of the network in int8, as TensorFlow's converter writes it.

        The network is that of `arena`. Weights take a byte each and biases four, normalization that is folded gives
        biases where there were none, and each channel of weights and biases has a scale and a zero point of 12 bytes;
        that is exact. What operators and tensors take beside it is an estimate: in 301 networks that were measured the
        whole was within 1.5 % of the file, and without names within 61 bytes. O(layers^2).

        Args:
            weights: `"int8"`.
            names: Whether the names of tensors are in the file, as the converter leaves them. A runtime on a
                microcontroller needs none; `strip_strings` of `tensorflow.lite.tools.flatbuffer_utils` takes them out.

        Raises:
            SpaceError: If the weights are others, `names` is no flag; or it is not known what the converter makes of a
                layer.

        Example:
            >>> import archbudget as ab
            >>> arch = ab.spaces.ds_cnn().architecture(width=64, stride=2, depth=1, kernel_1=3)
            >>> arch.flash_bytes(weights="int8"), arch.flash_bytes(names=False)
            (18562, 15858)
        """
        return flash(self.network, weights, names)

    def producer(self, tensor: int) -> LayerRecord | None:
        """The layer that wrote a tensor, through all of its aliases; `None` for an unknown number."""
        call = self.network.producer(tensor)
        return None if call is None else call.record

    def setting(self, record: LayerRecord, argument: str) -> str | None:
        """The decision, or the expression over decisions, that sets an argument of a layer; `None` for a constant.

        Decisions are named as in the space. An argument of an inner layer has a path, such as `layer.units`.
        """
        return self.network.call(record.name).setting(argument)

    def text(self, record: LayerRecord, expression: Expression) -> str:
        """The text of an expression of a layer, with decisions named as in the space."""
        return self.network.call(record.name).text(expression)

    def use_of(self, record: LayerRecord) -> Use:
        """The layer of a record, as a part of its space."""
        return self.network.call(record.name).use

    def to_keras(self) -> Any:
        """The real, trainable model: a functional `keras.Model`, built and uncompiled.

        As slow as building the model by hand: Keras makes every weight.

        Raises:
            MissingPackageError: If Keras is not installed (`pip install keras`).
            SpaceError: If a layer has an option that only PyTorch has, such as an integer as `padding`.
        """
        from archbudget.export.keras import build

        return build(self.network)

    def to_torch(self) -> Any:
        """The real, trainable module: an `nn.Module` with one module for each layer, under the name of the layer.

        It takes the inputs of the space as positional arguments, each of shape `(batch, *shape)` in the layout that
        the space describes (channels last, unless `data_format` says otherwise), and returns the output, or a tuple of
        the outputs. `sum(p.numel() for p in model.parameters() if p.requires_grad)` is `trainable_params`; weights that
        are not trained are parameters that need no gradient, or buffers. Weights start as the initializers of the
        layers say. Seeds are those of PyTorch: `torch.manual_seed`. As slow as building the module by hand: PyTorch
        makes every weight.

        Raises:
            MissingPackageError: If PyTorch is not installed (`pip install torch`).
            SpaceError: If a layer or an argument has no equivalent in PyTorch, such as a regularizer.
        """
        imported("torch", "to_torch")
        from archbudget.export.torch import build

        return build(self.network)

    def to_code(self, framework: str = "keras") -> str:
        """The source text that builds the network: it imports the framework alone, and ends in `model = ...`.

        One assignment a layer, loops where layers repeat, formatted as `ruff format` and Black leave it at 120 columns
        (in Keras from 88 columns on). What runs is the network of `to_keras` or `to_torch`: the same weights in the
        same order, the same shapes and, with these weights, the same outputs. Layers of Keras that were given no name
        get one from Keras. Modules of PyTorch have the names of `to_torch`, so that `load_state_dict` takes its state;
        their weights start as PyTorch's own modules draw them, not by Keras' initializers. O(layers) in Keras, which
        need not be installed; in PyTorch the module is built to be read.

        Args:
            framework: `"keras"` or `"torch"`.

        Raises:
            SpaceError: If a part of the network is no text, such as a custom layer or a function as an activation;
                the message names all of them. Or as for `to_keras` and `to_torch`.
            MissingPackageError: If PyTorch is not installed, and the text is to be for it.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 1, 9))])
            >>> text = space.architecture(units=3).to_code("keras")
            >>> "x = layers.Dense(units=3)(inputs)" in text
            True
        """
        from archbudget.export.code import write

        return write(self.network, framework)

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Writes the network into a file of ONNX, with batches of any size, and weights as `to_torch` starts them.

        PyTorch exports the module of `to_torch`; where it is not installed, or cannot, Keras exports the model of
        `to_keras`. The file is checked by `onnx`, and appears when it is whole. A network that was trained is
        exported by `torch.onnx.export` or by `model.export` of Keras itself. Takes seconds, as PyTorch traces the
        module.

        Args:
            path: The file.

        Raises:
            MissingPackageError: If `onnx` or `onnxscript` is not installed, or neither framework.
            SpaceError: If neither framework can export the network, with the reason of each.
            FileError: If the file cannot be written.
        """
        from archbudget.export.onnx import write

        write(self.network, path)

    def to_dict(self) -> dict[str, Any]:
        """The network in plain values for JSON: its space as text, its own values, and its totals.

        `space` is the text of a space file (`Space.to_yaml`, which takes as long as making the space), `values` those
        of the active decisions by name, `costs` the value of each metric. `dict(arch)` is the values alone, which
        `space.architecture` takes where the space is at hand.

        Raises:
            SpaceError: If a space file cannot hold the space, as for `Space.to_yaml`.

        Example:
            >>> import archbudget as ab, json
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 1, 9))])
            >>> stored = json.dumps(space.architecture(units=3).to_dict())
            >>> ab.Architecture.from_dict(json.loads(stored))
            <Architecture units=3: 27 params, 24 macs>
        """
        return {"space": stored().text(self.space), "values": dict(self), "costs": self.costs}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, code: bool = True) -> Architecture:
        """The network that `to_dict` described, in a space that is equal to the one it was taken from.

        Args:
            content: What `to_dict` returned, also after a way through JSON.
            code: Whether Python that the space names as `module:attribute` may be imported and called, as in
                `Space.load`.

        Raises:
            SpaceError: If it is not such a mapping, or the network has other totals now than when it was described.
        """
        parts = {"space": str, "values": Mapping, "costs": Mapping}
        if not isinstance(content, Mapping):
            raise SpaceError(f"an architecture is made of a mapping, as to_dict returns it, not of {show(content)}")
        for key in content:
            if key not in parts:
                raise SpaceError(f"unknown key {show(key)} of an architecture{hint(key, parts)}")
        if not isinstance(code, bool):
            raise SpaceError(f"code must be True or False, not {show(code)}")
        for key, kind in parts.items():
            if not isinstance(content.get(key), kind):
                what = "a text" if kind is str else "a mapping"
                raise SpaceError(f"'{key}' of an architecture must be {what}, not {show(content.get(key))}")
        made = architecture_of(stored().parse(content["space"], code), content["values"])
        if made.costs != content["costs"]:
            raise SpaceError(
                f"the network was described with the totals {show(dict(content['costs']))}, but has {show(made.costs)} "
                "here; another version counted it"
            )
        return made

    def chosen_in(self, layer: int) -> dict[str, Scalar]:
        """The values of the decisions that a layer reads, by their names in the layer."""
        return compiled(self.space).uses[layer].chosen(self._values)


def _restored(space: Family, indices: Iterable[int], parameters: Mapping[str, Any]) -> Architecture:
    return architecture_at(space, indices).with_parameters(parameters)


def architecture_at(space: Family, indices: Iterable[int]) -> Architecture:
    """The network with these indices, one for each decision of the space.

    Raises:
        InvalidArchitectureError: If the network cannot be built.
    """
    chosen = [int(index) for index in indices]
    diagram = compiled(space).diagram
    try:
        _, active, costs = diagram.take(chosen)
    except InvalidArchitectureError:
        diagram.trace(chosen)  # The layers in the order of the description: it refuses the first of these.
        raise
    return Architecture(space, chosen, active, costs or [])


def architecture_of(space: Family, values: Mapping[str, Scalar]) -> Architecture:
    """The network with these values, by the names of their decisions; see `Space.architecture`."""
    try:
        check_names(space.decisions, values, "architecture")
    except SpaceError as error:
        known = {name: value for name, value in values.items() if name in space.decisions}
        if _is_complete(space, known):
            hint = (
                "; for the parameters of a trial or a study, use from_trial(trial) or best(study), which ignore others"
            )
            raise SpaceError(f"{error}{hint}") from None
        raise
    return _taken(space, values)


def network_of(space: Family, network: object) -> Architecture:
    """A network as one of a space, by its values.

    Raises:
        SpaceError: If it is neither an architecture nor a mapping, or not a network of the space.
        InvalidArchitectureError: If it cannot be built.
    """
    if isinstance(network, Architecture) and network.space is space:
        return network
    return architecture_of(space, values_in(space, network))


def values_in(space: Family, network: object) -> dict[Any, Any]:
    """The values of a network by the names of its decisions, and of unknown ones, from what has them by name.

    It is read as a row of a table is: metrics and what else may stand beside the decisions are left out, and
    `params_units` is `units`.

    Raises:
        SpaceError: If it has no names.
    """
    row = row_of(network)
    if row is None:
        raise SpaceError(f"a network is an Architecture, or a mapping from decisions to values, not {show(network)}")
    return values_by_decision(row, space.decisions, space.metrics)


def network_in(space: Family, network: object) -> Architecture | None:
    """The same; `None` for a network that is not one of the space.

    Raises:
        SpaceError: If it is neither an architecture nor a mapping; or a mapping with names that no decision has, as
            only the network of another space has such.
    """
    values = values_in(space, network)
    if not isinstance(network, Architecture):
        check_names(space.decisions, values, "architecture")
    try:
        return network_of(space, network)
    except (SpaceError, InvalidArchitectureError):
        return None


def _is_complete(space: Family, values: Mapping[str, Scalar]) -> bool:
    """Whether values take every active decision."""
    try:
        _taken(space, values)
    except ArchbudgetError:
        return False
    return True


def _taken(space: Family, values: Mapping[str, Scalar]) -> Architecture:
    """The network with these values, which only an inactive decision may lack.

    Raises:
        SpaceError: If an active decision has no value, or a value is not in its domain.
        InvalidArchitectureError: If the network cannot be built.
    """
    parts = compiled(space)
    indices: list[int | None] = [None] * len(parts.names)
    decisions = space.decisions
    for name, value in values.items():
        index = index_of(decisions[name], value)
        if index != GAP:
            indices[parts.positions[name]] = index
    missing, active, costs = parts.diagram.take(indices)
    if missing is not None:
        name = parts.names[missing]
        if name in values:
            decisions[name].index(values[name])  # It refuses what is missing.
        raise SpaceError(f"no value is given for decision '{name}', {show(decisions[name])}")
    return Architecture(space, indices, active, costs or [])
