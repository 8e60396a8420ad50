"""Writes the test vectors that Rust and Python share, by asking the real Keras.

`python tests/vectors/generate.py` writes `tests/vectors/<layer>.json` for every layer of the engine, or for those named
as arguments. The choice of hyperparameters is random but seeded by the name of the layer, so that the files change only
where Keras or this script does.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from random import Random
from typing import Any

os.environ["KERAS_BACKEND"] = "numpy"
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import keras  # noqa: E402

from archbudget import _core, layers  # noqa: E402
from archbudget._expressions import Unbound  # noqa: E402
from archbudget.errors import ArchbudgetError  # noqa: E402
from keras_layers import describe, make  # noqa: E402
from random_layers import random_case  # noqa: E402

ACCEPTED, REFUSED = 16, 4
TRIES = 500


def lowered(kind: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """What the engine is told of the arguments; nothing where they are refused by themselves."""
    try:
        layer = make(layers, kind, arguments)
    except ArchbudgetError:
        return None
    return layer.lowered(Unbound())


def vectors(kind: str) -> list[dict[str, Any]]:
    """Cases that Keras accepts and cases that it refuses; the first one is all defaults."""
    rng = Random(kind)
    signature = inspect.signature(getattr(keras.layers, kind)).parameters
    required = {"shape"} | {name for name, parameter in signature.items() if parameter.default is parameter.empty}
    cases: list[dict[str, Any]] = []
    accepted = refused = 0
    for _ in range(TRIES):
        arguments, shapes = random_case(rng, kind)
        if not cases:
            # The first case leaves every default as it is.
            arguments = {name: value for name, value in arguments.items() if name in required}
        known = describe(kind, arguments, shapes)
        if not cases and known is None:
            continue
        case = {"args": arguments, "lowered": lowered(kind, arguments), "inputs": shapes, **(known or {"error": True})}
        if case in cases:
            continue
        if known is not None and accepted < ACCEPTED:
            accepted += 1
        elif known is None and refused < REFUSED:
            refused += 1
        else:
            continue
        cases.append(case)
        if (accepted, refused) == (ACCEPTED, REFUSED):
            break
    if not accepted:
        raise SystemExit(f"Keras refused every case of {kind}")
    return cases


def main() -> None:
    kinds = sys.argv[1:] or [kind for kind, _ in _core.layer_parameters()]
    for kind in kinds:
        lines = ",\n".join(f"  {json.dumps(case)}" for case in vectors(kind))
        (HERE / f"{kind}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
