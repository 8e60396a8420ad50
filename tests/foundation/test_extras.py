"""Each use of a missing package names it and what to install."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import optuna
import pytest

import archbudget as ab
from archbudget import layers, plot
from archbudget._extras import EXTRAS, imported
from archbudget.errors import ArchbudgetError, MissingPackageError

SPACE = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 9))])
ARCH = SPACE.architecture(units=3)
FITS = SPACE.within(ab.Budget(params=20))

USES = {
    "pandas": [
        SPACE.sample(3).to_pandas,
        SPACE.evaluate({"units": [1]}).to_pandas,
        SPACE.distribution("params").to_pandas,
    ],
    "keras": [ARCH.to_keras],
    "torch": [ARCH.to_torch],
    "onnx": [lambda: ARCH.to_onnx("network.onnx")],
    "plotly": [
        lambda: plot.distribution(SPACE),
        lambda: plot.marginals(FITS),
        lambda: plot.diagram(SPACE),
        lambda: plot.history(optuna.create_study(), ab.Budget(params=20)),
    ],
    "cmaes": [lambda: ab.search(SPACE, lambda _: 1.0, ab.Budget(params=20), 1, sampler="cmaes")],
    "scipy": [
        lambda: ab.search(SPACE, lambda _: 1.0, ab.Budget(params=20), 1, sampler="qmc"),
        lambda: ab.search(SPACE, lambda _: 1.0, ab.Budget(params=20), 1, sampler="gp"),
    ],
}


@pytest.mark.parametrize("package", USES)
def test_an_error_says_which_package_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    for use in USES[package]:
        with pytest.raises(MissingPackageError) as caught:
            use()  # type: ignore[operator]
        assert f" needs {EXTRAS[package].title}: pip install {EXTRAS[package].install}" in str(caught.value)
        assert isinstance(caught.value, ModuleNotFoundError)
        assert isinstance(caught.value, ArchbudgetError)
        assert caught.value.name == package


def test_what_an_error_says_to_install_is_what_the_extras_install() -> None:
    """The command of a message works without archbudget on a registry, and brings what the extra would bring."""
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.search(r"\[project.optional-dependencies\]\n(.*?)\n\n", project, re.DOTALL)
    assert extras is not None
    wanted = set(re.findall(r'"([\w-]+)>=', extras[1]))
    assert wanted == {
        "keras",
        "keras-tuner",
        "six",
        "jax",
        "scikit-learn",
        "pandas",
        "pyarrow",
        "plotly",
        "torch",
        "onnx",
        "distributed",
    }
    assert wanted <= {package for extra in EXTRAS.values() for package in extra.install.split()}
    assert not [extra for extra in EXTRAS.values() if "archbudget" in extra.install]


def test_no_text_names_a_command_that_needs_a_registry() -> None:
    root = Path(__file__).parents[2]
    texts = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("python/**/*.py")]
    commands = [
        command for path in texts for command in re.findall(r"pip install [^`\n]*", path.read_text(encoding="utf-8"))
    ]
    assert len(commands) > 10
    assert [command for command in commands if "archbudget[" in command] == []


def test_a_missing_dependency_of_a_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import something_else")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        MissingPackageError, match="^it needs half_installed: pip install half_installed .No module"
    ) as caught:
        imported("half_installed", "it")
    assert caught.value.name == "something_else"


def test_a_plain_installation_counts_without_optuna() -> None:
    script = """
        import sys
        import archbudget as ab
        from archbudget import layers
        space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 9))])
        assert space.within(ab.Budget(params=20)).count() == 4
        assert space.constraint(ab.Budget(params=20))(space.sample(3)).shape == (3, 1)
        heavy = {"optuna", "keras", "torch", "pandas", "plotly", "yaml", "pydantic", "typer", "rich"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        assert callable(ab.search)
        from archbudget import BudgetSampler
        assert "optuna" in sys.modules
        assert callable(ab.search), "the room of this name is no function"
        assert BudgetSampler is ab.BudgetSampler
        assert "BudgetSampler" in dir(ab)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"archbudget has no Spade: did you mean Space\?"):
        _ = ab.Spade
