"""Writes the part of `docs/pytorch.md` that has the equivalent of every module of `torch.nn`, or why there is none.

`make derived` runs it; PyTorch need not be installed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs/pytorch.md"
BEGIN, END = "<!-- torch.nn: begin -->\n", "<!-- torch.nn: end -->\n"


class Row(NamedTuple):
    """A module of PyTorch and its equivalent, a layer or a list of layers."""

    theirs: str
    ours: str
    shape: tuple[int, ...]
    """The shape of the input here: positions, then channels, where PyTorch needs the channels first."""
    note: str = ""
    """The difference, if only shapes and costs are the same."""


WORDS, VECTOR, ROWS = (7,), (6,), (9, 6)
SEQUENCE, IMAGE, VOLUME = (12, 8), (12, 10, 8), (6, 7, 5, 8)
CHANNELS_FIRST = (SEQUENCE, IMAGE, VOLUME)
"""The inputs that PyTorch needs with their channels first."""


def _each(theirs: str, ours: str, note: str = "") -> list[Row]:
    """A row for each number of axes, which replaces `{n}` in both."""
    shapes = enumerate((SEQUENCE, IMAGE, VOLUME), start=1)
    return [Row(theirs.format(n=n), ours.format(n=n), shape, note) for n, shape in shapes]


def _activations(**named: str) -> list[Row]:
    return [Row(f"nn.{theirs}()", f'Activation("{ours}")', VECTOR) for theirs, ours in named.items()]


INDICES = "without `return_indices`, since a layer has one output"
LAZY = "as without `Lazy`: the shape of its input is known"

ROWS_OF_MODULES: list[Row] = [
    *_each("nn.AdaptiveAvgPool{n}d(3)", "AdaptiveAveragePooling{n}D(3)"),
    Row("nn.AdaptiveAvgPool2d((3, None))", "AdaptiveAveragePooling2D((3, channels(1)))", IMAGE),
    *_each("nn.AdaptiveMaxPool{n}d(3)", "AdaptiveMaxPooling{n}D(3)"),
    Row("nn.AlphaDropout(0.1)", "AlphaDropout(0.1)", VECTOR),
    Row("nn.FeatureAlphaDropout(0.1)", "AlphaDropout(0.1)", IMAGE, "counts alike: it drops whole channels"),
    *_each("nn.AvgPool{n}d(3, 2, padding=1)", "AveragePooling{n}D(3, 2, padding=1)"),
    Row(
        "nn.AvgPool2d(3, padding=1, ceil_mode=True, count_include_pad=False)",
        "AveragePooling2D(3, padding=1, ceil_mode=True, count_include_pad=False)",
        IMAGE,
    ),
    Row("nn.AvgPool2d(3, divisor_override=2)", "AveragePooling2D(3)", IMAGE, "counts alike: it divides by 2"),
    *_each("nn.BatchNorm{n}d(8)", "BatchNormalization(epsilon=1e-5)"),
    Row(
        "nn.BatchNorm2d(8, affine=False, track_running_stats=False)",
        "BatchNormalization(epsilon=1e-5, center=False, scale=False, track_running_stats=False)",
        IMAGE,
    ),
    *_each("nn.LazyBatchNorm{n}d()", "BatchNormalization(epsilon=1e-5)", LAZY),
    Row(
        "nn.SyncBatchNorm(8)",
        "BatchNormalization(epsilon=1e-5)",
        IMAGE,
        "`nn.SyncBatchNorm.convert_sync_batchnorm` makes it of what `to_torch` makes",
    ),
    Row("nn.ChannelShuffle(2)", "ChannelShuffle(2)", IMAGE),
    *_each("nn.CircularPad{n}d(2)", "CircularPadding{n}D(2)"),
    *_each("nn.ConstantPad{n}d(2, 0.5)", "ConstantPadding{n}D(2, 0.5)"),
    *_each("nn.Conv{n}d(8, 6, 3, padding=1)", "Conv{n}D(6, 3, padding=1)"),
    Row(
        "nn.Conv2d(8, 6, (5, 3), stride=2, padding=(2, 0), groups=2)",
        "Conv2D(6, (5, 3), strides=2, padding=(2, 0), groups=2)",
        IMAGE,
    ),
    Row(
        'nn.Conv2d(8, 6, 3, padding=2, dilation=2, padding_mode="reflect")',
        'Conv2D(6, 3, padding=2, dilation_rate=2, padding_mode="reflect")',
        IMAGE,
    ),
    Row(
        "nn.Sequential(nn.ZeroPad2d((1, 2, 0, 0)), nn.Conv2d(8, 6, 3))",
        "Conv2D(6, 3, padding=((0, 0), (1, 2)))",
        IMAGE,
    ),
    *_each("nn.LazyConv{n}d(6, 3)", "Conv{n}D(6, 3)", LAZY),
    *_each(
        "nn.ConvTranspose{n}d(8, 4, 3, 2, 1, output_padding=1, groups=4)",
        "Conv{n}DTranspose(4, 3, 2, 1, output_padding=1, groups=4)",
    ),
    *_each("nn.LazyConvTranspose{n}d(4, 3)", "Conv{n}DTranspose(4, 3)", LAZY),
    Row("nn.Dropout(0.1)", "Dropout(0.1)", VECTOR),
    *_each("nn.Dropout{n}d(0.1)", "SpatialDropout{n}D(0.1)"),
    *_activations(CELU="celu", ELU="elu", GELU="gelu", Hardshrink="hard_shrink", Hardsigmoid="hard_sigmoid"),
    *_activations(Hardswish="hard_silu", Hardtanh="hard_tanh", LogSigmoid="log_sigmoid", Mish="mish", ReLU="relu"),
    *_activations(ReLU6="relu6", SELU="selu", SiLU="silu", Sigmoid="sigmoid", Softplus="softplus"),
    *_activations(Softshrink="soft_shrink", Softsign="softsign", Tanh="tanh", Tanhshrink="tanh_shrink"),
    Row("nn.ELU(0.5)", "ELU(0.5)", VECTOR),
    Row("nn.GELU(approximate='tanh')", 'Activation("gelu")', VECTOR, "counts alike, as any function of each value"),
    Row("nn.Embedding(50, 6)", "Embedding(50, 6)", WORDS),
    Row("nn.EmbeddingBag(50, 6)", "EmbeddingBag(50, 6)", WORDS),
    Row('nn.EmbeddingBag(50, 6, mode="sum")', 'EmbeddingBag(50, 6, "sum")', WORDS),
    Row("nn.Flatten()", "Flatten()", ROWS),
    Row("nn.Flatten(2)", "Reshape((9, 6))", (9, 2, 3)),
    Row("nn.Unflatten(1, (3, 3))", "Reshape((3, 3, 6))", ROWS),
    Row("nn.Unfold(3, padding=1, stride=2)", "Unfold(3, padding=1, strides=2)", IMAGE),
    Row("nn.Fold((4, 5), 2)", "Fold((4, 5), 2)", SEQUENCE),
    *[
        Row(f"nn.FractionalMaxPool{n}d(2, {more})", f"FractionalMaxPooling{n}D(2, {more})", shape, INDICES)
        for n, shape in ((2, IMAGE), (3, VOLUME))
        for more in ("output_size=3", "output_ratio=0.5")
    ],
    Row("nn.GLU()", "GLU()", ROWS),
    Row("nn.GroupNorm(2, 8)", "GroupNormalization(2, epsilon=1e-5)", IMAGE),
    Row("nn.GroupNorm(2, 8, affine=False)", "GroupNormalization(2, center=False, scale=False)", IMAGE, "counts alike"),
    Row("nn.Identity()", "Identity()", VECTOR),
    *_each("nn.InstanceNorm{n}d(8)", "InstanceNormalization()"),
    Row(
        "nn.InstanceNorm2d(8, affine=True, track_running_stats=True)",
        "InstanceNormalization(affine=True, track_running_stats=True)",
        IMAGE,
    ),
    *_each("nn.LazyInstanceNorm{n}d()", "InstanceNormalization(affine=True, track_running_stats=True)", LAZY),
    *_each("nn.LPPool{n}d(2, 3, stride=2, ceil_mode=True)", "LPPooling{n}D(2, 3, strides=2, ceil_mode=True)"),
    Row("nn.LayerNorm(6)", "LayerNormalization(epsilon=1e-5)", ROWS),
    Row("nn.LayerNorm((9, 6), bias=False)", "LayerNormalization(axis=(1, 2), epsilon=1e-5, center=False)", ROWS),
    Row("nn.LeakyReLU(0.1)", "LeakyReLU(0.1)", VECTOR),
    Row("nn.RReLU()", "LeakyReLU(0.23)", VECTOR, "counts alike: its slope is random"),
    Row("nn.Threshold(0.1, 0.0)", "ReLU(threshold=0.1)", VECTOR),
    Row("nn.Linear(6, 4)", "Dense(4)", ROWS),
    Row("nn.LazyLinear(4)", "Dense(4)", ROWS, LAZY),
    Row("nn.LocalResponseNorm(3)", "LocalResponseNormalization(3)", IMAGE),
    Row("nn.CrossMapLRN2d(3)", "LocalResponseNormalization(3)", IMAGE, "counts alike"),
    *_each("nn.MaxPool{n}d(2, 1, padding=1, dilation=2)", "MaxPooling{n}D(2, 1, padding=1, dilation=2)"),
    Row("nn.MaxPool2d(3, 2, ceil_mode=True)", "MaxPooling2D(3, 2, ceil_mode=True)", IMAGE, INDICES),
    Row("nn.MultiheadAttention(6, 2, batch_first=True)", "MultiHeadAttention(2, 3)", ROWS),
    Row(
        "nn.MultiheadAttention(6, 2, bias=False, add_bias_kv=True, add_zero_attn=True, batch_first=True)",
        "MultiHeadAttention(2, 3, use_bias=False, add_bias_kv=True, add_zero_attn=True)",
        ROWS,
    ),
    Row("nn.PReLU()", "PReLU(shared_axes=(1, 2, 3))", IMAGE),
    Row("nn.PReLU(8)", "PReLU(shared_axes=(1, 2))", IMAGE),
    Row("nn.PixelShuffle(2)", "PixelShuffle(2)", IMAGE),
    Row("nn.PixelUnshuffle(2)", "PixelUnshuffle(2)", IMAGE),
    Row("nn.RMSNorm(6, eps=1e-6)", "RMSNormalization()", ROWS),
    Row("nn.RMSNorm(6, elementwise_affine=False)", "RMSNormalization(elementwise_affine=False)", ROWS, "counts alike"),
    *_each("nn.ReflectionPad{n}d(2)", "ReflectionPadding{n}D(2)"),
    *_each("nn.ReplicationPad{n}d(2)", "ReplicationPadding{n}D(2)"),
    Row("nn.RNN(6, 5, batch_first=True)", "SimpleRNN(5, return_sequences=True, two_biases=True)", ROWS),
    Row("nn.GRU(6, 5, 2, batch_first=True)", "GRU(5, return_sequences=True, num_layers=2)", ROWS),
    Row(
        "nn.LSTM(6, 5, 2, bidirectional=True, proj_size=3, batch_first=True)",
        "LSTM(5, return_sequences=True, two_biases=True, num_layers=2, bidirectional=True, proj_size=3)",
        ROWS,
    ),
    Row("nn.RNNCell(6, 5)", "[Reshape((1, 6)), SimpleRNN(5, two_biases=True)]", VECTOR),
    Row("nn.GRUCell(6, 5)", "[Reshape((1, 6)), GRU(5)]", VECTOR),
    Row("nn.LSTMCell(6, 5)", "[Reshape((1, 6)), LSTM(5, two_biases=True)]", VECTOR),
    Row("nn.Sequential(nn.Linear(6, 4), nn.ReLU())", "Sequential([Dense(4), ReLU()])", ROWS),
    Row("nn.Softmax(-1)", "Softmax()", ROWS),
    Row("nn.Softmax2d()", "Softmax()", IMAGE),
    Row("nn.LogSoftmax(-1)", 'Activation("log_softmax")', ROWS),
    Row("nn.Softmin(-1)", "Softmax()", ROWS, "counts alike: it takes the softmax of the negated input"),
    Row(
        "nn.TransformerEncoderLayer(6, 2, 16, batch_first=True)",
        "[Residual([MultiHeadAttention(2, 3), Dropout(0.1)]), LayerNormalization(epsilon=1e-5), "
        'Residual([Dense(16, "relu"), Dropout(0.1), Dense(6), Dropout(0.1)]), LayerNormalization(epsilon=1e-5)]',
        ROWS,
    ),
    *_each("nn.Upsample(scale_factor=1.5)", "UpSampling{n}D(1.5)"),
    *[
        Row(f'nn.Upsample(7, mode="{mode}")', f'UpSampling{n}D(output_size=7, interpolation="{mode}")', shape)
        for n, mode, shape in ((1, "linear", SEQUENCE), (2, "bilinear", IMAGE), (3, "trilinear", VOLUME))
    ],
    Row("nn.UpsamplingNearest2d(scale_factor=2)", "UpSampling2D(2)", IMAGE),
    Row(
        "nn.UpsamplingBilinear2d(scale_factor=2)",
        'UpSampling2D(2, interpolation="bilinear")',
        IMAGE,
        "counts alike: it aligns corners",
    ),
    *_each("nn.ZeroPad{n}d(2)", "ZeroPadding{n}D(2)"),
    Row("nn.ZeroPad2d((-1, 2, 0, -3))", "ConstantPadding2D(((0, -3), (-1, 2)))", IMAGE),
]

LOSS = "is a loss, which compares the output of a network with a target"
CONTAINER = "holds modules or parameters; Python's lists and `layers.Sequential` hold layers"
DISTANCE = "measures the distance of two tensors, most often within a loss; `layers.custom` counts it"
STACK = "is made of MultiHeadAttention, Dense, Add and LayerNormalization, as an encoder layer is"
BASE = "is not a module itself"
UNPOOLED = (
    "reads the positions of the maxima, a second output of its pooling; `UpSampling{n}D(output_size=...)` counts alike"
)

REASONS: dict[str, str] = {
    **dict.fromkeys(
        [
            *("AdaptiveLogSoftmaxWithLoss", "BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss"),
            *("CrossEntropyLoss", "GaussianNLLLoss", "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss"),
            *("LinearCrossEntropyLoss", "MSELoss", "MarginRankingLoss", "MultiLabelMarginLoss"),
            *("MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss", "NLLLoss2d", "PoissonNLLLoss", "SmoothL1Loss"),
            *("SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss"),
        ],
        LOSS,
    ),
    **dict.fromkeys(["Container", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList"], CONTAINER),
    **dict.fromkeys(["CosineSimilarity", "PairwiseDistance"], DISTANCE),
    **dict.fromkeys(["Module", "RNNBase", "RNNCellBase"], BASE),
    **dict.fromkeys(["Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder"], STACK),
    **{f"MaxUnpool{n}d": UNPOOLED.format(n=n) for n in (1, 2, 3)},
    "Bilinear": "multiplies each feature of one input with each of another, which PyTorch's FlopCounterMode counts as "
    "nothing; `layers.custom` counts it as you do",
    "DataParallel": "copies a network to several devices, which changes no count",
}
"""The modules without an equivalent, and why."""


def named(row: Row) -> str:
    """The module that a row is about."""
    return re.findall(r"nn\.(\w+)", row.theirs)[0]


def covered() -> set[str]:
    """The modules that have a row."""
    return {name for row in ROWS_OF_MODULES for name in re.findall(r"nn\.(\w+)", row.theirs)}


def table() -> str:
    """The text between the marks."""
    reasons: dict[str, list[str]] = {}
    for name, why in sorted(REASONS.items()):
        reasons.setdefault(why, []).append(f"`{name}`")
    rows = sorted(ROWS_OF_MODULES, key=lambda row: named(row).lower())
    return "\n".join(
        [
            "| PyTorch | here | what differs |",
            "|---|---|---|",
            *(f"| `{row.theirs}` | `{row.ours}` | {row.note} |" for row in rows),
            "",
            "These modules have no equivalent layer:",
            "",
            "| module | why not |",
            "|---|---|",
            *(
                f"| {', '.join(names)} | It {why}. |"
                for why, names in sorted(reasons.items(), key=lambda each: each[1])
            ),
            "",
        ]
    )


def page(text: str) -> str:
    """The page with this part replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
