"""Spaces and networks written to files and texts: what is read back is equal, and what cannot be written is named."""

from __future__ import annotations

import copy
import json
import pickle
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.cli import main
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.files import parse
from support.graph_spaces import Draw as GraphDraw
from support.random_parts import restrict
from support.random_spaces import draw_space

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WIDTH, DEPTH = ab.Int("width", 1, 19, step=3), ab.Int("depth", 0, 3)
NORM, KERNEL = ab.Choice("norm", ["batch", "none"]), ab.Choice("kernel", [1, 3])
FLAG, SHARE = ab.Choice("flag", [True, False]), ab.Choice("share", [0.25, 0.5, float("inf")])
ODD = ab.Choice("a {name} with \\ and $", ["it's", 'a "word"', "$x", None, True, 1.5, -2])
IMAGE, VECTOR, SEQUENCE = layers.Input((12, 12, 2)), layers.Input((8,)), layers.Input((6, 4))


@layers.custom
def scale(input_shape: tuple[int, ...], by: Any = 1, *, shift: bool = False) -> layers.Counts:
    return layers.Counts(input_shape, trainable_params=(by + shift) * input_shape[-1])


@layers.custom
def kinds(input_shape: tuple[int, ...], kind: Any) -> layers.Counts:  # noqa: ARG001
    return layers.Counts(input_shape)


def _wide(layer: Any) -> int:
    return layer.params  # type: ignore[no-any-return]


def _row(*blocks: Any, source: Any = VECTOR, **options: Any) -> ab.Space:
    return ab.Space([source, *blocks], **options)


def _shared_layer() -> ab.Space:
    again = layers.Dense(8, name="again")
    return _row(again, ab.OneOf("way", {"a": [again], "b": layers.Residual(again)}), again)


def _shared_inside() -> ab.Space:
    dense, cell = layers.Dense(4), layers.GRUCell(4)
    around = layers.TimeDistributed(dense)
    walk = layers.RNN([cell, cell], return_sequences=True)
    whole = layers.Bidirectional(layers.RNN(cell))
    return _row(around, dense, around, ab.Repeat(DEPTH, [around, walk], shared=[dense]), whole, source=SEQUENCE)


def _shared_blocks() -> ab.Space:
    block = ab.Repeat(DEPTH, [layers.Dense(8), layers.BatchNormalization()])
    row: list[Any] = [layers.Dense(8), layers.ReLU()]
    return _row(block, layers.Residual(row), block, row, layers.Residual([block, row], [row]))


def _shared_in_repetitions() -> ab.Space:
    again = layers.Dense(8)
    return _row(
        ab.Repeat(
            DEPTH,
            [again, layers.Dense(8, activation=NORM.map({"batch": "relu", "none": None}.get))],
            shared=[again, "norm"],
        ),
        ab.Repeat(2, lambda _: [again, layers.Dense(8)], shared=[again]),
    )


def _choice_of_inputs() -> ab.Space:
    return _row(
        layers.Dense(4, name="first"),
        layers.Dense(4, name="second"),
        ab.InputChoice("one", inputs=["first", "second"]),
        layers.Dense(4, name="third"),
        ab.InputChoice("some", [1, None], [layers.Concatenate()], inputs=["first", "third"]),
        ab.InputChoice(ab.Choice("given", ["0"]), (1, 1), inputs=["third"]),
    )


def _graph() -> ab.Space:
    image, sequence = layers.Input((8,), name="image"), layers.Input((6, 8))
    embed = layers.Dense(WIDTH, name="embed")
    state, hidden, carry = layers.LSTM(4, return_state=True)(embed(sequence))
    head = layers.Dense(4)
    picked = ab.InputChoice("picked", [1, 2], layers.Concatenate())([head(state), hidden, carry])
    joined = layers.Add()([hidden, carry])
    return ab.Space(inputs=[sequence, image], outputs=[picked, layers.Dense(3)(image), joined, layers.Add()([joined])])


def _same_names() -> ab.Space:
    """Two decisions of one name with different values: the numbers of repetitions tell them apart in the space."""
    return _row(layers.Dense(ab.Int("units", 1, 9)), ab.Repeat(2, layers.Dense(ab.Choice("units", [3, 5, 8, 2]))))


