"""`docs/pytorch.md` says of every module of `torch.nn` what it is here, or why it is not."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from support import module_table
from support.module_table import CHANNELS_FIRST, REASONS, ROWS_OF_MODULES, WORDS, Row


def test_the_table_of_modules_is_up_to_date() -> None:
    text = module_table.PAGE.read_text(encoding="utf-8")
    assert text == module_table.page(text), "write it anew: make derived"


def test_no_module_has_both_an_equivalent_and_a_reason_for_none() -> None:
    assert not set(REASONS) & {module_table.named(row) for row in ROWS_OF_MODULES if "Sequential" not in row.theirs}


def network(row: Row) -> ab.Architecture:
    """What a row says it is here."""
    made = eval(row.ours, {**vars(layers), "channels": ab.channels})
    return ab.Space([layers.Input(row.shape), *(made if isinstance(made, list) else [made])]).architecture()


@pytest.mark.torch
def test_every_module_has_an_equivalent_or_a_reason_for_none() -> None:
    nn = pytest.importorskip("torch.nn")
    modules = {name for name, each in vars(nn).items() if inspect.isclass(each) and issubclass(each, nn.Module)} | {
        "ParameterDict",
        "ParameterList",
    }
    missing = modules - module_table.covered() - set(REASONS)
    assert not missing, "add them to tests/support/module_table.py"


def called(module: Any, row: Row, x: Any) -> Any:
    """What a module makes of an input in the layout of archbudget."""
    if type(module).__name__ == "MultiheadAttention":
        return module(x, x, x)[0]
    first = row.shape in CHANNELS_FIRST
    found = module(x.movedim(-1, 1) if first else x)
    found = found[0] if isinstance(found, tuple) else found
    return found.movedim(1, -1) if first else found


@pytest.mark.torch
@pytest.mark.parametrize("row", ROWS_OF_MODULES, ids=lambda row: row.theirs)
def test_a_module_is_what_its_row_says(row: Row) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    arch = network(row)
    torch.manual_seed(0)
    module = eval(row.theirs, {"nn": torch.nn})
    words = row.shape == WORDS
    x = torch.randint(0, 50, (2, *row.shape)) if words else torch.randn(2, *row.shape)
    called(module.eval(), row, x)  # Those that are lazy make their weights now.
    # In evaluation an attention may be one step that is not counted.
    module.train(type(module).__name__ in ("MultiheadAttention", "TransformerEncoderLayer"))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = called(module, row, x)
    record = arch.layers[-1]
    assert output.shape[1:] == record.output_shape
    assert sum(weight.numel() for weight in module.parameters()) == arch.trainable_params
    buffers = (value.numel() for name, value in module.named_buffers() if not name.endswith("num_batches_tracked"))
    assert sum(buffers) == arch.params - arch.trainable_params
    assert counter.get_total_flops() == 2 * 2 * arch.macs
    made = arch.to_torch().eval()
    assert made(x).shape == output.shape
    state, own = module.eval().state_dict(), made.state_dict()
    if row.note or "ttention" in row.ours:
        return
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    names = [name for name in own if not name.endswith("num_batches_tracked")]
    with torch.no_grad():
        for value in state.values():
            value.uniform_(0.1, 1.0)
        for name, value in zip(names, state.values(), strict=True):
            own[name].copy_(value.reshape(own[name].shape))
    torch.testing.assert_close(made(x), called(module, row, x))


@pytest.mark.torch
def test_a_decoder_layer_of_pytorch_is_made_of_other_layers() -> None:
    nn = pytest.importorskip("torch.nn")
    module = nn.TransformerDecoderLayer(6, 2, 16, batch_first=True)
    target, memory = layers.Input((5, 6)), layers.Input((9, 6))
    x = layers.LayerNormalization()(layers.Add()([target, layers.MultiHeadAttention(2, 3)(target)]))
    x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 3)([x, memory])]))
    wide = layers.Dense(6)(layers.Dense(16, "relu")(x))
    x = layers.LayerNormalization()(layers.Add()([x, wide]))
    arch = ab.Space(inputs=[target, memory], outputs=x).architecture()
    assert arch.params == sum(weight.numel() for weight in module.parameters())
