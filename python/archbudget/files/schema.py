"""The JSON schema of space files."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from archbudget.files.model import SpaceFile, layer_classes, required

if TYPE_CHECKING:
    from collections.abc import Iterable


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of space files, for editors."""
    value = {"description": "A value, or an expression over decisions such as $width * 2."}
    row = {"type": "array", "items": {"$ref": "#/$defs/Block"}}

    def mapping(properties: dict[str, Any], required: Iterable[str]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        }

    rows = {"type": "array", "items": row}
    names = {"type": "array", "items": {"type": "string"}}
    blocks = {"type": "object", "additionalProperties": row}
    number = {"type": "integer", "minimum": 1}
    pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    chosen = {"anyOf": [number, pair, {"type": "null"}], "default": 1}
    node = {"type": "object", "properties": {"of": {"anyOf": [{"type": "string"}, names]}}, "maxProperties": 2}
    residual = [row, mapping({"body": row, "shortcut": row, "merge": row}, ["body"])]
    blocks_by_name: dict[str, Any] = {
        "Repeat": {
            "anyOf": [
                mapping({"times": value, "block": row, "shared": names}, ["times", "block"]),
                mapping({"times": value, "blocks": rows, "shared": names}, ["times", "blocks"]),
            ]
        },
        "Call": {"type": "object", "properties": {"layer": {"$ref": "#/$defs/Block"}}, "required": ["layer"]},
        "OneOf": mapping({"name": {"type": "string"}, "blocks": blocks}, ["name", "blocks"]),
        "InputChoice": mapping(
            {"name": {"type": "string"}, "inputs": names, "n_chosen": chosen, "merge": row}, ["name"]
        ),
        "Part": mapping(
            {"graph": {"type": "object", "additionalProperties": node}, "output": {"type": "string"}},
            ["graph", "output"],
        ),
        "Residual": {"anyOf": residual},
        "Require": {"type": "string"},
        "Sequential": row,
        "Shared": {"type": "string"},
    }
    inside = {"$ref": "#/$defs/Inside"}
    held = {"anyOf": [inside, {"type": "array", "items": inside}]}
    layers_by_name: dict[str, Any] = {}
    for name, kind in layer_classes().items():
        given = {each.name: held if each.name in kind.LAYERS else value for each in fields(kind)}
        arguments = mapping(given, required(kind))
        first_argument = held if kind.LAYERS else {"type": ["integer", "number", "string", "array"]}
        layers_by_name[name] = {
            "description": (inspect.getdoc(kind) or "").partition("\n")[0],
            "anyOf": [arguments, first_argument, {"type": "null"}],
        }
    one = {"minProperties": 1, "maxProperties": 1}
    made = SpaceFile.model_json_schema()
    made["properties"]["layers"] = {
        "description": SpaceFile.model_fields["layers"].description,
        "minItems": 1,
        **row,
    }
    made["properties"]["shared"]["additionalProperties"] = {"anyOf": [{"$ref": "#/$defs/Block"}, row]}
    made["properties"]["graph"] = {
        "description": SpaceFile.model_fields["graph"].description,
        "type": "object",
        "additionalProperties": node,
    }
    made["oneOf"] = [{"required": ["layers"]}, {"required": ["graph", "outputs"]}, {"required": ["space"]}]
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    own = {"type": "string", "pattern": "^[\\w.]+:[\\w.]+$", "description": "A layer or block of Python: module:name."}
    layer = {"$ref": "#/$defs/Layer"}
    made["$defs"]["Inside"] = {"anyOf": [layer, mapping({"Shared": {"type": "string"}}, ["Shared"])]}
    made["$defs"]["Block"] = {"anyOf": [layer, {**mapping(blocks_by_name, []), **one}]}
    made["$defs"]["Layer"] = {
        "anyOf": [
            {"enum": [name for name, kind in layer_classes().items() if not required(kind)]},
            own,
            {**mapping(layers_by_name, []), "patternProperties": {own["pattern"]: {}}, **one},
        ]
    }
    return made
