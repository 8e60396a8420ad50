"""Small odd modules of PyTorch: shared, tied, frozen, parametrised, in place, with views, branches, experts, types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import archbudget as ab
from archbudget.errors import SpaceError, TranslationError

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.utils import parametrizations  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.torch


class Made(nn.Module):
    """A module of parts, and a function that is called with it and its inputs."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def weight(*sides: int, **options: Any) -> Any:
    return nn.Parameter(torch.zeros(sides, **options))


def saved(module: Any) -> list[Any]:
    """The floating-point values of a state dict, each object once."""
    values = {id(value): value for value in module.state_dict(keep_vars=True).values()}
    return [value for value in values.values() if isinstance(value, torch.Tensor) and value.is_floating_point()]


def shared() -> Any:
    one, other = nn.Linear(8, 8), nn.Linear(8, 8)
    other.weight = one.weight
    return Made(lambda m, x: m.c(m.b(m.a(x))), a=one, b=one, c=other)


def in_place(m: Any, x: Any) -> Any:
    y = m.a(x)
    y.add_(1).mul_(2)
    y[:, 0] = 0
    flat = y.view(1, -1)
    flat += 1
    return functional.relu_(y)


def frozen() -> Any:
    module = Made(lambda m, x: m.n(m.l(x)), l=nn.Linear(8, 4), n=nn.BatchNorm1d(4).requires_grad_(False))
    module.l.weight.requires_grad_(False)
    return module


def not_saved() -> Any:
    module = Made(lambda m, x: m.l(x * m.a + m.b), l=nn.Linear(8, 4), b=torch.ones(8), n=torch.ones(3).long())
    module.register_buffer("a", torch.ones(8), persistent=False)
    return module


def looped(m: Any, x: Any) -> Any:
    for _ in range(5):
        x = m.l(x).tanh()
    return x


def listed(m: Any, x: Any) -> Any:
    for each in m.w:
        x = x @ each
    return x * m.d["a"]


def low_rank(m: Any, x: Any) -> Any:
    return functional.linear(x, m.l.weight + m.a @ m.b, m.l.bias)


def viewed(m: Any, x: Any) -> Any:
    heads = m.l(x.view(1, 6, 2, 4).transpose(1, 2))
    first, second = heads[:, :, ::2].contiguous().flatten(1).chunk(2, 1)
    return torch.cat([second, first], 1)


def stepped(m: Any, x: Any) -> Any:
    state = torch.zeros(1, 5)
    for step in range(12):
        state = m.cell(x[:, step], state)
    return state


def dynamic_kernel(m: Any, x: Any) -> Any:
    return functional.conv2d(x, m.l(x.mean((2, 3))).view(4, 3, 3, 3), padding=1)


def of_weights_alone(m: Any, x: Any) -> Any:
    keys = m.k(m.p)
    return (x[:, None] @ m.l(keys).t()).softmax(-1) @ keys


def in_half_precision(m: Any, x: Any) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return m.l(m.c(x).mean((2, 3)))


def without_gradients(m: Any, x: Any) -> Any:
    with torch.no_grad():
        x = m.l(x)
    return m.k(x)


def unread(m: Any, x: Any) -> Any:
    _ = m.w @ m.w
    return m.l(x)


def experts(*of: Any, **more: Any) -> Any:
    return {"g": nn.Linear(8, 4), "e": nn.ModuleList([nn.Sequential(*of) for _ in range(4)]), **more}


def dense_experts(m: Any, x: Any) -> Any:
    shares = m.g(x).softmax(-1)
    hidden = torch.einsum("bnd,edf->bnef", x, m.w).relu()
    return (torch.einsum("bnef,efd->bned", hidden, m.v) * shares[..., None]).sum(2)


def grouped(m: Any, x: Any) -> Any:
    return m.d(m.c(x))


def of_three(m: Any, x: Any) -> Any:
    return torch.linalg.multi_dot([x[0], m.a, m.b])[None]


def side_by_side(m: Any, x: Any) -> Any:
    y = torch.cat([x, x.flip(-1)], 0)
    return m.c(y).mean(0, keepdim=True)


