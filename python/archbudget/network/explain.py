"""The explanation of the counts of a layer, as text, Markdown and HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget._expressions import Expression, decisions_in
from archbudget._markup import code, html, markdown, markdown_code
from archbudget._message import listed, show
from archbudget.errors import SpaceError
from archbudget.layers import CustomLayer
from archbudget.network.summary import show_shape, show_shapes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archbudget._records import Formula, LayerRecord
    from archbudget.network.network import Call, Network


FORMATS = ("text", "markdown", "html")
"""The forms of an explanation."""
MOST_CHARACTERS = 100_000
"""The most characters of one formula in HTML."""


class Line(NamedTuple):
    """One thing that is said of a layer."""

    what: str
    """What it is about; empty for what is about the layer itself."""
    said: str
    notes: tuple[tuple[str, str], ...] = ()
    """The meanings of numbers in it; what goes without a number is about all of it."""


class Explanation(NamedTuple):
    """All that is said of a layer."""

    name: str
    type: str
    flow: str
    """The shapes of its inputs and outputs."""
    lines: tuple[Line, ...]

    def text(self) -> str:
        """It as plain text."""
        shown = [f"{self.name} ({self.type}): {self.flow}"]
        for each in self.lines:
            shown.append(f"{each.what}: {each.said}" if each.what else each.said)
            shown += [f"  {number}: {meaning}" if number else f"  {meaning}" for number, meaning in each.notes]
        return "\n".join(shown)

    def markdown(self) -> str:
        """It as Markdown."""
        shown = [f"**{markdown(self.name)}** ({markdown(self.type)}): {markdown_code(self.flow)}", ""]
        for each in self.lines:
            shown.append(f"- {markdown(each.what)}: {_in_markdown(each)}" if each.what else f"- {markdown(each.said)}")
            shown += [
                f"  - {markdown_code(number)}: {markdown(meaning)}" if number else f"  - {markdown(meaning)}"
                for number, meaning in each.notes
            ]
        return "\n".join(shown)

    def html(self) -> str:
        """It as HTML."""
        items = []
        for each in self.lines:
            shown = code if each.notes or "=" in each.said else html
            said = shown(each.said, MOST_CHARACTERS)
            notes = "".join(
                f"<li>{f'{code(number).html}: ' if number else ''}{html(meaning).html}</li>"
                for number, meaning in each.notes
            )
            what = f"{html(each.what).html}: " if each.what else ""
            items.append(f"<li>{what}{said.html}{f'<ul>{notes}</ul>' if notes else ''}</li>")
        heading = f"<p><b>{html(self.name).html}</b> ({html(self.type).html}): {code(self.flow).html}</p>"
        return f"<div>{heading}<ul>{''.join(items)}</ul></div>"


def _in_markdown(line: Line) -> str:
    """A formula as code, a sentence as text."""
    return markdown_code(line.said) if line.notes or "=" in line.said else markdown(line.said)


def explained(explanations: Iterable[Explanation], form: object) -> str:
    """Explanations in a form.

    Raises:
        SpaceError: If there is no such form.
    """
    if form == "markdown":
        return "\n\n".join(each.markdown() for each in explanations)
    if form == "html":
        return "\n".join(each.html() for each in explanations)
    if form != "text":
        raise SpaceError(f"format must be one of {listed(FORMATS)}, not {show(form)}")
    return "\n\n".join(each.text() for each in explanations)


def explain(network: Network, call: Call) -> Explanation:
    """The explanation of one layer: formulas, the meaning of their numbers, and the layers that these come from."""
    record, layer = call.record, call.layer
    inputs = ", ".join(show_shape(shape) for shape in record.input_shapes)
    output = show_shapes(record.output_shapes)
    flow = f"{inputs} -> {output}" if inputs else output
    lines = []
    if isinstance(layer, CustomLayer):
        lines += [Line("", f"with {_given(call, name)}") for name in record.arguments]
    if record.reused:
        lines.append(Line("params", "0, because an earlier use of the same layer already counted its weights"))
    elif record.params == 0:
        purpose = layer.purpose()
        lines.append(Line("params", f"0. {purpose[:1].upper()}{purpose[1:]}." if purpose else "0."))
    else:
        lines += _formula(network, call, "trainable params", record.trainable_formula)
        lines += _formula(network, call, "non-trainable params", record.non_trainable_formula)
        if record.reused_inside:
            without = ("", "without the weights of a layer inside, which an earlier use already counted")
            what, said, notes = lines.pop()
            lines.append(Line(what, said, (*notes, without)))
        trained = record.trainable_formula.value
        if 0 < trained < record.params:
            parts = f"{trained:,} + {record.params - trained:,}"
            lines.append(Line("params", f"trainable_params + non_trainable_params = {parts} = {record.params:,}"))
    if record.macs is None:
        why = (
            "they depend on a side of its input that is unknown" if layer.KNOWS_MACS else "archbudget has no such layer"
        )
        lines.append(Line("macs", f"unknown, as {why}"))
    elif record.macs:
        lines.append(Line("macs", _equation(record.macs_formula)))
    lines.append(Line("output shape", _shape(record)))
    inside = [member.layer for member in layer.members() if member.layer is not None]
    if record.params and any(each.weight_bits is not None for each in inside):
        lines.append(Line("weight bytes", f"{record.weight_bytes:,}, of layers with weight_bits of their own"))
    elif (bits := layer.weight_bits) is not None and record.params:
        setting = f", set by {call.text(bits)}" if isinstance(bits, Expression) else ""
        equation = f"{record.params:,} * {record.weight_bits} bits = {record.weight_bytes:,}{setting}"
        lines.append(Line("weight bytes", equation))
    lines += [Line(metric, f"{value:,}") for metric, value in record.custom.items() if value]
    return Explanation(record.name, record.type, flow, tuple(lines))


def _formula(network: Network, call: Call, what: str, formula: Formula) -> list[Line]:
    if formula.value == 0:
        return []
    label = "params" if call.record.non_trainable_formula.value == 0 else what
    meanings: dict[str, list[int]] = {}
    for number, meaning in formula.numbers:
        meanings.setdefault(meaning, []).append(number)
    notes = []
    for meaning, numbers in meanings.items():
        several = meaning.endswith("kernel_size")
        text = "*".join(str(number) for number in numbers) if several else str(numbers[0])
        notes.append((text, _meaning(network, call, meaning)))
    return [Line(label, _equation(formula), tuple(notes))]


def _given(call: Call, name: str) -> str:
    """A hyperparameter of a custom layer, and the decisions that set it."""
    names = call.use.names
    deciding = dict.fromkeys(names[decision.name] for decision in decisions_in(call.layer.arguments()[name]))
    setting = call.setting(name) or ", ".join(deciding)
    return f"{name}={call.record.arguments[name]!r}" + (f", set by {setting}" if setting else "")


def _equation(formula: Formula) -> str:
    """A formula with names, with numbers, and its value; a formula that is a number is its own value."""
    steps = [formula.named] if formula.names else []
    if formula.text not in (formula.named, str(formula.value)):
        steps.append(formula.text)
    return " = ".join([*steps, f"{formula.value:,}"])


def _shape(record: LayerRecord) -> str:
    """The output shape with names, with numbers, and as it is."""

    def shape(sides: Iterable[str]) -> str:
        return f"(None, {', '.join(sides)})" if record.output_shape else "(None,)"

    sides = record.output_shape_formula
    steps = [shape(side.named for side in sides), shape(side.text for side in sides), show_shape(record.output_shape)]
    known = None not in record.output_shape and all(side.names or side.named == side.text for side in sides)
    return " = ".join(dict.fromkeys(steps if known else [steps[0], steps[2]]))


def _meaning(network: Network, call: Call, meaning: str) -> str:
    """The meaning of a number; that of an inner layer begins with a path, as in `cell.cells[1].units`."""
    path, _, what = meaning.rpartition(".")
    shown = re.sub(r"\b(layer|cell)\b\.?", "", path)
    text = f"{what} of {shown}" if shown else what
    record = call.record
    found: Any = record.arguments
    for part in re.findall(r"\w+", path):
        found = found[int(part)] if part.isdigit() else found[part]
    if what in found:
        setting = call.setting(meaning)
        return f"{text}, set by {setting}" if setting else text
    if "of the input" in what and record.inputs and not re.search(r"\[[1-9]", path):
        return f"{text}, {_origin(network, call)}"
    return text


def _origin(network: Network, call: Call) -> str:
    """The layer that made the input channels of this one, and the layers that they passed through."""
    through: list[str] = []
    tensor, shape = call.inputs[0], call.record.input_shapes[0]
    channels = shape[_channel_axis(call.record)]
    while True:
        source = network.producer(tensor)
        if source is None:
            return f"which come from {through[-1]}" if through else "which come from elsewhere"
        made = source.record
        passed = f" through {', '.join(reversed(through))}" if through else ""
        if made.type == "Input":
            return f"which come from {made.name} {show_shape(shape)}{passed}"
        for argument in ("filters", "units"):
            if argument in made.arguments:
                setting = source.setting(argument)
                by = f"{argument}={made.arguments[argument]}" + (f", set by {setting}" if setting else "")
                return f"which come from {made.name} ({by}){passed}"
        if made.type == "Flatten":
            sides = "*".join(str(side) for side in made.input_shapes[0])
            return f"which are the {sides} values that {made.name} puts in one row{passed}"
        if len(source.inputs) != 1 or len(source.outputs) != 1 or not _keeps_channels(made, channels):
            return f"which come from {made.name} {show_shape(shape)}{passed}"
        through.append(made.name)
        tensor, shape = source.inputs[0], made.input_shapes[0]


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
