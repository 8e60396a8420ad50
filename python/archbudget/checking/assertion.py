"""`assert_within`: a budget as a test."""

from __future__ import annotations

from archbudget._budget import Budget, require_budget
from archbudget._guard import guarded
from archbudget.checking.model import ReadOptions, Shapes, network_of_model
from archbudget.checking.verdict import verdict


def assert_within(
    model: object,
    budget: Budget,
    *,
    input_shape: Shapes | None = None,
    weights: str | None = None,
    activations: str | None = None,
) -> None:
    """Asserts that a model fits a budget: for tests, where a failure says what to do about it.

    It counts the model, in time proportional to its layers, and trains nothing. It holds the GIL.

    Args:
        model: A model of Keras or ONNX; a module of PyTorch, with `input_shape`; a `Space` without decisions, or an
            `Architecture`; the path of a `.keras`, `.json`, `.h5` or `.onnx` file, of a `config.json` of Hugging Face,
            or of a space file without decisions; a reference `module:attribute` to any of them; a function that returns
            one.
        budget: The budget.
        input_shape: The shape of the input without the batch, where the model leaves sides open; a list of shapes, or a
            dict by the names of the inputs, where there are several.
        weights: The type of the weights, such as `"int8"`; by default that of the model's space, four bytes each.
        activations: The type of the activations, likewise.

    Raises:
        AssertionError: If it does not fit: which bounds are missed, by how much, and which layers weigh most.
        ArchbudgetError: If the model cannot be read, or the budget bounds what is unknown of it.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> model = ab.Space([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)], name="linear")
        >>> ab.assert_within(model, ab.Budget(params=8_000))
        >>> ab.assert_within(model, ab.Budget(params=5_000))
        Traceback (most recent call last):
        AssertionError: linear is outside the budget: params 7,850 > 5,000
        params: 7,850 is 2,850 over 5,000 (57 % of the bound)
        most params: dense 7,850 (100 %)
        no multiplier of all widths was looked for: it has no width but those of its outputs
    """
    __tracebackhide__ = True
    failure = failure_of(model, budget, ReadOptions(input_shape, None, weights, activations))
    if failure:
        raise AssertionError(failure)


@guarded
def failure_of(model: object, budget: Budget, options: ReadOptions) -> str:
    """What is wrong with a model; empty if nothing is."""
    require_budget(budget, "assert_within")
    found = verdict(network_of_model(model, options), budget)
    return "" if found.fits else "\n".join([f"{found.name} is {found.headline}", *found.lines])
