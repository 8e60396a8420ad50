"""Transformers from their configurations: layer by layer the weights and the products of the package transformers.

The models are made on the device meta, which holds no values, so they have their real sizes.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import archbudget as ab

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", minversion="5")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

pytestmark = pytest.mark.torch

SMALL = {"num_hidden_layers": 2}
REAL: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", {}),
    "gpt2-xl": ("GPT2LMHeadModel", {"n_embd": 1600, "n_layer": 48, "n_head": 25}),
    "gpt2 untied": ("GPT2LMHeadModel", {"tie_word_embeddings": False, "n_inner": 500, "n_layer": 2}),
    "gpt2 classes": ("GPT2ForSequenceClassification", {"num_labels": 5, "n_layer": 2}),
    "gpt2 base": ("GPT2Model", {"n_layer": 2}),
    "llama 2 7B": ("LlamaForCausalLM", {}),
    "llama 3.2 1B": (
        "LlamaForCausalLM",
        {
            "vocab_size": 128_256,
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 16,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "tie_word_embeddings": True,
            "max_position_embeddings": 131_072,
        },
    ),
    "llama biases": ("LlamaForCausalLM", {**SMALL, "attention_bias": True, "mlp_bias": True, "num_key_value_heads": 1}),
    "llama base": ("LlamaModel", SMALL),
    "llama classes": ("LlamaForSequenceClassification", {**SMALL, "num_labels": 3}),
    "llama tokens": ("LlamaForTokenClassification", {**SMALL, "num_labels": 3}),
    "mistral 7B": ("MistralForCausalLM", {}),
    "mistral nemo": ("MistralForCausalLM", {**SMALL, "hidden_size": 5120, "head_dim": 128}),
    "mixtral 8x7B": ("MixtralForCausalLM", {}),
    "mixtral tied": ("MixtralForCausalLM", {**SMALL, "num_local_experts": 5, "tie_word_embeddings": True}),
    "qwen2": ("Qwen2ForCausalLM", {**SMALL, "num_key_value_heads": 4}),
    "qwen2 0.5B": (
        "Qwen2ForCausalLM",
        {
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        },
    ),
    "qwen2 moe": ("Qwen2MoeForCausalLM", {}),
    "qwen2 moe steps": (
        "Qwen2MoeForCausalLM",
        {"num_hidden_layers": 4, "decoder_sparse_step": 2, "mlp_only_layers": [3], "qkv_bias": False},
    ),
    "qwen3": ("Qwen3ForCausalLM", {**SMALL, "num_key_value_heads": 8, "attention_bias": True}),
    "qwen3 moe": ("Qwen3MoeForCausalLM", {}),
    "qwen3 moe 30B": (
        "Qwen3MoeForCausalLM",
        {"num_hidden_layers": 48, "head_dim": 128, "num_key_value_heads": 4, "mlp_only_layers": [0, 1]},
    ),
    "gemma": ("GemmaForCausalLM", {}),
    "gemma 2B": (
        "GemmaForCausalLM",
        {
            "hidden_size": 2048,
            "intermediate_size": 16_384,
            "num_hidden_layers": 18,
            "num_attention_heads": 8,
            "num_key_value_heads": 1,
        },
    ),
    "gemma 2": ("Gemma2ForCausalLM", {}),
    "gemma 3": ("Gemma3ForCausalLM", {}),
    "gemma 3 base": ("Gemma3TextModel", SMALL),
    "phi": ("PhiForCausalLM", {}),
    "phi norms": ("PhiForCausalLM", {**SMALL, "qk_layernorm": True, "num_key_value_heads": 8}),
    "phi base": ("PhiModel", SMALL),
    "phi3": ("Phi3ForCausalLM", {}),
    "phi3 shared": ("Phi3ForCausalLM", {**SMALL, "num_key_value_heads": 8, "tie_word_embeddings": True}),
    "bert": ("BertModel", {}),
    "bert words": ("BertForMaskedLM", {}),
    "bert both": ("BertForPreTraining", SMALL),
    "bert classes": ("BertForSequenceClassification", {**SMALL, "num_labels": 4}),
    "bert tokens": ("BertForTokenClassification", SMALL),
    "bert answers": ("BertForQuestionAnswering", SMALL),
    "roberta": ("RobertaModel", {"max_position_embeddings": 514, "type_vocab_size": 1}),
    "roberta words": ("RobertaForMaskedLM", {"max_position_embeddings": 514, "type_vocab_size": 1}),
    "roberta classes": ("RobertaForSequenceClassification", SMALL),
    "distilbert": ("DistilBertModel", {}),
    "distilbert words": ("DistilBertForMaskedLM", {}),
    "distilbert untied": ("DistilBertForMaskedLM", {"tie_word_embeddings": False}),
    "distilbert classes": ("DistilBertForSequenceClassification", {"num_labels": 3}),
    "vit": ("ViTModel", {}),
    "vit classes": ("ViTForImageClassification", {"num_labels": 1000}),
    "vit large": (
        "ViTForImageClassification",
        {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "patch_size": 32,
            "image_size": 384,
            "qkv_bias": False,
        },
    ),
    "vit wide": ("ViTModel", {**SMALL, "image_size": [224, 160], "patch_size": [16, 32], "pooler_output_size": 100}),
    "t5 small": ("T5ForConditionalGeneration", {}),
    "t5 base": ("T5Model", {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12}),
    "t5 gated": (
        "T5ForConditionalGeneration",
        {"feed_forward_proj": "gated-gelu", "d_kv": 32, "num_layers": 2, "num_decoder_layers": 3},
    ),
    "t5 encoder": ("T5EncoderModel", {"num_layers": 2}),
}


def real_of(architecture: str, options: dict[str, Any]) -> Any:
    kind = getattr(transformers, architecture)
    with torch.device("meta"):
        return kind(kind.config_class(**options)).eval()


def weights_of(module: Any) -> Counter[str]:
    """How many numbers the weights of each module are; the ones of two modules count for the first."""
    counts: Counter[str] = Counter()
    for name, weight in module.named_parameters():  # Each object once.
        owner, _, kind = name.rpartition(".")
        counts[owner if kind in ("weight", "bias", "gate_up_proj", "down_proj") else name] += weight.numel()
    return counts


@pytest.mark.parametrize("name", REAL)
def test_the_weights_of_each_layer_are_those_of_transformers(name: str) -> None:
    architecture, options = REAL[name]
    real = real_of(architecture, options)
    config = {**real.config.to_dict(), "architectures": [architecture]}
    arch = ab.from_huggingface(config, None if config["model_type"] == "vit" else 8).architecture()
    found = {layer.name.partition("(")[0]: layer.params for layer in arch.layers if layer.params}
    assert found == weights_of(real)
    assert arch.params == arch.trainable_params == sum(weight.numel() for weight in real.parameters())
    # The object of transformers, and what its file has of it, which leaves out the defaults, say the same.
    by_object = ab.from_huggingface(real.config, arch_length(arch), architecture=architecture)
    assert by_object.architecture().params == arch.params
    file = {**real.config.to_diff_dict(), "model_type": config["model_type"], "architectures": [architecture]}
    assert ab.from_huggingface(file, arch_length(arch)).architecture().params == arch.params


def arch_length(arch: ab.Architecture) -> int | None:
    shape = arch.layers[0].output_shape
    return None if len(shape) == 3 else shape[0]


TINY = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "max_position_embeddings": 64,
}
FOREIGN = {name: TINY[name] for name in TINY if name != "intermediate_size"}
IMAGES = {name: TINY[name] for name in TINY if name not in ("vocab_size", "max_position_embeddings")}
GROUPED = {**TINY, "num_key_value_heads": 2, "head_dim": 24, "pad_token_id": 0, "eos_token_id": 1}
COUNTED: dict[str, dict[str, Any]] = {
    "GPT2LMHeadModel": FOREIGN,
    "GPT2Model": FOREIGN,
    "GPT2ForSequenceClassification": {**FOREIGN, "pad_token_id": 0},
    "LlamaForCausalLM": GROUPED,
    "LlamaForSequenceClassification": {**GROUPED, "num_labels": 7},
    "MistralForCausalLM": {**GROUPED, "sliding_window": 8},
    "MixtralForCausalLM": {**GROUPED, "num_local_experts": 5},
    "Qwen2ForCausalLM": {**TINY, "num_key_value_heads": 2},
    "Qwen2MoeForCausalLM": {**TINY, "num_key_value_heads": 2, "moe_intermediate_size": 40, "decoder_sparse_step": 2},
    "Qwen3ForCausalLM": GROUPED,
    "Qwen3MoeForCausalLM": {**GROUPED, "num_experts": 6, "num_experts_per_tok": 3, "mlp_only_layers": [1]},
    "GemmaForCausalLM": GROUPED,
    "Gemma2ForCausalLM": GROUPED,
    "Gemma3ForCausalLM": GROUPED,
    "PhiForCausalLM": {**TINY, "num_key_value_heads": 2, "qk_layernorm": True},
    "Phi3ForCausalLM": {**TINY, "num_key_value_heads": 2, "pad_token_id": 0, "eos_token_id": 1},
    "BertModel": TINY,
    "BertForMaskedLM": TINY,
    "BertForPreTraining": TINY,
    "BertForSequenceClassification": {**TINY, "num_labels": 9},
    "BertForTokenClassification": TINY,
    "BertForQuestionAnswering": TINY,
    "RobertaModel": TINY,
    "RobertaForMaskedLM": TINY,
    "RobertaForSequenceClassification": TINY,
    "RobertaForTokenClassification": TINY,
    "DistilBertForMaskedLM": FOREIGN,
    "DistilBertForSequenceClassification": FOREIGN,
    "DistilBertForQuestionAnswering": FOREIGN,
    "ViTModel": {**IMAGES, "pooler_output_size": 30, "image_size": [64, 50]},
    "ViTForImageClassification": IMAGES,
    "T5ForConditionalGeneration": {
        "d_model": 64,
        "d_kv": 12,
        "num_heads": 3,
        "vocab_size": 50,
        "num_decoder_layers": 2,
    },
    "T5Model": {"feed_forward_proj": "gated-silu", "d_model": 64, "d_ff": 100},
    "T5EncoderModel": {"d_model": 64, "d_ff": 100},
}


@pytest.mark.parametrize("architecture", COUNTED)
def test_the_products_are_those_that_pytorch_counts(architecture: str) -> None:
    length = 24
    kind = getattr(transformers, architecture)
    real = kind(kind.config_class(**COUNTED[architecture])).eval()
    # Experts one after the other: the counter does not know the kernel that runs all of them.
    real.set_experts_implementation("eager") if "Moe" in architecture or "Mixtral" in architecture else None
    config = {**real.config.to_dict(), "architectures": [architecture]}
    lengths: Any = length
    if config["model_type"] == "vit":
        image = real.config.image_size
        sides = image if isinstance(image, list) else [image, image]
        given, lengths = {"pixel_values": torch.rand(1, 3, *sides)}, None
    else:
        given = {"input_ids": torch.randint(2, 50, (1, length))}
        if config["model_type"] == "t5" and "Encoder" not in architecture:
            lengths = (length, 9)
            given["decoder_input_ids"] = torch.randint(2, 50, (1, 9))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        real(**given)
    counted = ab.from_huggingface(config, lengths).architecture()
    assert counted.params == sum(weight.numel() for weight in real.parameters())
    assert counter.get_total_flops() == 2 * counted.macs
