"""How long `import archbudget` takes beside `import numpy`, without which nothing is counted: processes in turns.

`python benches/imports.py [repeats]`
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

MODULES = ("numpy", "archbudget", "optuna")


def seconds(module: str) -> float:
    """The time of a process that imports a module, and does nothing else."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    taken: dict[str, list[float]] = {module: [] for module in MODULES}
    for _ in range(repeats + 1):  # The first round fills caches.
        for module, times in taken.items():
            times.append(seconds(module))
    medians = {module: statistics.median(times[1:]) for module, times in taken.items()}
    print("| import | seconds of a process | more than numpy |", "|---|--:|--:|", sep="\n")
    for module, median in medians.items():
        print(f"| {module} | {median:.3f} | {median - medians['numpy']:.3f} |")


if __name__ == "__main__":
    main()
