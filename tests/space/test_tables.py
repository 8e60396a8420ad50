"""Tables: whatever has named columns holds values by name, and gaps where no network reads them."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections import deque, namedtuple
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError, SpaceError
from archbudget.space import table as tables
from support.random_spaces import draw_space

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

nan = math.nan


def units_and_depth() -> ab.Space:
    repeated = layers.Repeat(ab.Int("depth", 0, 3), [layers.Dense(4)])
    return ab.Space([layers.Input((4,)), layers.Dense(ab.Int("u", 1, 9)), repeated, layers.Dense(1)])


def independent() -> ab.Space:
    """The decision `u_2` is inactive where `depth` is 1."""
    repeated = layers.Repeat(ab.Int("depth", 1, 2), [layers.Dense(ab.Choice("u", [8, 16]))])
    return ab.Space([layers.Input((16,)), repeated, layers.Dense(2)])


def mixed() -> ab.Space:
    """Decisions of every type; all but `depth` and `activation` are inactive in some networks."""
    block = layers.Dense(
        ab.Choice("units", [1, 7, 10**6]),
        use_bias=ab.Choice("bias", [True, False]),
        activation=ab.Choice("inner", ["relu", "tanh"]),
    )
    return ab.Space(
        [
            layers.Input((5,)),
            layers.Repeat(ab.Int("depth", 0, 2), [block, layers.Dropout(ab.Choice("rate", [0, 0.25, 0.5]))]),
            layers.Activation(ab.Choice("activation", ["relu", "gelu", None])),
        ]
    )


def polars_frame(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("polars").DataFrame({name: list(column) for name, column in columns.items()})


def structured(columns: dict[str, Any]) -> Any:
    arrays = [np.asarray(column) for column in columns.values()]
    made = np.empty(len(arrays[0]), [(name, each.dtype) for name, each in zip(columns, arrays, strict=True)])
    for name, each in zip(columns, arrays, strict=True):
        made[name] = each
    return made


def rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def named_tuples(columns: dict[str, Any]) -> list[Any]:
    Row = namedtuple("Row", list(columns))  # As `DataFrame.itertuples` makes them.
    return [Row(*row) for row in zip(*columns.values(), strict=True)]


class Stream:
    """What exports an Arrow stream and nothing else."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self._table = pa.table(columns)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


FORMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dict": dict,
    "dict of series": lambda columns: {name: pd.Series(column) for name, column in columns.items()},
    "dict of Arrow": lambda columns: {name: pa.array(column) for name, column in columns.items()},
    "pandas": pd.DataFrame,
    "pandas, nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas of Arrow": lambda columns: pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow"),
    "pandas, categories": lambda columns: pd.DataFrame(columns).astype("category"),
    "pandas, objects": lambda columns: pd.DataFrame(columns).astype(object),
    "pandas, other rows": lambda columns: pd.DataFrame(columns, index=range(7, 7 + len(next(iter(columns.values()))))),
    "Arrow table": pa.table,
    "Arrow batch": lambda columns: pa.table(columns).combine_chunks().to_batches()[0],
    "Arrow, dictionaries": lambda columns: pa.table(
        {name: pa.array(column).dictionary_encode() for name, column in columns.items()}
    ),
    "Arrow, several chunks": lambda columns: pa.concat_tables([pa.table(columns)[:1], pa.table(columns)[1:]]),
    "Arrow stream": Stream,
    "polars": polars_frame,
    "structured array": structured,
    "record array": lambda columns: structured(columns).view(np.recarray),
    "rows": rows,
    "rows in an array": lambda columns: np.array(rows(columns), dtype=object),
    "named tuples": named_tuples,
    "rows of a data frame": lambda columns: [row for _, row in pd.DataFrame(columns).iterrows()],
    "rows of a structured array": lambda columns: list(structured(columns)),
    "other order": lambda columns: pd.DataFrame(dict(reversed(columns.items()))),
}


