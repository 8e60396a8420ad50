"""Batches of candidates: what they hold, how they are cut, saved and read."""

from __future__ import annotations

import io
import pickle
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from pathlib import Path


def branches(widths: list[int] | range = range(1, 6)) -> ab.Space:
    return ab.Space(
        [
            layers.Input((4,)),
            layers.Dense(ab.Choice("units", widths), activation=ab.Choice("activation", ["relu", None])),
            layers.Dropout(ab.Choice("rate", [0.1, 0.5])),
            layers.OneOf(
                "head",
                {"none": [], "wide": layers.Dense(ab.Int("wide", 6, 9), use_bias=ab.Choice("bias", [True, False]))},
            ),
        ]
    )


@pytest.fixture(scope="module")
def space() -> ab.Space:
    return branches()


def test_indices_are_kept_as_they_are_and_read_only(space: ab.Space) -> None:
    given = np.zeros((3, 6), dtype=np.uint8)
    candidates = ab.Candidates(space, given)
    assert np.shares_memory(candidates.indices, given)
    assert given.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        candidates.indices[0, 0] = 1
    with pytest.raises(AttributeError):
        candidates.indices = given  # type: ignore[misc]


def test_a_batch_that_is_changed_behind_its_back_is_not_believed(space: ab.Space) -> None:
    given = np.zeros((3, 6), dtype=np.uint8)
    candidates = ab.Candidates(space, given)
    given[2, 0] = 250
    with pytest.raises(SpaceError, match=r"row 2.*250.*'units'"):
        space.evaluate(candidates)
    with pytest.raises(SpaceError, match="'units'"):
        candidates[2]


def test_one_candidate_is_an_architecture(space: ab.Space) -> None:
    candidates = space.sample(50, seed=0)
    counts = space.evaluate(candidates)
    for row, arch in enumerate(candidates):
        assert arch == candidates[row] == candidates[row - 50] == candidates[np.int64(row)]
        assert arch.params == counts["params"][row]
        assert arch.indices == tuple(candidates.indices[row].tolist())
    with pytest.raises(IndexError):
        candidates[50]


@pytest.mark.parametrize(
    "key",
    [slice(3, 30, 4), slice(None, None, -1), [4, 4, 1], np.array([0, 49]), np.arange(50) % 3 == 0, [True, False] * 25],
)
def test_some_candidates_are_a_batch(space: ab.Space, key: Any) -> None:
    candidates = space.sample(50, seed=1)
    some = candidates[key]
    assert isinstance(some, ab.Candidates)
    np.testing.assert_array_equal(some.indices, candidates.indices[key])
    np.testing.assert_array_equal(space.evaluate(some)["macs"], space.evaluate(candidates)["macs"][key])


@pytest.mark.parametrize("key", [(0, 1), None, "units", 1.5, True])
def test_what_is_no_row_is_refused(space: ab.Space, key: Any) -> None:
    with pytest.raises((IndexError, SpaceError, TypeError)):
        space.sample(5, seed=1)[key]


def test_values_are_columns_of_their_own_types(space: ab.Space) -> None:
    candidates = space.sample(40, seed=2)
    values = candidates.values()
    assert list(values) == list(space.decisions)
    assert values["units"].dtype == np.int64
    assert values["rate"].dtype == np.float64
    assert values["bias"].dtype == np.bool_
    assert values["activation"].dtype == object
    for row, arch in enumerate(candidates):
        assert all(values[name][row] == value for name, value in arch.items())


def test_a_batch_is_a_data_frame(space: ab.Space) -> None:
    candidates = space.sample(40, seed=3)
    frame = candidates.to_pandas()
    assert list(frame) == list(space.decisions)
    for name, column in candidates.values().items():
        assert frame[name].tolist() == column.tolist()


def test_batches_are_equal_if_their_candidates_are(space: ab.Space) -> None:
    candidates = space.sample(10, seed=4)
    assert candidates == ab.Candidates(space, candidates.indices.astype(np.uint32))
    assert candidates != candidates[:9]
    assert candidates != ab.Candidates(branches(), candidates.indices)
    assert candidates != "candidates"
    with pytest.raises(TypeError):
        hash(candidates)


def test_the_repr_says_how_many(space: ab.Space) -> None:
    assert repr(space.sample(1234, seed=0)) == "<1,234 Candidates of 6 decisions>"


def test_a_batch_can_be_pickled(space: ab.Space) -> None:
    candidates = space.sample(10, seed=4)
    copy = pickle.loads(pickle.dumps(candidates))
    np.testing.assert_array_equal(copy.indices, candidates.indices)
    assert not copy.indices.flags.writeable
    assert copy[3].params == candidates[3].params


