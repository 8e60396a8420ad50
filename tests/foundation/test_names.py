"""Every argument that names something finds it, or is answered with the nearest name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget._message import hint, nearest, with_nearest
from archbudget.layers._elsewhere import OTHER_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = ab.Int("width", 1, 4)
SPACE = ab.Space(
    [
        layers.Input((4,)),
        layers.Dense(WIDTH, name="first"),
        layers.OneOf("norm", {"batch": layers.BatchNormalization(), "none": []}),
    ]
)
ARCH = SPACE.architecture(width=1, norm="none")
COUNTS = SPACE.evaluate({"width": [1], "norm": ["none"]}, per_layer=True)


@layers.custom
def Scale(input_shape: tuple[int, ...], ratio: int = 4) -> layers.Counts:  # noqa: N802
    del ratio
    return layers.Counts(input_shape)


def _shared(block: Any, *shared: Any) -> ab.Space:
    return ab.Space([layers.Input((4,)), ab.Repeat(3, block, shared=shared)])


def _nested(**domains: Any) -> ab.Space:
    again = ab.Repeat(2, lambda _: layers.Dense(WIDTH), shared=["widht"])
    return ab.Space([layers.Input((4,)), ab.OneOf("way", {"a": [], "b": again})], domains=domains)


MISSPELT: dict[str, tuple[Callable[[], Any], str]] = {
    "shared": (lambda: ab.Repeat(3, layers.Dense(WIDTH), shared=["widht"]), "width"),
    "shared decision": (lambda: ab.Repeat(3, layers.Dense(WIDTH), shared=[ab.Int("Width", 1, 4)]), "width"),
    "shared in a block": (lambda: ab.Repeat(3, [layers.Residual(layers.Dense(WIDTH))], shared=["widths"]), "width"),
    "shared by a function": (lambda: _shared(lambda _: layers.Dense(WIDTH), "widht"), "width"),
    "shared in a branch": (_nested, "width"),
    "inputs": (
        lambda: ab.Space([layers.Input((4,)), layers.Dense(3, name="one"), ab.InputChoice("c", inputs=["oen"])]),
        "one",
    ),
    "value": (lambda: SPACE.architecture(width=1, norm="bach"), "batch"),
    "decision": (lambda: SPACE.architecture(widht=1, norm="none"), "width"),
    "column": (lambda: SPACE.evaluate({"widht": [1], "norm": ["none"]}), "width"),
    "metrics": (lambda: SPACE.evaluate({"width": [1], "norm": ["none"]}, ["parms"]), "params"),
    "evaluated": (lambda: COUNTS["parms"], "params"),
    "evaluated by layer": (lambda: COUNTS.layers["parms"], "params"),  # type: ignore[index]
    "range": (lambda: SPACE.range("Params"), "params"),
    "distribution": (lambda: SPACE.distribution("mac"), "macs"),
    "largest": (lambda: SPACE.within(ab.Budget(params=50)).largest("mac"), "macs"),
    "closest": (lambda: SPACE.within(ab.Budget(params=50)).closest("mac", 5), "macs"),
    "marginals": (lambda: SPACE.within(ab.Budget(params=50)).marginals()["widht"], "width"),
    "fixed": (lambda: SPACE.within(ab.Budget(params=50)).fix({"widht": 3}), "width"),
    "prefix": (lambda: SPACE.within(ab.Budget(params=50)).allowed({"widht": 3}), "width"),
    "domains": (lambda: SPACE.with_domains({"widht": [1]}), "width"),
    "domains of a space": (
        lambda: ab.Space([layers.Input((4,)), layers.Dense(WIDTH)], domains={"widht": [1]}),
        "width",
    ),
    "constraints": (lambda: SPACE.with_constraints([ab.Int("widht", 1, 4) <= 3]), "width"),
    "constraints of a space": (
        lambda: ab.Space([layers.Input((4,)), layers.Dense(WIDTH)], constraints=[ab.Int("widht", 1, 4) <= 3]),
        "width",
    ),
    "budget": (lambda: SPACE.within(ab.Budget(custom={"parms": 3})), "params"),
    "bound": (lambda: ab.Budget(params=5)["parms"], "params"),
    "layer": (lambda: ARCH.layer("frist"), "first"),
    "explain": (lambda: ARCH.explain("frist"), "first"),
    "active decision": (lambda: ARCH["widht"], "width"),
    "output_size": (lambda: SPACE.with_metrics([ab.metrics.output_size("frist")]), "first"),
    "key of a table": (
        lambda: ab.LatencyTable("t", [({"type": "Dense"}, 3), ({"type": "Dense", "untis": "8"}, 5)]),
        "units",
    ),
    "key of a custom layer": (
        lambda: ab.Space(
            [layers.Input((4,)), Scale()],
            metrics=[ab.LatencyTable("t", [({"type": "Scale"}, 3), ({"type": "Scale", "ration": "4"}, 5)])],
        ),
        "ratio",
    ),
    "type in a table": (lambda: SPACE.with_metrics([ab.LatencyTable("t", [({"type": "Dens"}, 3)])]), "Dens"),
    "plot": (lambda: ab.plot.distribution(SPACE, metric="mac"), "macs"),
    "plot of a budget": (
        lambda: ab.plot.distribution(SPACE, ab.Budget(params=5, custom={"mac": 3})),
        "macs",
    ),
    "plot of a distribution": (lambda: ab.plot.distribution(SPACE.distribution("macs"), metric="mac"), "macs"),
}
"""Calls with a misspelt name, and the name that is meant."""


@pytest.mark.parametrize("what", MISSPELT)
def test_a_misspelt_name_is_answered_with_the_nearest(what: str) -> None:
    call, meant = MISSPELT[what]
    with pytest.raises(ab.errors.ArchbudgetError, match=rf"did you mean {meant}\?"):
        call()


UNKNOWN: dict[str, tuple[Callable[[], Any], str]] = {
    "layer": (
        lambda: layers.Dense(8, activaton="relu"),
        "Dense: unknown argument 'activaton'; did you mean activation",
    ),  # type: ignore[call-arg]
    "custom layer": (lambda: Scale(ration=3), "Scale: unknown argument 'ration'; did you mean ratio"),
    "block": (lambda: ab.Repeat(3, layers.Dense(8), share=[]), "Repeat: unknown .* did you mean shared"),  # type: ignore[call-arg]
    "space": (
        lambda: ab.Space([layers.Input((4,))], bytes_per_weights=1),  # type: ignore[call-arg]
        "Space: .* did you mean bytes_per_weight",
    ),
    "decision": (lambda: ab.Int("u", 1, 9, steps=2), "Int: unknown .* did you mean step"),  # type: ignore[call-arg]
    "method": (lambda: SPACE.sample(3, sead=1), "Space.sample: unknown argument 'sead'; did you mean seed"),  # type: ignore[call-arg]
    "function": (lambda: ab.round_to(3, divisr=8), "round_to: unknown .* did you mean divisor"),  # type: ignore[call-arg]
    "search": (
        lambda: ab.search(SPACE, lambda _: 1.0, ab.Budget(params=50), n_trails=3),  # type: ignore[call-arg]
        "search: unknown argument 'n_trails'; did you mean n_trials",
    ),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_an_unknown_keyword_is_answered_with_the_nearest(what: str) -> None:
    """It is an error of archbudget, and still Python's TypeError."""
    call, message = UNKNOWN[what]
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert isinstance(caught.value, ab.errors.UnknownArgumentError)