@pytest.mark.parametrize("form", FORMS)
def test_named_columns_are_values_in_every_form(form: str) -> None:
    space, table = units_and_depth(), FORMS[form]({"u": [1, 2, 8], "depth": [0, 1, 3]})
    assert space.evaluate(table)["params"].tolist() == [7, 27, 121]
    assert ab.Candidates(space, table).indices.tolist() == [[0, 0], [1, 1], [7, 3]]
    budget = ab.Budget(params=27)
    assert (space.constraint(budget)(table) <= 0).ravel().tolist() == [True, True, False]


@pytest.mark.parametrize("form", FORMS)
def test_integers_may_be_floats_and_what_is_inactive_may_be_missing(form: str) -> None:
    space, table = independent(), FORMS[form]({"depth": [1.0, 2.0], "u_1": [8.0, 8.0], "u_2": [nan, 16.0]})
    assert space.evaluate(table)["params"].tolist() == [154, 314]
    assert ab.Candidates(space, table).indices.tolist() == [[0, 0, 0], [1, 0, 1]]


@pytest.mark.parametrize(
    "missing", [None, nan, np.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), np.ma.masked]
)
def test_every_missing_value_is_one(missing: object) -> None:
    space = independent()
    columns = {"depth": [1, 2], "u_1": [8, 8], "u_2": [missing, 16]}
    for table in (columns, rows(columns), {**columns, "u_2": np.array([missing, 16], dtype=object)}):
        assert space.evaluate(table)["params"].tolist() == [154, 314]
    assert space.architecture({"depth": 1, "u_1": 8, "u_2": missing}).params == 154
    with pytest.raises(SpaceError, match="row 0: decision 'u_2' has no value, but this network reads it"):
        space.evaluate({**columns, "depth": [2, 2]})
    with pytest.raises(SpaceError, match="'u_2'"):
        space.architecture({"depth": 2, "u_1": 8, "u_2": missing})


def test_masked_arrays_are_missing_where_they_are_masked() -> None:
    space = independent()
    masked = np.ma.array([99, 16, 8], mask=[True, False, False])
    table = {"depth": [1, 2, 2], "u_1": np.ma.array([8, 8, 8]), "u_2": masked}
    assert space.evaluate(table)["params"].tolist() == [154, 314, 154 + 72]
    with pytest.raises(SpaceError, match="row 2: 9 is not a value of decision 'u_2'"):
        space.evaluate({**table, "u_2": np.ma.array([99, 16, 9], mask=[True, False, False])})
    assert space.evaluate({"depth": [1], "u_1": [8], "u_2": np.array(["NaT"], "M8[ns]")})["params"].tolist() == [154]


def test_a_gap_of_an_active_decision_is_named_with_its_row() -> None:
    space, rng = independent(), np.random.default_rng(0)
    depth = rng.integers(1, 3, 200_000)
    table = {"depth": depth, "u_1": np.full(len(depth), 8.0), "u_2": np.where(depth == 1, nan, 16.0)}
    np.testing.assert_array_equal(space.evaluate(table)["params"], np.where(depth == 1, 154, 314))
    late = int(np.flatnonzero(depth == 2)[-1])
    table["u_2"][late] = nan
    with pytest.raises(SpaceError, match=f"row {late}: decision 'u_2' has no value, but this network reads it"):
        space.evaluate(table)
    table["u_1"][150_000] = nan
    with pytest.raises(SpaceError, match="row 150000: decision 'u_1' has no value"):
        space.evaluate(table)


