"""The LeNet family counted by hand: in NumPy, by a loop of numba, and by building the networks.

2 convolutions and 2 dense layers on 28x28x1, 73,728 networks: `archbudget.spaces.lenet`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._extras import imported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Columns = Sequence[npt.NDArray[np.uint8]]
    Totals = npt.NDArray[np.int64]
    Values = tuple[int, int, int, int, int]

WIDTHS = np.arange(8, 129, 8)
KERNELS = np.array([3, 5, 7])
UNITS = np.arange(16, 513, 16)


def params(f1: Any, k1: Any, f2: Any, k2: Any, units: Any) -> Any:
    """The weights of one network, or of arrays of them."""
    side = ((28 - k1 + 1) // 2 - k2 + 1) // 2
    total = (k1 * k1 + 1) * f1 + (k2 * k2 * f1 + 1) * f2
    total += (side * side * f2 + 1) * units + (units + 1) * 10
    return total


def by_numpy(columns: Columns) -> Totals:
    """The weights of candidates by NumPy, in a new array."""
    f1, k1, f2, k2, units = (domain[c] for domain, c in zip(domains(), columns, strict=True))
    total: Totals = params(f1, k1, f2, k2, units)
    return total


def numba_loop() -> Callable[..., None]:
    """A parallel loop of numba that writes the weights of candidates: `loop(*columns, out)`.

    Raises:
        MissingPackageError: If numba is not installed.
    """
    numba = imported("numba", "the peer numba")

    @numba.njit(parallel=True)  # type: ignore[untyped-decorator]
    def loop(c0: Any, c1: Any, c2: Any, c3: Any, c4: Any, out: Any) -> None:
        for i in numba.prange(len(out)):
            f1, k1 = 8 * (np.int32(c0[i]) + 1), 2 * np.int32(c1[i]) + 3
            f2, k2 = 8 * (np.int32(c2[i]) + 1), 2 * np.int32(c3[i]) + 3
            units = 16 * (np.int32(c4[i]) + 1)
            side = ((28 - k1 + 1) // 2 - k2 + 1) // 2
            total = (k1 * k1 + 1) * f1 + (k2 * k2 * f1 + 1) * f2
            out[i] = total + (side * side * f2 + 1) * units + (units + 1) * 10

    made: Callable[..., None] = loop
    return made


def values_of(columns: Columns) -> list[Values]:
    """The values of candidates: widths and kernels of the convolutions, and units."""
    drawn = (domain[column].tolist() for domain, column in zip(domains(), columns, strict=True))
    return list(zip(*drawn, strict=True))


def torch_network(f1: int, k1: int, f2: int, k2: int, units: int) -> Any:
    """One network as a module of PyTorch, on the device of the context; its shapes are found by running it.

    Raises:
        MissingPackageError: If PyTorch is not installed.
    """
    torch = imported("torch", "the peer torch")
    nn = torch.nn
    features = nn.Sequential(
        nn.Conv2d(1, f1, k1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(f1, f2, k2), nn.ReLU(), nn.MaxPool2d(2)
    )
    flat = features(torch.empty(1, 1, 28, 28)).flatten(1).shape[1]
    head = [nn.Flatten(), nn.Linear(flat, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, 10)]
    return nn.Sequential(*features, *head)


def torch_params(candidate: Values, device: str = "meta") -> int:
    """The weights of one network, counted by PyTorch.

    Raises:
        MissingPackageError: If PyTorch is not installed.
    """
    with imported("torch", "the peer torch").device(device):
        return sum(weight.numel() for weight in torch_network(*candidate).parameters())


def keras_network(f1: int, k1: int, f2: int, k2: int, units: int) -> Any:
    """One network as a model of Keras.

    Raises:
        MissingPackageError: If Keras or its backend is not installed.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras' own default needs TensorFlow.
    keras = imported("keras", "the peer keras")
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(f1, k1, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(f2, k2, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Dropout(0.25),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def domains() -> tuple[npt.NDArray[Any], ...]:
    """The values of the decisions, in the order of the columns."""
    return (WIDTHS, KERNELS, WIDTHS, KERNELS, UNITS)
