"""Reads every model of keras.applications, and compares weights and shapes with Keras, layer by layer.

`python benches/import_keras.py` reads all of them, with their heads and without, and takes some five minutes with
KERAS_BACKEND=numpy; `python benches/import_keras.py MobileNet Xception` reads those that are named.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import keras

import archbudget as ab

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.keras_models import differences


def main(names: list[str]) -> int:
    """Prints a line for each model, and returns how many differ."""
    wrong = 0
    known = [name for name in dir(keras.applications) if name[0].isupper()]
    for name in names or known:
        for top in (True, False):
            side = 331 if name == "NASNetLarge" else 224
            keras.backend.clear_session()
            model = getattr(keras.applications, name)(weights=None, include_top=top, input_shape=(side, side, 3))
            text = model.to_json()
            start = time.perf_counter()
            arch = ab.from_keras(text).architecture()
            seconds = time.perf_counter() - start
            found = differences(model, arch)
            wrong += bool(found)
            shown = "equal" if not found else "; ".join(found[:5])
            head = "" if top else " without its head"
            print(
                f"{name}{head}: {arch.params:,} parameters, {arch.macs:,} MACs, {len(arch.layers)} calls, "
                f"read in {seconds:.2f} s: {shown}",
                flush=True,
            )
    print(f"{wrong} of {2 * len(names or known)} models differ")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
