"""Modules of PyTorch as spaces: their weights, and the products that PyTorch counts, layer by layer by their paths."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget.errors import ArchbudgetError, SpaceError, TranslationError
from support.layer_records import one_layer_network
from support.random_pytorch_layers import random_any_case

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from archbudget.export.torch import BUILDERS  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _no_fused_kernels() -> Any:
    """The counter does not know the kernels that attention takes where it can."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(fast)


def saved(module: Any) -> int:
    """How many numbers the floating-point values of a state dict are, each object once."""
    values = {id(value): value for value in module.state_dict(keep_vars=True).values() if value.is_floating_point()}
    return sum(value.numel() for value in values.values())


def products(module: Any, *inputs: Any) -> int:
    """The multiply-accumulates that PyTorch counts at inference, for one input."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(*inputs)
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


def numbers(arch: ab.Architecture) -> tuple[int, int, int]:
    """The totals of a network."""
    return arch.trainable_params, arch.params, arch.macs


def counted(module: Any, *inputs: Any) -> tuple[int, int, int]:
    """The same of a module, as PyTorch has them."""
    trained = {id(each): each.numel() for each in module.parameters() if each.requires_grad}
    return sum(trained.values()), saved(module), products(module, *inputs)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.norm = nn.BatchNorm2d(8)
        self.scale = nn.Parameter(torch.ones(8, 1, 1))

    def forward(self, x: Any) -> Any:
        return x + functional.relu(self.norm(self.conv(x))) * self.scale


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, bias=False)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


def test_layers_have_the_paths_of_their_modules() -> None:
    module = Small()
    arch = ab.from_torch(module, (3, 15, 15)).architecture()
    assert numbers(arch) == counted(module, torch.zeros(1, 3, 15, 15))
    assert {layer.name: (layer.type, layer.params) for layer in arch.layers if layer.params} == {
        "stem": ("Conv2D", 216),
        "blocks.0.conv": ("Conv2D", 152),
        "blocks.0.norm": ("BatchNormalization", 32),
        "blocks.0": ("InPlaceOperation", 8),
        "blocks.1.conv": ("Conv2D", 152),
        "blocks.1.norm": ("BatchNormalization", 32),
        "blocks.1": ("InPlaceOperation", 8),
        "head": ("Dense", 45),
    }
    assert arch.layer("stem").output_shape == (8, 7, 7)
    assert arch.layer("blocks.1.conv").macs == 8 * 2 * 9 * 49
    assert arch.layers[-1].output_shape == (5,)
    assert ab.from_torch(module, [(3, 15, 15)]).architecture().macs == arch.macs
    assert ab.from_torch(module, torch.zeros(4, 3, 15, 15)).architecture().macs == arch.macs


def test_a_module_is_afterwards_what_it_was() -> None:
    module = Small().train()
    module.blocks[0].eval()
    before = {name: part.training for name, part in module.named_modules()}
    statistics = module.blocks[1].norm.running_mean.clone()
    ab.from_torch(module, (3, 15, 15))
    assert {name: part.training for name, part in module.named_modules()} == before
    assert torch.equal(module.blocks[1].norm.running_mean, statistics)
    assert module.blocks[1].norm.num_batches_tracked == 0


def test_frozen_tied_and_unused_weights_are_told_by_the_object() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 8)
            self.inner = nn.Linear(8, 8)
            self.head = nn.Linear(8, 50, bias=False)
            self.head.weight = self.table.weight
            self.aside = nn.Linear(3, 4)
            self.lost = nn.Linear(8, 6)
            self.frozen = nn.Parameter(torch.zeros(8), requires_grad=False)

        def forward(self, words: Any) -> Any:
            x = self.inner(self.inner(self.table(words))) + self.frozen
            self.lost(x)
            return self.head(x)

    module = Words()
    arch = ab.from_torch(module, (7,)).architecture()
    assert numbers(arch) == counted(module, torch.zeros(1, 7, dtype=torch.long))
    assert arch.layer("table").params == 400
    assert arch.layer("table(reverse=True)").macs == 7 * 8 * 50
    assert (arch.layer("aside").type, arch.layer("aside").params) == ("Unused", 16)
    assert (arch.layer("lost").params, arch.layer("lost").macs) == (54, 7 * 8 * 6)
    assert arch.params - arch.trainable_params == 8
    assert sum(layer.name.startswith("inner") for layer in arch.layers) == 2


def test_a_table_that_is_tied_to_a_head_with_a_bias() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 8)
            self.head = nn.Linear(8, 50)
            self.head.weight = self.table.weight

        def forward(self, words: Any) -> Any:
            return self.head(self.table(words))

    module = Words()
    arch = ab.from_torch(module, (7,)).architecture()
    assert numbers(arch) == counted(module, torch.zeros(1, 7, dtype=torch.long))
    assert arch.layer("head").params == 50


def test_products_of_weights_count_where_they_are_computed() -> None:
    class LowRank(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.zeros(6, 2)), nn.Parameter(torch.zeros(2, 9))
            self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(9, 4, 3))

        def forward(self, x: Any) -> Any:
            return self.conv((x @ (self.a @ self.b)).transpose(1, 2))

    module = LowRank()
    assert numbers(ab.from_torch(module, (7, 6)).architecture()) == counted(module, torch.zeros(1, 7, 6))


@pytest.mark.parametrize(
    ("module", "shapes"),
    [
        (nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2), [(7, 16)]),
        (nn.Transformer(16, 4, 2, 2, 32, batch_first=True), [(7, 16), (5, 16)]),
        (nn.Sequential(nn.Unflatten(1, (4, 6)), nn.Conv1d(4, 8, 3, padding="same"), nn.GELU(), nn.Flatten()), [(24,)]),
        (nn.Sequential(nn.ConvTranspose2d(3, 6, 3, 2, 1, 1, 3), nn.PReLU(6), nn.Upsample(scale_factor=2)), [(3, 5, 4)]),
        (nn.Sequential(nn.PixelShuffle(2), nn.InstanceNorm2d(2, affine=True), nn.MaxPool2d(2, 2)), [(8, 3, 3)]),
        (nn.Sequential(nn.Conv3d(2, 4, 2), nn.GroupNorm(2, 4), nn.Hardtanh(0, 6), nn.AvgPool3d(2)), [(2, 5, 5, 5)]),
        (nn.Sequential(nn.RMSNorm(6), nn.GLU(), nn.LayerNorm(3, bias=False), nn.Softmax(-1)), [(5, 6)]),
        (nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(2, 2, 3), nn.AdaptiveMaxPool2d((2, 3)), nn.ELU()), [(2, 6, 6)]),
    ],
    ids=lambda each: "-".join(type(part).__name__ for part in each) if isinstance(each, nn.Sequential) else "",
)  # fmt: skip
def test_modules_of_torch_nn(module: Any, shapes: list[tuple[int, ...]]) -> None:
    arch = ab.from_torch(module, shapes).architecture()
    inputs = [torch.zeros(1, *shape) for shape in shapes]
    assert numbers(arch) == counted(module, *inputs)
    assert arch.layers[-1].output_shape == tuple(module(*inputs).shape[1:])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}])
def test_recurrent_modules(kind: Any, options: dict[str, Any]) -> None:
    with torch.device("meta"):  # There the counter knows what the layers multiply.
        module = kind(4, 6, batch_first=True, **options)
    arch = ab.from_torch(module, (9, 4)).architecture()
    directions = 1 + options.get("bidirectional", False)
    assert arch.params == saved(module)
    matrices = [each for name, each in module.named_parameters() if "weight" in name]
    assert arch.macs == 9 * sum(each.numel() for each in matrices)
    assert (9, 6 * directions) in [layer.output_shape for layer in arch.layers]


def test_several_inputs_and_outputs_and_keywords() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(5, 4)

        def forward(self, left: Any, right: Any) -> dict[str, Any]:
            left, right = self.left(left), self.right(right)
            return {"sum": left + right, "both": [torch.cat([left, right], 1), left]}

    module = Both()
    space = ab.from_torch(module, [(3,), (5,)])
    arch = space.architecture()
    assert numbers(arch) == counted(module, torch.zeros(1, 3), torch.zeros(1, 5))
    assert [layer.type for layer in arch.layers] == ["Input", "Input", "Dense", "Dense", "Add", "Concatenate"]
    given = {"right": torch.zeros(2, 5), "left": torch.zeros(2, 3)}
    assert ab.from_torch(module, given).architecture().macs == arch.macs
    assert ab.from_torch(module, [torch.zeros(2, 3), torch.zeros(2, 5)]).architecture().macs == arch.macs


def test_a_module_that_looks_at_its_values_needs_an_example() -> None:
    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.small, self.large = nn.Linear(4, 2), nn.Linear(4, 900)

        def forward(self, x: Any) -> Any:
            return self.large(x) if x.sum() > 10 else self.small(x)

    module = Looking()
    with pytest.raises(SpaceError, match="give tensors as examples"):
        ab.from_torch(module, (4,))
    small = ab.from_torch(module, torch.zeros(1, 4)).architecture()
    large = ab.from_torch(module, torch.full((1, 4), 9.0)).architecture()
    assert (small.macs, large.macs) == (8, 3600)
    assert small.params == large.params == saved(module)


SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.mark.parametrize("kind", ["BertModel", "GPT2LMHeadModel", "LlamaForCausalLM", "T5EncoderModel", "ViTModel"])
def test_models_of_transformers_have_the_counts_of_their_configurations(kind: str) -> None:
    transformers = pytest.importorskip("transformers", minversion="5")
    made = getattr(transformers, kind)
    config = made.config_class(**SIZES)
    config.use_cache = False
    length = None if kind == "ViTModel" else 12
    arch = ab.from_torch(made(config), (3, 224, 224) if length is None else (length,)).architecture()
    expected = ab.from_huggingface(config, length, architecture=kind).architecture()
    assert (arch.trainable_params, arch.macs) == (expected.params, expected.macs)


def test_products_along_several_axes() -> None:
    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 5, 6))

        def forward(self, x: Any) -> Any:
            return torch.inner(torch.tensordot(x, self.weight, 2), torch.ones(7, 6))

    module = Products()
    arch = ab.from_torch(module, (3, 4, 5)).architecture()
    assert numbers(arch) == counted(module, torch.zeros(1, 3, 4, 5)) == (120, 120, 3 * 120 + 3 * 6 * 7)


def test_all_that_is_not_known_is_named_at_once() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.after = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            square = torch.linalg.matrix_exp(self.first(x).unsqueeze(-1).expand(-1, 4, 4))
            return torch.linalg.inv(self.after(square))

    with pytest.raises(TranslationError) as caught:
        ab.from_torch(Odd(), (4,))
    assert "aten.linalg_matrix_exp" in str(caught.value)
    assert "aten.linalg_inv" in str(caught.value)
    assert len(caught.value.parts) == 2


def test_a_record_is_not_stretched_to_other_shapes() -> None:
    """A layer without a rule of its own refuses inputs that it was not recorded for."""
    from archbudget import layers
    from archbudget.importers._recorded import Operation

    x = layers.Input((5,))
    with pytest.raises(ArchbudgetError, match="it was recorded for inputs of"):
        ab.Space(inputs=x, outputs=Operation("roll", [(4,)], (4,))([x]))


@pytest.mark.parametrize(
    ("module", "inputs", "message"),
    [
        (3, (3,), "from_torch reads a torch.nn.Module, not 3"),
        (nn.Linear, (3,), "from_torch reads a torch.nn.Module"),
        (nn.Linear(3, 3), "x", "inputs are a shape such as"),
        (nn.Linear(3, 3), None, "inputs are a shape such as"),
        (nn.Linear(3, 3), (2**40,), "a side of an input must be an integer"),
        (nn.Linear(3, 3), (0,), "a side of an input must be an integer"),
        (nn.Linear(3, 3), [torch.zeros(2, 3), torch.zeros(3, 3)], "the first axis of each example is the batch"),
        (nn.Linear(3, 3), [torch.zeros(2, 3), (3,)], "inputs are a shape such as"),
        (nn.Linear(3, 3), torch.tensor(1.0), "examples are tensors"),
        (nn.Linear(3, 3), {"input": 3}, "examples are tensors"),
        (nn.Linear(3, 3), (4,), "the module Linear cannot be followed by torch.export"),
        (nn.Linear(3, 3), (2**20, 2**20, 3), "an input has at most 1,073,741,824 values"),
    ],
)
def test_what_cannot_be_read_is_one_line(module: Any, inputs: Any, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        ab.from_torch(module, inputs).architecture()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_there_and_back(kind: str) -> None:
    """What `to_torch` makes of a layer is read with its weights, products and output."""
    rng = Random(f"there and back {kind}")
    made = 0
    for _ in range(60):
        try:
            arch = one_layer_network(kind, *random_any_case(rng, kind))
            with torch.device("meta"):
                module = arch.to_torch()
        except ArchbudgetError:
            continue
        shapes = [layer.output_shape for layer in arch.layers if layer.type == "Input"]
        back = ab.from_torch(module, [*shapes]).architecture()
        # How many values Keras' Normalization has seen is an integer of its module, which is no weight there.
        integers = sum(value.numel() for value in module.buffers() if not value.is_floating_point())
        assert (back.params + integers * (kind == "Normalization"), back.trainable_params, back.macs) == (
            arch.params,
            arch.trainable_params,
            arch.macs,
        )
        assert back.layers[-1].output_shape in arch.layers[-1].output_shapes
        made += 1
        if made == 2:
            break
    assert made > 0


@pytest.mark.parametrize("name", ["lenet", "resnet", "unet", "densenet", "ds_cnn", "vgg", "proxylessnas", "autoformer"])
def test_networks_of_the_shelf_there_and_back(name: str) -> None:
    arch = getattr(ab.spaces, name)().sample(1, seed=0)[0]
    with torch.device("meta"):
        module = arch.to_torch()
    shape = next(layer.output_shape for layer in arch.layers if layer.type == "Input")
    back = ab.from_torch(module, shape).architecture()
    assert (back.params, back.trainable_params, back.macs) == (arch.params, arch.trainable_params, arch.macs)
    assert back.layers[-1].output_shape == arch.layers[-1].output_shape


ZOO = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3"),
    *("maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18"),
    *("resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_16"),
)
"""A network of each family of torchvision."""


@pytest.mark.parametrize("name", ZOO)
def test_networks_of_torchvision(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module = models.get_model(name, **options).to("meta")
    side = 299 if name == "inception_v3" else 224
    arch = ab.from_torch(module, (3, side, side)).architecture()
    assert numbers(arch) == counted(module, torch.zeros(1, 3, side, side, device="meta"))
    paths = {f"{path}.weight" for path in (layer.name for layer in arch.layers)} & set(module.state_dict())
    weights = [key for key, value in module.state_dict().items() if key.endswith(".weight") and value.dim() > 1]
    assert len(paths & set(weights)) > 0.65 * len(weights)  # Swin 2 makes some of its weights by others.


def test_an_unknown_operation_keeps_its_weights_and_its_macs_are_unknown() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = nn.Linear(6, 6), nn.Linear(6, 2)
            self.scale = nn.Parameter(torch.ones(6, 6))

        def forward(self, x: Any) -> Any:
            return self.after(torch.linalg.solve(self.scale, self.before(x)))

    module = Odd()
    arch = ab.from_torch(module, (6, 6), strict=False).architecture()
    assert arch.params == sum(weight.numel() for weight in module.parameters())
    assert arch.macs is None
    assert [arch.layer(name).macs for name in ("before", "linalg_solve", "after")] == [6 * 36, None, 6 * 12]
    assert (arch.layer("linalg_solve").output_shape, arch.layer("linalg_solve").params) == ((6, 6), 36)
    with pytest.raises(SpaceError, match="strict must be True or False, not 1"):
        ab.from_torch(module, (6, 6), strict=1)  # type: ignore[arg-type]
