"""Transformers from their configurations, which are plain JSON: neither PyTorch nor transformers is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget._guard import guarded
from archbudget._message import hint, listed, show
from archbudget.errors import SpaceError
from archbudget.importers._refusals import LARGEST_SIDE
from archbudget.importers.huggingface._config import Config, read_config
from archbudget.importers.huggingface._decoders import DECODERS, gpt2, llama, phi
from archbudget.importers.huggingface._encoders import bert, distilbert, roberta, vit
from archbudget.importers.huggingface._t5 import t5
from archbudget.space.space import Space

if TYPE_CHECKING:
    import os

__all__ = ["from_huggingface"]

Build = Callable[[Config, str, Any], tuple[list[Any], Any]]


class Family(NamedTuple):
    """The models of one `model_type`."""

    build: Build
    """Makes inputs and outputs of a configuration, a head and the length of a sequence."""
    heads: dict[str, str]
    """The heads by the names of the classes in transformers, the usual one first."""
    pair: bool = False
    """Whether there are two sequences."""


def _heads(stem: str, *heads: str, base: str | None = None) -> dict[str, str]:
    return {**{f"{stem}For{head}": head for head in heads}, f"{stem if base is None else base}Model": "base"}


_READERS = {
    "llama": "Llama",
    "mistral": "Mistral",
    "mixtral": "Mixtral",
    "qwen2": "Qwen2",
    "qwen2_moe": "Qwen2Moe",
    "qwen3": "Qwen3",
    "qwen3_moe": "Qwen3Moe",
    "gemma": "Gemma",
    "gemma2": "Gemma2",
    "phi3": "Phi3",
}
_BEHIND_BERT = ("MaskedLM", "SequenceClassification", "TokenClassification", "QuestionAnswering")


def _llama(model: str) -> Build:
    return lambda config, head, positions: llama(config, DECODERS[model], head, positions)


FAMILIES = {
    "bert": Family(bert, {"BertModel": "base", **_heads("Bert", *_BEHIND_BERT, "PreTraining")}),
    "distilbert": Family(distilbert, {"DistilBertModel": "base", **_heads("DistilBert", *_BEHIND_BERT)}),
    "gemma3_text": Family(
        _llama("gemma3_text"),
        {
            "Gemma3ForCausalLM": "CausalLM",
            "Gemma3TextForSequenceClassification": "SequenceClassification",
            "Gemma3TextModel": "base",
        },
    ),
    "gpt2": Family(
        gpt2,
        {"GPT2LMHeadModel": "CausalLM", "GPT2ForSequenceClassification": "SequenceClassification", "GPT2Model": "base"},
    ),
    "phi": Family(phi, _heads("Phi", "CausalLM", "SequenceClassification", "TokenClassification")),
    "roberta": Family(roberta, {"RobertaModel": "base", **_heads("Roberta", *_BEHIND_BERT)}),
    "t5": Family(
        t5,
        {
            "T5ForConditionalGeneration": "ConditionalGeneration",
            "T5WithLMHeadModel": "ConditionalGeneration",
            "T5Model": "base",
            "T5EncoderModel": "Encoder",
        },
        pair=True,
    ),
    "vit": Family(vit, {"ViTModel": "base", "ViTForImageClassification": "ImageClassification"}),
    **{
        model: Family(_llama(model), _heads(stem, "CausalLM", "SequenceClassification", "TokenClassification"))
        for model, stem in _READERS.items()
    },
}
"""The families by their `model_type`."""


@guarded
def from_huggingface(
    config: str | os.PathLike[str] | Mapping[str, Any] | Any,
    sequence_length: int | tuple[int, int] | None = None,
    *,
    architecture: str | None = None,
) -> Space:
    """A transformer of Hugging Face as a space without decisions, from its configuration.

    Neither PyTorch nor transformers is needed, and no weights are read. Layers have the names of the modules in
    transformers 5; `space.architecture()` is the network. It takes time proportional to the number of layers.

    Args:
        config: The path of a `config.json`, or of the folder with it; its text; a dict; or a configuration of
            transformers. Options that it lacks have the defaults of transformers.
        sequence_length: The number of tokens that the network reads; two numbers for an encoder and a decoder. Without
            it, it is unknown, and so are MACs and activations, until `space.with_sides` gives it; parameters are
            counted. A model that learns a vector for each position has as many positions as these by default. For
            ViT the sizes of image and patch say it.
        architecture: The class of transformers that is meant, such as `"BertForMaskedLM"`; by default the one in
            `architectures`, and without that `BertModel`, `RobertaModel`, `DistilBertModel` or `ViTModel`, and of other
            families the model with a head for words.

    Raises:
        SpaceError: If the model, or an option that may change what is counted, is not known; the message names it.
        FileError: If the file cannot be read.

    Example:
        >>> import archbudget as ab
        >>> space = ab.from_huggingface({"model_type": "gpt2"}, sequence_length=128)
        >>> space.architecture().params
        124439808
    """
    values, source = read_config(config)
    given = Config(values, source)
    model = values.get("model_type")
    if not isinstance(model, str) or model not in FAMILIES:
        inside = "; its text_config can be given by itself" if isinstance(values.get("text_config"), dict) else ""
        known = hint(model, sorted(FAMILIES)) if isinstance(model, str) else f"; there are {listed(sorted(FAMILIES))}"
        raise SpaceError(f"{source}: model_type={show(model)} is not known{inside or known}")
    family = FAMILIES[model]
    inputs, outputs = family.build(given, _head(given, values, family, architecture), _lengths(family, sequence_length))
    given.finish()
    return Space(inputs=inputs, outputs=outputs, name=model)


def _head(config: Config, values: Mapping[str, Any], family: Family, architecture: str | None) -> str:
    """The head that is meant."""
    named = values.get("architectures") if architecture is None else [architecture]
    if not named:
        return next(iter(family.heads.values()))
    if not (isinstance(named, (list, tuple)) and len(named) == 1 and isinstance(named[0], str)):
        raise config.error(f"architectures must name one class, not {show(named)}; architecture= chooses one")
    if named[0] not in family.heads:
        raise config.error(f"the architecture {show(named[0])} is not known{hint(named[0], family.heads)}")
    return family.heads[named[0]]


def _lengths(family: Family, given: object) -> Any:
    """The lengths of the sequences, checked."""
    if given is None:
        return None
    lengths = given if isinstance(given, (tuple, list)) else (given,)
    if not 1 <= len(lengths) <= 1 + family.pair or any(
        isinstance(each, bool) or not isinstance(each, int) or not 1 <= each <= LARGEST_SIDE for each in lengths
    ):
        most = "one integer, or two for encoder and decoder," if family.pair else "an integer"
        raise SpaceError(f"sequence_length must be {most} of at least 1, not {show(given)}")
    return (lengths[0], lengths[-1]) if family.pair else lengths[0]
