"""Nodes that pick what they read, against the networks wired by hand."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import archbudget as ab
from archbudget import files, layers
from archbudget.errors import InvalidArchitectureError, SpaceError
from support.random_spaces import enumerate_networks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archbudget.layers import Tensor

    Pick = Callable[[str, Sequence[Tensor]], Tensor]

COUNTS = ("params", "trainable_params", "macs", "weight_bytes")


def check(space: ab.Space, plain: Callable[[dict[str, Any]], ab.Space]) -> None:
    """Holds every combination of a space against the same network without choices among inputs."""
    known = enumerate_networks(space)
    found = space.evaluate(known.indices)
    assert (found.valid == known.valid).all()
    assert space.size == len(known.first)
    domains = [decision.values for decision in space.decisions.values()]
    for row, values in enumerate(itertools.product(*domains)):
        try:
            wired = plain(dict(zip(space.decisions, values, strict=True))).architecture()
        except InvalidArchitectureError:
            assert not found.valid[row]
            continue
        assert found.valid[row]
        assert [found[metric][row] for metric in COUNTS] == [wired.costs[metric] for metric in COUNTS]


def wire(value: object, tensors: Sequence[Tensor], merge: Callable[[], layers.Block]) -> Tensor:
    chosen = [tensors[int(position)] for position in str(value).split("+")]
    return chosen[0] if len(chosen) == 1 else merge()(chosen)


def chain(pick: Pick, strides: Callable[[str, int], Any]) -> ab.Space:
    """Three nodes, each of which may read any tensor before it."""
    image = layers.Input((6, 6, 2))
    nodes = [layers.Conv2D(2, 3, padding="same")(image)]
    for number in range(1, 4):
        name = f"in_{number}"
        read = pick(name, nodes)
        nodes.append(layers.Conv2D(number + 2, 3, strides=strides(name, number), padding="same")(read))
    return ab.Space(inputs=image, outputs=[layers.Dense(3)(layers.Flatten()(nodes[-1])), *nodes])


def test_each_node_reads_one_earlier_tensor() -> None:
    space = chain(
        lambda name, tensors: layers.InputChoice(name)(tensors),
        lambda name, number: (ab.Int(name, 0, number - 1) < 1) + 1,
    )
    assert [len(decision.values) for decision in space.decisions.values()] == [1, 2, 3]
    check(
        space,
        lambda values: chain(lambda name, tensors: tensors[values[name]], lambda name, _: int(values[name] < 1) + 1),
    )


def test_layers_of_a_tensor_that_nobody_reads_are_counted() -> None:
    image = layers.Input((4,))
    left, right = layers.Dense(4)(image), layers.Dense(40)(image)
    space = ab.Space(inputs=image, outputs=layers.InputChoice("source")([left, right, image]))
    found = space.evaluate({"source": [0, 1, 2]})
    assert found["params"].tolist() == [220, 220, 220]
    assert found["macs"].tolist() == [176, 176, 176]


MERGES: list[Any] = [None, layers.Concatenate(), [layers.Concatenate(), layers.Conv2D(2, 3)], layers.Subtract()]


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("n_chosen", [1, 2, 3, (1, 2), (2, 3), None])
def test_chosen_tensors_are_merged(n_chosen: Any, merge: Any) -> None:
    def build(pick: Pick, third: Any) -> ab.Space:
        image = layers.Input((5, 5, 2))
        tensors = [layers.Conv2D(width, 3, padding="same")(image) for width in (2, 2, third)]
        first = layers.Conv2D(2, 3, padding="same")(pick("first", tensors))
        return ab.Space(inputs=image, outputs=[layers.Conv2D(4, 1)(pick("last", [first, *tensors])), first, *tensors])

    def fresh() -> layers.Block:
        if isinstance(merge, list):
            return layers.Sequential([layers.Concatenate(), layers.Conv2D(2, 3)])
        return layers.Add() if merge is None else type(merge)()

    def pick(name: str, tensors: Sequence[Tensor]) -> Tensor:
        return layers.InputChoice(name, n_chosen, None if merge is None else fresh())(tensors)

    if n_chosen in (3, (2, 3), None) and isinstance(merge, layers.Subtract):
        with pytest.raises(SpaceError, match="takes 2 to 2 inputs"):
            build(pick, 2)
        return
    space = build(pick, ab.Choice("third", [2, 3]))
    if n_chosen == (2, 3):
        assert space.decisions["first"].values == ("0+1", "0+2", "1+2", "0+1+2")
    check(space, lambda values: build(lambda name, tensors: wire(values[name], tensors, fresh), values["third"]))


def test_the_values_of_a_choice_are_in_order() -> None:
    def values(**arguments: Any) -> tuple[Any, ...]:
        image = layers.Input((4,))
        return (
            ab.Space(inputs=image, outputs=layers.InputChoice("in", **arguments)([image, image, image]))
            .decisions["in"]
            .values
        )

    assert values() == (0, 1, 2)
    assert values(n_chosen=2) == ("0+1", "0+2", "1+2")
    assert values(n_chosen=[1, 2]) == ("0", "1", "2", "0+1", "0+2", "1+2")
    assert values(n_chosen=None) == ("0", "1", "2", "0+1", "0+2", "1+2", "0+1+2")


def test_a_given_decision_is_read_elsewhere_and_tied() -> None:
    source = ab.Int("source", 0, 1)
    image = layers.Input((4,))
    left, right = layers.Dense(4)(image), layers.Dense(8)(image)
    x = layers.InputChoice(source)([left, right])
    y = layers.InputChoice("source")([right, left])
    space = ab.Space(inputs=image, outputs=[layers.Dense(source + 1)(x), layers.Dense(1)(y)])
    assert space.size == 2
    assert space.evaluate({"source": [0, 1]})["params"].tolist() == [60 + 5 + 9, 60 + 18 + 5]


def test_constraints_read_choices() -> None:
    first, second = ab.Int("first", 0, 2), ab.Int("second", 0, 2)
    image = layers.Input((4,))
    tensors = [layers.Dense(4)(image) for _ in range(3)]
    chosen = [layers.InputChoice(each)(tensors) for each in (first, second)]
    space = ab.Space(inputs=image, outputs=layers.Add()(chosen), constraints=[first < second])
    assert space.size == 3
    labels = ab.Choice("both", ["0+1", "0+2", "1+2"])
    image = layers.Input((4,))
    tensors = [layers.Dense(4)(image) for _ in range(3)]
    joint = layers.InputChoice(labels, 2)(tensors)
    assert ab.Space(inputs=image, outputs=joint, constraints=[ab.different(labels, "0+2")]).size == 2


def test_choices_of_a_branch_that_is_not_taken_are_no_networks() -> None:
    one, other = layers.Input((4,)), layers.Input((4,))
    block = layers.OneOf(
        "op", {"pick": layers.InputChoice("in"), "some": layers.InputChoice("some", None), "all": layers.Add()}
    )
    space = ab.Space(inputs=[one, other], outputs=block([one, other]))
    assert space.size == 2 + 3 + 1


def test_a_node_of_a_list_reads_named_layers_before_it() -> None:
    cell = [
        layers.Identity(name="start"),
        layers.Dense(4, name="first"),
        layers.InputChoice("second_in", inputs=["start", "first"]),
        layers.Dense(4, use_bias=False, name="second"),
        layers.InputChoice("out", None, inputs=["start", "first", "second"]),
    ]
    space = ab.Space([layers.Input((4,), name="image"), layers.Repeat(ab.Int("cells", 0, 2), cell)])
    assert list(space.decisions) == ["cells", "second_in_1", "out_1", "second_in_2", "out_2"]
    assert space.size == 1 + 14 + 14 * 14

    def plain(values: dict[str, Any]) -> ab.Space:
        image = layers.Input((4,))
        tensor = layers.Identity()(image)
        made: list[Tensor] = []
        for number in range(1, values["cells"] + 1):
            first = layers.Dense(4)(tensor)
            second = layers.Dense(4, use_bias=False)(wire(values[f"second_in_{number}"], [tensor, first], layers.Add))
            made += [first, second]
            tensor = wire(values[f"out_{number}"], [tensor, first, second], layers.Add)
        return ab.Space(inputs=image, outputs=[tensor, *made])

    check(space, plain)
    skipping = ab.Space(
        [
            layers.Input((4,), name="image"),
            layers.Dense(8, name="wide"),
            layers.InputChoice("in", inputs=["image", "wide"]),
            layers.Dense(1),
        ]
    )
    assert skipping.evaluate({"in": [0, 1]})["params"].tolist() == [45, 49]


def test_a_space_file_has_choices_among_inputs(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        """
decisions:
  source: [0, 1]
  width: [2, 4]