def test_other_wrong_calls_stay_errors_of_python() -> None:
    with pytest.raises(TypeError, match="units") as caught:
        layers.Dense()  # type: ignore[call-arg]
    assert not isinstance(caught.value, ab.errors.ArchbudgetError)
    with pytest.raises(TypeError, match="positional") as caught:
        SPACE.architecture({}, {}, width=1)  # type: ignore[call-arg]
    assert not isinstance(caught.value, ab.errors.ArchbudgetError)


def test_what_is_shared_is_in_the_block() -> None:
    """Nested blocks, functions and parts of a space have it, too; so nothing is refused that ties something."""
    again = layers.Dense(4)
    for block, shared in (
        ([layers.Residual([again])], again),
        (layers.OneOf("op", {"a": [], "b": [again]}), "op"),
        (layers.Repeat(2, [again, layers.Dense(WIDTH), layers.Dense(4)]), again),
        (layers.Repeat(ab.Int("often", 1, 2), again), "often"),
        ([layers.Require(ab.Int("a", 1, 3) <= ab.Int("b", 1, 3)), again], "b"),
        (lambda number: [layers.Dense(WIDTH), layers.Dense(4)] if number == 2 else [], "width"),
        (layers.Dense(4, weight_bits=ab.Choice("bits", [8, 4])), "bits"),
    ):
        assert _shared(block, shared).size > 0
    part = _shared(lambda _: ab.OneOf("way", {"a": [], "b": layers.Dense(WIDTH)}), "width", "way")
    assert part.with_domains({"way": ["a"]}).size == 1