Spec = tuple[Any, Any]
MODULES: dict[str, Callable[[], Spec]] = {
    "one layer three times, one weight in two": lambda: (shared(), (8,)),
    "in place": lambda: (Made(in_place, a=nn.Conv2d(3, 6, 3)), (3, 8, 8)),
    "tied under another name": lambda: (
        Made(lambda m, x: m.e(x.long()) @ m.p.t(), e=(e := nn.Embedding(30, 8)), p=e.weight),
        (7,),
    ),
    "buffers that are not saved": lambda: (not_saved(), (8,)),
    "frozen": lambda: (frozen(), (8,)),
    "lists of parameters": lambda: (
        Made(listed, w=nn.ParameterList([weight(8, 8) for _ in range(3)]), d=nn.ParameterDict({"a": weight(8)})),
        (8,),
    ),
    "nested": lambda: (
        nn.Sequential(nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8))), nn.Identity(), nn.Sequential()),
        (8,),
    ),
    "weight norm": lambda: (nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 6, 3)), nn.ReLU()), (3, 8, 8)),
    "low rank beside": lambda: (
        Made(
            lambda m, x: m.l(x) + m.b(m.a(x)) * 0.5,
            l=nn.Linear(8, 8).requires_grad_(False),
            a=nn.Linear(8, 2, bias=False),
            b=nn.Linear(2, 8, bias=False),
        ),
        (8,),
    ),
    "low rank within": lambda: (Made(low_rank, l=nn.Linear(8, 8), a=weight(8, 2), b=weight(2, 8)), (8,)),
    "grouped transposed": lambda: (
        Made(
            grouped,
            c=nn.ConvTranspose2d(6, 9, 3, stride=2, groups=3, output_padding=1, dilation=2),
            d=nn.ConvTranspose2d(9, 3, (2, 3), padding=1, groups=3, bias=False),
        ),
        (6, 5, 5),
    ),
    "in a loop": lambda: (Made(looped, l=nn.Linear(8, 8)), (8,)),
    "views": lambda: (Made(viewed, l=nn.Linear(4, 4)), (6, 8)),
    "a cell": lambda: (Made(stepped, cell=nn.GRUCell(6, 5)), (12, 6)),
    "a bag": lambda: (Made(lambda m, x: m.l(m.e(x.long())), e=nn.EmbeddingBag(50, 4), l=nn.Linear(4, 2)), (20,)),
    "unfolded": lambda: (Made(lambda m, x: m.w @ functional.unfold(x, 3), w=weight(4, 27)), (3, 9, 9)),
    "a kernel from data": lambda: (Made(dynamic_kernel, l=nn.Linear(3, 108)), (3, 9, 9)),
    "statistics": lambda: (
        nn.Sequential(
            nn.BatchNorm2d(3, track_running_stats=False),
            nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
            nn.GroupNorm(3, 3, affine=False),
            nn.BatchNorm2d(3, affine=False),
        ),
        (3, 9, 9),
    ),
    "several in a batch": lambda: (Made(side_by_side, c=nn.Conv2d(3, 4, 3)), (3, 9, 9)),
    "autocast": lambda: (Made(in_half_precision, c=nn.Conv2d(3, 4, 3), l=nn.Linear(4, 2)), (3, 9, 9)),
    "half": lambda: (
        Made(lambda m, x: m.b(m.a(x.half()).float()), a=nn.Linear(8, 8).half(), b=nn.Linear(8, 4)),
        (8,),
    ),
    "types of three": lambda: (
        Made(
            lambda m, x: m.n(m.c(x.bfloat16()).float()),
            c=nn.Conv2d(3, 4, 3).bfloat16(),
            n=nn.BatchNorm2d(4),
            never=nn.Linear(5, 5).double(),
        ),
        (3, 6, 6),
    ),
    "quantised for training": lambda: (
        Made(
            lambda m, x: functional.linear(x, torch.fake_quantize_per_tensor_affine(m.l.weight, 0.1, 0, -128, 127)),
            l=nn.Linear(8, 8, bias=False),
            scale=torch.tensor(0.1),
        ),
        (8,),
    ),
    "a token in front": lambda: (
        Made(lambda m, x: m.l(torch.cat([m.t.expand(1, 3, 8), x[:, None]], 1)), t=weight(1, 1, 8), l=nn.Linear(8, 8)),
        (8,),
    ),
    "products of weights alone": lambda: (
        Made(of_weights_alone, p=weight(5, 8), l=nn.Linear(8, 8), k=nn.Linear(8, 8)),
        (8,),
    ),
    "products that nothing reads": lambda: (Made(unread, w=weight(8, 8), l=nn.Linear(8, 8)), (8,)),
    "several outputs": lambda: (
        Made(lambda m, x: {"a": m.l(x), "b": [m.k(x), None]}, l=nn.Linear(8, 8), k=nn.Linear(8, 2)),
        (8,),
    ),
    "layers that are never called": lambda: (
        Made(lambda m, x: m.l(x), l=nn.Linear(8, 8), never=nn.Linear(9, 9), norm=nn.BatchNorm1d(5)),
        (8,),
    ),
    "halves of one weight": lambda: (
        Made(lambda m, x: functional.linear(functional.linear(x, m.w[:8]), m.w[8:]), w=weight(16, 8)),
        (8,),
    ),
    "no gradients": lambda: (Made(without_gradients, l=nn.Linear(8, 8), k=nn.Linear(8, 4)), (8,)),
    "functions for each of a batch": lambda: (
        Made(lambda m, x: torch.vmap(m.l)(x) + x, l=nn.Linear(8, 8)),
        (4, 8),
    ),
    "an operation of others": lambda: (Made(of_three, a=weight(8, 3), b=weight(3, 9)), (8, 8)),
    "experts of which all are asked": lambda: (
        Made(dense_experts, g=nn.Linear(8, 4), w=weight(4, 8, 16), v=weight(4, 16, 8)),
        (10, 8),
    ),
    "attention with fewer keys": lambda: (
        Made(
            lambda m, x: functional.scaled_dot_product_attention(
                m.l(x)[:, None].expand(1, 4, 9, 8), *(m.l(x)[:, None].expand(1, 2, 9, 8),) * 2, enable_gqa=True
            ),
            l=nn.Linear(8, 8),
        ),
        (9, 8),
    ),
}


