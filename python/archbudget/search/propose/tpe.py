"""TPE on a feasible set: its own Parzen estimators, and only candidates that fit drawn from them."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from archbudget.search.propose.proposer import Proposer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from archbudget.search.propose.inside import Inside, Rows
    from archbudget.search.propose.proposer import Question

    Floats = npt.NDArray[np.float64]

try:
    from optuna.samplers._tpe import sampler as _tpe
except ImportError:
    _tpe = None  # type: ignore[assignment]

BATCH = 128
"""At least this many candidates are drawn, before those that do not fit are dropped."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


class Tpe(Proposer):
    """TPE, whose proposals are drawn from the density of the good trials, given that they fit.

    TPE builds its estimators on the full distributions. Each block of parameters that it models jointly is drawn and
    scored as in TPE; whole candidates are drawn until enough of them fit.
    """

    def __init__(self, base: BaseSampler) -> None:
        super().__init__(base)
        self.is_supported = is_supported(base)
        """Whether this TPE has the private interface used here; otherwise it is asked through its public one."""

    def propose(self, question: Question) -> dict[str, Any]:
        """See `Proposer`."""
        base, study, trial = self.base, question.study, question.trial
        finished = study._get_trials(deepcopy=False, states=FINISHED, use_cache=True)
        if len(finished) < getattr(base, "_n_startup_trials", 10):
            return question.begin()
        if not self.is_supported:
            return dict(base.sample_relative(study, trial, question.own))
        blocks = self._blocks(question)
        for inside in (question.near, question.inside):
            row, own = _best(inside, blocks, base._n_ei_candidates, question)
            if inside.key(row) not in question.tried:
                break
        params = {**question.inside.params(row), **own}
        self._share(study, trial, params)
        return params

    def _blocks(self, question: Question) -> list[_Block]:
        """The blocks of TPE's model: jointly drawn parameters, and each further decision by itself."""
        base, study, inside = self.base, question.study, question.inside
        distributions = {**question.own, **inside.distributions}
        joint: list[dict[str, BaseDistribution]] = []
        if base._is_multivariate(study):
            joint = (
                base._group_decomposed_search_space.calculate(study, True).search_spaces
                if base._group
                else [base._search_space.calculate(study, True)]
            )
        below, above = self._split(study, question.trial)
        blocks, rest = [], dict(inside.distributions)
        for space in joint:
            names = sorted(
                name for name, each in space.items() if distributions.get(name) == each and not each.single()
            )
            if names:
                blocks.append(self._block(study, inside, {name: distributions[name] for name in names}, below, above))
            for name in names:
                rest.pop(name, None)
        for name, distribution in rest.items():
            if not distribution.single():
                blocks.append(self._block(study, inside, {name: distribution}, below, above))
        return blocks

    def _block(
        self,
        study: Study,
        inside: Inside,
        space: dict[str, BaseDistribution],
        below: list[FrozenTrial],
        above: list[FrozenTrial],
    ) -> _Block:
        build = self.base._build_parzen_estimator
        return _Block(
            inside,
            space,
            build(study, space, below, handle_below=True),
            lambda: build(study, space, above, handle_below=False),
        )

    def _split(self, study: Study, trial: FrozenTrial) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
        """The good trials and the others, as TPE splits them."""
        base = self.base
        states = (*FINISHED, TrialState.RUNNING) if base._constant_liar else FINISHED
        trials = study._get_trials(deepcopy=False, states=states, use_cache=not base._constant_liar)
        trials = [each for each in trials if each.number != trial.number]
        gamma = base._gamma
        if gamma is None:
            gamma = _tpe.default_gamma if len(study.directions) <= 1 else _tpe.default_gamma_multiobjective
        done = sum(each.state != TrialState.RUNNING for each in trials)
        return _tpe._split_trials(study, trials, gamma(done))

    def _share(self, study: Study, trial: FrozenTrial, params: dict[str, Any]) -> None:
        """Tells other workers what this trial tries, as TPE does."""
        if not self.base._constant_liar or not self.base._is_multivariate(study):
            return
        text, most = json.dumps(params), _tpe._SYSTEM_ATTR_MAX_LENGTH
        for number, start in enumerate(range(0, len(text), most)):
            key = f"{_tpe._RELATIVE_PARAMS_KEY}:{number}"
            study._storage.set_trial_system_attr(trial._trial_id, key, text[start : start + most])