@pytest.mark.parametrize("widths", [(3, 3, 3), (4096, 4096), (2**20, 2**20)], ids=["stored", "implicit", "open"])
def test_gaps_are_found_in_every_kind_of_diagram(widths: tuple[int, ...]) -> None:
    heads = {"no": [], "yes": [layers.Dense(ab.Int(f"u{place}", 1, most)) for place, most in enumerate(widths)]}
    space = ab.Space([layers.Input((4,)), layers.OneOf("head", heads)])
    last = f"u{len(widths) - 1}"
    table: dict[str, list[Any]] = {
        "head": ["no", "yes"],
        **{name: [None, 2] for name in space.decisions if name != "head"},
    }
    assert space.evaluate(table)["params"].tolist() == [
        0,
        space.architecture({n: c[1] for n, c in table.items()}).params,
    ]
    with pytest.raises(SpaceError, match=f"row 1: decision '{last}' has no value"):
        space.evaluate({**table, last: [2, None]})


def test_a_column_may_be_left_out_where_no_network_reads_it() -> None:
    space = independent()
    assert space.evaluate({"depth": [1], "u_1": [8]})["params"].tolist() == [154]
    assert space.evaluate([space.architecture(depth=1, u_1=8)])["params"].tolist() == [154]
    with pytest.raises(SpaceError, match="row 1: a column is missing, for decision 'u_2', which this network reads"):
        space.evaluate({"depth": [1, 2], "u_1": [8, 8]})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame([[1, 0], [1, 1]]), r"unknown columns 0, 1 \(indices are given as an array without names\)"),
        (pd.DataFrame({"u": [1], "deepth": [0]}), r"unknown columns 'deepth' \(did you mean depth\?\)"),
        ({"u": [1], "depth": [1], "dept": [2]}, r"'dept' \(did you mean depth\?\)"),
        ([{"u": 1, "depth": 0}, {"u": 1, "depht": 0}], r"'depht' \(did you mean depth\?\)"),
        ([{"u": 1, "depth": 0}, [1, 0]], r"row 1: \[1, 0\] has no names"),
        (pd.DataFrame([[1, 2, 3]], columns=["u", "u", "depth"]), "repeated columns in the table: 'u'"),
        ({"u": [1], "params_u": [2], "depth": [0]}, "two columns hold decision 'u': u, params_u"),
        (pd.DataFrame(), "no column is named like a decision; this space has u, depth"),
        ({"params": [3]}, "no column is named like a decision"),
        ({"u": [1, 2], "depth": [1]}, "the columns must have one length"),
        (pd.DataFrame({"u": [1.0], "depth": [0.5]}), "row 0: 0.5 is not a value of decision 'depth'"),
        (pd.DataFrame({"u": [True], "depth": [1]}), "row 0: True is not a value of decision 'u'"),
        (pd.DataFrame({"u": ["1"], "depth": [1]}), "row 0: '1' is not a value of decision 'u'"),
        (pa.table({"u": [1], "depth": [[1]]}), "'depth' must have one axis"),
        ({"u": 1, "depth": 1}, "'u' must have one axis"),
    ],
)
def test_a_table_that_is_not_one_of_the_space_is_refused(table: Any, message: str) -> None:
    space = units_and_depth()
    for ask in (space.evaluate, lambda given: ab.Candidates(space, given), space.constraint(ab.Budget(params=9))):
        with pytest.raises(SpaceError, match=message):
            ask(table)


def test_what_has_no_names_holds_indices() -> None:
    space = units_and_depth()
    for indices in (
        [[0, 0], [7, 3]],
        ((0, 0), (7, 3)),
        np.array([[0, 0], [7, 3]]),
        pd.DataFrame([[0, 0], [7, 3]]).to_numpy(),
    ):
        assert space.evaluate(indices)["params"].tolist() == [7, 121]
    assert len(space.evaluate([]).valid) == len(ab.Candidates(space, [])) == 0


def counted_alike(space: ab.Space, table: Any, candidates: ab.Candidates) -> None:
    counts, expected = space.evaluate(table), space.evaluate(candidates)
    np.testing.assert_array_equal(counts.valid, expected.valid)
    for metric in space.metrics:
        np.testing.assert_array_equal(counts[metric], expected[metric])


def with_gaps(candidates: ab.Candidates) -> Any:
    """The values as a data frame, missing where a decision is inactive."""
    return pd.DataFrame([dict(arch) for arch in candidates], columns=list(candidates.space.decisions))


