"""Files of candidates: what this library, pandas or Optuna wrote is read again, with gaps and extra columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import optuna
import pandas as pd
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError
from archbudget.files import candidates as files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def branches() -> ab.Space:
    block = layers.Dense(
        ab.Choice("units", [8, 16]),
        use_bias=ab.Choice("bias", [True, False]),
        activation=ab.Choice("activation", ["relu", "", None]).map(lambda word: word or None),
    )
    return ab.Space(
        [
            layers.Input((8,)),
            layers.Repeat(ab.Int("depth", 0, 2), [block, layers.Dropout(ab.Choice("rate", [0, 0.5]))]),
            layers.Dense(2),
        ]
    )


def plain() -> ab.Space:
    """Without text, which cannot hold a value that is no value."""
    repeated = layers.Repeat(ab.Int("depth", 1, 2), [layers.Dense(ab.Choice("units", [8, 16]))])
    return ab.Space([layers.Input((16,)), repeated, layers.Activation(ab.Choice("last", ["relu", None]))])


def read(space: ab.Space, file: Path) -> np.ndarray:
    return np.concatenate([space.evaluate(batch)["params"] for batch in files.read(space, str(file))])


@pytest.mark.parametrize("name", ["written.csv", "written.npz", "written.parquet"])
def test_what_was_written_is_read(name: str, tmp_path: Path) -> None:
    space = plain() if name.endswith("parquet") else branches()
    candidates = space.sample(200, seed=0)
    files.write_candidates(candidates, str(tmp_path / name))
    (found,) = files.read(space, str(tmp_path / name))
    assert found == candidates


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "values.csv": lambda frame, file: frame.to_csv(file, index=False),
    "indexed.csv": lambda frame, file: frame.to_csv(file),
    "words.csv": lambda frame, file: frame.to_csv(file, index=False, na_rep="NA"),
    "floats.csv": lambda frame, file: frame.astype({"depth": float}).to_csv(file, index=False, na_rep="nan"),
    "values.parquet": lambda frame, file: frame.to_parquet(file),
    "floats.parquet": lambda frame, file: frame.astype({"depth": float}).to_parquet(file),
    "indexed.parquet": lambda frame, file: frame.set_index(pd.Index(range(7, 7 + len(frame)))).to_parquet(file),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_pandas_wrote_is_read(name: str, tmp_path: Path) -> None:
    space = plain()
    candidates = space.sample(200, seed=1)
    counts = space.evaluate(candidates)
    frame = pd.DataFrame([dict(arch) for arch in candidates], columns=list(space.decisions)).join(counts.to_pandas())
    WRITERS[name](frame, tmp_path / name)
    np.testing.assert_array_equal(read(space, tmp_path / name), counts["params"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_trials_of_a_study_are_read(ending: str, tmp_path: Path) -> None:
    space = plain()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: space.suggest(trial).params, n_trials=20)
    frame, file = study.trials_dataframe(), tmp_path / f"trials.{ending}"
    frame.to_csv(file) if ending == "csv" else frame.to_parquet(file)
    assert read(space, file).tolist() == [trial.value for trial in study.trials]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth,units_1,unit_2,last\n1,8,,relu\n", r"in.csv:1: unknown columns 'unit_2' \(did you mean units_2\?\)"),
        ("depth,units_1,units_2,last\n1,8,,relu\n2,8,,relu\n", "in.csv:3: decision 'units_2' has no value, but"),
        ("depth,units_1,last\n1,8,relu\n2,8,relu\n", "in.csv:3: a column is missing, for decision 'units_2'"),
        ("depth,units_1,units_2,last\n1.5,8,,relu\n", "in.csv:2: '1.5' is not a value of decision 'depth'"),
        ("depth,units_1,units_2,last\nTrue,8,,relu\n", "in.csv:2: 'True' is not a value of decision 'depth'"),
        ("params,macs\n1,8\n", "in.csv:1: no column is named like a decision"),
    ],
)
def test_a_file_that_is_not_one_of_the_space_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(SpaceError, match=message):
        read(plain(), tmp_path / "in.csv")
    (tmp_path / "in.csv").write_text("depth,units_1,units_2,last\n1.0,8.0,,relu\n2.0,8,16.0,None\n")
    assert read(plain(), tmp_path / "in.csv").tolist() == [136, 136 + 144]


def test_a_space_file_takes_floats_for_integers_and_the_reverse(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(
        """
decisions: {units: [8, 16, 24], rate: [0, 0.5]}
layers:
- Input: [4]
- Dense: $units
- Dropout: $rate
domains: {units: [8.0, 16], rate: [0.0]}
constraints: [$rate == 0.0]
"""
    )
    space = ab.Space.load(tmp_path / "space.yaml")
    assert space.domains == {"units": (8, 16), "rate": (0,)}
