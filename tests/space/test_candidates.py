"""Batches of candidates: what they hold, how they are cut, saved and read."""

from __future__ import annotations

import io
import os
import pickle
import stat
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable
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
def test_a_batch_refuses_other_keys(space: ab.Space, key: Any) -> None:
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
    assert candidates == ab.Candidates(branches(), candidates.indices), "a space that is described alike"
    assert candidates != ab.Candidates(space.with_metrics([ab.metrics.weighted_layers()]), candidates.indices)
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
VALUES = np.array([repr(list(decision.values)) for decision in branches().decisions.values()])
GOOD = np.zeros((2, 6), dtype=np.uint8)


def array(shape: tuple[int, ...], dtype: str = "|u1", content: bytes = b"") -> bytes:
    """A file of an array that says it has a shape."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def archive(**members: bytes) -> bytes:
    """An archive of such files, beside the names and values of the space where they are not among them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in {"decisions": npy(NAMES), "values": npy(VALUES), **members}.items():
            made.writestr(f"{name}.npy", content)
    return stream.getvalue()


MARK = b"\x93NUMPY\x01\x00"
ZEROS = b"\0" * (300 << 20)
"""More than is taken where the file is so much smaller."""

BAD_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not a zip file"),
    "text": (lambda: b"units,rate\n1,2\n", "not a zip file"),
    "one array": (lambda: npy(GOOD), "not a zip file"),
    "a pickle": (lambda: pickle.dumps([1, 2, 3]), "not a zip file"),
    "other arrays": (lambda: npz(x=GOOD), "no item named 'decisions.npy'"),
    "nothing": (lambda: npz(), "no item named 'decisions.npy'"),
    "names that are a scalar": (
        lambda: npz(indices=GOOD, decisions=np.array("units"), values=VALUES),
        "no row of text",
    ),
    "values that are a scalar": (lambda: npz(indices=GOOD, decisions=NAMES, values=np.array(5)), "no row of text"),
    "names that are numbers": (lambda: npz(indices=GOOD, decisions=np.arange(6), values=VALUES), "no row of text"),
    "names that are bytes": (
        lambda: npz(indices=GOOD, decisions=np.array([b"a"] * 6), values=VALUES),
        "no row of text",
    ),
    "indices outside": (lambda: npz(indices=GOOD + 7, decisions=NAMES, values=VALUES), "index 7 is not in the domain"),
    "negative indices": (
        lambda: npz(indices=GOOD.astype(np.int8) - 1, decisions=NAMES, values=VALUES),
        "index -1 is not in the domain",
    ),
    "indices of floats": (lambda: npz(indices=GOOD * 1.0, decisions=NAMES, values=VALUES), "not integers of the shape"),
    "too few columns": (
        lambda: npz(indices=GOOD[:, 1:], decisions=NAMES, values=VALUES),
        r"not integers of .* \(2, 5\)",
    ),
    "too many axes": (lambda: npz(indices=GOOD[None], decisions=NAMES, values=VALUES), "not integers of the shape"),
    "a record": (
        lambda: npz(indices=np.zeros(2, "u1,u1"), decisions=NAMES, values=VALUES),
        "not integers of the shape",
    ),
    "objects": (
        lambda: npz(indices=GOOD.astype(object), decisions=NAMES, values=VALUES),
        "indices are Python objects",
    ),
    "more rows than there are": (lambda: archive(indices=array((10**18, 6))), "take 6,?0+ bytes, but there are 0"),
    "fewer rows than none": (lambda: archive(indices=array((-2, 6))), "take -12 bytes"),
    "many rows of nothing": (lambda: archive(indices=array((50 << 20, 6), content=ZEROS)), "more than 250 times"),
    "a long name": (lambda: archive(decisions=array((6,), "<U13107200", ZEROS)), "more than 250 times"),
    "long names": (
        lambda: archive(decisions=npy(np.array([f"{number:0900000}" for number in range(6)]))),
        "take more than 16,777,216 bytes",
    ),
    "a header that is code": (
        lambda: archive(indices=MARK + b"\x20\x00" + b"__import__('os').abort()        "),
        "malformed",
    ),
    "a header without an end": (lambda: archive(indices=MARK + b"\xff\xff{"), "EOF"),
    "a header that is nested": (lambda: archive(indices=MARK + b"\x00\x20" + b"(" * 0x2000), "holds no candidates"),
    "no header": (lambda: archive(indices=b""), "holds no candidates"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_file_without_candidates_is_refused(space: ab.Space, what: str, tmp_path: Path) -> None:
    file = tmp_path / "batch.npz"
    content, message = BAD_FILES[what]
    file.write_bytes(content())
    with pytest.raises(SpaceError, match=message) as caught:
        ab.Candidates.load(file, space)
    assert "batch.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("hang_guard")
def test_only_regular_files_hold_candidates(space: ab.Space, tmp_path: Path) -> None:
    pipe = tmp_path / "batch.npz"
    os.mkfifo(pipe)
    for path, message in (
        (pipe, "named pipe"),
        ("/dev/zero", "character device"),
        (tmp_path, "folder"),
        ("a\0b", "embedded null byte"),
        (3, "a file is given by its path, not by 3"),
    ):
        with pytest.raises(SpaceError, match=message):
            ab.Candidates.load(path, space)  # type: ignore[arg-type]


def test_candidates_are_saved_into_pipes(space: ab.Space, tmp_path: Path) -> None:
    pipe, copy = tmp_path / "batch.npz", tmp_path / "copy.npz"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: copy.write_bytes(pipe.read_bytes()))
    reader.start()
    space.sample(1000, seed=0).save(pipe)
    reader.join(60)
    assert ab.Candidates.load(copy, space) == space.sample(1000, seed=0)


def test_a_saved_batch_keeps_the_mode_of_the_file_before(space: ab.Space, tmp_path: Path) -> None:
    file, link = tmp_path / "batch.npz", tmp_path / "link.npz"
    space.sample(3, seed=0).save(file)
    file.chmod(0o600)
    link.symlink_to(file)
    space.sample(4, seed=0).save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(ab.Candidates.load(file, space)) == 4


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
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        try:
            assert ab.Candidates.load(file, space) == space.sample(100, seed=0)
        except SpaceError:
            refused += 1
    assert len(whole) / 2 < refused < len(whole)


def test_a_folder_is_not_written_over(lenet: ab.Space, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="this is a folder$"):
        lenet.sample(3, seed=0).save(tmp_path)
    assert not any(tmp_path.iterdir())
