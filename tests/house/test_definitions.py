"""What `docs/definitions.md` says: its example, the layers that work in place, multiply-accumulates as in PyTorch."""

from __future__ import annotations

import contextlib
import io
import math
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.keras_layers import IMAGES
from support.layer_records import ALL_KINDS, KINDS, one_layer_network
from support.peaks import IN_PLACE, MERGES
from support.random_layers import random_case
from support.random_pytorch_layers import random_any_case
from support.random_spaces import SEEDS, random_space

TEXT = (Path(__file__).parents[2] / "docs/definitions.md").read_text(encoding="utf-8")
DIFFERENCES = [
    line.strip("| ").split(" | ")[0]
    for line in TEXT.split("`FlopCounterMode` / 2")[1].split("\n\n")[0].splitlines()[2:]
]
"""Where `macs` and what PyTorch counts differ, by the first column of the table."""


def test_the_example_prints_the_output_below_it() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    (expected,) = re.findall(r"```text\n(.*?)```", TEXT, flags=re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "docs/definitions.md", "exec"), {})
    assert out.getvalue() == expected


def test_the_layers_that_work_in_place_are_those_of_the_page() -> None:
    paragraph = re.sub(r"\s+", " ", TEXT.split("\nIn place work: ")[1].split("\n\n")[0])
    names, wrappers = paragraph.split("the layers that change the values of an image but not its shape")
    documented = {*re.findall(r"`(\w+)`", names), *IMAGES} - {"CenterCrop", "Resizing"}
    assert documented >= IN_PLACE
    assert re.findall(r"`(\w+)`", wrappers) == ["TimeDistributed", "Pipeline"]
    for kind in ALL_KINDS:
        rng = Random(f"in place {kind}")
        found = 0
        for _ in range(200):
            arguments, shapes = random_any_case(rng, kind)
            try:
                arch = one_layer_network(kind, arguments, shapes)
            except ArchbudgetError:
                continue
            read = sum(math.prod(shape) for shape in {id(shape): shape for shape in shapes}.values())
            made = sum(map(math.prod, arch.layers[-1].output_shapes))
            inner = [arguments["layer"]] if kind == "TimeDistributed" else arguments.get("layers", [])
            inside = {name for each in inner for name in each} if kind in ("TimeDistributed", "Pipeline") else {kind}
            # Of wrappers within wrappers those tell that are not in the list.
            if not inside & {"TimeDistributed", "Pipeline"} or kind in inside:
                in_place = inside <= documented and kind != "Input"
                if kind in MERGES:
                    in_place = max(map(math.prod, shapes)) == made
                assert arch.layers[-1].peak_activation_bytes == 4 * (read + (0 if in_place else made)), arguments
            found += 1
            if found == 4:
                break
        assert found > 0, kind


def test_dot_multiplies_matrices() -> None:
    x, y = layers.Input((5, 4)), layers.Input((4, 3, 2))
    arch = ab.Space(inputs=[x, y], outputs=layers.Dot((2, 1))([x, y])).architecture()
    assert arch.macs == 5 * (3 * 2) * 4
    assert "= 5*3*2*4 = 120" in arch.explain("dot")
    vector = layers.Input((7,))
    assert ab.Space(inputs=vector, outputs=layers.Dot(1)([vector, vector])).architecture().macs == 7


@pytest.mark.parametrize(
    ("layer", "shape", "base", "product", "term"),
    [
        (layers.Dense(3, lora_rank=2), (5, 4), 5 * 4 * 3, 4 * 2 * 3, "4*2*3"),
        (layers.EinsumDense("abc,cd->abd", (5, 3), lora_rank=2), (5, 4), 5 * 4 * 3, 4 * 2 * 3, "4*2*3"),
        (layers.Embedding(9, 4, lora_rank=2), (5,), 0, 9 * 2 * 4, "9*2*4"),
        (layers.Conv2D(6, 3, groups=2, lora_rank=2), (5, 5, 4), 9 * 3 * 3 * 2 * 6, 3 * 3 * 2 * 2 * 6, "3*3*2*2*6"),
        (layers.TimeDistributed(layers.Dense(3, lora_rank=2)), (5, 4), 5 * 4 * 3, 5 * 4 * 2 * 3, "4*2*3"),
        (layers.SpectralNormalization(layers.Conv1D(3, 2, lora_rank=2)), (5, 4), 96, 2 * 4 * 2 * 3, "2*4*2*3"),
        (layers.Dense(3, lora_rank=0), (5, 4), 5 * 4 * 3, 0, "5*4*3"),
    ],
)
def test_the_product_of_low_rank_matrices_is_counted_and_explained(
    layer: layers.Layer, shape: tuple[int, ...], base: int, product: int, term: str
) -> None:
    arch = ab.Space([layers.Input(shape), layer]).architecture()
    assert arch.macs == base + product
    (line,) = [line for line in arch.explain(arch.layers[-1].name).splitlines() if line.startswith("macs: ")]
    assert term in line
    assert line.endswith(f"= {base + product:,}")