@pytest.mark.parametrize("make", [units_and_depth, independent, mixed, ab.spaces.lenet])
def test_everything_that_goes_out_comes_in_again(make: Callable[[], ab.Space], tmp_path: Path) -> None:
    space = make()
    candidates = space.sample(60, seed=0)
    counts, frame = space.evaluate(candidates), candidates.to_pandas()
    frame.to_csv(tmp_path / "values.csv")
    frame.to_csv(tmp_path / "bare.csv", index=False)
    frame.to_parquet(tmp_path / "values.parquet")
    with_gaps(candidates).to_csv(tmp_path / "gaps.csv", index=False)
    with_gaps(candidates).to_parquet(tmp_path / "gaps.parquet")
    candidates.save(tmp_path / "values.npz")
    outputs = [
        frame,
        with_gaps(candidates),
        candidates.values(),
        list(candidates),
        [dict(arch) for arch in candidates],
        ab.Candidates(make(), candidates.indices),
        list(ab.Candidates(make(), candidates.indices)),
        ab.Candidates.load(tmp_path / "values.npz", space),
        frame.join(counts.to_pandas()),
        {**candidates.values(), **counts, "valid": counts.valid},
        pd.read_csv(tmp_path / "values.csv"),
        pd.read_csv(tmp_path / "bare.csv"),
        pd.read_csv(tmp_path / "gaps.csv"),
        pd.read_csv(tmp_path / "gaps.csv", dtype_backend="numpy_nullable"),
        pd.read_parquet(tmp_path / "values.parquet"),
        pd.read_parquet(tmp_path / "gaps.parquet"),
        pq.read_table(tmp_path / "gaps.parquet"),
    ]
    for output in outputs:
        counted_alike(space, output, candidates)
    for row, arch in enumerate(candidates):
        assert space.architecture(with_gaps(candidates).iloc[row]) == arch


def test_a_set_is_asked_about_one_row() -> None:
    space = independent()
    fits = space.within(ab.Budget(params=200))
    frame = pd.DataFrame({"depth": [1, 2], "u_1": [8.0, 8.0], "u_2": [nan, 16.0]})
    assert [frame.iloc[row] in fits for row in range(2)] == [True, False]
    assert [row in fits for row in frame.itertuples(index=False)] == [True, False]
    assert fits.rank(frame.iloc[0]) == fits.rank({"depth": 1, "u_1": 8})
    for batch in (frame, space.sample(2, seed=0), list(space.sample(2, seed=0))):
        with pytest.raises(SpaceError, match="a network is an Architecture, or a mapping"):
            batch in fits  # noqa: B015


def test_marginals_refuse_values_that_a_dict_does_not_tell_apart() -> None:
    which = ab.Choice("which", [1, True, 3])
    space = ab.Space([layers.Input((4,)), layers.Dense(which.map(lambda value: 5 if value is True else value))])
    assert space.evaluate({"which": [1, True, 3]})["params"].tolist() == [5, 25, 15]
    with pytest.raises(SpaceError, match="a dict holds 1 and True as one key, and decision 'which' has both"):
        space.within(ab.Budget(params=100)).marginals()


def test_a_space_without_decisions_has_rows_all_the_same() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    candidates = space.sample(3, seed=0)
    for table in (candidates.to_pandas(), list(candidates), space.evaluate(candidates).to_pandas()):
        assert space.evaluate(table)["params"].tolist() == [15] * 3


def studied(space: ab.Space, trials: int = 30) -> optuna.Study:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(trial: optuna.Trial) -> float:
        arch = space.suggest(trial)
        trial.suggest_float("learning_rate", 0, 1)
        trial.set_user_attr("params", arch.params)
        return arch.params

    study.optimize(objective, n_trials=trials)
    return study