def _constrained() -> ab.Space:
    space = _row(ab.Repeat(2, layers.Dense(WIDTH)), layers.BatchNormalization(trainable=False), bytes_per_weight=1)
    first, second = space.decisions["width_1"], space.decisions["width_2"]
    return space.with_constraints([first <= second, (first == 4) | (second > 7)]).with_domains({"width_2": [10, 4, 7]})


def _optional() -> ab.Space:
    """A part of a graph that may be left out: with several outputs, calls, and a decision."""
    sequence = layers.Input((6, 4), name="sequence")
    again = layers.Dense(4, name="again")
    start = again(sequence)
    made, state, _ = layers.LSTM(4, return_sequences=True, return_state=True, name="block_input")(start)
    gate = layers.Dense(ab.Choice("gate", [1, 4]), activation="sigmoid", name="block_gate")(state)
    scaled = layers.Multiply(name="block_product")([made, layers.Reshape((1, -1), name="block_row")(gate)])
    seen = layers.MultiHeadAttention(2, 3, name="block_attention")(scaled, made, use_causal_mask=True)
    inner = layers.Add(name="block_inner_sum")([layers.Dense(4, name="block_inner_dense")(seen), seen])
    x = layers.Add(name="block_sum")([start, inner])
    space = ab.Space(inputs=sequence, outputs=layers.Dense(2, name="head")(again(x)))
    return space.vary(ab.optional("block", name="whole"))


def _named_input() -> ab.Space:
    image = layers.Input((4, 4, 2), name="image")
    x = layers.Conv2D(2, 1, name="input")(image)
    x = layers.Conv2D(2, 3, padding="same", name="input_1")(layers.ReLU(name="input_2")(x))
    return ab.Space(inputs=image, outputs=layers.Flatten(name="flat")(layers.Add(name="sum")([image, x]))).vary(
        ab.optional("input*", name="whole")
    )


