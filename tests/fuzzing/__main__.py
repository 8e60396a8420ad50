"""`python -m fuzzing`: draws cases for a bounded time, and prints a failing one, shrunk.

Each driver runs in a process of its own and gets an equal part of the time. Two of them are programs in Rust (`fuzz/`,
built before); the others draw with Hypothesis, which shrinks. The same seed draws the same cases.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

os.environ.setdefault("KERAS_BACKEND", "numpy")

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, HypothesisException
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

from fuzzing import watched

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[Random, Counter[str]], str]

ROOT = Path(__file__).parents[2]
RUST = ROOT / "fuzz" / "target"
ROUNDS = {"random": 100, "guided": 400, "spaces": 200, "chains": 4, "real": 400, "files": 200, "models": 1000}
"""How many cases of each driver are a round: some ten seconds of work."""
BUDGETS = 5
"""The budgets that are drawn for a space."""
GRACE = 400
"""The seconds that a driver may take beyond its part: to shrink a case, or to end the one that it is at."""


def spaces(rng: Random, counted: Counter[str]) -> str:
    """Small spaces: every public answer against all their networks."""
    from fuzzing import answers, draws

    space = draws.small_space(rng)
    if space is None:
        return ""
    case = f"the space {space._definition}"
    with noted(case):
        known = answers.check_space(space, rng)
    counted["spaces"] += 1
    costs = {metric: known.cost(metric).tolist() for metric in space.metrics}
    for _ in range(BUDGETS):
        budget, memory = draws.any_budget(rng, costs), draws.any_memory(rng)
        with noted(f"{case} within {budget!r} and {memory} bytes"):
            exact = answers.check_budget(known, budget, memory, rng)
        count_budget(counted, memory, exact=exact)
    return case


def chains(rng: Random, counted: Counter[str]) -> str:
    """Chains of up to 10^30 networks: sets against a slow count, and against themselves."""
    from fuzzing import chains

    chain = chains.draw_chain(rng)
    counted["spaces"] += 1
    for _ in range(BUDGETS):
        budget = chains.draw_budget(rng, chain)
        memory = chains.draw_memory(rng, chain, budget)
        with noted(f"{chain} ({chain.space.size:,} networks) within {budget!r} and {memory} bytes"):
            exact = chains.check_chain(chain, budget, memory, rng)
        count_budget(counted, memory, exact=exact)
    return ""


def count_budget(counted: Counter[str], memory: int, *, exact: bool) -> None:
    """Counts a budget that was asked about."""
    from fuzzing.draws import LITTLE

    counted["budgets"] += 1
    counted["budgets with little memory"] += memory <= LITTLE
    counted["exact sets"] += exact


def real(rng: Random, counted: Counter[str]) -> str:
    """Layers, shared layers and networks against the real Keras and PyTorch."""
    from fuzzing import frameworks

    name, check = rng.choice(
        [
            ("layers", frameworks.check_layer),
            ("layers of PyTorch", frameworks.check_layer_of_pytorch),
            ("stacks of PyTorch", frameworks.check_stack),
            ("shared layers", frameworks.check_shared),
            ("networks", frameworks.check_network),
        ]
    )
    case = check(rng)
    counted[name] += bool(case)
    return case


def files(rng: Random, counted: Counter[str]) -> str:
    """Mutated files: each is read, or refused in one line."""
    from fuzzing import files

    kind, was_read = files.check_file(rng)
    counted[f"{kind} files"] += 1
    counted["files that were read" if was_read else "files that were refused"] += 1
    return kind


def models(rng: Random, counted: Counter[str]) -> str:
    """Mutated models of frameworks: each is read, or refused in one line."""
    from fuzzing import models

    name = rng.choice(FORMATS)
    if models.missing(name):
        counted[f"{name} models left out, as {models.missing(name)} is not installed"] += 1
        return ""
    counted[f"{name} models {'read' if models.check_model(rng, name, kept()) else 'refused'}"] += 1
    return name


class RepeatableProvider(HypothesisProvider):
    """Draws no constant that stands in a loaded module: which modules those are is not in the seed."""

    def _maybe_draw_constant(self, *_: Any, **__: Any) -> None:
        return None


AVAILABLE_PROVIDERS["repeatable"] = RepeatableProvider

PYTHON: dict[str, Check] = {"spaces": spaces, "chains": chains, "real": real, "files": files, "models": models}
RUST_DRIVERS = ("random", "guided")
FAST = ("models",)
"""Drivers whose cases are many and small: numbers seed them, not Hypothesis, whose choices take longer than a case."""
FORMATS = ["keras", "json", "text", "h5", "onnx", "huggingface"]
"""The formats of models that are drawn."""


class TimeUpError(BaseException):
    """Ends a round; Hypothesis lets it through."""


class noted:  # noqa: N801
    """Says with what is raised inside of it which case it was; a panic of the engine is an error like any other."""

    def __init__(self, case: str) -> None:
        self.case = case

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        panic = type(error).__name__ == "PanicException"
        if not panic and (not isinstance(error, Exception) or isinstance(error, HypothesisException)):
            return
        if not self.case and isinstance(error, AssertionError):
            return
        frames = [frame for frame in traceback.extract_tb(trace) if "fuzzing" in frame.filename]
        where = frames[-1]
        place = f"{Path(where.filename).name}:{where.lineno}: {where.line}"
        raise AssertionError(f"{type(error).__name__}: {error}\n  at {place}\n  {self.case}") from error


def drive(name: str, first: int, seconds: float, rounds: int | None = None) -> int:
    """Runs a driver of Python; its exit code."""
    if name in FAST:
        return drive_fast(name, first, seconds, rounds)
    counted: Counter[str] = Counter()
    check, end, number = PYTHON[name], time.monotonic() + seconds, first
    failed = over = False

    def one(rng: Random) -> None:
        nonlocal failed, over
        if time.monotonic() > end and rounds is None and not failed:
            over = True
            raise TimeUpError
        try:
            with noted(""):
                check(rng, Counter() if failed else counted)
        except AssertionError:
            failed = True
            raise

    warnings.simplefilter("ignore")
    while (time.monotonic() < end) if rounds is None else (number < first + rounds):
        run = given(st.randoms(use_true_random=False))(one)
        run = settings(
            max_examples=ROUNDS[name],
            backend="repeatable",
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )(run)
        try:
            seed(number)(run)()
        except (TimeUpError, Flaky):
            if over:
                break
            raise
        except AssertionError as error:
            return fail(name, counted, number, error)
        number += 1
    print(f"{name}: {said(counted)}", flush=True)
    return 0


def fail(name: str, counted: Counter[str], number: int, error: AssertionError) -> int:
    """Prints a failure, and how to see it again; the exit code."""
    print(f"{name}: {said(counted)} until a failure with seed {number}")
    print(str(error))
    print(f"again: make fuzz FUZZ='--driver {name} --seed {number} --rounds 1'", flush=True)
    return 1


def drive_fast(name: str, first: int, seconds: float, rounds: int | None = None) -> int:
    """Runs a driver whose cases need no shrinking; its exit code."""
    counted: Counter[str] = Counter()
    check, end, number = PYTHON[name], time.monotonic() + seconds, first
    warnings.simplefilter("ignore")
    while (time.monotonic() < end) if rounds is None else (number < first + rounds):
        for case in range(ROUNDS[name]):
            if rounds is None and time.monotonic() > end:
                break
            try:
                with noted(f"case {case} of seed {number}, which is kept in {kept()}"):
                    check(Random(f"{number}:{case}"), counted)
            except AssertionError as error:
                return fail(name, counted, number, error)
        number += 1
    print(f"{name}: {said(counted)}", flush=True)
    return 0


def kept() -> Path:
    """Where the file of a case is, and stays when the process dies of it."""
    folder = ROOT / "out" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def said(counted: Counter[str]) -> str:
    """What was counted."""
    return ", ".join(f"{number:,} {what}" for what, number in sorted(counted.items())) or "nothing"


def run_random(first: int, seconds: float, rounds: int | None) -> int:
    """Runs the random cases of the engine; the exit code."""
    words = [RUST / "release" / "random", "--seed", str(first)]
    words += ["--seconds", str(seconds)] if rounds is None else ["--cases", str(rounds * ROUNDS["random"])]
    return subprocess.run(words, timeout=seconds + GRACE if rounds is None else None).returncode


def run_guided(first: int, seconds: float, rounds: int | None) -> int:
    """Runs the cases of the engine that libFuzzer makes; the exit code."""
    found = next(RUST.glob("guided/*/release/guided"), None)
    if found is None:
        print("guided: not built, as there is no C++ compiler")
        return 0
    folder = ROOT / "out" / "fuzz"
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    failing = folder / "failing"
    failing.unlink(missing_ok=True)
    limits = ["-max_len=600", "-rss_limit_mb=8000", "-timeout=300"]
    words = [found, *limits, "-len_control=0", f"-seed={first % 2**31 or 1}"]
    words += [f"-max_total_time={max(1, int(seconds))}" if rounds is None else f"-runs={rounds * ROUNDS['guided']}"]
    words += [f"-exact_artifact_path={failing}", folder / "corpus"]
    patience = seconds + GRACE if rounds is None else None
    ended = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=patience)
    said = [line for line in ended.stdout.splitlines() if line.startswith("guided:")]
    print(said[-1] if said else "guided: nothing", flush=True)
    if ended.returncode:
        print(ended.stderr[-4000:])
    if failing.exists():
        small = folder / "shrunk"
        shrink = [found, "-minimize_crash=1", "-max_total_time=60", *limits, f"-exact_artifact_path={small}", failing]
        subprocess.run(shrink, capture_output=True, timeout=GRACE)
        case = (small if small.exists() else failing).read_bytes().hex()
        print(f"again: {RUST.relative_to(ROOT)}/release/random --case {case}")
    return ended.returncode


def run_python(driver: str, first: int, seconds: float, rounds: int | None) -> int:
    """Runs a driver of Python in a process of its own; the exit code."""
    words = [sys.executable, "-m", "fuzzing", "--here", "--driver", driver, "--seed", str(first)]
    words += ["--seconds", str(seconds)] if rounds is None else ["--rounds", str(rounds)]
    for each in FORMATS:
        words += ["--format", each]
    code = subprocess.run(words, timeout=seconds + GRACE if rounds is None else None).returncode
    if code < 0:
        print(f"{driver}: died of signal {-code}; where its cases are files, the last one is in {kept()}", flush=True)
    return code


def main() -> int:
    """Reads the options, and runs the drivers one after the other."""
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="the time for all drivers together")
    parser.add_argument("--seed", type=int, help="of the first case; a new one by default")
    parser.add_argument(
        "--driver", action="append", choices=[*RUST_DRIVERS, *PYTHON], help="only these; all by default"
    )
    parser.add_argument(
        "--rounds", type=int, help="so many rounds of some ten seconds, the same cases however long they take"
    )
    parser.add_argument("--format", action="append", choices=FORMATS, help="of models; all by default")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    FORMATS[:] = options.format or FORMATS
    first = secrets.randbelow(2**31) if options.seed is None else options.seed
    drivers = options.driver or [*RUST_DRIVERS, *PYTHON]
    if options.here:
        if options.driver == ["models"]:
            watched.bound()
        return max(drive(driver, first, options.seconds, options.rounds) for driver in drivers)
    much = f"{options.seconds:g} seconds" if options.rounds is None else f"{options.rounds} rounds"
    print(f"seed {first}, {much} for {', '.join(drivers)}", flush=True)
    failed = []
    for driver in drivers:
        seconds = options.seconds / len(drivers)
        try:
            if driver == "random":
                code = run_random(first, seconds, options.rounds)
            elif driver == "guided":
                code = run_guided(first, seconds, options.rounds)
            else:
                code = run_python(driver, first, seconds, options.rounds)
        except subprocess.TimeoutExpired:
            print(f"{driver}: hangs")
            code = 1
        if code:
            failed.append(driver)
    print(f"failed: {', '.join(failed)}" if failed else "nothing failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
