"""Explanations as text, Markdown and HTML say the same, and names in them are shown, not obeyed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError

SPACE = ab.Space(
    [
        layers.Input((28, 28, 1)),
        layers.Conv2D(ab.Choice("filters", [8, 16]), 5, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Dropout(0.5, name="drop"),
        layers.Flatten(name="flat"),
        layers.Dense(10, weight_bits=4, name="head"),
    ]
)
ARCH = SPACE.architecture(filters=16)


class Reader(HTMLParser):
    """The text of a page, whose tags it wants closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def text_of(page: str) -> tuple[str, set[str]]:
    """The text of a well-formed page, and its tags."""
    reader = Reader()
    reader.feed(re.sub(r"<(rect[^>]*)/>", r"<\1></rect>", page))
    reader.close()
    assert reader.open == []
    return "".join(reader.words), reader.tags


def squeezed(text: str) -> str:
    """A text without what the forms write differently: blanks, line breaks, marks of lists and of code."""
    return re.sub(r"[\s`*\\-]+", "", text)


def test_long_formulas_are_whole_in_every_form() -> None:
    space = ab.Space([layers.Input((6, 8)), layers.MultiHeadAttention(2, 3, use_gate=True, name="attention")])
    arch = space.architecture()
    plain = arch.explain("attention")
    assert max(map(len, plain.split("\n"))) > 400
    assert squeezed(text_of(arch.explain("attention", format="html"))[0]) == squeezed(plain)
    assert squeezed(arch.explain("attention", format="markdown").replace("&gt;", ">")) == squeezed(plain)


@pytest.mark.parametrize("layer", [None, *[record.name for record in ARCH.layers]])
def test_all_forms_say_the_same(layer: str | None) -> None:
    plain = ARCH.explain(layer)
    assert plain == ARCH.explain(layer, format="text")
    page, tags = text_of(ARCH.explain(layer, format="html"))
    assert squeezed(page) == squeezed(plain)
    assert tags <= {"div", "p", "b", "code", "ul", "li"}
    assert squeezed(ARCH.explain(layer, format="markdown").replace("&gt;", ">")) == squeezed(plain)


def test_an_explanation_in_markdown() -> None:
    assert ARCH.explain("conv", format="markdown") == (
        "**conv** (Conv2D): `(None, 28, 28, 1) -> (None, 24, 24, 16)`\n\n"
        "- params: `(kernel_height * kernel_width * input_channels + 1) * filters = (5*5*1 + 1) * 16 = 416`\n"
        "  - `5*5`: kernel\\_size\n"
        "  - `1`: channels of the input, which come from input\\_layer (None, 28, 28, 1)\n"
        "  - `1`: bias of each filter\n"
        "  - `16`: filters, set by filters\n"
        "- macs: `output_height * output_width * kernel_height * kernel_width * input_channels * filters = "
        "24*24*5*5*1*16 = 230,400`\n"
        "- output shape: `(None, input_height - kernel_height + 1, input_width - kernel_width + 1, filters) = "
        "(None, 28 - 5 + 1, 28 - 5 + 1, 16) = (None, 24, 24, 16)`"
    )


def test_an_explanation_in_html() -> None:
    assert ARCH.explain("drop", format="html") == (
        "<div><p><b>drop</b> (Dropout): <code>(None, 24, 24, 16) -&gt; (None, 24, 24, 16)</code></p>"
        "<ul><li>params: 0. Dropout removes activations while training, not weights.</li>"
        "<li>output shape: <code>(None, input_axis_1, input_axis_2, input_axis_3) = (None, 24, 24, 16)</code></li>"
        "</ul></div>"
    )


def test_there_are_three_forms() -> None:
    with pytest.raises(SpaceError, match="format must be one of text, markdown, html, not 'pdf'"):
        ARCH.explain("conv", format="pdf")


def test_a_name_in_the_summary_is_no_markup() -> None:
    arch = ab.Space([layers.Input((3,)), layers.Dense(2, name="[red]x[bold]")]).architecture()
    assert "[red]x[bold] (Dense)" in arch.summary()


NAMES = ["<script>alert(1)", '"><img src=x onerror=alert(1)>', "a|b`c`*d*", "[x](javascript:1)", "&lt;", "a_b"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_and_not_obeyed(name: str) -> None:
    arch = ab.Space([layers.Input((3,)), layers.Dense(2, name=name), layers.Dense(2)]).architecture()
    for page in (arch.explain(format="html"), arch._repr_html_()):
        text, tags = text_of(page)
        assert name in text
        assert not tags & {"script", "img", "a"}
    shown = arch.explain(name, format="markdown")
    assert "<" not in shown.replace("`(None, 3) -> (None, 2)`", "")
    assert not re.search(r"(?<!\\)\[x\]", shown)