SPACES: dict[str, Callable[[], ab.Space]] = {
    "parts": _optional,
    "a part with layers named input": _named_input,
    "layers": lambda: _row(
        layers.Conv2D(WIDTH * 8, KERNEL, padding="same", activation="relu", name="a$b"),
        layers.MaxPooling2D((2, 1)),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(10, weight_bits=ab.Choice("bits", [4, 8])),
        source=IMAGE,
    ),
    "conditions and maps": lambda: _row(
        layers.Conv2D(8, KERNEL, padding=KERNEL.map({1: "valid", 3: "same"}.get), use_bias=NORM == "none"),
        layers.Conv2D(ab.round_to(ab.channels() * WIDTH // 3) + 2 ** (WIDTH % 3) - (-3) * WIDTH, 1),
        layers.Conv2D(ab.maximum(WIDTH, 3) - (ab.minimum(WIDTH, 4) - (2 - WIDTH // 7)), 1, strides=(WIDTH > 3) + 1),
        layers.Conv2D(SHARE.map(lambda share: 3 if share > 1 else 4), 1, use_bias=(SHARE < 1.0) & ~(WIDTH != 4) ^ FLAG),
        layers.Conv2D(3, 1, use_bias=(FLAG == FLAG) | ~FLAG),
        layers.Conv2D(2 + (ODD == "$x") + (ODD != "it's") * (ODD == None) + (ODD == -2), 1),  # noqa: E711
        layers.Conv2D(ODD.map(lambda value: 2 + (value is True)), 1, use_bias=~((WIDTH < 9) == (KERNEL <= 2))),
        source=IMAGE,
    ),
    "powers and signs": lambda: _row(
        layers.Dense(2 ** (WIDTH % 2) ** 3 + (2 ** (WIDTH % 2)) ** 2 + abs(-WIDTH) - -WIDTH * -2 + (WIDTH + 1) * 3)
    ),
    "branches": lambda: _row(
        ab.OneOf(NORM, {"none": [], "batch": layers.BatchNormalization()}),
        ab.OneOf(
            ab.Choice("way", [1, False, None, 1.5]), {1: layers.ReLU(), False: [], None: [], 1.5: layers.Dense(3)}
        ),
        ab.OneOf("op", [layers.Dense(3), layers.Dense(4, name="four"), []]),
        layers.Residual([layers.Dense(3)], [layers.Dense(3)]),
        layers.Residual(layers.Dense(2), merge=layers.Concatenate()),
        layers.Residual([], layers.Dense(5), merge=[layers.Multiply(name="product"), layers.ReLU()]),
    ),
    "repetitions": lambda: _row(
        ab.Repeat(DEPTH, [layers.Dense(WIDTH), ab.Repeat(2, layers.Dense(WIDTH), shared=["width"])]),
        ab.Repeat(DEPTH * 2 // 3, lambda number: layers.Dense(ab.Int(f"units_{number}", 1, number))),
        ab.Repeat(2, []),
    ),
    "conditions among layers": lambda: _row(
        ab.Require(WIDTH <= 7), ab.Repeat(2, ab.Require(DEPTH > 1)), layers.Dense(WIDTH)
    ),
    "wrappers": lambda: _row(
        layers.Bidirectional(layers.LSTM(WIDTH, return_sequences=True), merge_mode="sum"),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(WIDTH)], return_sequences=True),
        layers.TimeDistributed(layers.Dense(WIDTH, name="inner")),
        source=SEQUENCE,
    ),
    "custom layers": lambda: _row(scale(WIDTH), scale(by=2, shift=True, name="twice"), scale()),
    "tables": lambda: _row(
        layers.Dense(WIDTH),
        metrics=[ab.LatencyTable("t", [({"type": "Dense"}, 3), ({"type": "Dense", "units": "4"}, 5)], combine="max")],
    ),
    "numbers of numpy": lambda: _row(
        layers.Dense(np.int64(3), use_bias=np.bool_(False)), layers.Dropout(np.float64(0.5))
    ),
    "shared layer": _shared_layer,
    "shared layers inside others": _shared_inside,
    "shared blocks": _shared_blocks,
    "shared in repetitions": _shared_in_repetitions,
    "choice of inputs": _choice_of_inputs,
    "graph": _graph,
    "same names": _same_names,
    "constraints": _constrained,
    "bytes": lambda: _row(layers.Dense(3), bytes_per_activation=1, bytes_per_weight=2),
}


def _require_same(read: ab.Space, space: ab.Space) -> None:
    """Equal spaces, that answer alike."""
    assert read == space
    assert list(read.decisions) == list(space.decisions)
    assert read.size == space.size
    drawn = space.sample(20, seed=1)
    assert {name: totals.tolist() for name, totals in read.evaluate(drawn.indices).items()} == {
        name: totals.tolist() for name, totals in space.evaluate(drawn).items()
    }


@pytest.mark.parametrize("name", SPACES)
def test_a_saved_space_is_loaded_equal(tmp_path: Path, name: str) -> None:
    space = SPACES[name]()
    file = tmp_path / "space.yaml"
    space.save(file)
    assert file.read_text(encoding="utf-8") == space.to_yaml()
    read = ab.Space.load(file)
    _require_same(read, space)
    assert read.to_yaml() == space.to_yaml()


@pytest.mark.parametrize("name", ab.spaces.SHELF)
def test_every_space_of_the_shelf_is_read_back_equal(name: str) -> None:
    space = ab.spaces.SHELF[name].make()
    assert ab.Space.from_yaml(space.to_yaml()) == space


@pytest.mark.parametrize("make", [lambda: _row(layers.Dense(3)), ab.spaces.nas_bench_201])
def test_the_name_of_a_space_is_kept_and_makes_no_difference(
    tmp_path: Path, make: Callable[[], ab.Space], capsys: pytest.CaptureFixture[str]
) -> None:
    plain = make()
    space = plain.with_name("a: b")
    assert plain.name is None
    assert "name:" not in plain.to_yaml().splitlines()[0]
    assert ab.Space.from_yaml(plain.to_yaml()).name is None
    assert space == plain
    assert hash(space) == hash(plain)
    assert repr(space) == repr(plain).replace("<Space of", "<Space a: b of")
    copies = [space, copy.copy(space), copy.deepcopy(space), pickle.loads(pickle.dumps(space))]
    copies += [ab.Space.from_yaml(space.to_yaml()), space.with_metrics([ab.metrics.weighted_layers()])]
    copies += [space.with_constraints([]), space.with_domains({}), space.within(ab.Budget(params=10**9)).prune()]
    assert [each.name for each in copies] == ["a: b"] * len(copies)
    assert space.with_name(None).name is None
    assert space[0].space.name == "a: b"
    file = tmp_path / "file.yaml"
    space.save(file)
    assert ab.Space.load(file).name == "a: b"
    assert main(["count", str(file)]) == 0
    assert capsys.readouterr().out.startswith("a: b: ")
    part = tmp_path / "part.yaml"
    part.write_text("space: file.yaml\n")
    assert ab.Space.load(part).name == "a: b"
    part.write_text("space: file.yaml\nname: part\n")
    assert ab.Space.load(part).name == "part"


@pytest.mark.parametrize("name", ["", 3, "a\nb", "x" * 100_000])
def test_a_name_that_is_no_line_is_refused(name: Any) -> None:
    for make in (lambda: _row(layers.Dense(3), name=name), lambda: _row(layers.Dense(3)).with_name(name)):
        with pytest.raises(SpaceError, match="the name of a space must be"):
            make()


def test_texts_are_told_from_files() -> None:
    with pytest.raises(SpaceError, match=r"not a file: Space.load\('space.yaml'\)"):
        ab.Space.from_yaml("space.yaml")
    with pytest.raises(SpaceError, match="from_yaml reads the text of a space file, not 3; load takes its path"):
        ab.Space.from_yaml(3)  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="code=False"):
        ab.Space.from_yaml("space: archbudget.spaces:lenet", code=False)
    assert ab.Space.from_yaml("space: archbudget.spaces:lenet") == ab.spaces.lenet()


class Around(layers.Block):
    """A block of one's own, with a block, a decision and a function as its arguments."""

    def __init__(self, body: Any, width: Any = 3, *, activation: Any = None, more: Any = ()) -> None:
        self.body, self.width, self.activation, self.more = body, width, activation, more
        self.row = layers.Sequential([body, layers.Dense(width, activation=activation), *more])

    def write(self, writer: Any, inputs: Any, guard: Any) -> int:
        return self.row.write(writer, inputs, guard)


class Forgetful(Around):
    def __init__(self, inside: Any) -> None:
        super().__init__(inside)


Renamed = layers.custom(lambda input_shape: layers.Counts(input_shape))
AGAIN = layers.Dense(8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: _row(Around(layers.Dense(3))),
        lambda: _row(Around([layers.Dense(WIDTH), []][0], WIDTH * 2, activation=_wide, more=[layers.ReLU()])),
        lambda: _row(Around(AGAIN, 8), AGAIN, layers.Residual(Around(AGAIN, 8))),
        lambda: _row(Renamed(), Renamed(name="x")),
        lambda: _row(layers.TimeDistributed(layers.Dense(3, activation=_wide)), source=SEQUENCE),
        lambda: _row(layers.Dense(3), metrics=[ab.Metric("wide", _wide, combine="max"), ab.Metric("w", _wide)]),
        lambda: _row(
            layers.Dense(3, name="last"),
            metrics=[
                ab.metrics.weighted_layers(),
                ab.metrics.weighted_layers("again"),
                ab.metrics.output_size("last"),
                ab.metrics.output_size("last", -1, name="side"),
            ],
        ),
    ],
)
def test_what_lives_in_a_module_is_written_by_its_name(make: Callable[[], ab.Space]) -> None:
    space = make()
    text = space.to_yaml()
    read = ab.Space.from_yaml(text)
    _require_same(read, space)
    assert read.to_yaml() == text
    with pytest.raises(SpaceError, match="code=False"):
        ab.Space.from_yaml(text, code=False)


def test_a_metric_of_a_file_is_made_with_its_name() -> None:
    text = (
        "layers: [Input: [8], Dense: {units: 3, name: a}]\nmetrics: {n: {archbudget.metrics:output_size: {layer: a}}}"
    )
    assert ab.Space.from_yaml(text).architecture().costs["n"] == 3
    for wrong, message in (
        ("{archbudget.metrics:outputsize: {layer: a}}", r"space:2: .*did you mean"),
        ("{archbudget.metrics:output_size: {layer: b}}", r"no layer is named 'b'"),
        ("{archbudget.metrics:output_size: 3}", r"space:2: .*its arguments by name"),
        ("{archbudget.metrics:output_size: {lyer: a}}", r"space:2: .*lyer"),
        ("{builtins:dict: {}}", r"space:2: .*builtins:dict is not a Metric but dict"),
        ("{a: {}}", r"space:2: metrics.n"),
        ("{}", r"space:2: metrics.n"),
        ("{archbudget:Metric: {}, archbudget:Space: {}}", r"space:2: metrics.n"),
    ):
        with pytest.raises(ArchbudgetError, match=message) as caught:
            ab.Space.from_yaml(text.replace("{archbudget.metrics:output_size: {layer: a}}", wrong))
        assert "\n" not in str(caught.value)
        assert "pydantic" not in str(caught.value).lower()


def test_random_spaces_are_loaded_equal() -> None:
    written = 0
    for seed in range(150):
        rng = Random(seed)
        try:
            space = draw_space(rng) if seed % 3 else GraphDraw(rng).graph().space()
            if rng.random() < 0.3:
                space = space.with_domains(restrict(rng, space))
        except ArchbudgetError:
            continue  # Nothing of it can be built.
        assert parse(space.to_yaml()).space == space
        written += 1
    assert written > 90


def _local() -> Any:
    @layers.custom
    def own(input_shape: tuple[int, ...]) -> layers.Counts:
        return layers.Counts(input_shape)

    return own()


UNWRITABLE: dict[str, tuple[Callable[[], ab.Space], str]] = {
    "function": (
        lambda: _row(layers.Dense(3, activation=lambda x: x, name="odd")),
        r"cannot hold the argument Dense 'odd': activation=<function .*: module .* does not have it under a name",
    ),
    "inner function": (
        lambda: _row(layers.TimeDistributed(layers.Dense(3, kernel_initializer=lambda: 0)), source=SEQUENCE),
        "cannot hold the argument Dense: kernel_initializer=<function ",
    ),
    "array": (lambda: _row(layers.Dense(3, kernel_regularizer=np.arange(3))), "Dense: kernel_regularizer=.*a ndarray"),
    "custom layer": (lambda: _row(_local()), r"cannot hold the custom layer own\(\)"),
    "metric": (
        lambda: _row(layers.Dense(3), metrics=[ab.Metric("wide", lambda layer: layer.params)]),
        "cannot hold the custom metric 'wide': function=<function .*does not have it under a name",
    ),
    "a tuple that a rule may tell from a list": (
        lambda: _row(kinds((1, 2), name="odd")),
        r"read back, the argument kind of layer 'odd' \(\(1, 2\), \[1, 2\]\) differs",
    ),
    "a block that keeps no arguments": (
        lambda: _row(Forgetful(layers.Dense(3))),
        "cannot hold the block <.*>: the class Forgetful does not keep its argument inside as an attribute",
    ),
}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_what_a_file_cannot_hold_is_named_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    make, message = UNWRITABLE[name]
    space = make()
    file = tmp_path / "space.yaml"
    file.write_text("as before")
    for write in (space.to_yaml, lambda: space.save(file), space.architecture().to_dict):
        with pytest.raises(SpaceError, match=message) as caught:
            write()
        assert "\n" not in str(caught.value)
    assert file.read_text() == "as before"
    assert [each.name for each in tmp_path.iterdir()] == ["space.yaml"]


@pytest.mark.parametrize("name", SPACES)
def test_a_network_goes_through_json(name: str) -> None:
    space = SPACES[name]()
    for arch in space.sample(3, seed=0):
        if not space.evaluate([arch.indices]).valid[0]:
            continue
        again = ab.Architecture.from_dict(json.loads(json.dumps(arch.to_dict())))
        assert again == arch
        assert again.costs == arch.costs
        assert dict(again) == dict(arch)
        assert space.architecture(json.loads(json.dumps(dict(arch)))) == arch


def test_a_wrong_dict_of_a_network_is_one_line() -> None:
    good = _row(layers.Dense(WIDTH)).architecture(width=4).to_dict()
    assert good["values"] == {"width": 4}
    assert good["costs"]["params"] == 36
    for wrong, message in (
        (3, "an architecture is made of a mapping, as to_dict returns it, not of 3"),
        ({}, "'space' of an architecture must be a text, not None"),
        ({**good, "values": [4]}, r"'values' of an architecture must be a mapping, not \[4\]"),
        ({**good, "valeus": {}}, r"unknown key 'valeus' of an architecture; did you mean values\?"),
        ({**good, "values": {"widht": 4}}, r"'widht' \(did you mean width\?\)"),
        ({**good, "values": {"width": 5}}, "5 is not a value of decision 'width'"),
        ({**good, "costs": {**good["costs"], "params": 37}}, "was described with the totals .*another version"),
        ({**good, "space": "layers: [}"}, "space:1: not valid YAML"),
        ({**good, "space": "space: os:path"}, "os:path is not a Space"),
    ):
        with pytest.raises(SpaceError, match=message):
            ab.Architecture.from_dict(wrong)  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="code=False"):
        ab.Architecture.from_dict({**good, "space": "space: os:path"}, code=False)


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        ("params: 60k", {"params": (0, 60_000)}),
        ("params: 1.5M", {"params": (0, 1_500_000)}),
        ("params: 1_000", {"params": (0, 1000)}),
        ("params: 5e6", {"params": (0, 5_000_000)}),
        ("macs: [1k, 2M]", {"macs": (1000, 2_000_000)}),
        ("macs: [1k, null]", {"macs": (1000, 2**63 - 1)}),
        ("macs: 1k:2M", {"macs": (1000, 2_000_000)}),
        ("macs: ':2M'", {"macs": (0, 2_000_000)}),
        ("weight_bytes: 64KiB", {"weight_bytes": (0, 65_536)}),
        ("weight_bytes: 64Ki", {"weight_bytes": (0, 65_536)}),
        ("peak_activation_bytes: 512B", {"peak_activation_bytes": (0, 512)}),
    ],
)
def test_budgets_are_written_as_on_the_command_line(given: str, bounds: dict[str, Any]) -> None:
    budget = parse(f"budget: {{{given}}}\nlayers:\n- Input: [8]\n- Dense: 3\n").budget
    assert budget is not None
    assert dict(budget) == bounds


