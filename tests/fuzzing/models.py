"""Mutated models of frameworks: each is read, or refused in one clear line, and nothing of it is run."""

from __future__ import annotations

import copy
import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import archbudget as ab
from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    from random import Random

MODELS = Path(__file__).parents[1] / "importers" / "models"
MOST_CHARACTERS = 2000
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 3, 2**31, 2**40, 2**63, 10**30, 1.5, float("nan"), float("inf")),
    *("", "relu", "same", "sequence", "input_1", "\ud800", "a/b", "a" * 5000, "__import__('os')"),
    *([], {}, [[]], [None], [None, 3], [1, 2, 3], [-1, 0], ["sequence", 0, 0], list(range(300))),
    *(
        {"class_name": "Dense", "config": {}},
        {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}},
    ),
    *({"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}, {"class_name": "__ellipsis__", "config": {}}),
    {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": 0}},
    {"class_name": "__numpy__", "config": {"value": [[1, 2], [3, 4]], "dtype": "float32"}},
    {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None},
]


@cache
def models() -> list[Any]:
    """The configurations that are mutated, of Keras 1 to 3."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(MODELS.glob("*.json"))]


def check_model(rng: Random) -> bool:
    """A mutated model, as text or as a file; whether it was read."""
    text = json.dumps(mutated(rng, rng.choice(models())))
    drawn = rng.random()
    with tempfile.TemporaryDirectory() as name:
        source: Any = text
        if drawn < 0.2:
            source = Path(name, "model.json" if drawn < 0.1 else "model.keras")
            content = text.encode("utf-8", "surrogatepass")
            if source.suffix == ".keras":
                with zipfile.ZipFile(source, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
                    archive.writestr("config.json", content)
                content = source.read_bytes()
            source.write_bytes(changed(rng, content))
        try:
            ab.from_keras(source)
        except ArchbudgetError as error:
            said = str(error)
            assert "\n" not in said, said
            assert len(said) <= MOST_CHARACTERS, said
            assert "cannot take what it was given" not in said, f"{said} of {text[:3000]}"
            return False
    return True


def mutated(rng: Random, tree: Any) -> Any:
    """A copy with some places changed, left out, doubled, or filled with another part."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        found = list(places(tree))
        if not found:
            break
        parent, key = rng.choice(found)
        drawn = rng.random()
        if drawn < 0.6:
            parent[key] = copy.deepcopy(rng.choice(ODD))
        elif drawn < 0.75:
            del parent[key]
        elif drawn < 0.9:
            other, place = rng.choice(found)
            parent[key] = copy.deepcopy(other[place])
        elif isinstance(parent, list):
            parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
        else:
            parent[rng.choice(["name", "units", "axis", "config", "x", "layers"])] = copy.deepcopy(parent[key])
    return tree


def places(tree: Any) -> Any:
    """Every place of a tree: what holds it, and its key."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            yield node, key
            waiting.append(node[key])


def changed(rng: Random, content: bytes) -> bytes:
    """Bytes, cut off or with some of them changed."""
    if rng.random() < 0.3:
        return content[: rng.randrange(len(content))]
    own = bytearray(content)
    for _ in range(rng.choice([1, 1, 4, 16])):
        own[rng.randrange(len(own))] = rng.randrange(256)
    return bytes(own)
