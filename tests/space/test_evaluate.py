"""`Space.evaluate`: every candidate against the one-by-one rule, and every form of input."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading
import tracemalloc
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import CountOverflowError, InvalidArchitectureError, SpaceError
from support.families import lenet_family
from support.random_spaces import METRICS, SEEDS, Enumeration, draw_wide_space, random_space

if TYPE_CHECKING:
    from collections.abc import Callable

INVALID = 2**63 - 1


def expected(known: Enumeration, metric: str) -> np.ndarray:
    return np.where(known.valid, known.costs[metric], INVALID)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_candidate_is_counted_as_alone(seed: int) -> None:
    known = random_space(seed)
    counts = known.space.evaluate(known.indices)
    assert list(counts) == list(METRICS)
    np.testing.assert_array_equal(counts.valid, known.valid)
    for metric in METRICS:
        assert counts[metric].dtype == np.int64
        np.testing.assert_array_equal(counts[metric], expected(known, metric))


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_metrics_can_be_counted_in_any_selection_and_order(seed: int) -> None:
    known = random_space(seed)
    for chosen in [*itertools.permutations(METRICS, 2), *((metric,) for metric in METRICS), METRICS[::-1]]:
        counts = known.space.evaluate(known.indices, chosen)
        assert tuple(counts) == chosen
        np.testing.assert_array_equal(counts.valid, known.valid)
        for metric in chosen:
            np.testing.assert_array_equal(counts[metric], expected(known, metric))


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_many_candidates_in_random_order_are_counted_as_alone(seed: int) -> None:
    known = random_space(seed)
    rows = np.random.default_rng(seed).integers(len(known.indices), size=70_001)
    for threads in (1, 3):
        counts = known.space.evaluate(known.indices[rows].astype(np.uint8), threads=threads)
        np.testing.assert_array_equal(counts.valid, known.valid[rows])
        for metric in METRICS:
            np.testing.assert_array_equal(counts[metric], expected(known, metric)[rows])


@pytest.mark.parametrize("seed", range(60))
def test_candidates_of_wide_spaces_are_counted_as_alone(seed: int) -> None:
    rng = Random(f"wide {seed}")
    space = None
    while space is None:
        with suppress(InvalidArchitectureError):
            space = draw_wide_space(rng)
    sizes = [len(decision.values) for decision in space.decisions.values()]
    indices = np.random.default_rng(seed).integers(sizes, size=(100, len(sizes)))
    # Of some spaces hardly any candidate can be built.
    indices = np.concatenate([indices, space.sample(20, seed=seed).indices])
    together, alone = space.evaluate(indices), ab.Candidates(space, indices)
    assert together.valid[100:].all()
    for row in range(120):
        try:
            arch = alone[row]
        except InvalidArchitectureError:
            assert not together.valid[row]
            assert all(together[metric][row] == INVALID for metric in METRICS)
        else:
            assert together.valid[row]
            assert {metric: together[metric][row] for metric in METRICS} == arch.costs


def test_dead_candidates_stay_dead_in_later_tables() -> None:
    space = ab.Space(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(ab.Int("filters", 1, 256), ab.Choice("kernel", [3, 30])),
            layers.Flatten(),
            *(layers.Dense(ab.Int(name, 1, 300)) for name in "abc"),
        ]
    )
    counts = space.evaluate({"filters": [1, 1], "kernel": [3, 30], "a": [1, 1], "b": [1, 1], "c": [1, 1]})
    assert counts.valid.tolist() == [True, False]
    assert counts["params"].tolist() == [10 + 37 + 2 + 2, INVALID]


def test_candidates_that_pass_by_a_choice_too_wide_to_be_counted_are_counted() -> None:
    wide = [layers.Dense(ab.Int(name, 1, 2**16)) for name in "ab"]
    space = ab.Space(
        [layers.Input((4,)), layers.OneOf("op", {"none": [], "wide": wide}), layers.Dense(ab.Int("c", 1, 3))]
    )
    counts = space.evaluate({"op": ["none", "wide"], "a": [1, 2], "b": [1, 3], "c": [2, 2]})
    assert counts.valid.tolist() == [True, True]
    assert counts["params"].tolist() == [10, 10 + 9 + 8]
    assert space.constraint(ab.Budget(params=10))(space.architecture(op="none", c=2)) == (0.0,)


def test_a_diagram_with_too_many_entries_for_tables_is_walked() -> None:
    image = layers.Input((1,))
    kept = [layers.Dense(ab.Int(name, 1, 64))(image) for name in ("first", "second")]
    branches = {number: layers.Dense(ab.Int(f"units_{number}", 1, 16)) for number in range(20)}
    picked = layers.OneOf("branch", branches)(image)
    output = layers.Dense(ab.Int("last", 1, 3))(layers.Concatenate()([*kept, picked]))
    space = ab.Space(inputs=image, outputs=output)
    drawn = space.sample(5000, seed=0)
    values = dict(zip(space.decisions, drawn.indices.astype(np.int64).T, strict=True))
    picked_units = np.choose(values["branch"], [values[f"units_{number}"] for number in range(20)])
    channels = values["first"] + values["second"] + picked_units + 3
    params = 2 * channels + (channels + 1) * (values["last"] + 1)
    counted = space.evaluate(drawn)
    assert counted.valid.all()
    assert (counted["params"] == params).all()
    assert (counted["weight_bytes"] == 4 * params).all()
    outside = drawn.indices.copy()
    outside[17, list(space.decisions).index("last")] = 3
    with pytest.raises(SpaceError, match="row 17: index 3 is not in the domain of decision 'last'"):
        space.evaluate(outside)


@pytest.mark.parametrize("seed", SEEDS)
def test_layers_are_counted_as_in_an_architecture(seed: int) -> None:
    known = random_space(seed)
    rows = known.first[:40]
    counts = known.space.evaluate(known.indices[rows], per_layer=True)
    assert counts.layers is not None
    assert counts.layers.names == known.space.layer_names
    for row, values in enumerate(known.active[first] for first in rows):
        expected_costs = {metric: dict.fromkeys(known.space.layer_names, 0) for metric in METRICS}
        shapes: dict[str, tuple[int, ...]] = {}
        for record in known.space.architecture(values).layers:
            for metric in METRICS:
                join: Callable[[int, int], int] = max if metric == "peak_activation_bytes" else int.__add__
                costs = expected_costs[metric]
                costs[record.name] = join(costs[record.name], getattr(record, metric))
            shapes[record.name] = record.output_shape
        for metric in METRICS:
            assert (
                dict(zip(counts.layers.names, counts.layers[metric][row].tolist(), strict=True))
                == expected_costs[metric]
            )
        for name, sides in zip(counts.layers.names, counts.layers.shapes[row].tolist(), strict=True):
            shape = shapes.get(name, ())
            assert sides == [*shape, *[0] * (len(sides) - len(shape))]


def test_the_cost_of_layers_adds_up(lenet: ab.Space) -> None:
    counts = lenet.evaluate(lenet.sample(100, seed=0), ["params", "macs"], per_layer=True)
    assert counts.layers is not None
    assert counts.layers.shapes.shape == (100, len(lenet.layer_names), 3)
    for metric in ("params", "macs"):
        assert counts.layers[metric].shape == (100, len(lenet.layer_names))
        np.testing.assert_array_equal(counts.layers[metric].sum(axis=1), counts[metric])


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "backwards": lambda indices: np.ascontiguousarray(indices[::-1])[::-1],
    "columns backwards": lambda indices: np.asfortranarray(indices[::-1])[::-1],
    "every other row of more": lambda indices: np.repeat(indices, 2, axis=0)[::2],
    "some columns of more": lambda indices: np.concatenate([indices, indices], axis=1)[:, : indices.shape[1]],
    "uint16": lambda indices: indices.astype(np.uint16),
    "uint32": lambda indices: indices.astype(np.uint32),
    "uint64": lambda indices: indices.astype(np.uint64),
    "int8": lambda indices: indices.astype(np.int8),
    "int64": lambda indices: indices.astype(np.int64),
    "big-endian": lambda indices: indices.astype(">u4"),
    "read-only": lambda indices: np.frombuffer(indices.tobytes(), dtype=np.uint8).reshape(indices.shape),
    "unaligned": lambda indices: unaligned(indices.astype(np.uint32)),
    "lists": lambda indices: indices.tolist(),
    "tuples": lambda indices: tuple(tuple(row) for row in indices.tolist()),
}


def unaligned(array: np.ndarray) -> np.ndarray:
    raw = np.empty(array.nbytes + 1, dtype=np.uint8)
    raw[1:] = np.frombuffer(array.tobytes(), dtype=np.uint8)
    return np.frombuffer(raw.data, dtype=array.dtype, offset=1).reshape(array.shape)


@pytest.mark.parametrize("form", FORMS)
def test_indices_are_read_in_every_form(lenet: ab.Space, form: str) -> None:
    indices = np.array(lenet.sample(3_001, seed=1).indices)
    assert indices.dtype == np.uint8
    reference = lenet.evaluate(ab.Candidates(lenet, indices))
    for given in (FORMS[form](indices), ab.Candidates(lenet, FORMS[form](indices))):
        counts = lenet.evaluate(given)
        for metric in METRICS:
            np.testing.assert_array_equal(counts[metric], reference[metric])


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(lambda column: column, id="int64"),
        pytest.param(lambda column: column.astype(np.int32), id="int32"),
        pytest.param(lambda column: column.astype(np.uint16), id="uint16"),
        pytest.param(lambda column: column.astype(np.uint64), id="uint64"),
        pytest.param(lambda column: column.astype(">i8"), id="big-endian"),
        pytest.param(lambda column: np.repeat(column, 3)[::3], id="strided"),
        pytest.param(lambda column: np.ascontiguousarray(column[::-1])[::-1], id="backwards"),
        pytest.param(lambda column: column.tolist(), id="list"),
        pytest.param(lambda column: unaligned(column), id="unaligned"),
    ],
)
def test_values_are_read_in_every_form(lenet: ab.Space, convert: Callable[[np.ndarray], Any]) -> None:
    candidates = lenet.sample(3_001, seed=2)
    reference = lenet.evaluate(candidates)
    columns = {name: convert(column) for name, column in candidates.values().items()}
    counts = lenet.evaluate(columns)
    reordered = lenet.evaluate(dict(reversed(columns.items())))
    for metric in METRICS:
        np.testing.assert_array_equal(counts[metric], reference[metric])
        np.testing.assert_array_equal(reordered[metric], reference[metric])


def test_an_int64_array_holds_indices_and_a_dict_holds_values() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("units", [2, 1, 0x7FFF]))])
    assert space.evaluate(np.array([[0], [1], [2]]))["params"].tolist() == [10, 5, 5 * 0x7FFF]
    assert space.evaluate({"units": np.array([1, 2])})["params"].tolist() == [5, 10]


@pytest.fixture(scope="module")
def mixed() -> ab.Space:
    """A space whose decisions have values of every type."""
    return ab.Space(
        [
            layers.Input((5,)),
            layers.Dense(ab.Choice("units", [1, 7, 10**6]), use_bias=ab.Choice("bias", [True, False])),
            layers.Activation(ab.Choice("activation", ["relu", "gelu", None])),
            layers.Dropout(ab.Choice("rate", [0.1, 0.25, 0.5])),
            layers.OneOf("operation", {"none": [], "wide": layers.Dense(9)}),
            layers.Rescaling(ab.Choice("slope", [0, 0.5, False])),
        ]
    )


@pytest.mark.parametrize("name", ["units", "bias", "activation", "rate", "operation", "slope"])
def test_values_of_every_type_are_looked_up(mixed: ab.Space, name: str) -> None:
    candidates = mixed.sample(500, seed=3)
    columns: dict[str, Any] = candidates.values()
    reference = mixed.evaluate(candidates)
    for column in (columns[name], columns[name].tolist(), list(columns[name])):
        counts = mixed.evaluate({**columns, name: column})
        for metric in METRICS:
            np.testing.assert_array_equal(counts[metric], reference[metric])


def test_strings_are_read_as_numpy_text(mixed: ab.Space) -> None:
    columns: dict[str, Any] = mixed.sample(50, seed=4).values()
    reference = mixed.evaluate(columns)
    columns["operation"] = columns["operation"].astype(np.str_)
    np.testing.assert_array_equal(mixed.evaluate(columns)["params"], reference["params"])


@pytest.mark.parametrize("rows", [0, 1])
def test_few_candidates_are_counted(lenet: ab.Space, rows: int) -> None:
    candidates = lenet.sample(rows, seed=5)
    for given in (candidates, candidates.indices, candidates.values()):
        counts = lenet.evaluate(given, per_layer=True)
        assert counts.valid.shape == (rows,)
        assert counts.layers is not None
        assert all(counts[metric].shape == (rows,) for metric in METRICS)
        assert len(counts.layers["params"]) == len(counts.layers.shapes) == rows


def test_nothing_can_be_given_as_empty_lists(lenet: ab.Space) -> None:
    assert lenet.evaluate({name: [] for name in lenet.decisions})["params"].shape == (0,)
    assert lenet.evaluate(np.zeros((0, 5), dtype=np.uint8)).valid.shape == (0,)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_space_without_decisions_draws_its_one_candidate(rows: int) -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    assert space.size == 1
    counts = space.evaluate(space.sample(rows, seed=0), per_layer=True)
    assert counts["params"].tolist() == [15] * rows
    assert counts.valid.tolist() == [True] * rows


def test_the_columns_of_inactive_decisions_must_be_in_their_domains() -> None:
    space = ab.Space([layers.Input((4,)), layers.OneOf("op", {"no": [], "yes": layers.Dense(ab.Int("units", 1, 3))})])
    assert space.evaluate({"op": ["no", "yes"], "units": [3, 3]})["params"].tolist() == [0, 15]
    with pytest.raises(SpaceError, match=r"row 0.*9.*units"):
        space.evaluate({"op": ["no", "yes"], "units": [9, 3]})


ARRAYS = {
    "uint8 rows": lambda indices: np.ascontiguousarray(indices),
    "uint8 columns": lambda indices: np.asfortranarray(indices),
    "uint16": lambda indices: indices.astype(np.uint16),
    "uint32 backwards": lambda indices: indices.astype(np.uint32)[::-1],
    "int64 values": None,
}


@pytest.mark.parametrize("form", ARRAYS)
def test_arrays_are_read_in_place(lenet: ab.Space, form: str) -> None:
    rows = 400_000
    candidates = lenet.sample(rows, seed=6)
    convert = ARRAYS[form]
    given: Any = candidates.values() if convert is None else convert(candidates.indices)
    lenet.evaluate(candidates[:10], ["params"])  # The tables are made once.
    tracemalloc.start()
    try:
        lenet.evaluate(given, ["params"], threads=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # int64 totals, a flag for each candidate, and small change.
    assert peak < 9 * rows + 100_000


def test_a_million_million_candidates_are_refused_and_nothing_breaks(lenet: ab.Space) -> None:
    endless = np.broadcast_to(np.zeros((1, 5), dtype=np.uint8), (10**15, 5))
    with pytest.raises(MemoryError):
        lenet.evaluate(endless)


BAD_INDICES: dict[str, tuple[Any, str]] = {
    "outside": ([[0, 0, 0, 0, 0], [0, 3, 0, 0, 0]], r"row 1.*3.*'k1'.*3 values"),
    "far outside": ([[0, 0, 0, 0, 2**40]], r"row 0.*1099511627776.*'units'.*32 values"),
    "negative": ([[0, 0, 0, 0, 0], [0, 0, -1, 0, 0]], r"row 1.*-1.*'f2'.*16 values"),
    "most negative": ([[-(2**63), 0, 0, 0, 0]], r"row 0.*-9223372036854775808.*'f1'"),
    "floats": ([[0.0, 0, 0, 0, 0]], "float64"),
    "nan": ([[float("nan"), 0, 0, 0, 0]], "float64"),
    "bools": ([[True, False, False, False, False]], "bool"),
    "text": ([["0", "0", "0", "0", "0"]], "<U1"),
    "none": ([[None] * 5], "object"),
    "beyond 64 bits": ([[2**70, 0, 0, 0, 0]], "object"),
    "too few columns": ([[0, 0, 0, 0]], r"\(N, 5\).*\(1, 4\)"),
    "too many columns": ([[0, 0, 0, 0, 0, 0]], r"\(N, 5\).*\(1, 6\)"),
    "one axis": ([0, 0, 0, 0, 0], r"\(N, 5\).*\(5,\)"),
    "three axes": ([[[0, 0, 0, 0, 0]]], r"\(N, 5\).*\(1, 1, 5\)"),
    "no array": (7, r"\(N, 5\)"),
    "nothing": (None, r"\(N, 5\)"),
    "rows of unlike lengths": ([[0, 0, 0, 0, 0], [0]], "indices"),
}


@pytest.mark.parametrize("what", BAD_INDICES)
def test_bad_indices_are_refused(lenet: ab.Space, what: str) -> None:
    given, message = BAD_INDICES[what]
    with pytest.raises(SpaceError, match=message):
        lenet.evaluate(given)
    with pytest.raises(SpaceError, match=message):
        ab.Candidates(lenet, given)


def test_an_index_outside_is_named_wherever_it_is(lenet: ab.Space) -> None:
    indices = np.zeros((100_000, 5), dtype=np.uint8)
    indices[77_777, 3] = 200
    for given in (indices, np.asfortranarray(indices), indices.astype(np.uint32)):
        with pytest.raises(SpaceError, match=r"row 77777.*200.*'k2'"):
            lenet.evaluate(given, threads=1)
    indices[88_888, 0] = 255
    with pytest.raises(SpaceError, match=r"row 77777.*200.*'k2'"):
        lenet.evaluate(indices, threads=2)


BAD_COLUMNS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "missing": ({"units": ...}, SpaceError, "missing.*units"),
    "unknown": ({"f3": [8, 8]}, SpaceError, "'f3'.*f1.*units"),
    "not a value": ({"f1": [8, 9]}, SpaceError, r"row 1.*9.*'f1'"),
    "lengths": ({"f1": [8, 8, 8]}, SpaceError, "f1.*3"),
    "fractions": ({"f1": [8.0, 8.5]}, SpaceError, "row 1: 8.5 is not a value of decision 'f1'"),
    "infinity": ({"f1": [8.0, float("inf")]}, SpaceError, "row 1: inf is not a value of decision 'f1'"),
    "nan": ({"f1": [8.0, float("nan")]}, SpaceError, "row 1: decision 'f1' has no value, but this network reads it"),
    "bools": ({"f1": [8, True]}, SpaceError, "row 1: True is not a value of decision 'f1'"),
    "an array of bools": ({"f1": np.array([True, True])}, SpaceError, "row 0: True is not a value of decision 'f1'"),
    "dates": ({"f1": np.array([8, 8], "M8[ns]")}, SpaceError, r"'f1' must hold values of it, not datetime64\[ns\]"),
    "text": ({"f1": ["8", "8"]}, SpaceError, "'f1'"),
    "none": ({"f1": [None, None]}, SpaceError, "'f1'"),
    "a number": ({"f1": 8}, SpaceError, "'f1'.*one axis"),
    "two axes": ({"f1": [[8], [8]]}, SpaceError, "'f1'.*one axis"),
    "rows of unlike lengths": ({"f1": [[8], [8, 8]]}, SpaceError, "'f1'"),
    "beyond 63 bits": ({"f1": np.array([2**63, 8], dtype=np.uint64)}, CountOverflowError, "'f1'.*9223372036854775808"),
    "beyond 64 bits": ({"f1": [2**70, 8]}, SpaceError, "'f1'"),
    "most negative": ({"f1": [-(2**63), 8]}, SpaceError, "row 0.*-9223372036854775808"),
}


@pytest.mark.parametrize("what", BAD_COLUMNS)
def test_bad_columns_are_refused(lenet: ab.Space, what: str) -> None:
    change, error, message = BAD_COLUMNS[what]
    columns = {"f1": [8, 8], "k1": [3, 3], "f2": [8, 8], "k2": [3, 3], "units": [16, 16], **change}
    with pytest.raises(error, match=message):
        lenet.evaluate({name: column for name, column in columns.items() if column is not ...})


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("bias", [True, 1]),
        ("bias", [0, 1]),
        ("activation", ["relu", "RELU"]),
        ("activation", [b"relu", b"relu"]),
        ("rate", [0.1, 0.2]),
        ("rate", [0.1, float("nan")]),
        ("operation", ["none", None]),
    ],
)
def test_a_value_that_is_not_in_the_domain_is_named_with_its_row(mixed: ab.Space, name: str, column: list[Any]) -> None:
    columns: dict[str, Any] = {**mixed.sample(2, seed=0).values(), name: column}
    with pytest.raises(SpaceError, match=rf"row [01].*'{name}'"):
        mixed.evaluate(columns)


def test_candidates_of_a_space_with_the_same_decisions_are_counted(lenet: ab.Space) -> None:
    candidates = lenet.sample(10, seed=0)
    counts = lenet_family().evaluate(candidates)
    np.testing.assert_array_equal(counts["params"], lenet.evaluate(candidates)["params"])


def test_other_candidates_are_refused(lenet: ab.Space, mixed: ab.Space) -> None:
    with pytest.raises(SpaceError, match="space with other decisions"):
        lenet.evaluate(mixed.sample(3, seed=0))
    with pytest.raises(SpaceError, match="not a batch"):
        lenet.evaluate(lenet.sample(1, seed=0)[0])


@pytest.mark.parametrize("metrics", [["weights"], ["params", "Params"], "flops"])
def test_unknown_metrics_are_refused(lenet: ab.Space, metrics: Any) -> None:
    with pytest.raises(SpaceError, match=r"unknown metric.*params, trainable_params, macs"):
        lenet.evaluate(lenet.sample(1, seed=0), metrics)


def test_a_metric_may_be_given_as_text(lenet: ab.Space) -> None:
    assert list(lenet.evaluate(lenet.sample(1, seed=0), "macs")) == ["macs"]


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_bad_numbers_of_threads_are_refused(lenet: ab.Space, threads: Any) -> None:
    with pytest.raises(SpaceError, match="threads"):
        lenet.evaluate(lenet.sample(1, seed=0), threads=threads)


def test_a_metric_that_was_not_counted_is_a_key_error(lenet: ab.Space) -> None:
    counts = lenet.evaluate(lenet.sample(1, seed=0), ["params"])
    with pytest.raises(KeyError, match="'macs' was not evaluated"):
        counts["macs"]


def test_an_evaluation_is_a_table(lenet: ab.Space) -> None:
    counts = lenet.evaluate(lenet.sample(4, seed=0))
    frame = counts.to_pandas()
    assert list(frame) == [*METRICS, "valid"]
    assert frame["macs"].tolist() == counts["macs"].tolist()
    assert "4 candidates" in repr(counts)


def dense(*widths: int) -> ab.Space:
    """Dense layers of any width up to some most."""
    return ab.Space([layers.Input((4,)), *[layers.Dense(ab.Int(f"u{i}", 1, most)) for i, most in enumerate(widths)]])


@pytest.mark.parametrize("widths", [(3, 3, 3), (4096, 4096), (2**20, 2**20)], ids=["stored", "implicit", "open"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_indices_that_another_thread_changes_are_used_as_they_were_checked(
    widths: tuple[int, ...], dtype: type[np.unsignedinteger[Any]]
) -> None:
    """A call gives totals of some mixture of the candidates, or names an index outside its domain."""
    space = dense(*widths)
    rows = np.zeros((3000, len(widths)), dtype=dtype)
    outside = np.iinfo(dtype).max
    legal = min(2, *(width - 1 for width in widths))
    most = space.evaluate(np.full((1, len(widths)), legal, dtype=dtype), ["params"])["params"][0]
    least = space.evaluate(np.zeros((1, len(widths)), dtype=dtype), ["params"])["params"][0]
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            for value in (0, legal, outside if outside >= max(widths) else legal, 0):
                rows[:] = value

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            try:
                params = space.evaluate(rows, ["params"])["params"]
            except SpaceError as error:
                assert f"index {outside} is not in the domain" in str(error)
            else:
                assert params.min() >= least
                assert params.max() <= most
    finally:
        done.set()
        writer.join()


def test_an_evaluation_is_a_table_of_its_metrics(lenet: ab.Space) -> None:
    counts = lenet.evaluate(lenet.sample(20, seed=0), per_layer=True)
    frame = pd.DataFrame(counts)
    assert list(frame) == list(lenet.metrics)
    for metric in lenet.metrics:
        np.testing.assert_array_equal(frame[metric], counts[metric])
    assert len(pd.DataFrame(lenet.evaluate([]))) == 0
    assert pickle.loads(pickle.dumps(counts)) == counts == copy.deepcopy(counts)
    assert counts != lenet.evaluate(lenet.sample(20, seed=1))
    for array in (counts, counts.layers):
        with pytest.raises(SpaceError, match="not one array"):
            np.asarray(array)
    changes: list[Callable[[Any], Any]] = [
        lambda counts: counts.update(params=1),
        lambda counts: counts.__setitem__("params", 1),
        lambda counts: counts.pop("params"),
        lambda counts: counts.clear(),
        lambda counts: counts.__ior__({}),
    ]
    for change in changes:
        with pytest.raises(SpaceError, match="an evaluation cannot be changed"):
            change(counts)
    with pytest.raises(KeyError, match=r"'flops' \(did you mean macs\? 1 MAC is 2 FLOPs\) was not evaluated"):
        counts["flops"]


def test_what_is_under_a_mask_is_no_index(lenet: ab.Space) -> None:
    batch = lenet.sample(4, seed=0)
    masked = np.ma.masked_array(batch.indices, mask=np.eye(4, 5, dtype=bool))
    for ask in (lenet.evaluate, lambda given: ab.Candidates(lenet, given)):
        for given in (masked, list(masked)):
            with pytest.raises(SpaceError, match="indices cannot be masked"):
                ask(given)
    assert lenet.evaluate(np.ma.masked_array(batch.indices)) == lenet.evaluate(batch)
    for key, message in (
        (np.ma.masked_array([0, 1], mask=[True, False]), "cannot be masked"),
        ([True, False], "2 flags are given for a batch of 4: one is needed for each"),
        ([0, 4], "there is no candidate 4 in a batch of 4"),
        ([0, -5], "there is no candidate -5 in a batch of 4"),
    ):
        with pytest.raises(SpaceError, match=message):
            batch[key]


@pytest.mark.parametrize("seed", range(4))
def test_metrics_that_add_up_are_the_same_alone_and_beside_peaks(seed: int) -> None:
    """Alone they may come from tables in which costs rise evenly with a width; see `src/diagram/rising.rs`."""
    random = Random(seed)

    def width(name: str) -> Any:
        most = random.choice([5, 300, 512])
        even = ab.Int(name, 1, most, step=random.choice([1, 1, 3]) if most > 5 else 1)
        return even if random.random() < 0.7 else ab.Choice(name, [1 + w * w % 1009 for w in range(23)])

    space = ab.Space(
        [
            layers.Input((9, 9, 3)),
            layers.Conv2D(width("a"), ab.Choice("kernel", [1, 3]), padding="same"),
            layers.Conv2D(width("b"), 3, padding="same"),
            layers.Conv2D(width("c"), 3, use_bias=False),
            layers.GlobalAveragePooling2D(),
            layers.Dense(width("d")),
        ]
    )
    batch = space.sample(5000, seed=seed)
    everything = space.evaluate(batch)
    for metrics in (["params"], ["macs"], ["macs", "weight_bytes", "params"]):
        alone = space.evaluate(batch, metrics)
        assert all(np.array_equal(alone[metric], everything[metric]) for metric in metrics)
    for row in range(0, 5000, 250):
        assert {metric: totals[row] for metric, totals in everything.items()} == batch[row].costs
    high = int(np.median(everything["params"]))
    assert ab.Budget(params=high).count(batch) == (everything["params"] <= high).sum()
    assert np.array_equal(space.evaluate(batch.values(), ["params"])["params"], everything["params"])
    in_rows = np.ascontiguousarray(batch.indices)
    assert np.array_equal(space.evaluate(in_rows, ["params"])["params"], everything["params"])
