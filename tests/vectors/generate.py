"""Writes the test vectors that Rust and Python share, by asking the real Keras, or the real PyTorch.

`python tests/vectors/generate.py` writes `tests/vectors/<layer>.json` for every layer of the engine, or for those named
as arguments. With `--pytorch` it writes `tests/vectors/pytorch/<layer>.json` for the layers of PyTorch and those that
have options of PyTorch, which must be installed. The choice of hyperparameters is random but seeded by the name of the
layer, so that the files change only where Keras, PyTorch or this script does.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

os.environ["KERAS_BACKEND"] = "numpy"
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import keras  # noqa: E402

from archbudget import _core, layers  # noqa: E402
from archbudget._expressions import Slots  # noqa: E402
from archbudget.errors import ArchbudgetError  # noqa: E402
from support import keras_layers, pytorch_layers  # noqa: E402
from support.keras_layers import make  # noqa: E402
from support.random_layers import random_case  # noqa: E402
from support.random_pytorch_layers import DRAWN, random_pytorch_case  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from support.random_layers import Arguments, Case, Shapes

ACCEPTED, REFUSED = 16, 4
TRIES = 500


def lowered(kind: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """What the engine is told of the arguments; nothing where they are refused by themselves."""
    try:
        layer = make(layers, kind, arguments)
    except ArchbudgetError:
        return None
    return layer.lowered(Slots())


def keras_cases(kind: str) -> Iterator[Case]:
    """Random cases; the first ones leave every default as it is, until Keras accepts one."""
    rng = Random(kind)
    signature = inspect.signature(getattr(keras.layers, kind)).parameters
    # Some have a default that Keras refuses, or that is too large for any input drawn here.
    required = {"shape", "num_tokens", "bin_boundaries", "frame_length"}
    required |= {name for name, parameter in signature.items() if parameter.default is parameter.empty}
    default = True
    for _ in range(TRIES):
        arguments, shapes = random_case(rng, kind)
        if default:
            arguments = {name: value for name, value in arguments.items() if name in required}
            if keras_layers.describe(kind, arguments, shapes) is None:
                continue
            default = False
        yield arguments, shapes


def pytorch_cases(kind: str) -> Iterator[Case]:
    """Random cases with options of PyTorch."""
    rng = Random(kind)
    for _ in range(TRIES):
        yield random_pytorch_case(rng, kind)


def vectors(
    kind: str, drawn: Iterable[Case], describe: Callable[[str, Arguments, Shapes], dict[str, Any] | None]
) -> list[dict[str, Any]]:
    """Cases that are accepted and cases that are refused."""
    cases: list[dict[str, Any]] = []
    accepted = refused = 0
    for arguments, shapes in drawn:
        known = describe(kind, arguments, shapes)
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
        raise SystemExit(f"every case of {kind} is refused")
    return cases


def main() -> None:
    named = [argument for argument in sys.argv[1:] if argument != "--pytorch"]
    if "--pytorch" in sys.argv[1:]:
        made = {kind: vectors(kind, pytorch_cases(kind), pytorch_layers.describe) for kind in named or DRAWN}
        directory = HERE / "pytorch"
        directory.mkdir(exist_ok=True)
    else:
        kinds = named or [kind for kind, _ in _core.layer_parameters() if getattr(layers, kind).IN_KERAS]
        made = {kind: vectors(kind, keras_cases(kind), keras_layers.describe) for kind in kinds}
        directory = HERE
    for kind, cases in made.items():
        lines = ",\n".join(f"  {json.dumps(case)}" for case in cases)
        (directory / f"{kind}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
