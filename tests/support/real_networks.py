"""The networks of the shelf as their papers describe them, in PyTorch; nothing here knows archbudget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

Values = Mapping[str, Any]


def params(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def statistics(network: nn.Module) -> int:
    """The moving means and variances."""
    return sum(buffer.numel() for name, buffer in network.named_buffers() if name.rsplit(".")[-1].startswith("running"))


def macs(network: nn.Module, *shape: int) -> int:
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(torch.empty(1, *shape, device="meta"))
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


def divisible(width: float) -> int:
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8


# NAS-Bench-201 and NATS-Bench

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


class Zeros(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul(0.0)


def relu_conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(after))


def operation(name: str, before: int, after: int) -> nn.Module:
    if name == "none":
        return Zeros()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    if name == "skip_connect":
        if before == after:
            return nn.Identity()
        return nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))
    return relu_conv(before, after, int(name[-1]))


class Cell(nn.Module):
    def __init__(self, edges: Mapping[tuple[int, int], nn.Module]) -> None:
        super().__init__()
        self.edges = nn.ModuleList(edges[edge] for edge in EDGES)

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for target in (1, 2, 3):
            ways = [(source, edge) for (source, end), edge in zip(EDGES, self.edges, strict=True) if end == target]
            nodes.append(sum(edge(nodes[source]) for source, edge in ways))  # type: ignore[arg-type]
        return nodes[3]


class Reduction(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(relu_conv(before, after, 3, stride=2), relu_conv(after, after, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.body(x)


def stem(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))


def head(width: int, classes: int = 10) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)
    )


def nas_bench_201(
    values: Values, edge: Callable[[int, tuple[int, int], str, int], nn.Module], classes: int = 10
) -> nn.Sequential:
    """The network of a genotype; `edge` makes an edge of a cell, given its cell, its ends, its operation and width."""
    parts: list[nn.Module] = [stem(16)]
    for number in range(15):
        width = 16 << number // 5
        if number in (5, 10):
            parts.append(Reduction(width // 2, width))
        names = {ends: values["edge_{}_{}".format(*ends)] for ends in EDGES}
        parts.append(Cell({ends: edge(number, ends, name, width) for ends, name in names.items()}))
    return nn.Sequential(*parts, head(64, classes))


def nats_cell(before: int, after: int) -> Cell:
    names = dict.fromkeys(EDGES, "nor_conv_3x3") | {(0, 3): "skip_connect"}
    return Cell({ends: operation(name, before if ends[0] == 0 else after, after) for ends, name in names.items()})


def nats_bench_size(values: Values, classes: int) -> nn.Sequential:
    c0, c1, c2, c3, c4 = (values[f"c{number}"] for number in range(5))
    cells = (nats_cell(c0, c0), Reduction(c0, c1), nats_cell(c1, c2), Reduction(c2, c3), nats_cell(c3, c4))
    return nn.Sequential(stem(c0), *cells, head(c4, classes))


# Mobile networks

ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hard_swish": nn.Hardswish}


def conv_bn(before: int, after: int, kernel: int = 1, stride: int = 1, act: str | None = None, groups: int = 1) -> Any:
    conv = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), *([ACTIVATIONS[act]()] if act else []))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = divisible(channels // 4)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class Add(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


def mb_conv(
    before: int, after: int, kernel: int, expand: int, stride: int, act: str, *, se: bool = False, skip: bool = True
) -> nn.Module:
    hidden = divisible(round(before * expand))
    parts = [conv_bn(before, hidden, act=act)] if expand != 1 else []
    parts.append(conv_bn(hidden, hidden, kernel, stride, act, groups=hidden))
    parts += [SqueezeExcite(hidden)] if se else []
    body = nn.Sequential(*parts, conv_bn(hidden, after))
    return Add(body, nn.Identity()) if skip and stride == 1 and before == after else body


def ofa_mobilenet_v3(values: Values, width: float) -> nn.Module:
    stem_width, before, *stages, last, mixed = (
        divisible(base * width) for base in (16, 16, 24, 40, 80, 112, 160, 960, 1280)
    )
    parts = [conv_bn(3, stem_width, 3, 2, "hard_swish"), mb_conv(stem_width, before, 3, 1, 1, "relu")]
    acts, strides = ("relu", "relu", *["hard_swish"] * 3), (2, 2, 2, 1, 2)
    for stage, after in enumerate(stages, 1):
        for block in range(1, values[f"depth_{stage}"] + 1):
            kernel, expand = values[f"kernel_{stage}_{block}"], values[f"expand_{stage}_{block}"]
            stride = strides[stage - 1] if block == 1 else 1
            parts.append(mb_conv(before, after, kernel, expand, stride, acts[stage - 1], se=stage in (2, 4, 5)))
            before = after
    return nn.Sequential(
        *parts,
        conv_bn(before, last, act="hard_swish"),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(last, mixed, 1, bias=False),
        nn.Hardswish(),
        nn.Flatten(),
        nn.Linear(mixed, 1000),
    )


def ofa_proxyless(values: Values, width: float, *, mix: bool = True) -> nn.Module:
    stem_width, before, *stages = (divisible(base * width) for base in (32, 16, 24, 40, 80, 96, 192, 320))
    parts = [conv_bn(3, stem_width, 3, 2, "relu6"), mb_conv(stem_width, before, 3, 1, 1, "relu6", skip=False)]
    strides = (2, 2, 2, 1, 2, 1)
    for stage, after in enumerate(stages, 1):
        for block in range(1, values.get(f"depth_{stage}", 1) + 1):
            kernel, expand = values[f"kernel_{stage}_{block}"], values[f"expand_{stage}_{block}"]
            parts.append(mb_conv(before, after, kernel, expand, strides[stage - 1] if block == 1 else 1, "relu6"))
            before = after
    if mix:
        parts.append(conv_bn(before, last := divisible(1280 * width), act="relu6"))
        before = last
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000))


def proxylessnas(values: Values, width: float) -> nn.Module:
    stem_width, before = divisible(32 * width), divisible(16 * width)
    parts = [conv_bn(3, stem_width, 3, 2, "relu6"), mb_conv(stem_width, before, 3, 1, 1, "relu6", skip=False)]
    strides = {1: 2, 5: 2, 9: 2, 13: 1, 17: 2, 21: 1}
    for number in range(1, 22):
        after = divisible((24, 40, 80, 96, 192, 320)[(number - 1) // 4] * width)
        choice = values[f"block_{number}"]
        if choice != "Zero":
            kernel, expand = int(choice[0]), int(choice[-1])
            parts.append(mb_conv(before, after, kernel, expand, strides.get(number, 1), "relu6"))
        before = after
    last = divisible(1280 * width) if width > 1 else 1280
    tail = (conv_bn(before, last, act="relu6"), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 1000))
    return nn.Sequential(*parts, *tail)


def ofa_resnet50(values: Values) -> nn.Module:
    half = divisible(divisible(64 * values["width_0"]) // 2)
    before = divisible(64 * values["width_1"])
    parts: list[nn.Module] = [conv_bn(3, half, 3, 2, "relu")]
    if values["depth_0"] == 2:
        parts.append(Add(conv_bn(half, half, 3, 1, "relu"), nn.Identity()))
    parts += [conv_bn(half, before, 3, 1, "relu"), nn.MaxPool2d(3, 2, padding=1)]
    number = 0
    for stage, (base, least) in enumerate([(256, 2), (512, 2), (1024, 4), (2048, 2)], 1):
        after = divisible(base * values[f"width_{stage + 1}"])
        for index in range(least + 2):
            number += 1
            if index >= least + values[f"depth_{stage}"]:
                continue
            hidden = divisible(round(after * values[f"expand_{number}"]))
            stride = 2 if stage > 1 and index == 0 else 1
            body = nn.Sequential(
                conv_bn(before, hidden, act="relu"), conv_bn(hidden, hidden, 3, stride, "relu"), conv_bn(hidden, after)
            )
            pool = nn.AvgPool2d(stride, stride, ceil_mode=True)
            shortcut = nn.Identity() if index else nn.Sequential(pool, conv_bn(before, after))
            parts += [Add(body, shortcut), nn.ReLU()]
            before = after
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000))


def ds_cnn(values: Values) -> nn.Module:
    width, stride = values["width"], values["stride"]
    # The padding is that of TensorFlow, where the first layer was defined: what is missing, and more of it at the end.
    parts = [
        nn.ZeroPad2d((1, 2 if stride == 1 else 1, 4, 5)),
        nn.Conv2d(1, width, (10, 4), stride=(2, stride)),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    for index in range(1, values["depth"] + 1):
        kernel, step = values[f"kernel_{index}"], 2 if index == 1 and stride == 1 else 1
        parts += [
            nn.Conv2d(width, width, kernel, stride=step, padding=kernel // 2, groups=width),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 12))


# Networks that are no classifiers of images by convolutions


class Beside(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.body(x)], dim=1)


def unet(values: Values) -> nn.Sequential:
    depth = values["depth"]

    def double(before: int, after: int) -> list[nn.Module]:
        first, second = (nn.Conv2d(each, after, 3, padding=1) for each in (before, after))
        return [first, nn.ReLU(), second, nn.ReLU()]

    def level(number: int, before: int) -> nn.Sequential:
        width = values[f"width_{number}"]
        if number > depth:
            return nn.Sequential(*double(before, width))
        up = nn.ConvTranspose2d(values[f"width_{number + 1}"], width, 2, stride=2)
        below = nn.Sequential(nn.MaxPool2d(2), level(number + 1, width), up)
        return nn.Sequential(*double(before, width), Beside(below), *double(2 * width, width))

    return nn.Sequential(level(1, 1), nn.Conv2d(values["width_1"], 2, 1))


def tc_resnet(values: Values) -> nn.Sequential:
    def conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
        own = nn.Conv1d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
        return nn.Sequential(own, nn.BatchNorm1d(after))

    before = values["width_0"]
    parts: list[nn.Module] = [conv(40, before, 3), nn.ReLU()]
    for stage in (1, 2, 3):
        after = values[f"width_{stage}"]
        for block in range(1, values[f"depth_{stage}"] + 1):
            kernel, stride = values[f"kernel_{stage}_{block}"], 2 if block == 1 else 1
            body = nn.Sequential(conv(before, after, kernel, stride), nn.ReLU(), conv(after, after, kernel))
            shortcut = nn.Sequential(conv(before, after, 1, stride), nn.ReLU()) if block == 1 else nn.Identity()
            parts += [Add(body, shortcut), nn.ReLU()]
            before = after
    return nn.Sequential(*parts, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(before, 12, bias=False))


class RelativePositions(nn.Module):
    """A vector for each pair of tokens: the class token, and the patches of a square image."""

    def __init__(self) -> None:
        super().__init__()
        self.vertical, self.horizontal = (nn.Parameter(torch.zeros(2 * 14 + 2, 64)) for _ in range(2))

    def forward(self, tokens: int) -> Tensor:
        place = torch.arange(tokens - 1, device=self.vertical.device)
        side = int((tokens - 1) ** 0.5)

        def rows(along: Tensor) -> Tensor:
            return nn.functional.pad((along - along[:, None]).clamp(-14, 14) + 15, (1, 0, 1, 0))

        return self.vertical[rows(place // side)] + self.horizontal[rows(place % side)]


class HeadsOf64(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.project = heads, nn.Linear(dim, 3 * 64 * heads), nn.Linear(64 * heads, dim)
        self.keys, self.values = RelativePositions(), RelativePositions()

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, 64)).movedim(-3, 0).transpose(-2, -3)
        far_keys, far_values = self.keys(x.shape[1]), self.values(x.shape[1])
        # Each query has a matrix of its own for what is far, the same for all heads.
        scores = query @ key.transpose(-1, -2)
        scores = scores + (query.transpose(1, 2) @ far_keys.transpose(-1, -2)).transpose(1, 2)
        weights = (scores / 8).softmax(-1)
        seen = (weights @ value).transpose(1, 2) + weights.transpose(1, 2) @ far_values
        return self.project(seen.flatten(-2))


# DARTS


def sep_conv(width: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(*dil_conv(width, kernel, stride, 1), *dil_conv(width, kernel, 1, 1))


def dil_conv(width: int, kernel: int, stride: int, dilation: int = 2) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(width, width, kernel, stride, padding, dilation, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
    )


class FactorizedReduce(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(before, after // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(before, after // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], dim=1))


def darts_operation(name: str, width: int, stride: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(width, width)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride=stride, padding=1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)
    make = {"sep": sep_conv, "dil": dil_conv}[name[:3]]
    return make(width, int(name[-1]), stride)


class DartsCell(nn.Module):
    def __init__(
        self, genotype: list[tuple[str, int]], before: tuple[int, int], width: int, *, kind: str, halves: bool
    ) -> None:
        super().__init__()
        self.before = FactorizedReduce(before[0], width) if halves else relu_conv(before[0], width, 1)
        self.flowing = relu_conv(before[1], width, 1)
        self.sources = [source for _, source in genotype]
        strides = [2 if kind == "reduce" and source < 2 else 1 for source in self.sources]
        named = zip(genotype, strides, strict=True)
        self.edges = nn.ModuleList(darts_operation(name, width, stride) for (name, _), stride in named)

    def forward(self, before: Tensor, flowing: Tensor) -> Tensor:
        states = [self.before(before), self.flowing(flowing)]
        for node in range(4):
            first, second = (self.edges[edge](states[self.sources[edge]]) for edge in (2 * node, 2 * node + 1))
            states.append(first + second)
        return torch.cat(states[2:], dim=1)


class Darts(nn.Module):
    """The authors' networks; a genotype has eight pairs of an operation and the state that it reads for each kind."""

    def __init__(
        self, genotypes: Mapping[str, list[tuple[str, int]]], width: int, cells: int, classes: int, *, imagenet: bool
    ) -> None:
        super().__init__()

        def convolution(before: int, after: int, stride: int) -> list[nn.Module]:
            return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)]

        if imagenet:
            first = [*convolution(3, width // 2, 2), nn.ReLU(), *convolution(width // 2, width, 2)]
            self.stem, self.second = nn.Sequential(*first), nn.Sequential(nn.ReLU(), *convolution(width, width, 2))
            before = (width, width)
        else:
            self.stem, self.second = nn.Sequential(*convolution(3, 3 * width, 1)), nn.Identity()
            before = (3 * width, 3 * width)
        self.cells = nn.ModuleList()
        halves = imagenet
        for number in range(cells):
            kind = "reduce" if number in (cells // 3, 2 * cells // 3) else "normal"
            width *= 2 if kind == "reduce" else 1
            self.cells.append(DartsCell(genotypes[kind], before, width, kind=kind, halves=halves))
            before, halves = (before[1], 4 * width), kind == "reduce"
        self.classifier = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        before = self.stem(x)
        flowing = self.second(before)
        for cell in self.cells:
            before, flowing = flowing, cell(before, flowing)
        return self.classifier(flowing.mean((2, 3)))


def darts(values: Values, width: int = 36, cells: int = 20, classes: int = 10, *, imagenet: bool = False) -> Darts:
    genotypes = {
        kind: [
            (values[f"{kind}_{node}_op_{edge}"], values[f"{kind}_{node}_input_{edge}"])
            for node in (2, 3, 4, 5)
            for edge in (0, 1)
        ]
        for kind in ("normal", "reduce")
    }
    return Darts(genotypes, width, cells, classes, imagenet=imagenet)


class Autoformer(nn.Module):
    def __init__(self, values: Values, side: int) -> None:
        super().__init__()
        dim = values["embed_dim"]
        self.patches = nn.Conv2d(3, dim, 16, stride=16)
        self.token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.zeros(1, (side // 16) ** 2 + 1, dim))
        self.blocks = nn.Sequential()
        for number in range(1, values["depth"] + 1):
            hidden = int(dim * values[f"mlp_ratio_{number}"])
            attention = HeadsOf64(dim, values[f"num_heads_{number}"])
            perceptron = (nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
            for body in ([attention], perceptron):
                self.blocks.append(Add(nn.Sequential(nn.LayerNorm(dim), *body), nn.Identity()))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 1000)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), patches], dim=1) + self.positions
        return self.head(self.norm(self.blocks(tokens))[:, 1:].mean(1))


class Recurrent(nn.Module):
    def __init__(self, values: Values, bidirectional: bool = False) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[values["cell"]]
        before = values["embedding"]
        self.embedding, self.layers = nn.Embedding(10_000, before), nn.ModuleList()
        for number in range(1, values["depth"] + 1):
            after = values[f"units_{number}"]
            self.layers.append(kind(before, after, batch_first=True, bidirectional=bidirectional))
            before = 2 * after if bidirectional else after
        self.words = nn.Linear(before, 10_000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedding(x.long())
        for layer in self.layers:
            x, _ = layer(x)
        return self.words(x)