INPUT = "layers:\n- Input: [8]\n"
LINES: dict[str, tuple[str, str]] = {
    "an argument": (f"{INPUT}- Dense: 3\n- Dense: {{units: 0}}\n", r"space:4: layers\[2\].Dense: .*units"),
    "a misspelt argument": (
        f"{INPUT}- Dense:\n    units: 3\n    activaton: relu\n",
        "space:5: .*did you mean activation",
    ),
    "a shape": (f"{INPUT}- Dense: 3\n- Conv2D: {{filters: 3, kernel_size: 3}}\n", r"space:4: .*layer 'conv2d'"),
    "a shape in a block": (
        f"{INPUT}- OneOf:\n    name: way\n    blocks:\n      a:\n      - Flatten\n      - RepeatVector: 0\n",
        "space:8: .*RepeatVector",
    ),
    "a name given twice": (
        f"{INPUT}- Dense: {{units: 3, name: a}}\n- Dense: {{units: 3, name: a}}\n",
        "space:4: two layers are named 'a'",
    ),
    "an input that is no layer": (
        f"{INPUT}- Dense: {{units: 3, name: one}}\n- InputChoice: {{name: c, inputs: [oen]}}\n",
        r"space:4: .*did you mean one\?",
    ),
    "a condition that nothing meets": (
        "decisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $u\n- Require: $u > 3\n",
        "space:5: ",
    ),
    "a constraint that nothing meets": (
        "decisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $u\nconstraints:\n- $u < 3\n- $u > 3\n",
        "space:7: ",
    ),
    "an expression": (
        "decisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $u +\n",
        "space:4: .*is not an expression",
    ),
    "a decision": ("decisions:\n  u: [1, 2]\n  v: {low: 3, high: 1}\nlayers:\n- Input: [8]\n", "space:3: decisions.v"),
    "a misspelt decision": (
        "decisions: {units: [1]}\nlayers:\n- Input: [8]\n- Dense: $unit\n",
        r"space:4: .*mean units\?",
    ),
    "a shared layer": (
        "shared: {again: {Dense: 8}}\nlayers:\n- Input: [8]\n- Shared: agian\n",
        r"space:4: .*no shared layer or block is named 'agian'; did you mean again\?",
    ),
    "a shared layer that is not used": (
        f"shared:\n  again: {{Dense: 8}}\n{INPUT}",
        "space:2: shared.again: no layer uses it",
    ),
    "what is shared": (
        (
            "decisions: {w: [1], v: [1]}\nlayers:\n- Input: [8]\n- Dense: $v\n"
            "- Repeat: {times: 2, block: [Dense: $w], shared: [v]}\n"
        ),
        "space:5: .*no decision of the block is named 'v'",
    ),
    "a tensor": (
        "graph:\n  a: {Input: [8]}\n  b: {Dense: 3, of: c}\noutputs: b\n",
        "space:3: graph.b.of: no earlier tensor of the graph is named 'c'",
    ),
    "a node that reads nothing": ("graph:\n  a: {Input: [8]}\n  b: {Dense: 3}\noutputs: b\n", "space:3: .*needs 'of'"),
    "no outputs": ("graph:\n  a: {Input: [8]}\n", "space:1: graph: a graph needs 'outputs'"),
    "a shape in a graph": (
        "graph:\n  a: {Input: [8]}\n  b: {Conv2D: {filters: 1, kernel_size: 1}, of: a}\noutputs: b\n",
        "space:3: .*layer 'conv2d'",
    ),
    "a shared layer of another form": (
        f"shared: {{again: {{Dense: 8}}}}\n{INPUT}- Shared: {{again: 1}}\n",
        "space:4: .*must be the name of one shared layer or block, not {'again': 1}",
    ),
    "a list of shared layers": (
        f"shared: {{again: {{Dense: 8}}}}\n{INPUT}- TimeDistributed: {{layer: {{Shared: [again]}}}}\n",
        r"space:4: .*must be the name of one shared layer or block, not \['again'\]",
    ),
    "a shared block within itself": (
        f"shared:\n  a: [Flatten, Shared: b]\n  b: [Shared: a]\n{INPUT}- Shared: a\n",
        "space:3: .*the shared block 'a' stands within itself: a -> b -> a",
    ),
    "a decision and a shared layer of one name": (
        (
            f"decisions: {{d: [1, 2]}}\nshared: {{d: {{Dense: 8}}}}\n{INPUT}"
            "- Repeat: {times: 2, block: [Shared: d, Dense: $d], shared: [d]}\n"
        ),
        r"space:5: .*'d' names a decision and a shared layer; rename one of them; \$d is the decision",
    ),
    "a choice and a shared layer of one name": (
        (
            f"shared: {{d: {{Dense: 8}}}}\n{INPUT}"
            "- Repeat: {times: 2, block: [Shared: d, OneOf: {name: d, blocks: {a: [], b: [Flatten]}}], shared: [d]}\n"
        ),
        "space:4: .*'d' names a decision and a shared layer; rename one of them$",
    ),
    "a misspelt layer that is shared": (
        f"shared: {{again: {{Dense: 8}}}}\n{INPUT}- Repeat: {{times: 2, block: [Shared: again], shared: [agian]}}\n",
        r"space:4: .*no shared layer, is named 'agian'; did you mean again\?",
    ),
    "too few blocks": (f"{INPUT}- Repeat:\n    times: 3\n    blocks: [[Flatten]]\n", "space:5: .*there are 1 blocks"),
    "a bound": (f"budget:\n  macs: 3\n  params: 64KB\n{INPUT}", "space:3: .*is not a whole number"),
    "bytes of two kinds": (
        f"budget:\n  weight_bytes: 64KB\n{INPUT}",
        "space:2: .*write 64K for the first, 64KiB for the",
    ),
    "a text for a number": (f"bytes_per_weight: x\n{INPUT}", "space:1: bytes_per_weight: must be an integer, not 'x'"),
    "a number for a text": (f"{INPUT}name: 3\n", "space:3: name: must be a text, not 3"),
    "no list of layers": ("layers: 3\n", "space:1: layers: must be a list of at least one layer, not 3"),
    "a value": (f"decisions: {{u: [[1]]}}\n{INPUT}", "space:1: decisions.u: a decision is a list of values or a range"),
    "a key of a decision": (f"decisions: {{u: {{low: 1, hihg: 3}}}}\n{INPUT}", "space:1: decisions.u"),
    "a tag": (f"{INPUT}name: !!timestamp x\n", "space:3: "),
    "a branch of a number": (
        f"{INPUT}- OneOf:\n    name: n\n    blocks:\n      1: [Flatten]\n      2: [Flaten]\n",
        r"space:7: .*did you mean Flatten\?",
    ),
    "a domain": (
        "decisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $u\ndomains:\n  v: [1]\n",
        "space:6: domains.v: unknown decisions in the domains: 'v'",
    ),
    "a part without a node": (
        f"{INPUT}- Part: {{graph: {{}}, output: input}}\n",
        "space:3: .*must be a mapping from names",
    ),
    "a node of a part that reads nothing": (
        f"{INPUT}- Part:\n    graph:\n      a: Flatten\n    output: a\n",
        "space:5: .*it needs 'of', the names of the tensors that it reads, such as input",
    ),
    "a tensor that a part has not": (
        f"{INPUT}- Part:\n    graph:\n      a: {{ReLU: null, of: input}}\n    output: b\n",
        r"space:6: layers\[1\].Part.output: no earlier tensor of the graph is named 'b'",
    ),
    "the tensor that flows into a part": (
        f"{INPUT}- Part:\n    graph:\n      input: {{ReLU: null, of: input}}\n    output: input\n",
        "space:5: .*'input' is the tensor that flows in; give the block another name",
    ),
    "a map that lacks a value": (
        "decisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: 'map($u, {1: 8})'\n",
        "space:4: .*nothing for the value 2",
    ),
}


