"""The instructions of the kernels, counted by callgrind: `python benches/instructions.py [--write]`; needs valgrind.

Unlike seconds, they are the same on a busy machine. Each kernel counts, or draws, 65,536 candidates of the LeNet
family on one thread (`benches/instructions.rs`), with each set of instructions that valgrind knows. It fails where a
kernel takes over 5 % more than `benches/instructions.json` says; `--write` writes that file anew, for a change that is
worth it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).with_suffix(".json")
MOST = 1.05
"""A kernel may take this many times the instructions that are kept."""
COUNTED = re.compile(r"^ *([\d,]+) .*instructions::counted_(\w+)", re.MULTILINE)


def built() -> str:
    """The path of the program, built in release mode."""
    command = ["cargo", "bench", "--no-run", "--locked", "--bench", "instructions", "--message-format=json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found = [json.loads(line).get("executable") for line in done.stdout.splitlines()]
    return next(path for path in found if path)


def counted(program: str) -> dict[str, int]:
    """The instructions of each kernel, by its instruction set and its name."""
    found: dict[str, int] = {}
    for asked in ("baseline", "avx2"):
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder, "out")
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={kept}", program]
            environment = {**os.environ, "ARCHBUDGET_INSTRUCTIONS": asked}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            name = done.stdout.strip()
            annotate = ["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(kept)]
            lines = subprocess.run(annotate, capture_output=True, text=True, check=True).stdout
        for number, kernel in COUNTED.findall(lines):
            key = f"{name}: {kernel.replace('_', ' ')}"
            found[key] = max(found.get(key, 0), int(number.replace(",", "")))
    return dict(sorted(found.items()))


def compiler() -> str:
    return subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def compared(found: dict[str, int], kept: dict[str, int]) -> tuple[list[str], list[str]]:
    """A line for each kernel, and the names of those that take too many."""
    lines, over = [], []
    for name, number in found.items():
        before = kept.get(name)
        change = "new" if before is None else f"{number / before - 1:+.1%}"
        lines.append(f"{name:40} {number:12,} {change:>8}")
        if before is None or number > before * MOST:
            over.append(name)
    return lines, over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the numbers anew")
    given = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: no instructions were counted")
        return 0
    found = counted(built())
    if given.write:
        KEPT.write_text(json.dumps({"compiler": compiler(), "instructions": found}, indent=2) + "\n")
    kept = json.loads(KEPT.read_text())
    lines, over = compared(found, kept["instructions"])
    print("\n".join(lines))
    if not found or over:
        print(f"over 5 % more instructions than {KEPT.name} says: {', '.join(over) or 'nothing was counted'}")
        print(
            f"its numbers are of {kept['compiler']}, this is {compiler()}; make instructions WRITE=--write keeps these"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
