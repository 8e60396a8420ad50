"""Tests wheels as a user gets them: in empty environments, with the oldest and the newest dependencies.

`python .ci/wheel.py dist/*.whl` takes each Python from 3.10 on that uv finds, or those of `--python`. It needs uv.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST, NEWEST = "lowest-direct", "highest"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SMOKE = """
import os, sys
import optuna
import archbudget as ab
from archbudget import layers

assert ab.__version__, ab
assert "site-packages" in ab.__file__, ab.__file__
filters = ab.Int("f", 8, 64, step=8)
cnn = [layers.Input((28, 28, 1)), layers.Conv2D(32, 5), layers.MaxPooling2D(2), layers.Conv2D(filters, 5)]
space = ab.Space([*cnn, layers.Flatten(), layers.Dense(10)])
arch = space.architecture(f=64)
assert arch.layer("conv2d_1").params == (5 * 5 * 32 + 1) * 64 == 51_264
assert "51,264" in arch.explain("conv2d_1")
fits = space.within(ab.Budget(params=40_000))
assert fits.count() == int((space.evaluate(space.sample(8, seed=0, replace=False))["params"] <= 40_000).sum())
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = ab.search(space, lambda arch: arch.params, ab.Budget(params=40_000), 5, seed=0)
assert len(study.trials) == 5
assert ab.Space.from_yaml(space.to_yaml()) == space
assert os.path.exists(os.path.join(os.path.dirname(ab.__file__), "py.typed"))
print("good:", ab.__version__, sys.version.split()[0])
"""
"""What a first user does, from counting to a search and a space file."""


def main() -> int:
    """Reads the options, and tests each wheel in each environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheels", nargs="+", type=Path)
    parser.add_argument("--python", action="append", help="only these; all that uv finds by default")
    options = parser.parse_args()
    failed = [
        f"{wheel.name} with Python {python}, {resolution} dependencies"
        for wheel in options.wheels
        for python in options.python or filter(is_there, PYTHONS)
        for resolution in (OLDEST, NEWEST)
        if not works(wheel.resolve(), python, resolution)
    ]
    print("\n".join(f"failed: {each}" for each in failed) or "every wheel works")
    return bool(failed)


def uv(*words: str | Path, quiet: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs uv."""
    return subprocess.run(["uv", *(["--quiet"] if quiet else []), *map(str, words)], text=True, stderr=subprocess.PIPE)


def is_there(python: str) -> bool:
    """Whether an interpreter is there."""
    return (
        subprocess.run(["uv", "python", "find", "--no-python-downloads", python], capture_output=True).returncode == 0
    )


def works(wheel: Path, python: str, resolution: str) -> bool:
    """Whether a wheel does what a first user does, and its command starts."""
    with tempfile.TemporaryDirectory() as folder:
        for words in (
            ["venv", "--no-python-downloads", "--python", python, folder],
            ["pip", "install", "--python", folder, "--resolution", resolution, "--only-binary", ":all:", wheel],
        ):
            done = uv(*words)
            if done.returncode:
                print(f"{wheel.name}, Python {python}, {resolution}: {done.stderr.strip()}")
                return False
        programs = Path(folder, "Scripts" if sys.platform == "win32" else "bin")
        smoke = subprocess.run([programs / "python", "-I", "-c", SMOKE], cwd=folder)
        command = subprocess.run([programs / "archbudget", "--version"], cwd=folder)
        return smoke.returncode == 0 and command.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
