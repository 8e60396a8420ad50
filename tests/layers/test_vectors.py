"""Every layer against the vectors that the real Keras and the real PyTorch made; Rust reads the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.layer_records import ALL_KINDS, KINDS, one_layer

VECTORS = Path(__file__).parents[1] / "vectors"


def cases(*, refused: bool) -> list[Any]:
    found = []
    for kind in ALL_KINDS:
        for path in (VECTORS / f"{kind}.json", VECTORS / f"pytorch/{kind}.json"):
            known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
            chosen = [case for case in known if case.get("error", False) == refused]
            stem = path.relative_to(VECTORS).with_suffix("")
            found += [pytest.param(kind, case, id=f"{stem}-{number}") for number, case in enumerate(chosen)]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_has_vectors(kind: str) -> None:
    assert (VECTORS / f"{kind}.json").exists(), f"run tests/vectors/generate.py {kind}"


@pytest.mark.parametrize("kind", [kind for kind in ALL_KINDS if kind not in KINDS or getattr(layers, kind).PYTORCH])
def test_every_layer_or_option_of_pytorch_has_vectors(kind: str) -> None:
    assert (VECTORS / f"pytorch/{kind}.json").exists(), f"run tests/vectors/generate.py --pytorch {kind}"


@pytest.mark.parametrize(("kind", "case"), cases(refused=False))
def test_a_layer_costs_what_was_found(kind: str, case: dict[str, Any]) -> None:
    record = one_layer(kind, case["args"], case["inputs"])
    assert record.type == kind
    assert record.input_shapes == tuple(tuple(shape) for shape in case["inputs"])
    shapes = [case["output"], *case.get("extra", [])]
    assert record.output_shape == tuple(case["output"])
    assert record.output_shapes == tuple(tuple(shape) for shape in shapes)
    assert record.trainable_params == record.trainable_formula.value == case["trainable"]
    assert record.non_trainable_params == record.non_trainable_formula.value == case["non_trainable"]
    assert record.params == case["trainable"] + case["non_trainable"]
    assert record.macs == record.macs_formula.value == case["macs"]
    assert record.weight_bytes == 4 * record.params


@pytest.mark.parametrize(("kind", "case"), cases(refused=True))
def test_a_layer_is_refused_where_it_was_refused(kind: str, case: dict[str, Any]) -> None:
    with pytest.raises(ArchbudgetError):
        one_layer(kind, case["args"], case["inputs"])
