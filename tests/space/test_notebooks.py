"""What notebooks show of spaces, networks, sets, batches and distributions."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers, spaces
from archbudget.errors import LimitError

LENET = spaces.lenet()


class Reader(HTMLParser):
    """Reads a page, and keeps its tags and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def page_of(shown: Any) -> Reader:
    return Reader(shown._repr_html_())


def test_a_network_is_its_table_with_bars() -> None:
    arch = LENET.architecture({name: each.values[0] for name, each in LENET.decisions.items()})
    page = page_of(arch)
    assert page.tags.count("tr") == 1 + len(arch.layers)
    assert page.tags.count("svg") == len(arch.layers)
    assert f"Total params: {arch.params:,}" in page.text
    shares = [float(share) for share in re.findall(r"(\d+\.\d) %", page.text)]
    assert sum(shares) == pytest.approx(100, abs=0.1 * len(arch.layers))


def test_a_network_of_unknown_sides() -> None:
    space = ab.Space([layers.Input((None, 3)), layers.Conv1D(4, 3)])
    assert "unknown" in page_of(space.architecture()).text
    assert "macs" not in page_of(space).text


def test_a_space_is_its_decisions_and_ranges() -> None:
    page = page_of(LENET)
    for name in LENET.decisions:
        assert name in page.text
    low, high = LENET.range("params")
    assert f"{low:,}" in page.text
    assert f"{high:,}" in page.text
    assert page.tags.count("svg") == 1


def test_a_set_is_its_count_and_its_shares() -> None:
    fits = LENET.within(ab.Budget(params=60_000))
    page = page_of(fits)
    assert f"{fits.count():,} of {LENET.size:,} networks fit" in page.text
    assert page.tags.count("svg") > 10
    assert "0 of" in page_of(LENET.within(ab.Budget(params=1))).text


def test_a_batch_is_its_first_rows() -> None:
    batch = LENET.sample(25, seed=0)
    page = page_of(batch)
    assert page.tags.count("tr") == 11
    assert f"{batch[0].params:,}" in page.text
    assert "15 more candidates" in page.text
    assert "more" not in page_of(batch[:3]).text
    assert page_of(batch[:0]).tags.count("tr") == 1


def test_a_candidate_that_cannot_be_built_says_so() -> None:
    space = ab.Space([layers.Input((4, 4, 1)), layers.Conv2D(2, ab.Choice("kernel", [3, 5]))])
    page = page_of(ab.Candidates(space, np.array([[0], [1]])))
    assert page.text.count("cannot be built") == len(space.metrics)


def test_a_distribution_is_a_picture() -> None:
    shares = LENET.distribution("params")
    page = page_of(shares)
    assert page.tags.count("svg") == 1
    assert 10 < page.tags.count("rect") <= 60
    assert f"{int(shares.values[0]):,}" in page.text
    one = ab.Space([layers.Input((3,)), layers.Dense(2)]).distribution("params")
    assert page_of(one).tags.count("rect") == 1


def test_large_spaces_are_shown_at_once() -> None:
    space = spaces.ofa_mobilenet_v3()
    fits = space.within(ab.Budget(params=5_000_000, macs=300_000_000))
    begun = time.perf_counter()
    assert page_of(fits).text.strip() == repr(fits)[1:-1]
    assert f"{space.range('params')[1]:,}" in page_of(space).text
    assert time.perf_counter() - begun < 2


def test_what_cannot_be_counted_is_shown_by_its_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise LimitError("too wide")

    fits = LENET.within(ab.Budget(params=60_000))
    monkeypatch.setattr(ab.FeasibleSet, "bounds", fails)
    assert page_of(fits).text.strip() == repr(fits)


def test_names_of_decisions_and_values_are_escaped() -> None:
    space = ab.Space(
        [layers.Input((3,)), layers.Dense(2, activation=ab.Choice("a", ["relu", "tanh"]))], name="<b>&bold</b>"
    )
    for shown in (space, space.within(ab.Budget(params=99)), space.sample(2, seed=0), space.distribution("params")):
        page = page_of(shown)
        assert "b" not in page.tags
    assert "<b>&bold</b>" in page_of(space).text