def test_a_batch_is_saved_and_loaded(space: ab.Space, tmp_path: Path) -> None:
    candidates = space.sample(1000, seed=5)
    for file in (tmp_path / "batch.npz", str(tmp_path / "no-suffix")):
        candidates.save(file)
        again = ab.Candidates.load(file, space)
        assert again == candidates
        assert again.indices.dtype == candidates.indices.dtype
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batch.npz", "no-suffix"]


@pytest.mark.parametrize("rows", [0, 1])
def test_few_candidates_are_saved(space: ab.Space, rows: int, tmp_path: Path) -> None:
    space.sample(rows, seed=0).save(tmp_path / "batch.npz")
    assert ab.Candidates.load(tmp_path / "batch.npz", space) == space.sample(rows, seed=0)


def test_a_space_without_decisions_is_saved(tmp_path: Path) -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    space.sample(3, seed=0).save(tmp_path / "batch.npz")
    assert len(ab.Candidates.load(tmp_path / "batch.npz", space)) == 3


def test_saving_replaces_a_file_whole_or_not_at_all(space: ab.Space, tmp_path: Path) -> None:
    file = tmp_path / "batch.npz"
    space.sample(10, seed=0).save(file)
    space.sample(20, seed=1).save(file)
    assert len(ab.Candidates.load(file, space)) == 20
    with pytest.raises(FileNotFoundError):
        space.sample(10, seed=0).save(tmp_path / "no such directory" / "batch.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["batch.npz"]


def test_candidates_of_another_space_are_refused(space: ab.Space, lenet: ab.Space, tmp_path: Path) -> None:
    file = tmp_path / "batch.npz"
    lenet.sample(10, seed=0).save(file)
    with pytest.raises(SpaceError, match=r"batch\.npz.*f1.*units"):
        ab.Candidates.load(file, space)


def test_candidates_of_a_space_with_other_values_are_refused(space: ab.Space, tmp_path: Path) -> None:
    file = tmp_path / "batch.npz"
    branches([10, 20, 30, 40, 50]).sample(10, seed=0).save(file)
    with pytest.raises(SpaceError, match="another space"):
        ab.Candidates.load(file, space)


def test_a_missing_file_is_missing(space: ab.Space, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ab.Candidates.load(tmp_path / "batch.npz", space)


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


NAMES = np.array(["units", "activation", "rate", "head", "wide", "bias"])
SIZES = np.array([5, 2, 2, 2, 4, 2])
GOOD = np.zeros((2, 6), dtype=np.uint8)

BAD_FILES: dict[str, bytes] = {
    "empty": b"",
    "text": b"units,rate\n1,2\n",
    "one array": npy(GOOD),
    "a pickle": pickle.dumps([1, 2, 3]),
    "other arrays": npz(x=GOOD),
    "nothing": npz(),
    "names that are a scalar": npz(indices=GOOD, decisions=np.array("units"), sizes=SIZES),
    "sizes that are a scalar": npz(indices=GOOD, decisions=NAMES, sizes=np.array(5)),
    "sizes that are text": npz(indices=GOOD, decisions=NAMES, sizes=np.array(["a"] * 6)),
    "indices outside": npz(indices=GOOD + 7, decisions=NAMES, sizes=SIZES),
    "indices of floats": npz(indices=GOOD * 1.0, decisions=NAMES, sizes=SIZES),
    "too few columns": npz(indices=GOOD[:, 1:], decisions=NAMES, sizes=SIZES),
    "objects": npz(indices=GOOD.astype(object), decisions=NAMES, sizes=SIZES),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_file_without_candidates_is_refused(space: ab.Space, what: str, tmp_path: Path) -> None:
    file = tmp_path / "batch.npz"
    file.write_bytes(BAD_FILES[what])
    with pytest.raises(SpaceError):
        ab.Candidates.load(file, space)


def test_a_file_that_is_cut_is_refused(space: ab.Space, tmp_path: Path) -> None:
    file = tmp_path / "batch.npz"
    space.sample(100, seed=0).save(file)
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(SpaceError):
            ab.Candidates.load(file, space)


def test_a_file_with_a_flipped_bit_is_refused_or_harmless(space: ab.Space, tmp_path: Path) -> None:
    file = tmp_path / "batch.npz"
    space.sample(100, seed=0).save(file)
    whole = file.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        with suppress(SpaceError):
            assert ab.Candidates.load(file, space) == space.sample(100, seed=0)


def test_a_folder_is_not_written_over(lenet: ab.Space, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="this is a folder$"):
        lenet.sample(3, seed=0).save(tmp_path)
    assert not any(tmp_path.iterdir())
