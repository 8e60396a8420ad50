"""Every layer against the vectors that the real Keras made; Rust reads the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archbudget.errors import ArchbudgetError
from layer_records import KINDS, one_layer

VECTORS = Path(__file__).parents[1] / "vectors"


def cases(*, refused: bool) -> list[Any]:
    found = []
    for kind in KINDS:
        path = VECTORS / f"{kind}.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        chosen = [case for case in known if case.get("error", False) == refused]
        found += [pytest.param(kind, case, id=f"{kind}-{number}") for number, case in enumerate(chosen)]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_has_vectors(kind: str) -> None:
    assert (VECTORS / f"{kind}.json").exists(), f"run tests/vectors/generate.py {kind}"


@pytest.mark.parametrize(("kind", "case"), cases(refused=False))
def test_a_layer_costs_what_keras_says(kind: str, case: dict[str, Any]) -> None:
    record = one_layer(kind, case["args"], case["inputs"])
    assert record.type == kind
    assert record.input_shapes == tuple(tuple(shape) for shape in case["inputs"])
    assert record.output_shape == tuple(case["output"])
    assert record.trainable_params == record.trainable_formula.value == case["trainable"]
    assert record.non_trainable_params == record.non_trainable_formula.value == case["non_trainable"]
    assert record.params == case["trainable"] + case["non_trainable"]
    assert record.macs == record.macs_formula.value == case["macs"]
    assert record.weight_bytes == 4 * record.params


@pytest.mark.parametrize(("kind", "case"), cases(refused=True))
def test_a_layer_is_refused_where_keras_refuses_it(kind: str, case: dict[str, Any]) -> None:
    with pytest.raises(ArchbudgetError):
        one_layer(kind, case["args"], case["inputs"])
