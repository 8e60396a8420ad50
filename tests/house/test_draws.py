"""What tests draw at random is worth asking about: where they pass over a draw, most draws are not passed over."""

from __future__ import annotations

from random import Random

from archbudget.errors import InvalidArchitectureError
from support.random_budgets import fitting, random_budget
from support.random_parts import draw_condition, restrict
from support.random_spaces import SEEDS, random_space


def test_random_spaces_have_several_networks_and_some_have_candidates_that_cannot_be_built() -> None:
    spaces = [random_space(seed) for seed in SEEDS]
    assert all(len(known.first) >= 2 for known in spaces)
    assert sum(not known.valid.all() for known in spaces) > 0.3 * len(SEEDS)


def test_most_random_budgets_keep_some_networks_and_not_all() -> None:
    kept = cut = 0
    for seed in SEEDS:
        known, rng = random_space(seed), Random(seed)
        for _ in range(4):
            networks = fitting(known, random_budget(rng, known))
            kept += len(networks) > 0
            cut += 0 < len(networks) < len(known.first)
    assert kept > 0.8 * 4 * len(SEEDS)
    assert cut > 0.6 * 4 * len(SEEDS)


def test_most_random_conditions_hold_for_some_networks_and_not_for_all() -> None:
    held = cut = 0
    for seed in SEEDS:
        known = random_space(seed)
        condition = draw_condition(Random(seed), list(known.space.decisions.values()))
        allowed = [condition.allows(network) for network in known.networks]
        held += any(allowed)
        cut += any(allowed) and not all(allowed)
    assert held > 0.7 * len(SEEDS)
    assert cut > 0.5 * len(SEEDS)


def test_most_random_domains_leave_a_network() -> None:
    left = 0
    for seed in SEEDS:
        known = random_space(seed)
        try:
            left += known.space.with_domains(restrict(Random(seed), known.space)).size > 0
        except InvalidArchitectureError:
            continue
    assert left > 0.8 * len(SEEDS)
