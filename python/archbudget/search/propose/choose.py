"""The proposer of each sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna import samplers

from archbudget.search.propose.cube import CmaEs, Qmc
from archbudget.search.propose.genetic import Genetic
from archbudget.search.propose.gp import Gp
from archbudget.search.propose.proposer import Proposer
from archbudget.search.propose.tpe import Tpe

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

_PROPOSERS: tuple[tuple[type[BaseSampler], type[Proposer]], ...] = (
    (samplers.RandomSampler, Proposer),
    (samplers.TPESampler, Tpe),
    (samplers.NSGAIISampler, Genetic),
    (samplers.NSGAIIISampler, Genetic),
    (samplers.CmaEsSampler, CmaEs),
    (samplers.QMCSampler, Qmc),
    (samplers.GPSampler, Gp),
)


def proposer_for(base: BaseSampler) -> Proposer | None:
    """The proposer of a sampler; `None` for a sampler with no more than the public interface."""
    return next((proposer(base) for sampler, proposer in _PROPOSERS if isinstance(base, sampler)), None)
