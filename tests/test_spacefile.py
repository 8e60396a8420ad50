"""Spaces by reference."""

import json
from pathlib import Path

import pytest

import archbudget as ab
from archbudget import _spacefile, layers
from archbudget.errors import ArchbudgetError, SpaceError


def read(tmp_path: Path, text: str) -> _spacefile.Loaded:
    file = tmp_path / "space.yaml"
    file.write_text(text)
    return _spacefile.load(str(file))


def test_a_file_is_the_space_that_it_describes(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        """
        name: example
        objective: module:function
        budget: {params: 60000, macs: [1000, null]}
        decisions:
          depth: {low: 1, high: 3}
          width: {low: 8, high: 32, step: 8}
          kernel: [1, 3]
          rate: [0.1, 0.5]
        layers:
          - Input: [16, 16, 1]
          - Repeat:
              times: $depth
              block:
                - Conv2D: {filters: $width, kernel_size: [$kernel, 3], padding: same}
          - Residual:
              - Conv2D: {filters: $channels, kernel_size: 1}
          - OneOf: {name: pool, blocks: {max: [MaxPooling2D], none: []}}
          - Flatten
          - Dropout: $rate
          - Dense: {units: "round_to($depth * 5 + 3, 8)"}
        """,
    )
    depth, width = ab.Int("depth", 1, 3), ab.Int("width", 8, 32, step=8)
    written = ab.Space(
        [
            layers.Input((16, 16, 1)),
            ab.Repeat(depth, [layers.Conv2D(width, (ab.Choice("kernel", [1, 3]), 3), padding="same")]),
            ab.Residual([layers.Conv2D(ab.channels(), 1)]),
            ab.OneOf("pool", {"max": layers.MaxPooling2D(), "none": []}),
            layers.Flatten(),
            layers.Dropout(ab.Choice("rate", [0.1, 0.5])),
            layers.Dense(ab.round_to(depth * 5 + 3, 8)),
        ]
    )
    assert loaded.name == "example"
    assert loaded.objective == "module:function"
    assert loaded.budget == ab.Budget(params=60_000, macs=(1_000, None))
    assert list(loaded.space.decisions) == list(written.decisions)
    assert loaded.space.size == written.size
    candidates = written.sample(100, seed=0)
    found, expected = loaded.space.evaluate(candidates.indices), written.evaluate(candidates)
    for metric in expected:
        assert (found[metric] == expected[metric]).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("- a", "a space file is a mapping with the key 'layers', not ['a']"),
        ("layer: []", ":1: layer: unknown key; did you mean layers?"),
        ("layers: [\n", "not valid YAML"),
        ("layers:\n- Input: [8]\nlayers:\n- Flatten", ":3: the key 'layers' stands here twice"),
        ("layers:\n- Input: [8]\n- Dence: 3", ":3: layers[1].Dence: unknown layer 'Dence'; did you mean Dense?"),
        ("layers:\n- Input: [8]\n- Dense: {unit: 3}", "layers[1].Dense.unit: unknown argument; did you mean units?"),
        ("layers:\n- Input: [8]\n- Dense", "layers[1]: the argument units is missing"),
        ("layers:\n- Input: [8]\n- Dense: -2", "units must be an integer >= 1, not -2"),
        ("layers:\n- Input: [8]\n- Dense: $b", "unknown decision $b"),
        ("decisions: {b: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $b ** 2", "uses more than + - * //"),
        ("decisions: {a: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: 3", ":1: decisions.a: no layer uses this decision"),
        ("decisions: {a: {low: 1, hi: 3}}\nlayers:\n- Input: [8]\n- Dense: $a", "decisions.a"),
        ("decisions: {a: []}\nlayers:\n- Input: [8]\n- Dense: $a", "decision 'a' has no values"),
        ("budget: {param: 3}\nlayers:\n- Input: [8]", ":1: budget.param: unknown key; did you mean params?"),
        ("budget: {params: 0}\nlayers:\n- Input: [8]", "the upper bound must be at least 1, not 0"),
        ("layers:\n- Dense: 3", "the first layer of a space must be an Input"),
        ("layers:\n- Input: [8]\n- {}", "layers[1]: a layer is a name"),
        ("layers:\n- Input: [8]\n- Repeat: {times: 2}", "layers[1].Repeat: the argument block is missing"),
        ("layers:\n- Input: [8]\n- OneOf: {name: x, blocks: [Flatten]}", "must be a mapping from names to lists"),
        ("layers:\n- Input: [3]\n- Conv2D: {filters: 2, kernel_size: 3}", "layer 'conv2d' (Conv2D) cannot be built"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ArchbudgetError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "space.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_attribute_is_a_space_or_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_spaces.py").write_text(
        "import archbudget as ab\n"
        "from archbudget import layers\n"
        "SPACE = ab.Space([layers.Input((4,)), layers.Dense(ab.Choice('units', [1, 2]))])\n"
        "def make():\n    return SPACE\n"
        "NUMBER = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    assert _spacefile.load("my_spaces:SPACE").space.size == 2
    assert _spacefile.load("my_spaces:make").space.size == 2
    for reference, message in [
        ("my_spaces:SPAC", "did you mean SPACE?"),
        ("my_spaces:NUMBER", "is not a Space but int"),
        ("no_such_module:SPACE", "there is no module 'no_such_module'"),
        ("my_spaces", "give module:attribute"),
        ("missing.yaml", "there is no file missing.yaml"),
    ]:
        with pytest.raises(SpaceError, match=message.replace("?", r"\?")):
            _spacefile.load(reference)


def test_the_published_schema_is_the_one_that_the_code_makes() -> None:
    published = Path(_spacefile.__file__).with_name("space.schema.json")
    assert json.loads(published.read_text()) == _spacefile.schema(), "write it anew: archbudget schema"
