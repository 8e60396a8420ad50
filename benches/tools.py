"""Which tool counts what: ten small modules of PyTorch, counted by archbudget and by other tools.

`python benches/tools.py` prints the tables of docs/tools.md. A tool that is not installed is listed as such; so is one
that fails, with its error. Numbers are what a tool calls its count of multiply-accumulates (or half of its FLOPs).
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

import archbudget as ab

if TYPE_CHECKING:
    from collections.abc import Callable

Counted = tuple[int | None, int | None]
"""Parameters and multiply-accumulates; `None` where a tool has no such number."""


class Tied(nn.Module):
    """A table of words that is the weight of the last layer, too."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(100, 16)
        self.hidden = nn.Linear(16, 16)
        self.out = nn.Linear(16, 100, bias=False)
        self.out.weight = self.words.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(self.hidden(self.words(tokens))))


class Functional(nn.Module):
    """Operations without modules, and parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.matrix = nn.Parameter(torch.randn(8, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = functional.relu(functional.conv2d(image, self.kernel, padding=1))
        return x.mean((2, 3)) @ self.matrix


class Attention(nn.Module):
    """Attention written with matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 48)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.project(x).chunk(3, -1)
        return torch.softmax(query @ key.transpose(1, 2) / 4, -1) @ value


class Last(nn.Module):
    """A recurrent layer and a classifier of its last step."""

    def __init__(self, recurrent: nn.Module, features: int) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.out = nn.Linear(features, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.recurrent(x)[0][:, -1])


class Residual(nn.Module):
    """A block that adds its input, with group normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU())
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(x + self.body(x))


def pooled(*layers: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


IMAGE, SEQUENCE, WIDE = (3, 16, 16), (12, 16), (8, 8, 8)

MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolutions and dense layers": (
        lambda: nn.Sequential(
            *(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(288, 32), nn.ReLU()),
            nn.Linear(32, 10),
        ),
        IMAGE,
    ),
    "batch normalization": (
        lambda: pooled(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), channels=8),
        IMAGE,
    ),
    "depthwise convolution": (
        lambda: pooled(nn.Conv2d(3, 12, 1), nn.Conv2d(12, 12, 3, groups=12), nn.Hardswish(), channels=12),
        IMAGE,
    ),
    "residual block, transposed convolution": (Residual, WIDE),
    "LSTM": (lambda: Last(nn.LSTM(16, 20, batch_first=True), 20), SEQUENCE),
    "GRU in both directions": (lambda: Last(nn.GRU(16, 10, batch_first=True, bidirectional=True), 20), SEQUENCE),
    "attention by matrix products": (Attention, SEQUENCE),
    "nn.TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), SEQUENCE),
    "tied embedding": (Tied, (12,)),
    "operations without modules": (Functional, IMAGE),
}


def example(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.zeros(1, *shape, dtype=torch.long) if len(shape) == 1 else torch.zeros(1, *shape)


def by_archbudget(model: nn.Module, given: torch.Tensor) -> Counted:
    arch = ab.from_torch(model, (given,)).architecture()
    return arch.trainable_params, arch.macs


def by_torchinfo(model: nn.Module, given: torch.Tensor) -> Counted:
    found = importlib.import_module("torchinfo").summary(model, input_data=given, verbose=0)
    return found.total_params, found.total_mult_adds


def by_fvcore(model: nn.Module, given: torch.Tensor) -> Counted:
    fvcore = importlib.import_module("fvcore.nn")
    counted = fvcore.FlopCountAnalysis(model, given).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return fvcore.parameter_count(model)[""], int(counted.total())


def by_thop(model: nn.Module, given: torch.Tensor) -> Counted:
    macs, params = importlib.import_module("thop").profile(model, (given,), verbose=False)
    return int(params), int(macs)


def by_ptflops(model: nn.Module, given: torch.Tensor) -> Counted:
    macs, params = importlib.import_module("ptflops").get_model_complexity_info(
        model,
        tuple(given.shape[1:]),
        input_constructor=lambda _: given,
        as_strings=False,
        print_per_layer_stat=False,
        verbose=False,
    )
    return params, macs


def by_calflops(model: nn.Module, given: torch.Tensor) -> Counted:
    _, macs, params = importlib.import_module("calflops").calculate_flops(
        model, args=[given], output_as_string=False, print_results=False, print_detailed=False
    )
    return int(params), int(macs)


def by_flop_counter(model: nn.Module, given: torch.Tensor) -> Counted:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(given)
    return None, counter.get_total_flops() // 2


def by_onnx_tool(model: nn.Module, given: torch.Tensor) -> Counted:
    tool = importlib.import_module("onnx_tool")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        torch.onnx.export(model, (given,), str(file), dynamo=False)
        read = tool.Model(str(file))
        read.graph.shape_infer()
        read.graph.profile()
        return int(read.graph.params), int(sum(read.graph.macs))


TOOLS: dict[str, tuple[str, Callable[[nn.Module, torch.Tensor], Counted]]] = {
    "archbudget": ("archbudget", by_archbudget),
    "torchinfo": ("torchinfo", by_torchinfo),
    "fvcore": ("fvcore", by_fvcore),
    "thop": ("thop", by_thop),
    "ptflops": ("ptflops", by_ptflops),
    "calflops": ("calflops", by_calflops),
    "FlopCounterMode": ("torch", by_flop_counter),
    "onnx-tool": ("onnx-tool", by_onnx_tool),
}


def measured() -> tuple[dict[str, dict[str, Counted | str]], dict[str, str]]:
    """What each tool says of each module, or how it fails; and the versions of those that are installed."""
    versions: dict[str, str] = {}
    for name, (package, _) in TOOLS.items():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(package)
    found: dict[str, dict[str, Counted | str]] = {}
    for title, (make, shape) in MODELS.items():
        found[title] = {}
        for name in versions:
            torch.manual_seed(0)
            model, given = make().eval(), example(shape)
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    found[title][name] = TOOLS[name][1](model, given)
            except Exception as error:
                found[title][name] = f"{type(error).__name__}: {str(error).splitlines()[0][:60] if str(error) else ''}"
    return found, versions


def table(found: dict[str, dict[str, Counted | str]], names: list[str], place: int) -> str:
    """One number of each tool as a table; those that differ from archbudget's are bold."""
    rows = [f"| module | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}"]
    for title, by_tool in found.items():
        right = by_tool["archbudget"]
        cells = []
        for name in names:
            said = by_tool[name]
            number = said if isinstance(said, str) else said[place]
            text = "fails" if isinstance(number, str) else "" if number is None else f"{number:,}"
            same = isinstance(right, tuple) and number == right[place]
            cells.append(text if same or not text else f"**{text}**")
        rows.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    warnings.simplefilter("ignore")
    found, versions = measured()
    names = list(versions)
    print("Parameters:\n")
    print(table(found, [name for name in names if name != "FlopCounterMode"], 0))
    print("\nMultiply-accumulates:\n")
    print(table(found, names, 1))
    failures = [
        (title, name, said) for title, every in found.items() for name, said in every.items() if isinstance(said, str)
    ]
    for title, name, said in failures:
        print(f"\n{name} fails on {title}: {said}")
    missing = [name for name in TOOLS if name not in versions]
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"\n*{shown}; torch {torch.__version__}{f'; not installed: {missing}' if missing else ''}*")


if __name__ == "__main__":
    main()
