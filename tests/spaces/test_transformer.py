"""Language models: published numbers of weights, their configurations in Hugging Face, and sizes that are decisions."""

from __future__ import annotations

from typing import Any

import pytest

import archbudget as ab
from archbudget.errors import ArchbudgetError

PUBLISHED = {
    "gemma_2_2b": 2_614_341_888,
    "gemma_2b": 2_506_172_416,
    "gpt2": 124_439_808,
    "gpt2_large": 774_030_080,
    "gpt2_medium": 354_823_168,
    "gpt2_xl": 1_557_611_200,
    "llama_2_7b": 6_738_415_616,
    "llama_3_2_1b": 1_235_814_400,
    "llama_3_8b": 8_030_261_248,
    "mistral_7b": 7_241_732_096,
    "mixtral_8x7b": 46_702_792_704,
    "qwen2_0_5b": 494_032_768,
    "qwen3_0_6b": 596_049_920,
    "qwen3_30b_a3b": 30_532_122_624,
    "qwen3_8b": 8_190_735_360,
}
"""The numbers of weights on the models' pages."""

MODELS = {
    "gemma_2_2b": "gemma2", "gemma_2b": "gemma", "gpt2": "gpt2", "gpt2_large": "gpt2", "gpt2_medium": "gpt2",
    "gpt2_xl": "gpt2", "llama_2_7b": "llama", "llama_3_2_1b": "llama", "llama_3_8b": "llama", "mistral_7b": "mistral",
    "mixtral_8x7b": "mixtral", "qwen2_0_5b": "qwen2", "qwen3_0_6b": "qwen3", "qwen3_30b_a3b": "qwen3_moe",
    "qwen3_8b": "qwen3",
}  # fmt: skip
LENGTH = 16


def configuration(given: dict[str, Any], model: str) -> dict[str, Any]:
    """What Hugging Face calls the arguments."""
    if model == "gpt2":
        return {
            "model_type": model, "n_embd": given["width"], "n_layer": given["depth"], "n_head": given["heads"],
            "n_positions": LENGTH,
        }  # fmt: skip
    named = {
        "hidden_size": given["width"],
        "num_hidden_layers": given["depth"],
        "num_attention_heads": given["heads"],
        "num_key_value_heads": given.get("kv_heads", given["heads"]),
        "intermediate_size": given["units"],
        "vocab_size": given["vocabulary"],
        "tie_word_embeddings": given.get("tied", True),
        "head_dim": given.get("head_dim"),
        "num_experts" if model == "qwen3_moe" else "num_local_experts": given.get("experts"),
        "num_experts_per_tok": given.get("experts_per_token"),
    }
    if model == "qwen3_moe":
        named["moe_intermediate_size"] = given["units"]
    return {"model_type": model, **{name: value for name, value in named.items() if value is not None}}


@pytest.mark.parametrize("name", ab.spaces.TRANSFORMERS)
def test_presets_have_the_published_weights_and_the_costs_of_their_configurations(name: str) -> None:
    given = ab.spaces.TRANSFORMERS[name]
    assert ab.spaces.transformer(**given).architecture().params == PUBLISHED[name]
    short = ab.spaces.transformer(**given, context=LENGTH).architecture()
    config = configuration(dict(given), MODELS[name])
    theirs = ab.from_huggingface(config, sequence_length=LENGTH).architecture()
    assert (short.params, short.macs) == (theirs.params, theirs.macs)


def test_sizes_that_are_decisions_meet_their_conditions() -> None:
    space = ab.spaces.transformer()
    rows = [dict(arch) for arch in space.sample(50, seed=0)]
    assert all(row["width"] % row["heads"] == 0 and row["heads"] % row["kv_heads"] == 0 for row in rows)
    for row in rows[:10]:
        sizes = {key: row[key] for key in ("width", "depth", "heads", "kv_heads")}
        alone = ab.spaces.transformer(**sizes, units=row["width"] * row["ratio"]).architecture()
        there = space.architecture(row)
        assert (alone.params, alone.macs) == (there.params, there.macs)
    pairs = sum(heads % shared == 0 for heads in (4, 8, 16, 32) for shared in (1, 2, 4, 8))
    assert space.size == 7 * 8 * pairs * 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"positions": "rotery"}, "positions must be one of .* not 'rotery'"),
        ({"norm": "batch"}, "norm must be one of rms, layer, not 'batch'"),
        ({"latent": {"kv_lora_rank": 4}, "kv_heads": 2}, "latent has heads and positions of its own"),
        ({"width": 30, "heads": 4}, "30 features cannot be divided by 4 heads"),
        ({"vocabulary": 0}, "input_dim"),
    ],
)
def test_bad_input_is_one_line(given: dict[str, Any], message: str) -> None:
    small = {"width": 32, "depth": 2, "heads": 4, "units": 64, "vocabulary": 50, "context": 8}
    with pytest.raises(ArchbudgetError, match=message) as caught:
        ab.spaces.transformer(**{**small, **given})
    assert "\n" not in str(caught.value)
