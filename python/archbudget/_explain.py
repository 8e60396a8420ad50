"""Where the weights of a layer come from, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archbudget._expressions import Expression, decisions_in
from archbudget._summary import show_shape, show_shapes
from archbudget.layers import CustomLayer

if TYPE_CHECKING:
    from archbudget._architecture import Architecture, Formula, LayerRecord


def explain(arch: Architecture, record: LayerRecord) -> str:
    """Where the weights of one layer come from: formulas, their numbers, and the layers that these come from."""
    inputs = ", ".join(show_shape(shape) for shape in record.input_shapes)
    output = show_shapes(record.output_shapes)
    flow = f"{inputs} -> {output}" if inputs else output
    lines = [f"{record.name} ({record.type}): {flow}"]
    layer = arch.use_of(record).layer
    if isinstance(layer, CustomLayer):
        lines += [f"with {_given(arch, record, name)}" for name in record.arguments]
    if record.reused:
        lines.append("params: 0, because an earlier use of the same layer already counted its weights")
    elif record.params == 0:
        purpose = layer.purpose()
        lines.append(f"params: 0. {purpose[:1].upper()}{purpose[1:]}." if purpose else "params: 0.")
    else:
        lines += _formula(arch, record, "trainable params", record.trainable_formula)
        lines += _formula(arch, record, "non-trainable params", record.non_trainable_formula)
    if record.macs:
        lines.append(f"macs: {_equation(record.macs_formula)}")
    if (bits := layer.weight_bits) is not None and record.params:
        setting = f", set by {arch.text(record, bits)}" if isinstance(bits, Expression) else ""
        lines.append(f"weight bytes: {record.params:,} * {record.weight_bits} bits = {record.weight_bytes:,}{setting}")
    lines += [f"{metric}: {value:,}" for metric, value in record.custom.items() if value]
    return "\n".join(lines)


def _formula(arch: Architecture, record: LayerRecord, what: str, formula: Formula) -> list[str]:
    if formula.value == 0:
        return []
    label = "params" if record.non_trainable_formula.value == 0 else what
    lines = [f"{label}: {_equation(formula)}"]
    meanings: dict[str, list[int]] = {}
    for number, meaning in formula.numbers:
        meanings.setdefault(meaning, []).append(number)
    for meaning, numbers in meanings.items():
        several = meaning.endswith("kernel_size")
        text = "*".join(str(number) for number in numbers) if several else str(numbers[0])
        lines.append(f"  {text}: {_meaning(arch, record, meaning)}")
    return lines


def _given(arch: Architecture, record: LayerRecord, name: str) -> str:
    """A hyperparameter of a layer of the user's own, and the decisions that set it."""
    use = arch.use_of(record)
    deciding = dict.fromkeys(use.names[decision.name] for decision in decisions_in(use.layer.arguments()[name]))
    setting = arch.setting(record, name) or ", ".join(deciding)
    return f"{name}={record.arguments[name]!r}" + (f", set by {setting}" if setting else "")


def _equation(formula: Formula) -> str:
    """What a formula comes to; a number by itself is its own result."""
    return f"{formula.value:,}" if formula.text == str(formula.value) else f"{formula.text} = {formula.value:,}"


def _meaning(arch: Architecture, record: LayerRecord, meaning: str) -> str:
    """What a number stands for; of a layer inside its place stands before it, as in `cell.cells[1].units`."""
    place, _, what = meaning.rpartition(".")
    shown = re.sub(r"\b(layer|cell)\b\.?", "", place)
    text = f"{what} of {shown}" if shown else what
    found: Any = record.arguments
    for part in re.findall(r"\w+", place):
        found = found[int(part)] if part.isdigit() else found[part]
    if what in found:
        setting = arch.setting(record, meaning)
        return f"{text}, set by {setting}" if setting else text
    if "of the input" in what and record.inputs and not re.search(r"\[[1-9]", place):
        return f"{text}, {_origin(arch, record)}"
    return text


def _origin(arch: Architecture, record: LayerRecord) -> str:
    """Which layer made the channels that flow into this one, and through which layers they came."""
    through: list[str] = []
    tensor, shape = record.inputs[0], record.input_shapes[0]
    channels = shape[_channel_axis(record)]
    while True:
        source = arch.producer(tensor)
        if source is None:
            return f"which come from {through[-1]}" if through else "which come from elsewhere"
        way = f" through {', '.join(reversed(through))}" if through else ""
        if source.type == "Input":
            return f"which come from {source.name} {show_shape(shape)}{way}"
        for argument in ("filters", "units"):
            if argument in source.arguments:
                setting = arch.setting(source, argument)
                by = f"{argument}={source.arguments[argument]}" + (f", set by {setting}" if setting else "")
                return f"which come from {source.name} ({by}){way}"
        if source.type == "Flatten":
            sides = "*".join(str(side) for side in source.input_shapes[0])
            return f"which are the {sides} values that {source.name} puts in one row{way}"
        if len(source.inputs) != 1 or len(source.outputs) != 1 or not _keeps_channels(source, channels):
            return f"which come from {source.name} {show_shape(shape)}{way}"
        through.append(source.name)
        tensor, shape = source.inputs[0], source.input_shapes[0]


def _channel_axis(record: LayerRecord) -> int:
    kind, arguments, steps = record.type, record.arguments, 0
    while "layer" in arguments:
        steps += kind == "TimeDistributed"
        arguments = arguments["layer"]
        kind = arguments["type"]
    return steps if arguments.get("data_format") == "channels_first" else -1


def _keeps_channels(record: LayerRecord, channels: int) -> bool:
    (shape,) = record.input_shapes
    axis = _channel_axis(record)
    return bool(shape) and bool(record.output_shape) and shape[axis] == channels == record.output_shape[axis]