def is_supported(base: Any) -> bool:
    """Whether a TPE has the private interface that is used here, that of Optuna 5.0."""
    functions = ("_split_trials", "default_gamma", "default_gamma_multiobjective")
    names = ("_RELATIVE_PARAMS_KEY", "_SYSTEM_ATTR_MAX_LENGTH")
    if not all(hasattr(_tpe, name) for name in (*functions, *names)):
        return False
    methods = ("_build_parzen_estimator", "_is_multivariate", "_search_space", "_group_decomposed_search_space")
    settings = ("_n_startup_trials", "_n_ei_candidates", "_gamma", "_group", "_constant_liar")
    if not all(hasattr(base, name) for name in (*methods, *settings)):
        return False
    try:
        study = SimpleNamespace(_is_multi_objective=lambda: False)
        estimator = base._build_parzen_estimator(study, {"x": IntDistribution(0, 3)}, [], handle_below=True)
        (kernels,) = estimator._mixture_distribution.distributions
        shapes = {array.shape for array in (estimator._mixture_distribution.weights, kernels.mu, kernels.sigma)}
        ends = (kernels.low, kernels.high, kernels.step, kernels.adapted_low, kernels.adapted_high, kernels.is_log)
        return shapes == {(1,)} and ends == (0, 3, 1, -0.5, 3.5, False)
    except Exception:  # Another version may raise anything.
        return False