@pytest.mark.parametrize("kind", [layers.Attention, layers.AdditiveAttention])
def test_attention_without_projections_takes_two_tensors_or_three(kind: Any) -> None:
    tensors = [layers.Input((5, 4)) for _ in range(4)]
    for count in (2, 3):
        assert ab.Space(inputs=tensors[:count], outputs=kind()(tensors[:count])).architecture().macs > 0
    for given in (tensors[0], tensors[:1], tensors):
        with pytest.raises(ArchbudgetError, match=rf"\({kind.__name__}\) takes 2 to 3 inputs; given [14]$"):
            ab.Space(inputs=tensors, outputs=kind()(given))
    with pytest.raises(ArchbudgetError, match="takes 2 to 3 inputs; given 1"):
        ab.Space([layers.Input((5, 4)), kind()])


def counted(arch: ab.Architecture, device: str = "meta") -> float:
    """Half of what PyTorch counts in the module of a network."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device(device):
        network = arch.to_torch().eval()
        inputs = [torch.zeros(1, *record.output_shape) for record in arch.layers if record.type == "Input"]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return counter.get_total_flops() / 2


def is_meant(kind: str, arguments: dict[str, Any]) -> bool:
    """Whether a difference on the device `meta` is one of the table."""
    inside = str(arguments)
    adapted = kind == "TimeDistributed" and re.search(r"'lora_rank': [1-9]", inside) is not None
    return adapted or "EinsumDense" in (kind, *re.findall(r"'(\w+)': {", inside))


@pytest.mark.torch
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "Input"])
def test_macs_are_half_of_what_pytorch_counts(kind: str) -> None:
    pytest.importorskip("torch")
    from archbudget.export.torch import BUILDERS

    rng = Random(f"macs {kind}")
    same = others = 0
    for _ in range(150):
        arguments, shapes = random_case(rng, kind)
        try:
            arch = one_layer_network(kind, arguments, shapes)
            found = counted(arch)
        except ArchbudgetError:
            others += 1
            continue
        except ValueError as error:
            # PyTorch takes no statistics of a single value.
            assert "Expected more than 1 value per channel" in str(error)
            continue
        assert found == arch.macs or (is_meant(kind, arguments) and found < arch.macs), (arguments, shapes)
        same += found == arch.macs
        if same == 20:
            break
    # A layer that PyTorch has nothing for is refused each time.
    assert same >= 8 or others == 150
    assert (others == 150) == (kind not in BUILDERS)


@pytest.mark.torch
@pytest.mark.parametrize("seed", SEEDS[::4])
def test_macs_of_random_networks_are_half_of_what_pytorch_counts(seed: int) -> None:
    pytest.importorskip("torch")
    known = random_space(seed)
    for values in known.networks[:4]:
        arch = known.space.architecture(values)
        if any(record.arguments.get("renorm") for record in arch.layers):
            with pytest.raises(ArchbudgetError, match="renorm=True has no equivalent in PyTorch"):
                counted(arch)
            continue
        assert counted(arch) == arch.macs, values


@pytest.mark.torch
def test_the_differences_of_the_table_are_there() -> None:
    pytest.importorskip("torch")

    def row(shape: tuple[int, ...], layer: layers.Layer) -> ab.Architecture:
        return ab.Space([layers.Input(shape), layer]).architecture()

    adapted = row((5, 4), layers.TimeDistributed(layers.Dense(3, lora_rank=2)))
    lstm = row((5, 3), layers.LSTM(4))
    shown = {
        "`LSTM` on a CPU": (lstm, "cpu", 0),
        "`lora_rank` inside of `TimeDistributed`": (adapted, "meta", adapted.macs - 4 * (4 * 2 * 3)),
        "`EinsumDense` that adds nothing up": (row((2, 1, 1), layers.EinsumDense("abcd,dc->ab", (2,))), "meta", 0),
    }
    assert list(shown) == DIFFERENCES
    for arch, device, expected in shown.values():
        assert counted(arch, device) == expected != arch.macs
    assert counted(lstm) == lstm.macs
