"""How each layer of a model changes with the channels that are kept: its weights, and its arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.pruning._channels import Label, Numbers

Kept = npt.NDArray[np.bool_]
"""Whether each channel is kept, by its number."""


@dataclass
class Plan:
    """One layer of a model."""

    layer: Any
    name: str
    """Its name in the space that `from_keras` makes."""
    weights: list[tuple[Any, Label]] = field(default_factory=list)
    """Its weights with their axes; nothing for a layer that is copied."""
    reads: list[Label] = field(default_factory=list)
    """The axes of what it reads, by which its weights are cut."""
    changes: Callable[[Kept], dict[str, Any]] | None = None
    """The arguments that change."""
    channels: Numbers | None = None
    """The channels that it gives."""
    width: str | None = None
    """The argument that says how many it gives, if it decides on them."""
    kernel: int | None = None
    """The number of the weight that makes its channels, if it makes any: their magnitude is that of its parts."""
    groups: int = 1
    """The number of groups that read and give the same number of channels each."""
    is_copied: bool = False
    """Whether it is copied as it is."""

    @property
    def title(self) -> str:
        """The layer in a message."""
        return f"layer '{self.name}' ({type(self.layer).__name__})"

    def cut(self, kept: Kept) -> list[npt.NDArray[Any]]:
        """The weights with the kept channels."""
        found: dict[int, npt.NDArray[Any]] = {}
        for number, (weight, label) in enumerate(self.weights):
            value = np.asarray(weight.numpy())
            if number == 0 and self.groups > 1:
                found[id(weight)] = self._cut_groups(value, label, kept)
                continue
            for axis, numbers in enumerate(label):
                if numbers is not None:
                    value = np.compress(kept[numbers], value, axis=axis)
            found[id(weight)] = value
        return [found[id(weight)] for weight in self.layer.weights]

    def _cut_groups(self, value: npt.NDArray[Any], label: Label, kept: Kept) -> npt.NDArray[Any]:
        """The kernel of a grouped convolution: each group keeps those of its own channels."""
        made = label[-1]
        assert made is not None
        read = self.reads[0][-1]
        outputs = kept[made].reshape(self.groups, -1)
        inputs = np.ones((self.groups, value.shape[-2]), bool) if read is None else kept[read].reshape(self.groups, -1)
        parts = np.split(value, self.groups, axis=-1)
        return np.concatenate(
            [part[..., own, :][..., given] for part, own, given in zip(parts, inputs, outputs, strict=True)], axis=-1
        )

    def blocks(self) -> list[Numbers]:
        """The channels of each group, those that it reads and those that it gives; of them all keep equally many."""
        if self.groups == 1:
            return []
        read = self.reads[0][-1]
        sides = [self.channels] if read is None else [read, self.channels]
        return [block for side in sides if side is not None for block in np.split(side, self.groups)]