class _Block:
    """Parameters that are modelled jointly: decisions, and possibly own parameters."""

    def __init__(
        self, inside: Inside, space: dict[str, BaseDistribution], below: Any, above: Callable[[], Any]
    ) -> None:
        self.space = space
        self.positions = {inside.positions[name]: name for name in space if name in inside.positions}
        self._below, self._above = below, above
        mixture = below._mixture_distribution
        self._weights: Floats = mixture.weights
        self._kernels = dict(zip(space, mixture.distributions, strict=True))
        # For each decision a row of probabilities for each kernel, and their cumulative sums.
        self._probabilities = {
            position: _densities(self._kernels[name], len(inside.values[position]))
            for position, name in self.positions.items()
        }
        self._levels = {position: each.cumsum(axis=1) for position, each in self._probabilities.items()}

    def pick(self, n: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
        """Draws kernels by their weights."""
        level = np.cumsum(self._weights)
        return np.asarray((level[:-1] <= rng.random((n, 1)) * level[-1]).sum(axis=1), np.intp)

    def draw(self, rows: Rows, kernels: npt.NDArray[np.intp], rng: np.random.Generator) -> None:
        """Draws the decisions of the block in each row from its kernel, whether it fits or not."""
        for position, of_kernels in self._levels.items():
            levels = of_kernels[kernels]
            rows[:, position] = (levels[:, :-1] < rng.random((len(rows), 1)) * levels[:, -1:]).sum(axis=1)

    def choose(self, position: int, kernel: int, allowed: list[bool], rng: np.random.Generator) -> int:
        """Draws one decision from a kernel among the allowed values."""
        level = (self._probabilities[position][kernel] * allowed).cumsum()
        if level[-1] <= 0:
            # All of them are so far away that their probabilities round to 0: take the nearest one.
            good, middle = np.flatnonzero(allowed), self._levels[position][kernel].searchsorted(0.5)
            return int(good[np.argmin(np.abs(good - middle))])
        return int(level[:-1].searchsorted(rng.random() * level[-1], side="right"))

    def draw_own(self, kernels: npt.NDArray[np.intp], rng: np.random.Generator) -> dict[str, Floats]:
        """Draws the own parameters from kernels, in Optuna's internal representation."""
        return {
            name: _draw_own(self._kernels[name], kernels, rng)
            for name in self.space
            if name not in self.positions.values()
        }

    def scores(self, rows: Rows, own: dict[str, Floats]) -> Floats:
        """The score of each row: the logarithm of the ratio of the densities of the good trials and the others."""
        samples = dict(own)
        for position, name in self.positions.items():
            samples[name] = _internal(self.space[name], rows[:, position])
        # The estimator of the others is made only for blocks that are scored, as many are inactive.
        return self._below.log_pdf(samples) - self._above().log_pdf(samples)  # type: ignore[no-any-return]


def _internal(distribution: Any, indices: npt.NDArray[np.uint32]) -> Floats:
    """Indices in Optuna's internal representation of the values."""
    if isinstance(distribution, CategoricalDistribution):
        return indices.astype(np.float64)
    return distribution.low + distribution.step * indices.astype(np.float64)  # type: ignore[no-any-return]


def _densities(kernels: Any, size: int) -> Floats:
    """For each kernel the probability of each value."""
    if hasattr(kernels, "weights"):
        return np.asarray(kernels.weights, np.float64)
    values = kernels.low + kernels.step * np.arange(size)
    heights = np.exp(-0.5 * ((values - kernels.mu[:, None]) / kernels.sigma[:, None]) ** 2)
    return heights / heights.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def _draw_own(kernels: Any, picked: npt.NDArray[np.intp], rng: np.random.Generator) -> Floats:
    """Values of an own parameter, from the kernels that were picked."""
    if hasattr(kernels, "weights"):
        levels = np.cumsum(kernels.weights[picked], axis=1)
        return np.asarray((levels[:, :-1] < rng.random((len(picked), 1)) * levels[:, -1:]).sum(axis=1), np.float64)
    low, high = kernels.adapted_low, kernels.adapted_high
    mu, sigma = kernels.mu[picked], kernels.sigma[picked]
    # The middle of each kernel is inside the range, so that at least about a sixth of the draws are kept.
    values = np.clip(mu, low, high)
    open_ = np.ones(len(picked), bool)
    for _ in range(64):
        drawn = rng.normal(mu, sigma)
        good = open_ & (low <= drawn) & (drawn <= high)
        values[good] = drawn[good]
        open_ &= ~good
        if not open_.any():
            break
    if kernels.is_log:
        values = np.exp(values)
    if kernels.step:
        values = kernels.low + np.round((values - kernels.low) / kernels.step) * kernels.step
    return np.asarray(np.clip(values, kernels.low, kernels.high), np.float64)


def _best(inside: Inside, blocks: list[_Block], n: int, question: Question) -> tuple[Rows, dict[str, Any]]:
    """The best of `n` candidates by the first block; then the best of `n` moves in each further block.

    Networks that were tried are no candidates, as long as there are others.
    """
    rng, tried = question.rng, question.tried
    if not blocks:
        return inside.draw(1, rng)[0], {}
    rows, kernels = _candidates(inside, blocks, n, question)
    first = blocks[0]
    own = first.draw_own(kernels, rng)
    best = int(np.argmax(first.scores(rows, own)))
    row = rows[best]
    chosen = {name: first.space[name].to_external_repr(values[best].item()) for name, values in own.items()}
    active = set(inside.active(row))
    for block in blocks[1:]:
        if block.positions and not active & set(block.positions):
            continue
        kernels = block.pick(n, rng)
        moves = np.repeat(row[None], n, axis=0)
        block.draw(moves, kernels, rng)
        inside.impose(moves)
        moves[0] = row
        own = block.draw_own(kernels, rng)
        good = inside.holds(moves)
        if tried:  # The first one stays in any case.
            good[1:] &= [fits and inside.key(move) not in tried for fits, move in zip(good[1:], moves[1:], strict=True)]
        scores = np.where(good, block.scores(moves, own), -np.inf)
        best = int(np.argmax(scores))
        if best:
            row = moves[best]
            active = set(inside.active(row))
        chosen |= {name: block.space[name].to_external_repr(values[best].item()) for name, values in own.items()}
    return row, chosen


def _candidates(inside: Inside, blocks: list[_Block], n: int, question: Question) -> tuple[Rows, npt.NDArray[np.intp]]:
    """At most `n` candidates that fit, and for each the kernel of the first block from which it was drawn."""
    rng, tried = question.rng, question.tried
    size = max(BATCH, 2 * n)
    rows = np.zeros((size, len(inside.names)), np.uint32)
    picked = [block.pick(size, rng) for block in blocks]
    for block, kernels in zip(blocks, picked, strict=True):
        block.draw(rows, kernels, rng)
    inside.impose(rows)
    fits = inside.holds(rows)
    new = (number for number in np.flatnonzero(fits) if inside.key(rows[number]) not in tried)
    good = np.fromiter(itertools.islice(new, n), np.intp)
    if len(good) == n:
        return rows[good], picked[0][good]
    # Few fit: the others are drawn decision by decision, each onto a row that did not fit. So inactive decisions have
    # values, too, in case a later move makes them active.
    of = {position: block for block in blocks for position in block.positions}
    others = np.setdiff1d(np.arange(size), good)[: n - len(good)]
    for other in others:
        kernel = {id(block): int(kernels[other]) for block, kernels in zip(blocks, picked, strict=True)}

        def choose(position: int, allowed: list[bool], kernel: dict[int, int] = kernel) -> int:
            block = of.get(position)
            return allowed.index(True) if block is None else block.choose(position, kernel[id(block)], allowed, rng)

        inside.walk(choose, rows[other])
    taken = np.concatenate([good, others])
    fresh = [number for number in taken if inside.key(rows[number]) not in tried]
    taken = np.asarray(fresh or taken, np.intp)
    return rows[taken], picked[0][taken]
