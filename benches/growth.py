"""How diagrams grow where many widths are alive at once: `python benches/growth.py`.

Each row compiles a space in a separate process, and counts 100,000 random networks of it. `arcs` says how the arcs of
the widest stage are kept: `stored`; `implicit`, which runs the rules again whenever an arc is asked for; or `open`,
where candidates are counted one by one from there on, and nothing is counted over the whole space.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import archbudget as ab
from archbudget import layers
from search_quality import machine, show

ROWS = {
    **{
        f"unet, {widths} widths, {depth} halvings": ("unet", widths, depth)
        for widths, depth in [(8, 3), (8, 4), (8, 5)]
    },
    **{f"unet, 16 widths, {depth} halvings": ("unet", 16, depth) for depth in (3, 4, 5)},
    **{f"densenet, 8 growths, {blocks} layers, joined": ("joined", 8, blocks) for blocks in (4, 8, 32)},
    **{f"densenet, 8 growths, {blocks} layers, apart": ("apart", 8, blocks) for blocks in (4, 6, 7, 8, 9)},
}


def densenet(growths: int, blocks: int, *, joined: bool) -> ab.Space:
    """Convolutions that each read all before them, each with its own growth rate (arXiv 1608.06993).

    Args:
        growths: How many growth rates a layer can have.
        blocks: How many layers.
        joined: Whether each layer adds to one tensor of all before it, so that only its channels are alive; otherwise
            each reads the outputs of all before it, whose widths are then alive one by one.
    """
    image = layers.Input((32, 32, 16))
    before: list[layers.Tensor] = [layers.Identity()(image)]
    for number in range(1, blocks + 1):
        growth = ab.Choice(f"growth_{number}", [4 * part for part in range(1, growths + 1)])
        source = before[0] if len(before) == 1 else layers.Concatenate()(before)
        made = layers.Conv2D(growth, 3, padding="same")(source)
        before = [layers.Concatenate()([source, made])] if joined else [*before, made]
    return ab.Space(inputs=image, outputs=layers.Dense(10)(layers.Concatenate()(before)))


def measure(family: str, choices: int, deep: int) -> dict[str, object]:
    """The time and memory of a space."""
    start = time.perf_counter()
    if family == "unet":
        space = ab.spaces.unet(widths=choices, most_depth=deep)
    else:
        space = densenet(choices, deep, joined=family == "joined")
    seconds = time.perf_counter() - start
    stages = space.describe().stages
    try:
        size = f"{space.size:,}"
        arcs = "stored" if all(stage.stored for stage in stages) else "implicit"
    except ab.errors.LimitError:
        size, arcs = "", "open"
    peak = next(line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if "VmHWM" in line)
    candidates = space.sample(100_000, seed=0)
    space.evaluate(candidates)
    start = time.perf_counter()
    space.evaluate(candidates)
    return {
        "networks": size,
        "nodes": f"{sum(stage.nodes for stage in stages):,}",
        "arcs": arcs,
        "compiled in": f"{seconds:.3f} s",
        "memory": f"{int(peak.split()[1]) // 1024:,} MiB",
        "candidates a second": f"{len(candidates) / (time.perf_counter() - start):,.0f}",
    }


def main() -> None:
    """Prints a line for each space."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.row:
        print(json.dumps(measure(*ROWS[given.row])))
        return
    rows = []
    for row in ROWS:
        child = subprocess.run([sys.executable, __file__, "--row", row], check=True, capture_output=True, text=True)
        rows.append([row, *json.loads(child.stdout).values()])
        print(row, file=sys.stderr)
    heading = ["space", "networks", "nodes", "arcs", "compiled in", "memory", "candidates a second"]
    show(("Diagrams where many widths are alive", heading, rows, None), markdown=given.markdown)
    print(machine())


if __name__ == "__main__":
    main()
