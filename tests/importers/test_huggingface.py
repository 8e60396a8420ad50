"""Transformers from their configurations: the published sizes, and what is refused. No framework is needed."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

import archbudget as ab
from archbudget.errors import ArchbudgetError, FileError, SpaceError
from archbudget.importers.huggingface import FAMILIES

LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 128000,
    "eos_token_id": [128001, 128008, 128009],
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.42.3",
    "use_cache": True,
    "vocab_size": 128256,
}
"""The file of Llama 3.1 8B."""

PUBLISHED: list[tuple[dict[str, Any], int]] = [
    (LLAMA_8B, 8_030_261_248),
    ({"model_type": "gpt2"}, 124_439_808),
    ({"model_type": "bert"}, 109_482_240),
    ({"model_type": "distilbert"}, 66_362_880),
    ({"model_type": "roberta", "max_position_embeddings": 514, "type_vocab_size": 1}, 124_645_632),
    ({"model_type": "vit", "architectures": ["ViTForImageClassification"], "num_labels": 1000}, 86_567_656),
    ({"model_type": "t5"}, 60_506_624),
    ({"model_type": "mistral", "vocab_size": 32000}, 7_241_732_096),
    ({"model_type": "mixtral"}, 46_702_792_704),
    ({"model_type": "gemma"}, 8_537_680_896),
    ({"model_type": "gemma2"}, 2_614_341_888),
    ({"model_type": "phi3"}, 3_821_079_552),
    ({"model_type": "qwen2_moe"}, 14_315_784_192),
    (
        {  # Flan-T5 small: its head is a matrix of its own.
            "model_type": "t5",
            "d_ff": 1024,
            "num_heads": 6,
            "num_layers": 8,
            "num_decoder_layers": 8,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
            "n_positions": 512,
        },
        76_961_152,
    ),
    (
        {  # Qwen 3 30B A3B.
            "model_type": "qwen3_moe",
            "head_dim": 128,
            "num_hidden_layers": 48,
            "num_key_value_heads": 4,
            "num_experts": 128,
            "moe_intermediate_size": 768,
        },
        30_532_122_624,
    ),
]


@pytest.mark.parametrize(
    ("config", "params"), PUBLISHED, ids=lambda each: each["model_type"] if type(each) is dict else ""
)
def test_the_published_sizes(config: dict[str, Any], params: int) -> None:
    length = None if config["model_type"] == "vit" else 64
    space = ab.from_huggingface(config, length)
    assert space.size == 1
    assert not space.decisions
    arch = space.architecture()
    assert arch.params == arch.trainable_params == params


def test_the_layers_have_the_names_of_the_modules() -> None:
    arch = ab.from_huggingface({**LLAMA_8B, "num_hidden_layers": 1}, 16).architecture()
    assert arch.layer("model.layers.0.self_attn.k_proj").params == 4096 * 1024
    assert arch.layer("model.layers.0.self_attn.k_proj").macs == 16 * 4096 * 1024
    assert arch.layer("model.layers.0.self_attn.attention").macs == 2 * 32 * 128 * 16 * 16
    assert arch.layer("lm_head").output_shape == (16, 128_256)


def test_a_mixture_counts_all_weights_and_the_products_of_the_chosen_experts() -> None:
    arch = ab.from_huggingface({"model_type": "mixtral", "num_hidden_layers": 1}, 10).architecture()
    experts = arch.layer("model.layers.0.mlp.experts")
    assert experts.params == 8 * 3 * 4096 * 14336
    assert experts.macs == 10 * 2 * 3 * 4096 * 14336
    assert arch.layer("model.layers.0.mlp.gate").macs == 10 * 8 * 4096


def test_the_length_of_the_sequence_changes_no_weights() -> None:
    config = {"model_type": "gpt2", "n_positions": 100, "n_layer": 1}
    longest, short = (ab.from_huggingface(config, length).architecture() for length in (None, 50))
    assert longest.layers[0].output_shape == (100,)
    assert short.layers[0].output_shape == (50,)
    assert longest.params == short.params
    attended = [arch.layer("transformer.h.0.attn.attention").macs for arch in (longest, short)]
    assert attended == [2 * 768 * 100 * 100, 2 * 768 * 50 * 50]


@pytest.mark.parametrize("model", ["llama", "phi", "t5", "gemma3_text", "mixtral"])
def test_without_a_length_the_weights_are_known_and_the_products_are_not(model: str) -> None:
    small = {"model_type": model, "num_layers" if model == "t5" else "num_hidden_layers": 1}
    space = ab.from_huggingface(small)
    arch = space.architecture()
    counted = ab.from_huggingface(small, 9).architecture()
    assert (arch.params, arch.macs) == (counted.params, None)
    sides = {layer.name: (9,) for layer in arch.layers if layer.type == "Input"}
    assert space.with_sides(sides if len(sides) > 1 else (9,)).architecture().macs == counted.macs


def test_two_lengths_of_an_encoder_and_a_decoder() -> None:
    arch = ab.from_huggingface({"model_type": "t5", "num_layers": 1}, (30, 7)).architecture()
    assert arch.layer("encoder.block.0.layer.0.SelfAttention.products").macs == 2 * 512 * 30 * 30
    assert arch.layer("decoder.block.0.layer.0.SelfAttention.products").macs == 2 * 512 * 7 * 7
    assert arch.layer("decoder.block.0.layer.1.EncDecAttention.products").macs == 2 * 512 * 7 * 30
    same = ab.from_huggingface({"model_type": "t5", "num_layers": 1}, 9).architecture()
    assert [layer.output_shape for layer in same.layers if layer.type == "Input"] == [(9,), (9,)]


def test_a_file_a_folder_a_text_a_dict_and_an_object_say_the_same(tmp_path: Path) -> None:
    class Configuration:
        def to_dict(self) -> dict[str, Any]:
            return LLAMA_8B

    file = tmp_path / "config.json"
    file.write_text(json.dumps(LLAMA_8B))
    given: list[Any] = [file, str(file), tmp_path, file.read_text(), LLAMA_8B, Configuration()]
    assert {ab.from_huggingface(each, 5).architecture().params for each in given} == {8_030_261_248}


def test_real_networks_are_refused_with_what_works() -> None:
    pytest.importorskip("keras")
    arch = ab.from_huggingface({"model_type": "gpt2", "n_layer": 1}, 8).architecture()
    with pytest.raises(SpaceError, match="AttentionProducts"):
        arch.to_keras()


BASE = {"model_type": "llama", "num_hidden_layers": 1}

REFUSED: list[tuple[Any, str]] = [
    ({}, "model_type=None is not known"),
    ({"model_type": "lama"}, "did you mean llama"),
    ({"model_type": 3}, "model_type=3 is not known; there are bert"),
    ({"model_type": "gemma3", "text_config": {}}, "its text_config can be given by itself"),
    ({**BASE, "hidden_size": "big"}, "hidden_size must be an integer from 1"),
    ({**BASE, "hidden_size": True}, "hidden_size must be an integer"),
    ({**BASE, "hidden_size": 0}, "hidden_size must be an integer"),
    ({**BASE, "hidden_size": 2**40}, "hidden_size must be an integer"),
    ({**BASE, "num_hidden_layers": 10**9}, "num_hidden_layers must be an integer"),
    ({**BASE, "hidden_size": 100}, "hidden_size=100 is no multiple of num_attention_heads=32"),
    ({**BASE, "num_key_value_heads": 5}, "is no multiple of num_key_value_heads=5"),
    ({**BASE, "hidden_act": "prelu"}, "hidden_act='prelu' is not known"),
    ({**BASE, "hidden_act": 3}, "hidden_act=3 is not known"),
    ({**BASE, "attention_bias": "yes"}, "attention_bias must be true or false"),
    ({**BASE, "num_hidden_layer": 3}, "did you mean num_hidden_layers"),
    ({**BASE, "q_lora_rank": 64, "num_nextn_predict_layers": 1}, "q_lora_rank=64, num_nextn_predict_layers=1"),
    ({**BASE, "quantization_config": {"bits": 4}}, "quantization_config is not supported"),
    ({**BASE, "layer_types": ["linear_attention"]}, "linear_attention"),
    ({**BASE, "layer_types": ["full_attention"] * 2}, "for each of the 1 blocks"),
    (
        {**BASE, "architectures": ["LlamaForEverything"]},
        "'LlamaForEverything' is not known; there are LlamaForCausalLM",
    ),
    ({**BASE, "architectures": ["LlamaModel", "LlamaForCausalLM"]}, "must name one class"),
    ({**BASE, "architectures": "LlamaModel"}, "must name one class"),
    ({"model_type": "gpt2", "n_embd": 768, "hidden_size": 512}, "are one option"),
    ({"model_type": "gpt2", "add_cross_attention": True}, "add_cross_attention=True is not supported"),
    ({"model_type": "bert", "position_embedding_type": "relative_key"}, "position_embedding_type"),
    ({"model_type": "bert", "pruned_heads": {"0": [1]}}, "pruned_heads"),
    ({"model_type": "bert", "architectures": ["BertForMaskedLM"], "tie_word_embeddings": False}, "releases of"),
    ({"model_type": "roberta", "pad_token_id": 600}, "leaves no position"),
    ({"model_type": "roberta", "pad_token_id": "x"}, "pad_token_id must be"),
    ({"model_type": "vit", "image_size": [1, 2, 3]}, "image_size must be one or two integers"),
    ({"model_type": "vit", "image_size": 8}, "has no patch"),
    ({"model_type": "vit", "patch_size": 0}, "patch_size must be one or two integers"),
    ({"model_type": "vit", "num_labels": 3, "id2label": {"0": "a"}}, ""),
    ({"model_type": "t5", "n_positions": 5, "feed_forward_proj": "wide-relu"}, "feed_forward_proj='wide-relu'"),
    ({"model_type": "t5", "n_positions": 5, "is_gated_act": True}, "does not agree with feed_forward_proj"),
    ({"model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 3}, "num_experts_per_tok must be"),
    ({"model_type": "qwen3_moe", "num_experts": 2, "num_experts_per_tok": 3}, "num_experts_per_tok=3 of 2"),
    ({"model_type": "qwen3_moe", "mlp_only_layers": [True]}, "mlp_only_layers must be a list of integers"),
    ("{", "is not JSON"),
    ('{"model_type": ' + "[" * 100_000, "nested deeper"),
    (3, "a configuration is given by"),
    (None, "a configuration is given by"),
    ("no/such/config.json", "No such file"),
]


@pytest.mark.parametrize(("config", "message"), REFUSED, ids=lambda each: each[:30] if isinstance(each, str) else "")
def test_what_is_not_known_is_named(config: Any, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        ab.from_huggingface(config, architecture="ViTForImageClassification" if message == "" else None)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [0, -1, 2.5, "8", True, (1, 2), (), 2**40])
def test_a_wrong_length_is_refused(length: Any) -> None:
    with pytest.raises(SpaceError, match="sequence_length must be an integer of at least 1"):
        ab.from_huggingface(BASE, length)


@pytest.mark.parametrize("model", ["gpt2", "bert", "roberta", "distilbert"])
def test_a_learned_position_is_needed_for_each_token(model: str) -> None:
    with pytest.raises(ArchbudgetError, match=r"5,?000"):
        ab.from_huggingface({"model_type": model}, 5000)


def test_a_file_that_is_too_long_or_no_json_is_refused(tmp_path: Path) -> None:
    for content, message in ((b" " * (1 << 23), "at most"), (b"\xff\xfe", "cannot be read"), (b"[]", "object of JSON")):
        file = tmp_path / "config.json"
        file.write_bytes(content)
        with pytest.raises(SpaceError, match=message):
            ab.from_huggingface(file)
    with pytest.raises(FileError, match="No such file"):
        ab.from_huggingface(tmp_path / "none")


def test_options_without_effect_may_be_anything() -> None:
    odd = {
        "torch_dtype": "float16",
        "task_specific_params": {"a": {"num_beams": 4}},
        "_name_or_path": "x/y",
        "auto_map": {},
    }
    config = {**odd, "model_type": "gpt2", "some_dropout": 0.5, "suffix_token_id": 3, "summary_activation": None}
    assert ab.from_huggingface(config, 8).architecture().params == 124_439_808


@pytest.mark.parametrize("model", FAMILIES)
def test_each_size_of_each_family_is_checked(model: str) -> None:
    """Any value of an option is read, or refused in one line."""
    tried = 0
    for name in (
        "num_hidden_layers",
        "hidden_size",
        "vocab_size",
        "num_attention_heads",
        "intermediate_size",
        "head_dim",
    ):
        for value in (-1, 0, 1, 3, 2**31, 2**70, 1.5, "a", [], {}, True):
            given = {"model_type": model, name: value}
            try:
                ab.from_huggingface(given, None if model == "vit" else 4)
            except ArchbudgetError as error:
                tried += 1
                assert "\n" not in str(error)
    assert tried > 20


def test_the_page_prints_what_stands_below_its_examples() -> None:
    page = (Path(__file__).parents[2] / "docs/importing.md").read_text(encoding="utf-8")
    section = page.split("\n## Hugging Face\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    (expected,) = re.findall(r"```text\n(.*?)```", section, flags=re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "docs/importing.md", "exec"), {})
    assert out.getvalue() == expected
    assert all(f"`{model}`" in section for model in FAMILIES)
