"""The unit cube of a feasible set: each point is a candidate that fits, and volumes are shares."""

from __future__ import annotations

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import InfeasibleBudgetError, SpaceError
from archbudget.space.quantiles import LEAST


def tree() -> ab.Space:
    block = [layers.Dense(ab.Int("units", 1, 4)), ab.OneOf("norm", {"yes": layers.BatchNormalization(), "no": []})]
    return ab.Space([layers.Input((6,)), layers.Repeat(ab.Int("depth", 1, 3), block), layers.Dense(2)])


@pytest.mark.parametrize("params", [(0, 40), (30, 55), (0, 20), (0, 1000)])
def test_every_candidate_comes_back_from_its_point(params: tuple[int, int]) -> None:
    space = tree()
    fits = space.within(ab.Budget(params=params))
    every = fits.candidates()
    points = fits.points(every)
    assert points.shape == (fits.count(), len(space.decisions))
    back = fits.at(points)
    assert [dict(each) for each in back] == [dict(each) for each in every]
    assert [dict(each) for each in fits.at(points.tolist())] == [dict(each) for each in every]
    assert dict(fits.at(points[0])[0]) == dict(every[0])
    assert (fits.points([every[3]]) == points[3:4]).all()


@pytest.mark.parametrize("budget", [ab.Budget(params=40), ab.Budget(peak_activation_bytes=40, params=60)])
def test_uniform_points_are_uniform_draws(budget: ab.Budget) -> None:
    fits = tree().within(budget)
    drawn = fits.at(np.random.default_rng(0).random((20_000, len(fits.space.decisions))))
    assert budget.mask(drawn).all()
    counts = np.bincount([fits.rank(arch) for arch in drawn], minlength=fits.count())
    expected = 20_000 / fits.count()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    # The 0.9999 quantile of chi squared, by Wilson and Hilferty.
    free = fits.count() - 1
    assert statistic < free * (1 - 2 / (9 * free) + 3.72 * (2 / (9 * free)) ** 0.5) ** 3


def test_corners_and_edges_fit() -> None:
    fits = tree().within(ab.Budget(params=(30, 50)))
    corners = np.array(np.meshgrid(*[[0.0, 0.5, 1.0]] * len(fits.space.decisions))).reshape(
        len(fits.space.decisions), -1
    )
    assert ab.Budget(params=(30, 50)).mask(fits.at(corners.T)).all()
    assert len(fits.at(np.zeros((0, len(fits.space.decisions))))) == 0


def test_values_of_tiny_shares_come_back() -> None:
    narrow = [layers.Dense(1)]
    wide = [layers.Dense(ab.Int(f"units_{number}", 1, 50)) for number in range(12)]
    pick = ab.OneOf("pick", {"wide": wide, "narrow": narrow})
    space = ab.Space([layers.Input((2,)), pick, layers.Dense(2)])
    fits = space.within(ab.Budget(params=10**6))
    shares = fits.shares([])
    assert shares is not None
    assert 0 < shares[1][1] < LEAST
    arch = space.architecture(pick="narrow")
    assert fits.at(fits.points([arch]))[0] == arch


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[0.5, 0.5]], "a coordinate for each of the 7 decisions"),
        ([[0.5] * 6 + [1.5]], "row 0 has 1.5 in column 6"),
        ([[0.5] * 6 + [float("nan")]], "row 0 has nan"),
        ("points", "an array of floats"),
        (None, "row 0 has nan|a coordinate"),
        (np.zeros((2, 2, 7)), "a coordinate"),
    ],
)
def test_other_points_are_refused(points: object, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        tree().within(ab.Budget(params=40)).at(points)  # type: ignore[arg-type]


def test_what_does_not_fit_has_no_point() -> None:
    space = tree()
    fits = space.within(ab.Budget(params=20))
    with pytest.raises(SpaceError, match="candidate 1 is not in the set"):
        fits.points([fits.smallest("params"), space.within(ab.Budget(params=10**9)).largest("params")])
    with pytest.raises(InfeasibleBudgetError):
        space.within(ab.Budget(params=1)).at([0.5] * 7)