def expected(module: Any, *inputs: Any) -> tuple[int, int, int, int]:
    """Trained and all weights, multiply-accumulates, and the bytes of the weights, as PyTorch has them."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(*inputs)
    torch.backends.mha.set_fastpath_enabled(fast)
    trained = {id(each): each.numel() for each in module.parameters() if each.requires_grad}
    values = saved(module)
    numbers = sum(value.numel() for value in values), counter.get_total_flops() // 2
    return sum(trained.values()), *numbers, sum(value.numel() * value.element_size() for value in values)


def counted(space: ab.Space) -> tuple[int, int, int | None, int]:
    arch = space.architecture()
    return arch.trainable_params, arch.params, arch.macs, arch.weight_bytes


@pytest.mark.parametrize("name", MODULES)
def test_an_odd_module_has_the_counts_of_pytorch(name: str) -> None:
    module, shape = MODULES[name]()
    example = torch.rand(1, *shape)
    assert counted(ab.from_torch(module, shape)) == expected(module, example)
    assert counted(ab.from_torch(module, example)) == expected(module, example)


def routed(m: Any, x: Any) -> Any:
    flat = x.reshape(-1, 8)
    shares, chosen = m.g(flat).softmax(-1).topk(2)
    made = torch.zeros_like(flat)
    for number, expert in enumerate(m.e):
        rows, places = torch.where(chosen == number)
        made.index_add_(0, rows, expert(flat[rows]) * shares[rows, places, None])
    return made.view_as(x)


def masked(m: Any, x: Any) -> Any:
    flat = x.reshape(-1, 8)
    shares, chosen = m.g(flat).topk(1)
    made = torch.zeros_like(flat)
    for number, expert in enumerate(m.e):
        taken = (chosen == number).any(-1)
        if taken.any():
            made[taken] += shares[taken] * expert(flat[taken])
    return made.view_as(x)


def branched(m: Any, x: Any) -> Any:
    return m.l(x) if x.sum() > 0 else m.k(x)


def as_often_as_it_says(m: Any, x: Any) -> Any:
    for _ in range(int(x.sum().item()) % 3 + 1):
        x = m.l(x)
    return x


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: Made(routed, **experts(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))), (10, 8)),
        (lambda: Made(masked, **experts(nn.Linear(8, 8))), (10, 8)),
        (lambda: Made(masked, **experts(nn.Linear(8, 8))), (1, 8)),  # Some experts get no token.
        (lambda: Made(branched, l=nn.Linear(8, 8), k=nn.Linear(8, 3)), (8,)),
        (lambda: Made(as_often_as_it_says, l=nn.Linear(8, 8)), (8,)),
    ],
)
def test_a_module_that_goes_where_values_lead_is_followed_on_an_example(make: Any, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    module, example = make(), torch.rand(1, *shape)
    assert counted(ab.from_torch(module, example)) == expected(module, example)
    with pytest.raises(SpaceError, match="Where it looks at values, give tensors as examples"):
        ab.from_torch(module, shape)


def test_bilinear_layers() -> None:
    arch = ab.from_torch(nn.Bilinear(8, 7, 5), [(8,), (7,)]).architecture()
    assert (arch.params, arch.macs) == (5 * 8 * 7 + 5, 5 * (8 * 7 + 7))
    torch.manual_seed(0)
    with FlopCounterMode(display=False) as counter:
        torch.einsum("bj,bkj->bk", torch.rand(1, 7), torch.einsum("bi,kij->bkj", torch.rand(1, 8), torch.rand(5, 8, 7)))
    assert arch.macs == counter.get_total_flops() // 2


def test_spectral_norm_multiplies_vectors_with_its_weight() -> None:
    """The counter of PyTorch does not know products of vectors."""
    arch = ab.from_torch(parametrizations.spectral_norm(nn.Linear(8, 6)), (8,)).architecture()
    assert (arch.params, arch.trainable_params) == (48 + 6 + 6 + 8, 48 + 6)
    assert arch.macs == 48 + (48 + 6)


def quantised() -> Any:
    layers = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    return torch.ao.quantization.quantize_dynamic(layers, {nn.Linear}, dtype=torch.qint8)


def in_eight_bits(values: Any) -> Any:
    return torch.quantize_per_tensor(values, 1, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (quantised, {"0._packed_params._packed_params", "2._packed_params._packed_params"}),
        (
            lambda: Made(
                lambda m, x: x * m.w.dequantize(), w=torch.quantize_per_tensor(torch.ones(8), 1, 0, torch.qint8)
            ),
            {"w"},
        ),
    ],
)
def test_packed_weights_are_refused_by_name(make: Any, parts: set[str], strict: bool) -> None:
    """They are in no list of parameters, so that they would count as nothing."""
    with pytest.raises(TranslationError, match="export it to ONNX, which from_onnx reads") as caught:
        ab.from_torch(make(), (8,), strict)
    assert parts <= {name for name, _, _ in caught.value.parts}


def test_tensors_of_tensors_are_refused() -> None:
    """Such as those of torchao, whose weights have other bits than they say."""
    from torch.testing._internal.two_tensor import TwoTensor

    module = nn.Linear(3, 3)
    module.weight = nn.Parameter(TwoTensor(torch.zeros(3, 3), torch.zeros(3, 3)))
    with pytest.raises(TranslationError, match="'weight' .TwoTensor.: tensors made of others are not read"):
        ab.from_torch(module, (3,))


def test_what_is_not_known_of_odd_modules_is_named_at_once() -> None:
    def forward(m: Any, x: Any) -> Any:
        y = torch.linalg.solve(torch.eye(8) + m.l(x), x)
        return torch.cond(x.sum() > 0, lambda each: m.l(each), lambda each: m.k(each), (y.contiguous(),))

    with pytest.raises(TranslationError) as caught:
        ab.from_torch(Made(forward, l=nn.Linear(8, 8), k=nn.Linear(8, 8)), (8, 8))
    assert "aten.linalg_solve" in str(caught.value)
    assert "cond" in str(caught.value)


def test_a_graph_that_lacks_products_is_not_taken() -> None:
    """What `torch.func` transforms may be missing in a graph; the module is run beside it, and its products counted."""
    from archbudget.importers.torch._trace import at_inference, followed
    from archbudget.importers.torch._translate import Translator

    module = Made(lambda m, x: m.l(x), l=nn.Linear(8, 8))
    with at_inference(module):
        traced = followed(module, (torch.zeros(1, 8),), {})
        assert traced.products == 64
        assert Translator(module, traced).space().architecture().macs == 64
        traced.products = 65
        with pytest.raises(SpaceError, match="its graph lacks multiply-accumulates"):
            Translator(module, traced).space()