layers:
- Input: {shape: [6, 6, 2], name: image}
- Conv2D: {filters: $width, kernel_size: 3, padding: same, name: first}
- InputChoice: {name: $source, inputs: [image, first]}
- Conv2D: {filters: $source + 1, kernel_size: 3, padding: same, name: second}
- InputChoice: {name: last, inputs: [image, first, second], n_chosen: [1, 2], merge: [Concatenate]}
- Flatten
- InputChoice: {name: any, inputs: [image, first], n_chosen: null}
"""
    )
    space = files.load(str(file)).space
    source, width = ab.Choice("source", [0, 1]), ab.Choice("width", [2, 4])
    image = layers.Input((6, 6, 2))
    first = layers.Conv2D(width, 3, padding="same")(image)
    second = layers.Conv2D(source + 1, 3, padding="same")(layers.InputChoice(source)([image, first]))
    last = layers.InputChoice("last", (1, 2), layers.Concatenate())([image, first, second])
    flat = layers.Flatten()(last)
    joint = layers.InputChoice("any", None)([image, first])
    written = ab.Space(inputs=image, outputs=[flat, joint])
    assert space.size == written.size == 6 * 2 * (2 + 3)
    candidates = space.sample(200, seed=0)
    order = [list(space.decisions).index(name) for name in written.decisions]
    found, expected = space.evaluate(candidates), written.evaluate(candidates.indices[:, order])
    for metric in COUNTS:
        assert (found[metric] == expected[metric]).all()
    for wrong, message in (
        ("inputs: [image, frist]", r"no layer before it in its list is named 'frist'; did you mean first\?"),
        ("inputs: null", r":8: layers\[2\].InputChoice.inputs"),
        ("n_chosen: 1", r":8: InputChoice 'source' stands in a list and needs inputs"),
    ):
        file.write_text(file.read_text().replace("inputs: [image, first]}\n- Conv2D", wrong + "}\n- Conv2D"))
        with pytest.raises(SpaceError, match=message):
            files.load(str(file))
        file.write_text(file.read_text().replace(wrong + "}\n- Conv2D", "inputs: [image, first]}\n- Conv2D"))


def test_a_choice_among_inputs_is_a_real_network() -> None:
    image = layers.Input((4,))
    tensors = [layers.Dense(width)(image) for width in (2, 3, 4)]
    joint = layers.InputChoice("in", (1, 3), layers.Concatenate())(tensors)
    space = ab.Space(inputs=image, outputs=layers.Dense(5)(joint))
    for value in space.decisions["in"].values:
        arch = space.architecture({"in": value})
        own = sum((arch.layer(name).params for name in ("dense", "dense_1", "dense_2")), 0)
        reached = sum(arch.layer(("dense", "dense_1", "dense_2")[int(each)]).params for each in str(value).split("+"))
        # Keras leaves out what leads to no output.
        assert arch.to_keras().count_params() == arch.params - own + reached


@pytest.mark.parametrize("n_chosen", [0, -1, True, 1.5, "2", (1,), (2, 1), (0, 1), (1, None, 2), (1, 2.0)])
def test_bad_numbers_of_tensors_are_refused(n_chosen: Any) -> None:
    with pytest.raises(SpaceError, match="InputChoice 'in': n_chosen must be"):
        layers.InputChoice("in", n_chosen)


def test_choices_that_do_not_match_their_tensors_are_refused() -> None:
    image = layers.Input((4,))

    def build(*arguments: Any, **named: Any) -> ab.Space:
        return ab.Space(inputs=image, outputs=layers.InputChoice(*arguments, **named)([image, image]))

    for call, message in (
        (lambda: build("in", 3), "'in' chooses 3 tensors among 2"),
        (lambda: build(ab.Int("in", 0, 2)), r"2 tensors needs the values \[0, 1\]; decision 'in' has \[0, 1, 2\]"),
        (lambda: build(ab.Choice("in", [False, True])), "integer values"),
        (lambda: build(ab.Int("in", 0, 1), None), r"\['0', '1', '0\+1'\]"),
        (lambda: build(""), "needs a name"),
        (lambda: layers.InputChoice("in")(image), "a list of at least one tensor, not a tensor by itself"),
        (lambda: layers.InputChoice("in", inputs=["a"])([image]), "beside the names"),
        (lambda: layers.InputChoice("in", inputs="ab"), "names of layers"),
        (lambda: layers.InputChoice("in", inputs=[]), "names of layers"),
        (lambda: layers.InputChoice("in", merge=3), "building block"),
        (lambda: ab.Space([image, layers.InputChoice("in")]), "stands in a list and needs inputs"),
        (lambda: ab.Space([image, layers.InputChoice("in", inputs=["late"]), layers.Dense(1, name="late")]), "none"),
        (lambda: ab.Space(inputs=image, outputs=layers.InputChoice("in", None)([image] * 30)), "in 1,073,741,823 ways"),
    ):
        with pytest.raises(SpaceError, match=message):
            call()


def test_thousands_of_combinations_of_inputs_are_distinct() -> None:
    image = layers.Input((1,))
    tensors = [layers.Dense(1)(image) for _ in range(11)]
    merge = [layers.Concatenate(), layers.Dense(1)]
    space = ab.Space(inputs=image, outputs=layers.InputChoice("in", None, merge)(tensors))
    labels = list(space.decisions["in"].values)
    merged = [label.count("+") + 1 for label in labels if isinstance(label, str)]
    assert space.size == len(labels) == 2**11 - 1
    # A sum over each input and a bias, unless it is alone.
    expected = [22 + (count + 1 if count > 1 else 0) for count in merged]
    assert space.evaluate({"in": labels})["params"].tolist() == expected


def test_too_many_combinations_of_inputs_are_refused() -> None:
    image = layers.Input((1,))
    with pytest.raises(SpaceError, match=r"'in' can choose among 17 tensors in 131,071 ways; at most 8,192"):
        ab.Space(inputs=image, outputs=layers.InputChoice("in", None)([image] * 17))


def test_no_tensors_are_refused() -> None:
    with pytest.raises(SpaceError, match="takes a list of at least one tensor, not an empty one"):
        layers.InputChoice("in")([])
