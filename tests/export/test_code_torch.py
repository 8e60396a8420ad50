"""Source text in PyTorch: it builds the module of `to_torch`, by itself: the same keys, weights and outputs."""

from __future__ import annotations

import re
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers, spaces
from archbudget.errors import ArchbudgetError, SpaceError
from support.layer_records import KINDS, PYTORCH_KINDS, one_layer_network
from support.network_inputs import inputs_of
from support.random_layers import random_case
from support.random_spaces import draw_space
from support.usual_layers import applied, usual
from support.written_code import formatted, run

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")

MOST_MACS = 300_000_000
"""What a network may take to be run in a test."""
REFUSED = ("ReversibleEmbedding", "SpectralNormalization")
"""The layers whose modules keep more than they are made with."""


def assert_builds_the_same(arch: ab.Architecture, seed: int = 0) -> str:
    text, expected = arch.to_code("torch"), arch.to_torch().eval()
    model = run(text).eval()
    with torch.no_grad():
        for each in expected.state_dict().values():
            if each.is_floating_point():
                each.uniform_(0.1, 0.9)
    model.load_state_dict(expected.state_dict())
    trained, true = ([name for name, each in of.named_parameters() if each.requires_grad] for of in (model, expected))
    assert trained == true
    assert sum(each.numel() for each in model.parameters() if each.requires_grad) == arch.trainable_params
    if arch.macs <= MOST_MACS:
        inputs = [torch.tensor(each) for each in inputs_of(arch, np.random.default_rng(seed))]
        with torch.no_grad():
            found, right = [torch.manual_seed(seed) and of(*inputs) for of in (model, expected)]
        several = isinstance(right, tuple)
        for one, other in zip(found if several else [found], right if several else [right], strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    return text


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in REFUSED])
def test_every_layer_that_is_built_is_written(kind: str, tmp_path: Path) -> None:
    rng = Random(f"torch code {kind}")
    texts: list[str] = []
    for number in range(40):
        arguments, shapes = random_case(rng, kind)
        try:
            arch = one_layer_network(kind, arguments, shapes)
            arch.to_torch()
        except ArchbudgetError:
            continue
        texts.append(assert_builds_the_same(arch, number))
        if len(texts) == 4:
            break
    if not texts:
        pytest.skip("PyTorch has no such layer")
    assert formatted(texts, tmp_path, 120) == ""


@pytest.mark.parametrize("kind", PYTORCH_KINDS)
def test_the_layers_that_only_pytorch_has_are_written(kind: str) -> None:
    (arch,) = applied(*usual(kind)).sample(1, seed=0)
    assert "class Network(nn.Module):" in assert_builds_the_same(arch)


@pytest.mark.parametrize("kind", REFUSED)
def test_the_others_are_refused(kind: str) -> None:
    held = {"input_dim": 4, "output_dim": 3} if kind == "ReversibleEmbedding" else {"layer": layers.Dense(3)}
    arch = ab.Space([layers.Input((5,)), getattr(layers, kind)(**held)]).architecture()
    with pytest.raises(SpaceError, match=rf"to_code cannot write .*{kind} does not keep .*; to_torch\(\) builds such"):
        arch.to_code("torch")


@pytest.mark.parametrize("name", spaces.SHELF)
def test_every_space_of_the_shelf_is_written(name: str, tmp_path: Path) -> None:
    small = min(spaces.SHELF[name].make().sample(20, seed=3), key=lambda arch: arch.macs)
    assert formatted([assert_builds_the_same(small)], tmp_path, 120) == ""


def test_random_networks_are_written(tmp_path: Path) -> None:
    texts = []
    for seed in range(40):
        try:
            space = draw_space(Random(seed))
            texts += [assert_builds_the_same(arch, seed) for arch in space.sample(2, seed=seed)]
        except ArchbudgetError as error:
            assert "to_code" not in str(error)
    assert len(texts) > 40
    assert formatted(texts, tmp_path, 120) == ""


def test_states_shared_layers_and_options_of_calls_are_written() -> None:
    x = layers.Input((6, 4), name="words")
    dense = layers.Dense(4, trainable=False)
    output, *states = layers.LSTM(5, return_sequences=True, return_state=True)(layers.TimeDistributed(dense)(dense(x)))
    attended = layers.MultiHeadAttention(2, 3)(output, output, use_causal_mask=True)
    last = layers.GRU(5)(attended, initial_state=[states[0]])
    text = assert_builds_the_same(ab.Space(inputs=x, outputs=[last, output]).architecture())
    assert "use_causal_mask=True" in text
    assert "return" in text