@pytest.mark.parametrize("make", [units_and_depth, independent, mixed])
def test_the_trials_of_a_study_go_straight_in(make: Callable[[], ab.Space]) -> None:
    space = make()
    study = studied(space)
    for frame in (
        study.trials_dataframe(),
        study.trials_dataframe(multi_index=True),
        study.trials_dataframe(attrs=("params", "state")),
        study.trials_dataframe().assign(note="mine"),
    ):
        assert space.evaluate(frame)["params"].tolist() == [trial.value for trial in study.trials]
    params = [
        {name: value for name, value in trial.params.items() if name in space.decisions} for trial in study.trials
    ]
    assert space.evaluate(params)["params"].tolist() == [trial.value for trial in study.trials]


def test_a_trial_without_values_is_named() -> None:
    space = independent()
    study = studied(space, 3)
    study.ask()
    with pytest.raises(SpaceError, match="row 3: decision 'depth' has no value"):
        space.evaluate(study.trials_dataframe())


def test_a_decision_may_be_named_like_a_column_of_another_kind() -> None:
    names = ["params", "valid", "value", "params_u", "number"]
    space = ab.Space([layers.Input((1,)), *(layers.Dense(ab.Int(name, 1, 3), use_bias=False) for name in names)])
    candidates = space.sample(9, seed=0)
    assert space.evaluate(candidates.to_pandas()) == space.evaluate(candidates)


def test_numbers_beyond_the_floats_are_told_apart() -> None:
    share = ab.Choice("share", [2**53, 2**53 + 1, 0.5])
    space = ab.Space(
        [layers.Input((4,)), layers.Dense(share.map(lambda value: 1 if value == 0.5 else value - 2**53 + 2))]
    )
    wide = {"share": np.array([2**53, 2**53 + 1])}
    assert space.evaluate(wide)["params"].tolist() == [10, 15]
    assert space.evaluate(pd.DataFrame(wide))["params"].tolist() == [10, 15]
    assert space.evaluate({"share": [2**53 + 1, 0.5]})["params"].tolist() == [15, 5]


def test_packages_are_not_imported_for_what_is_not_theirs() -> None:
    code = (
        "import sys, archbudget as ab, numpy as np; from archbudget import layers as L\n"
        "space = ab.Space([L.Input((4,)), L.Dense(ab.Int('u', 1, 9))])\n"
        "for table in ({'u': [1]}, [{'u': 1}], np.array([(1,)], [('u', int)])):\n"
        "    assert space.evaluate(table)['params'] == 5\n"
        "print({'pandas', 'pyarrow', 'polars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.data())
def test_gaps_are_refused_where_and_only_where_a_network_reads_them(seed: int, data: st.DataObject) -> None:
    try:
        space = draw_space(Random(seed))
    except InvalidArchitectureError:
        reject()
    archs = list(space.sample(8, seed=seed))
    cells = [dict(arch) for arch in archs]
    counted_alike(space, cells, ab.Candidates(space, [arch.indices for arch in archs]))
    row = data.draw(st.integers(0, 7))
    if cells[row]:
        name = data.draw(st.sampled_from(list(cells[row])))
        del cells[row][name]
        if None not in space.decisions[name].values:
            with pytest.raises(SpaceError, match=f"row {row}: .*'{name}'"):
                space.evaluate(cells)


def nested() -> ab.Space:
    return ab.Space([layers.Input((8,)), layers.Repeat(ab.Int("n", 1, 2), layers.Dense(ab.Int("u", 1, 3)))])


def test_rows_of_trials_are_networks_wherever_one_is_given() -> None:
    space = nested()
    fits = space.within(ab.Budget(params=20))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: space.suggest(trial).params, n_trials=12)
    frame = study.trials_dataframe()
    inside = [trial.value <= 20 for trial in study.trials]
    assert 0 < sum(inside) < 12
    assert [row in fits for _, row in frame.iterrows()] == inside
    assert all(row in space for _, row in frame.iterrows())
    for trial, (_, row) in zip(study.trials, frame.iterrows(), strict=True):
        arch = space.architecture(row)
        assert arch == space.from_trial(trial)
        if arch in fits:
            assert fits.rank(row) == fits.rank(arch)
    assert {"params_n": 1, "params_u_1": 2, "params_rate": 0.1} in space


