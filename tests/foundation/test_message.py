"""The values in messages."""

import pickle

import pytest

import archbudget as ab
from archbudget import errors
from archbudget._message import LONGEST, VALUE, cut, line, listed, one_line, show


class Raises:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


class Rambles:
    def __repr__(self) -> str:
        return "word\n" * 10**6


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -3,
        2**64,
        1.5,
        "word",
        "it's",
        b"x",
        [],
        [1],
        (1,),
        (),
        {1: "a"},
        {2},
        [[1], {"a": [2]}],
        range(3),
    ],
)
def test_a_short_value_is_shown_as_python_writes_it(value: object) -> None:
    assert show(value) == repr(value)


def test_a_long_text_is_cut_in_its_middle_with_its_length() -> None:
    shown = show("start" + "x" * 10**6 + "end")
    assert shown.startswith("'startx")
    assert shown.endswith("xend'")
    assert "(1,000,008 characters)" in shown
    assert len(shown) <= VALUE
    assert cut("abc", 3) == "abc"
    assert show(list(range(10**5))) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... (99,988 more)]"
    assert show([[[[[1]]]]]) == "[[[[...]]]]"
    assert show(10**5000) == "<an integer of 16,610 bits>"
    assert show(-(10**5000)) == "<a negative integer of 16,610 bits>"


def test_lists_that_double_or_do_not_end_are_shown() -> None:
    endless: list[object] = []
    endless.append(endless)
    doubling: list[object] = [1]
    for _ in range(100):
        doubling = [doubling, doubling]
    assert show(endless) == "[[[[...]]]]"
    assert len(show(doubling)) <= VALUE


def test_a_value_that_cannot_be_shown_is_shown_by_its_type() -> None:
    assert show(Raises()) == "<Raises>"
    assert show([Raises(), 1]) == "[<Raises>, 1]"
    assert show({"a": Raises()}) == "{'a': <Raises>}"


@pytest.mark.parametrize("value", ["a\nb", "\ud800", "a\0b", "\x1b[31m", "\u2028", Rambles(), Raises(), [Rambles()]])
def test_a_value_is_shown_on_one_line_that_can_be_written(value: object) -> None:
    shown = show(value)
    assert shown.isprintable()
    assert len(shown) <= VALUE
    shown.encode()


def test_a_line_has_no_breaks_and_nothing_that_a_terminal_obeys() -> None:
    assert line("one \n  two\r\nthree\u2028four") == "one two three four"
    assert line("red \x1b[31m, half \udc80, tab\t.") == "red \\x1b[31m, half \\udc80, tab\\t."
    assert line("Größe 5 µs") == "Größe 5 µs"


def test_names_in_a_row_are_as_many_as_there_is_room_for() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == ""
    many = listed(f"name_{number}" for number in range(10**4))
    assert many.startswith("name_0, name_1, ")
    assert many.endswith(" more)")
    assert len(many) < 500
    assert listed(["x" * 10**6]).count("x") < VALUE


def test_the_message_of_a_foreign_exception_is_one_line() -> None:
    assert one_line(ValueError("one\n  two")) == "one two"
    assert one_line(ValueError(Raises())) == "its message cannot be shown"
    assert len(one_line(ValueError("x" * 10**6))) <= LONGEST


KINDS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.ArchbudgetError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_is_one_line_of_at_most_2000_characters(kind: type[errors.ArchbudgetError]) -> None:
    error = kind(f"the start {'x' * 10**6}\n the end")
    assert str(error).startswith("the start")
    assert str(error).endswith("the end")
    assert "characters)" in str(error)
    assert len(str(error)) <= 2000
    assert str(error).isprintable()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind("it's short")) == "it's short"
    assert isinstance(kind.__new__(kind), kind)  # As the pickler of Dask makes one.


def test_messages_of_the_engine_are_short_too() -> None:
    names = [f"{'x' * 250}{number}" for number in range(40)]
    decisions = [ab.Choice(name, [1, 2]) for name in names]
    layers = [ab.layers.Dense(decision, name=decision.name) for decision in decisions]
    space = ab.Space([ab.layers.Input((4,)), *layers])
    for call in (
        lambda: space.range("y" * 10**6),
        lambda: space.architecture(),
        lambda: space.architecture({"y" * 10**6: 1}),
        lambda: ab.Space([ab.layers.Input((4,)), layers[0], ab.layers.Conv2D(3, 3, name="z" * 200)]),
        lambda: ab.Space([ab.layers.Input((4,)), ab.layers.Require(sum(decisions[1:9], decisions[0]) > 10**6)]),
    ):
        with pytest.raises(errors.ArchbudgetError) as caught:
            call()
        assert len(str(caught.value)) <= 2000
        assert str(caught.value).isprintable()