def test_blocks_that_repeat_become_loops() -> None:
    space = ab.Space(
        [
            layers.Input((16, 16, 3), name="1st image"),
            *(layers.Conv2D(8, 3, padding="same", name=f"conv_{number}") for number in range(1, 6)),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    text = assert_builds_the_same(space.architecture())
    assert text.count("nn.Conv2d(") == 1
    assert 'self.add_module(\n                f"conv_{i}",\n' in text
    assert re.search(r'for i in range\(\d, 6\):\n            x = getattr\(self, f"conv_\{i\}"\)\(x\)', text)


def test_it_runs_without_archbudget(lenet: ab.Space) -> None:
    (arch,) = lenet.sample(1, seed=0)
    check = "import sys; assert not any('archbudget' in name for name in sys.modules)\n"
    check += "print(sum(each.numel() for each in model.parameters()))"
    done = subprocess.run(
        [sys.executable, "-c", arch.to_code("torch") + check], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == arch.params


def test_what_is_no_text_is_refused_at_once() -> None:
    def real(input_shape: Any) -> Any:
        del input_shape
        return torch.nn.Identity()

    @layers.custom(torch=lambda input_shape: Mine(real(input_shape)))
    def Given(input_shape: tuple[int, ...]) -> layers.Counts:  # noqa: N802
        return layers.Counts(output_shape=input_shape)

    class Mine(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            return x

    x, mask = layers.Input((4, 3)), layers.Input((4,))
    y = layers.LSTM(3, return_sequences=True)(Given()(Given()(x)), mask=mask)
    with pytest.raises(
        SpaceError,
        match="given, given_1: it is, or holds, a Mine, which cannot be imported.*; lstm: it is called with masks",
    ):
        ab.Space(inputs=[x, mask], outputs=y).architecture().to_code("torch")


class Excited(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """A module of a user at the top of a module, which keeps its arguments."""

    def __init__(self, channels: int, ratio: int = 2) -> None:
        super().__init__()
        self.channels, self.ratio = channels, ratio
        self.squeeze = torch.nn.Linear(channels, channels // ratio)
        self.excite = torch.nn.Linear(channels // ratio, channels)

    def forward(self, x: Any) -> Any:
        return x * self.excite(torch.relu(self.squeeze(x)))


class Joined(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """One of two inputs that is made of their shapes."""

    def __init__(self, input_shapes: Any) -> None:
        super().__init__()
        self.mix = torch.nn.Linear(sum(shape[-1] for shape in input_shapes), input_shapes[0][-1])

    def forward(self, x: Any, y: Any) -> Any:
        return self.mix(torch.cat([x, y], -1))


def excite(input_shape: tuple[int, ...], ratio: int) -> Any:
    return torch.nn.Sequential(Excited(input_shape[-1], ratio), torch.nn.ReLU())


def doubled(input_shape: tuple[int, ...], ratio: int) -> Any:
    made = Excited(input_shape[-1], ratio)
    made.ratio = 2 * ratio
    return made


def excited_counts(input_shape: tuple[int, ...], ratio: int) -> layers.Counts:
    between = input_shape[-1] // ratio
    return layers.Counts(input_shape, (input_shape[-1] + 1) * between + (between + 1) * input_shape[-1])


def test_custom_layers_are_imported() -> None:
    by_maker = layers.custom(torch=excite)(excited_counts)
    by_class = layers.custom(torch=lambda shape, ratio: Excited(shape[-1], ratio))(excited_counts)

    @layers.custom(torch=Joined)
    def Join(input_shapes: Any) -> layers.Counts:  # noqa: N802
        one, two = input_shapes
        return layers.Counts(one, (one[-1] + two[-1] + 1) * one[-1])

    x, y = layers.Input((6, 4)), layers.Input((6, 8))
    shared = by_class(2, name="shared")
    z = shared(layers.Dense(4)(shared(by_maker(4)(x))))
    z = by_class(4, trainable=False)(Join()([z, y]))
    text = assert_builds_the_same(ab.Space(inputs=[x, y], outputs=z).architecture())
    assert f"import {__name__}\n" in text
    assert f"{__name__}.excite((6, 4), ratio=4)" in text
    assert f"self.shared = {__name__}.Excited(4)" in text
    assert f"{__name__}.Joined(((6, 4), (6, 8)))" in text
    assert f"frozen({__name__}.Excited(4, ratio=4))" in text


def test_a_custom_module_that_is_made_otherwise_is_refused() -> None:
    other = layers.custom(torch=lambda *given, **named: doubled(*given, **named))(excited_counts)
    with pytest.raises(SpaceError, match="excited_counts: it keeps .* than it is made with"):
        ab.Space([layers.Input((4,)), other(2)]).architecture().to_code("torch")