@pytest.mark.keras
def test_functions_of_keras_are_written_by_their_public_names() -> None:
    keras = pytest.importorskip("keras")
    space = _row(layers.Dense(3, activation=keras.activations.relu))
    assert "keras.activations:relu" in space.to_yaml()
    assert parse(space.to_yaml()).space == space


def test_shared_layers_stand_in_any_order() -> None:
    later = f"shared:\n  block: [Shared: one, Flatten]\n  one: {{Dense: 8}}\n{INPUT}- Shared: block\n- Shared: one\n"
    earlier = f"shared:\n  one: {{Dense: 8}}\n  block: [Shared: one, Flatten]\n{INPUT}- Shared: block\n- Shared: one\n"
    assert parse(later).space == parse(earlier).space
    assert parse(later).space.architecture().params == 72


@pytest.mark.parametrize("first", [True, False])
def test_a_shared_layer_and_a_decision_of_its_name_are_told_apart(first: bool) -> None:
    again, decided = layers.Dense(4), layers.Dense(ab.Int("dense", 4, 5))
    narrow = layers.Dense(4)
    row = [again, decided, narrow] if first else [decided, narrow, again]
    space = _row(ab.Repeat(2, row, shared=[again]), source=SEQUENCE)
    assert space.size == 4
    assert parse(space.to_yaml()).space == space


@pytest.mark.parametrize("name", LINES)
def test_every_error_has_its_line(name: str) -> None:
    text, message = LINES[name]
    with pytest.raises(ArchbudgetError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value).lower()


def test_only_yaml_is_written_and_read_as_a_space_file(tmp_path: Path) -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    for name in ("space.json", "space", "space.txt"):
        with pytest.raises(SpaceError, match="a space file is YAML, and its name ends in .yaml or .yml"):
            space.save(tmp_path / name)
        with pytest.raises(SpaceError, match="a space file is YAML"):
            ab.Space.load(tmp_path / name)
    assert not list(tmp_path.iterdir())
    space.save(tmp_path / "space.yml")
    assert ab.Space.load(tmp_path / "space.yml") == space