@pytest.mark.parametrize(
    ("row", "name"), [({"m": 1, "u_1": 2}, "'m'"), ({"n": 1, "u_1": 2, "rate": 0.1}, "'rate'"), ({"nn": 1}, "'nn'")]
)
def test_names_that_architecture_refuses_are_refused_by_in(row: dict[str, Any], name: str) -> None:
    space = nested()
    for some in (space, space.within(ab.Budget(params=99)), space.sample(3, seed=0)):
        with pytest.raises(SpaceError, match=f"unknown decisions in the architecture: {name}"):
            assert row in some
    with pytest.raises(SpaceError, match="two columns hold decision 'n'"):
        assert {"n": 1, "params_n": 2, "u_1": 1} in space


def test_every_iterable_of_rows_is_a_batch() -> None:
    space = independent()
    drawn = space.sample(20, seed=0)
    rows = [dict(arch) for arch in drawn]
    frame = drawn.to_pandas()
    for make in (
        lambda: (row for row in rows),
        lambda: map(dict, rows),
        lambda: deque(rows),
        lambda: iter(drawn),
        lambda: frame.itertuples(),
        lambda: pd.Series(rows),
        lambda: np.array(rows, dtype=object),
        lambda: frame.reset_index(),
        lambda: frame.to_records(),
        lambda: (list(map(int, row)) for row in drawn.indices),
    ):
        counted_alike(space, make(), drawn)
        assert len(ab.Candidates(space, make())) == 20


def test_an_iterable_without_an_end_and_a_single_row_are_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    space = nested()
    monkeypatch.setattr(tables, "MOST_ROWS", 1000)
    with pytest.raises(SpaceError, match="an iterable gives at most 1,000 rows at once"):
        space.evaluate({"n": 1, "u_1": 1} for _ in itertools.count())
    frame = space.sample(2, seed=0).to_pandas()
    for row in ({"n": 1, "u_1": 1}, frame.iloc[0], next(frame.itertuples()), frame.to_records()[0]):
        with pytest.raises(SpaceError, match="space.architecture"):
            space.evaluate(row)
    with pytest.raises(SpaceError, match="a batch has an order"):
        space.evaluate({1, 2})


@pytest.mark.parametrize("gap", [None, math.nan, np.ma.masked, pd.NA, ""])
def test_gaps_of_decisions_fix_nothing(gap: Any) -> None:
    space = nested()
    fits = space.within(ab.Budget(params=99))
    assert space.architecture(n=1, u_1=2, u_2=gap) == space.architecture(n=1, u_1=2)
    assert {"n": 1, "u_1": 2, "u_2": gap} in fits
    assert space.evaluate([{"n": 1, "u_1": 2, "u_2": gap}])["params"].tolist() == [18]
    assert fits.fix({"n": 1, "u_2": gap}) == fits.fix({"n": 1}) == fits.fix(n=1)
    assert fits.fix(n=1).fix(n=gap) == fits.fix(n=1)
    assert fits.allowed({"n": 2, "u_1": gap}) == ("u_1", [True, True, True])
    with pytest.raises(SpaceError, match="decision 'u_2'"):
        space.architecture(n=2, u_1=2, u_2=gap)


def test_an_empty_text_that_is_a_value_is_no_gap() -> None:
    word = ab.Choice("word", ["", "wide"])
    space = ab.Space([layers.Input((8,)), layers.Dense(word.map(lambda text: 2 if text else 1))])
    assert space.architecture(word="").params == 9
    assert space.within(ab.Budget(params=99)).fix(word="").count() == 1
    assert space.evaluate({"word": ["", "wide"]})["params"].tolist() == [9, 18]