def test_a_layer_that_is_not_in_the_block_cannot_be_shared() -> None:
    other, held = layers.Dense(4), layers.Dense(4)
    with pytest.raises(ab.errors.SpaceError, match=r"Dense\(units=4\) is shared, but is no layer of the block$"):
        ab.Repeat(2, layers.Dense(4), shared=[other])
    assert held in ab.Repeat(2, layers.TimeDistributed(held), shared=[held]).shared
    with pytest.raises(ab.errors.SpaceError, match="is no layer of the block$"):
        _shared(lambda _: layers.Dense(4), other)


def test_a_distribution_is_drawn_with_its_own_metric() -> None:
    figure = ab.plot.distribution(SPACE.distribution("macs"))
    assert figure.layout.xaxis.title.text == ab.plot.distribution(SPACE, metric="macs").layout.xaxis.title.text


def test_the_nearest_name() -> None:
    assert nearest("widht", ["depth", "width"]) == "width"
    assert nearest("PARAMS", ["params"]) == "params"
    assert nearest("width", ["width", "width_2"]) is None
    assert nearest("x", ["width"]) is nearest(None, ["width"]) is nearest("", []) is None
    assert nearest("w" * 10_000, ["w"]) is None
    assert hint("x", ["width", "depth"]) == "; there are width, depth"
    assert hint("x", []) == "; there are none"
    assert with_nearest("x", ["width"]) == "'x'"
    assert with_nearest("widht", ["width"]) == "'widht' (did you mean width?)"


@pytest.mark.parametrize(
    ("module", "name", "instead"),
    [
        (layers, "Lambda", "layers.custom"),
        (layers, "Linear", "use Dense"),
        (layers, "Conv2d", "use Conv2D"),
        (layers, "BatchNorm2d", "use BatchNormalization"),
        (layers, "ConvTranspose3d", "use Conv3DTranspose"),
        (layers, "Sigmoid", r'use Activation\("sigmoid"\)'),
        (layers, "PositionEmbedding", "use layers.transformers.PositionEmbedding"),
        (layers, "TextVectorization", "Keras' TextVectorization learns a vocabulary"),
        (layers, "Densee", r"did you mean Dense\?"),
        (layers, "Xyzzy", "layers.custom makes a layer of a function"),
        (ab, "Float", r'Choice\("rate", \[0.1, 0.2\]\)'),
        (ab, "Categorical", "use Choice"),
        (ab, "Integer", "use Int"),
        (ab, "Boolean", r'Choice\("flag", \[True, False\]\)'),
        (ab, "Dense", "use archbudget.layers.Dense"),
        (ab, "Chioce", r"did you mean Choice\?"),
        (ab, "Xyzzy", r"dir\(archbudget\)"),
    ],
)
def test_a_name_of_another_library_is_answered(module: Any, name: str, instead: str) -> None:
    with pytest.raises(AttributeError, match=f"{module.__name__} has no {name}: .*{instead}") as caught:
        getattr(module, name)
    assert "\n" not in str(caught.value)
    assert not hasattr(module, name)


def test_what_is_named_instead_exists() -> None:
    for name, instead in {**OTHER_NAMES, **ab.OTHER_NAMES}.items():
        assert not hasattr(layers, name) or name in ab.OTHER_NAMES, name
        for path in re.findall(r"\b(?:archbudget\.|layers\.)?(?:[A-Za-z]\w*\.)*[A-Z]\w*", instead.removeprefix("use ")):
            if path in ("True", "False"):
                continue
            found: Any = ab if path.startswith(("archbudget.", "layers.")) or name in ab.OTHER_NAMES else layers
            for part in path.removeprefix("archbudget.").split("."):
                found = getattr(found, part)
