"""The configuration of a model of transformers: plain JSON, each option of which is read with its type and range."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbudget._guard import has
from archbudget._message import listed, nearest, show
from archbudget._regular import path_of, read_text
from archbudget.errors import SpaceError
from archbudget.importers._refusals import LARGEST_SIDE, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LARGEST_FILE = 1 << 22
"""The most bytes of a configuration."""
MOST_LAYERS = 2_000
"""The most blocks of a network."""

COUNTS = re.compile(
    r"(?:^|_)(?:num|n|size|sizes|dim|dims|rank|layer|layers|heads?|experts?|width|depth|hidden|intermediate|lora|adapter"
    r"|mtp|bias|blocks?|stages?|channels?|features|embed|embedding|embeddings|proj|projection|cross|encoder|decoder"
    r"|config|shared|gate|pruned)(?:_|$)"
)
"""The names of options that may change what is counted."""

WITHOUT_EFFECT = frozenset(
    [
        "architectures", "attn_pdrop", "auto_map", "bad_words_ids", "begin_suppress_tokens",
        "chunk_size_feed_forward", "cross_attention_hidden_size", "decoder_start_token_id", "diversity_penalty",
        "do_sample", "dtype", "early_stopping", "embd_layer_norm_epsilon", "embd_pdrop",
        "encoder_no_repeat_ngram_size", "encoder_stride", "exponential_decay_length_penalty", "finetuning_task",
        "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing", "id2label", "initializer_factor",
        "initializer_range", "is_decoder", "is_encoder_decoder", "label2id", "length_penalty", "max_length",
        "max_window_layers", "min_length", "model_type", "no_repeat_ngram_size", "num_beam_groups", "num_beams",
        "num_labels", "num_return_sequences", "original_max_position_embeddings", "output_attentions",
        "output_hidden_states", "output_past", "output_router_logits", "output_scores", "partial_rotary_factor",
        "prefix", "pretraining_tp", "problem_type", "remove_invalid_values", "reorder_and_upcast_attn",
        "repetition_penalty", "resid_pdrop", "return_dict", "return_dict_in_generate", "rope_local_base_freq",
        "rope_parameters", "rope_scaling", "rope_theta", "scale_attn_by_inverse_layer_idx", "scale_decoder_outputs",
        "sliding_window", "sliding_window_pattern", "suppress_tokens", "task_specific_params", "temperature",
        "tie_encoder_decoder", "tie_word_embeddings", "tokenizer_class", "top_k", "top_p", "torch_dtype",
        "torchscript", "transformers_version", "typical_p", "use_bfloat16", "use_bidirectional_attention",
        "use_cache", "use_sliding_window",
    ]
)  # fmt: skip
"""Options that change no count whatever they are, though the names of some look as if they did."""


class Config:
    """The options of a model, and which of them were read.

    Args:
        values: The options by name.
        source: Where they come from, for messages.
    """

    def __init__(self, values: Mapping[str, Any], source: str) -> None:
        self._values = values
        self._source = source
        self._read: set[str] = set()

    def error(self, message: str) -> SpaceError:
        """An error about this configuration."""
        return SpaceError(f"{self._source}: {message}")

    def get(self, *names: str) -> Any:
        """The value of an option that goes by any of some names; `None` where it is not given.

        Raises:
            SpaceError: If it is given twice, with different values.
        """
        self._read.update(names)
        given = {name: self._values[name] for name in names if self._values.get(name) is not None}
        values = list(given.values())
        if any(value != values[0] for value in values):
            raise self.error(f"{' and '.join(given)} are one option, but have the values {listed(map(show, values))}")
        return values[0] if values else None

    def size(self, *names: str, default: int | None = None, most: int = LARGEST_SIDE) -> int:
        """An option that is an integer of at least 1.

        Raises:
            SpaceError: If it is none, or is neither given nor has a default.
        """
        value = self.get(*names)
        value = default if value is None else value
        if value is None:
            raise self.error(f"{names[0]} is missing")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise self.error(f"{names[0]} must be an integer from 1 to {most:,}, not {show(value)}")
        return value

    def layers(self, *names: str, default: int) -> int:
        """How many blocks there are."""
        return self.size(*names, default=default, most=MOST_LAYERS)

    def flag(self, name: str, default: bool) -> bool:
        """An option that is true or false.

        Raises:
            SpaceError: If it is neither.
        """
        value = self.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise self.error(f"{name} must be true or false, not {show(value)}")
        return value

    def word(self, *names: str, default: str, known: Sequence[str] | None = None) -> str:
        """An option that is a word, of some words if they are given.

        Raises:
            SpaceError: If it is none of them.
        """
        value = self.get(*names)
        value = default if value is None else value
        if not isinstance(value, str) or (known is not None and value not in known):
            raise self.error(f"{names[0]}={show(value)} is not known here; there are {listed(known or ['words'])}")
        return value

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """An option that is an integer, or two of them: sides of an image.

        Raises:
            SpaceError: If it is neither.
        """
        value = self.get(name)
        value = default if value is None else value
        sides = list(value) if isinstance(value, (list, tuple)) else [value, value]
        if len(sides) != 2 or any(
            isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= LARGEST_SIDE for side in sides
        ):
            raise self.error(f"{name} must be one or two integers of at least 1, not {show(value)}")
        return sides[0], sides[1]

    def numbers(self, name: str) -> frozenset[int]:
        """An option that is a list of integers of at least 0.

        Raises:
            SpaceError: If it is none.
        """
        value = self.get(name)
        value = [] if value is None else value
        if not isinstance(value, (list, tuple)) or any(
            isinstance(each, bool) or not isinstance(each, int) or each < 0 for each in value
        ):
            raise self.error(f"{name} must be a list of integers, not {show(value)}")
        return frozenset(value)

    def only(self, name: str, *known: Any) -> None:
        """Refuses an option that has another value than those for which the counts are known.

        Raises:
            SpaceError: If it has.
        """
        value = self.get(name)
        if not (value is None or any(type(value) is type(each) and value == each for each in known)):
            raise self.error(f"{name}={show(value)} is not supported; it must be {listed(map(show, known)) or 'null'}")

    def labels(self) -> int:
        """The number of classes of a classifier.

        Raises:
            SpaceError: If `num_labels` and `id2label` disagree.
        """
        names = self.get("id2label")
        given = self.get("num_labels")
        if names is not None and not (isinstance(names, (dict, list)) and names):
            raise self.error(f"id2label must name the classes, not {show(names)}")
        if names is not None and given not in (None, len(names)):
            raise self.error(f"id2label names {len(names):,} classes, but num_labels={show(given)}")
        return self.size("num_labels", default=2 if names is None else len(names))

    def finish(self) -> None:
        """Refuses options that nobody read and that may change what is counted, all of them at once.

        Raises:
            SpaceError: If there are some.
        """
        for name in ("quantization_config", "compression_config"):
            if self._values.get(name):
                raise self.error(f"{name} is not supported; without it the network is counted as it was before")
        unknown = []
        for name, value in self._values.items():
            if not isinstance(name, str):
                raise self.error(f"the name of an option must be a text, not {show(name)}")
            if name in self._read or name in WITHOUT_EFFECT or name.startswith("_") or _nothing(value):
                continue
            if name.endswith(("_token_id", "_token_index", "_dropout", "_drop", "_pdrop", "_eps", "_epsilon", "_prob")):
                continue
            near = nearest(name, self._read)
            if COUNTS.search(name) or near is not None:
                unknown.append(f"{name}={show(value)}{'' if near is None else f' (did you mean {near}?)'}")
        if unknown:
            raise self.error(f"options that may change the counts are not known for this model: {listed(unknown)}")


def _nothing(value: object) -> bool:
    """Whether the value of an option says that there is none."""
    return value is None or value is False or (type(value) in (int, str, list, dict) and not value)


def read_config(config: object) -> tuple[dict[str, Any], str]:
    """The options of a configuration, and where they come from.

    Raises:
        SpaceError: If it is none, or cannot be read.
    """
    if isinstance(config, dict):
        return config, "config"
    if isinstance(config, str) and config.lstrip().startswith("{"):
        return _parsed(config, "config"), "config"
    if isinstance(config, (str, os.PathLike)):
        file = Path(path_of(config))
        if file.is_dir():
            file = file / "config.json"
        return _parsed(read_text(file, LARGEST_FILE), str(file)), str(file)
    if not isinstance(config, type) and has(config, "to_dict"):
        values = config.to_dict()  # type: ignore[attr-defined]
        if isinstance(values, dict):
            return values, type(config).__name__
    raise SpaceError(
        "a configuration is given by the path of its config.json, as a dict, or as an object of transformers, not as "
        f"{show(config)}"
    )


def _parsed(text: str, source: str) -> dict[str, Any]:
    values = parse_json(text, source)
    if not isinstance(values, dict):
        raise SpaceError(f"{source}: a configuration is an object of JSON, not {show(values)}")
    return values
