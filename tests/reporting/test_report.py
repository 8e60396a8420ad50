"""Reports: what they say, that they stand alone, and that a real browser shows them."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.cli import main
from archbudget.errors import ArchbudgetError, BudgetError, SearchError, SpaceError
from archbudget.reporting import page

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = "</script><script>alert(1)</script>&<b>"


def family(name: str | None = "digits") -> ab.Space:
    body = [layers.Conv2D(ab.Int("filters", 4, 32, step=4), ab.Choice("kernel", [3, 5])), layers.ReLU()]
    return ab.Space(
        [layers.Input((28, 28, 1)), ab.Repeat(ab.Int("depth", 1, 3), body), layers.Flatten(), layers.Dense(10)],
        name=name,
    )


BUDGET = ab.Budget(params=60_000, macs=4_000_000)


def searched(trials: int = 12) -> optuna.Study:
    return ab.search(family(), lambda arch: arch.params / 1e5, BUDGET, trials, seed=0, sampler="random")


class Elements(HTMLParser):
    """The elements of a page outside of scripts, with what was wrong in their order."""

    EMPTY = frozenset({"meta", "link", "rect", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def read(file: Path) -> Elements:
    elements = Elements(file.read_text(encoding="utf-8"))
    ids = [given["id"] for _, given in elements.found if given.get("id")]
    assert len(ids) == len(set(ids))
    links = [given["href"] or "" for tag, given in elements.found if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    for tag, given in elements.found:
        # Nothing comes from elsewhere, and what is no text has words.
        assert "src" not in given, (tag, given)
        if given.get("role") in ("img", "region"):
            assert given.get("aria-label"), (tag, given)
        if given.get("role") == "region":
            assert given["tabindex"] == "0"
    assert [tag for tag, _ in elements.found].count("h1") == 1
    assert page.POLICY in [given.get("content") for tag, given in elements.found if tag == "meta"]
    return elements


def test_a_set_tells_its_count_its_values_and_its_largest_network(tmp_path: Path) -> None:
    fits = family().within(BUDGET)
    file = ab.report(fits, tmp_path / "fits.html")
    assert file == tmp_path / "fits.html"
    said = read(file).text
    assert f"{fits.count():,} of {fits.space.size:,} networks" in said
    largest = fits.largest("params")
    assert f"{largest.params:,}" in said
    assert ", ".join(f"{name}={value}" for name, value in largest.items()) in said
    assert f"{100 * fits.marginals()['depth'][3]:.1f} %" in said
    for metric in BUDGET:
        assert f"{fits.space.distribution(metric).quantile(0.5):,}" in said


def test_a_space_tells_its_decisions_and_ranges(tmp_path: Path) -> None:
    space = family()
    said = read(ab.report(space, tmp_path / "space.html")).text
    for metric in space.metrics:
        assert all(f"{end:,}" in said for end in space.range(metric))
    assert all(name in said for name in space.decisions)


def test_a_set_in_which_nothing_fits_says_so(tmp_path: Path) -> None:
    said = read(ab.report(family(), tmp_path / "none.html", budget=ab.Budget(params=5))).text
    assert f"0 of {family().size:,} networks (0 %) fit params <= 5" in said
    assert "Values that occur" not in said


def test_a_model_needs_no_plotly_and_tells_its_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "imported", None)
    arch = family().architecture(depth=2, filters_1=8, kernel_1=3, filters_2=8, kernel_2=5)
    said = read(ab.report(arch, tmp_path / "arch.html", budget=ab.Budget(params=10))).text
    assert f"outside the budget: params {arch.params:,} > 10" in said
    for record in arch.layers:
        assert record.name in said
        assert f"{record.params:,}" in said
    assert "5*5*8" in said.replace(" ", "")


def test_a_study_tells_its_trials_and_its_best_network(tmp_path: Path) -> None:
    study = searched()
    said = read(ab.report(study, tmp_path / "study.html", space=family(), budget=BUDGET)).text
    assert "12 complete" in said
    assert f"of trial {study.best_trial.number}" in said
    assert f"{family().best(study).params:,}" in said
    assert "What mattered" in said
    alone = read(ab.report(study, tmp_path / "alone.html")).text
    assert study.user_attrs["archbudget:budget"] in alone
    assert "Layers of trial" not in alone


def test_a_study_without_trials_or_with_two_objectives_has_a_report(tmp_path: Path) -> None:
    assert "no trials yet" in read(ab.report(optuna.create_study(), tmp_path / "none.html")).text
    both = ab.search(
        family(), lambda arch: (arch.params, -arch.macs), BUDGET, 5, seed=0, directions=["maximize", "maximize"]
    )
    assert "Pareto front" in read(ab.report(both, tmp_path / "both.html", budget=BUDGET, space=family())).text


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    space = family(EVIL)
    for source, given in (
        (space, {}),
        (space.within(BUDGET), {}),
        (space.sample(1, seed=0)[0], {}),
        (searched(), {"space": space}),
    ):
        file = ab.report(source, tmp_path / "evil.html", title=EVIL, command=EVIL, **given)  # type: ignore[arg-type]
        elements = read(file)
        assert "alert(1)" in elements.text
        assert "<script>alert" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"source": 3}, "must be a model of Keras"),
        ({"file": "report.pdf"}, "must end in .html"),
        ({"budget": 3}, "must be a Budget"),
        ({"title": 3}, "must be text"),
        ({"space": family()}, "has no meaning"),
        ({"budget": ab.Budget(custom={"latency": 3})}, "latency"),
        ({"source": family().within(BUDGET), "budget": BUDGET}, "has no meaning"),
        ({"file": "no/such/folder/report.html"}, "folder"),
    ],
)
def test_bad_input_is_refused_and_leaves_no_file(
    given: dict[str, object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((SpaceError, BudgetError, ArchbudgetError), match=words):
        ab.report(**{"source": family(), "file": "report.html", **given})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_the_command_writes_reports_of_spaces_models_and_searches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    family().save("space.yaml")
    assert main(["report", "space.yaml", "--params", "60k", "-o", "fits.html"]) == 0
    assert f"{family().within(ab.Budget(params=60_000)).count():,} of" in read(tmp_path / "fits.html").text
    chosen = ["--set", "depth=1", "--set", "filters_1=4", "--set", "kernel_1=3"]
    assert main(["report", "space.yaml", *chosen, "-o", "one.html"]) == 0
    assert f"{family().architecture(depth=1, filters_1=4, kernel_1=3).params:,}" in read(tmp_path / "one.html").text
    storage = "sqlite:///search.db"
    ab.search(family(), lambda arch: arch.params, BUDGET, 3, seed=0, storage=storage, study_name="digits")
    assert main(["report", "space.yaml", "--storage", storage, "-o", "study.html"]) == 0
    assert "3 complete" in read(tmp_path / "study.html").text
    capsys.readouterr()
    for wrong, words in (
        (["space.yaml", "--storage", "sqlite:///none.db"], "there is no file"),
        (["space.yaml", "--storage", storage, "--study-name", "digit"], "did you mean digits?"),
        ([], "needs a SOURCE"),
        (["space.yaml", "--study-name", "a"], "--storage"),
    ):
        assert main(["report", *wrong]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()


def test_a_study_is_not_made_by_asking_for_it(tmp_path: Path) -> None:
    from archbudget.search.storage import load_study

    for url in ("sqlite:///:memory:", "nothing", f"sqlite:///{tmp_path}/none.db"):
        with pytest.raises(SearchError):
            load_study(url, "digits")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_each_report_without_a_complaint(dark: bool, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    space = family()
    files = {
        "fits": ab.report(space.within(BUDGET), tmp_path / "fits.html"),
        "study": ab.report(searched(), tmp_path / "study.html", space=space, budget=BUDGET),
        "arch": ab.report(space.sample(1, seed=0)[0], tmp_path / "arch.html"),
    }
    for name, file in files.items():
        # A frame is as narrow as it says, while windows have a least width. Then it tells what it sees.
        file.with_name("frame.html").write_text(
            f'<iframe id="f" src="{file.name}" style="width: 400px; height: 3000px; border: 0"></iframe>'
            "<script>addEventListener('load', () => setTimeout(() => { const told = document.body.dataset, d ="
            " document.getElementById('f').contentDocument; told.width = d.documentElement.scrollWidth;"
            " told.drawn = d.querySelectorAll('.js-plotly-plot .main-svg').length;"
            " told.color = d.defaultView.getComputedStyle(d.body).backgroundColor; }, 500))</script>"
        )
        words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
        words += ["--enable-logging=stderr", "--virtual-time-budget=10000", "--window-size=1600,1200"]
        words += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", str(file.with_name("frame.html"))]
        words += ["--blink-settings=preferredColorScheme=0"] if dark else []
        shown = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert "CONSOLE" not in shown.stderr, shown.stderr
        told = dict(re.findall(r'data-(\w+)="([^"]*)"', shown.stdout))
        assert int(told["width"]) <= 400, name
        assert told["color"] == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
        assert (int(told["drawn"]) > 0) == (name != "arch")
