"""Spaces by reference."""

import dataclasses
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

import archbudget as ab
from archbudget import _spacefile, layers
from archbudget.errors import ArchbudgetError, SpaceError

ONE = "decisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $u\n"
"""A file with one decision."""


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


CONSTRAINED = """
decisions:
  depth: {low: 1, high: 2}
  width: {low: 1, high: 4}
  kernel: [1, 3]
  padding: [same, valid]
layers:
- Input: [8, 8, 1]
- Repeat:
    times: $depth
    block:
    - Conv2D: {filters: $width, kernel_size: $kernel, padding: $padding}
    - Require: $width > 1 or $kernel == 3
- OneOf: {name: pool, blocks: {max: [MaxPooling2D], none: []}}
constraints:
- $width_1 <= $width_2
- $padding_1 != 'same' or 1 <= $kernel_1 < -1 + 4
- "'max' == $pool"
"""


def test_constraints_are_those_that_they_describe(tmp_path: Path) -> None:
    space = read(tmp_path, CONSTRAINED).space
    width, kernel = ab.Int("width", 1, 4), ab.Choice("kernel", [1, 3])
    padding, pool = ab.Choice("padding", ["same", "valid"]), ab.Choice("pool", ["max", "none"])
    first_kernel, first_padding = kernel.narrowed("kernel_1"), padding.narrowed("padding_1")
    written = ab.Space(
        [
            layers.Input((8, 8, 1)),
            ab.Repeat(
                ab.Int("depth", 1, 2),
                [
                    layers.Conv2D(width, kernel, padding=padding),
                    layers.Require(ab.either(width > 1, ab.equal(kernel, 3))),
                ],
            ),
            ab.OneOf(pool, {"max": layers.MaxPooling2D(), "none": []}),
        ],
        constraints=[
            width.narrowed("width_1") <= width.narrowed("width_2"),
            ab.either(ab.different(first_padding, "same"), ab.both(first_kernel >= 1, first_kernel < 3)),
            ab.equal(pool, "max"),
        ],
    )
    assert space.size == written.size
    rows = ab.Space(**{**written._definition, "constraints": ()}).sample(2000, seed=0).indices
    found, expected = space.evaluate(rows), written.evaluate(rows)
    assert (found.valid == expected.valid).all()
    assert 0 < expected.valid.sum() < 2000
    assert (found["macs"] == expected["macs"]).all()


def test_a_part_of_a_file_with_constraints_keeps_them(tmp_path: Path) -> None:
    whole = read(tmp_path, CONSTRAINED)
    part = whole.space.with_domains({"depth": [2], "width_2": [1, 2]})
    whole.narrowed(part, None).write(tmp_path / "part.yaml")
    assert _spacefile.load(str(tmp_path / "part.yaml")).space.size == part.size < whole.space.size


def test_a_file_that_names_another_may_add_constraints(tmp_path: Path) -> None:
    (tmp_path / "whole.yaml").write_text(CONSTRAINED)
    loaded = read(
        tmp_path,
        """
        space: whole.yaml
        domains: {padding_1: [valid]}
        constraints: [$width_1 + $width_2 <= 5, $padding_1 != 'same' or $kernel_1 == 3]
        """,
    )
    whole = _spacefile.load(str(tmp_path / "whole.yaml")).space
    known = whole.decisions
    expected = whole.with_constraints([known["width_1"] + known["width_2"] <= 5]).with_domains({"padding_1": ["valid"]})
    assert len(loaded.space.constraints) == len(whole.constraints) + 2
    assert loaded.space.size == expected.size < whole.with_domains({"padding_1": ["valid"]}).size
    pruned = loaded.narrowed(loaded.space.with_domains({"depth": [2]}), None)
    pruned.write(tmp_path / "part.yaml")
    again = _spacefile.load(str(tmp_path / "part.yaml")).space
    assert again.size == pruned.space.size
    for text, message in (
        ("space: whole.yaml\nconstraints: [$width <= 2]", ":2: constraints[0]: unknown decision $width"),
        ("space: whole.yaml\nconstraints: [$width_1 < 1]", "the constraint width_1 < 1 is not met"),
    ):
        with pytest.raises(SpaceError) as caught:
            read(tmp_path, text)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ONE}constraints: $u <= 2", "constraints: "),
        (f"{ONE}constraints: [$v <= 2]", ":5: constraints[0]: unknown decision $v"),
        (f"{ONE}constraints: [$u <= 2, $u < 2.5]", "constraints[1]: an expression is built of integers"),
        (f"{ONE}constraints: [3 <= 2]", "constraints[0]: a constraint is a condition over decisions"),
        (f"{ONE}constraints: [not $u]", "constraints[0]: 'not $u' uses more than"),
        (f"{ONE}constraints: [$u in 3]", "constraints[0]: '$u in 3' uses more than"),
        (f"{ONE}constraints: [$u == 'a']", "constraints[0]: 'a' is not a value of decision 'u'"),
        (f"{ONE}constraints: [$u < 1]", "the constraint u < 1 is not met"),
        (f"{ONE}- Require: 3", "layers[2].Require: a constraint is a condition"),
        ("", "the file is empty"),
        ("- a", "a space file is a mapping with the key 'layers' or 'space', not ['a']"),
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
        ("name: a", "gives its layers, or another space; this one gives neither"),
        ("space: a.yaml\nlayers:\n- Input: [8]", "gives its layers, or another space; this one gives both"),
        ("space: space.yaml", ":1: space: "),
        ("space: space.yaml", "space.yaml leads to itself"),
        ("space: missing.yaml", "missing.yaml"),
        ("space: nowhere", ":1: space: 'nowhere' is not a space"),
        ("space: archbudget.digits:accuracy\ndecisions: {a: [1]}", ":2: decisions: it belongs to the space"),
        ("space: a.yaml\nbytes_per_weight: 1", ":2: bytes_per_weight: it belongs to the space"),
        (f"{ONE}domains: {{v: [1]}}", "unknown decisions in the domains: 'v'; this space has u"),
        (f"{ONE}domains: {{u: [3]}}", "3 is not a value of decision 'u'"),
        (f"{ONE}domains: {{u: []}}", ":5: domains.u: decision 'u' has no values"),
        (f"{ONE}domains: {{u: 3}}", ":5: domains.u: a decision is a list of values or a range"),
        (f"{ONE}domains: {{u: {{low: 1}}}}", ":5: domains.u.high: it is missing"),
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


WHOLE = """
name: example
objective: module:function
budget: {params: 5000}
decisions:
  depth: {low: 0, high: 3}
  width: {low: 8, high: 64, step: 8}
  kernel: [1, 3, 5]
  padding: [same, valid]
layers:
- Input: [8, 8, 1]
- Repeat:
    times: $depth
    block:
    - Conv2D: {filters: $width, kernel_size: $kernel, padding: $padding}
- OneOf:
    name: 'on'
    blocks:
      'off': []
      '089': [Flatten]
"""


def same(found: ab.Space, expected: ab.Space) -> None:
    assert {name: repr(each) for name, each in found.decisions.items()} == {
        name: repr(each) for name, each in expected.decisions.items()
    }
    assert found.layer_names == expected.layer_names
    rows = expected.sample(50, seed=0)
    assert (found.evaluate(rows.indices)["params"] == expected.evaluate(rows)["params"]).all()


def test_domains_keep_some_values(tmp_path: Path) -> None:
    loaded = read(tmp_path, f"{WHOLE}domains: {{depth: [2, 1], width_1: {{low: 8, high: 24, step: 8}}, 'on': ['off']}}")
    assert loaded.space.domains == {"depth": (1, 2), "width_1": (8, 16, 24), "on": ("off",)}
    same(loaded.space, read(tmp_path, WHOLE).space.with_domains(loaded.space.domains))
    assert "flatten" not in loaded.space.layer_names


def test_a_file_may_name_another_one(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/whole.yaml").write_text(WHOLE)
    (tmp_path / "below/part.yaml").write_text("space: whole.yaml\ndomains: {depth: [1]}\nbudget: {macs: 1000}")
    loaded = read(tmp_path, "name: mine\nspace: below/part.yaml\ndomains: {kernel_1: [3]}")
    assert (loaded.name, loaded.objective, loaded.budget) == ("mine", "module:function", ab.Budget(macs=1000))
    assert loaded.space.domains == {"depth": (1,), "kernel_1": (3,)}
    with pytest.raises(SpaceError, match=r"space\.yaml:2: domains: unknown decisions in the domains: 'kernel_2'"):
        read(tmp_path, "space: below/part.yaml\ndomains: {kernel_2: [3]}")


PART = {
    "depth": [1, 2],
    "width_1": [8, 16, 24, 32],
    "width_2": [8, 64],
    "kernel_1": [5, 3],
    "padding_1": ["same"],
    "on": ["089"],
}


def test_a_part_is_written_as_the_file_with_its_domains(tmp_path: Path) -> None:
    whole = read(tmp_path, WHOLE)
    part = whole.space.with_domains(PART)
    whole.narrowed(part, whole.budget).write(tmp_path / "part.yaml")
    text = (tmp_path / "part.yaml").read_text()
    assert text.startswith("name: example\nobjective: module:function\nbudget: {params: 5000}\ndecisions:\n")
    assert text.endswith(
        "domains:\n  depth: [1, 2]\n  width_1: {low: 8, high: 32, step: 8}\n  kernel_1: [3, 5]\n"
        "  padding_1: [same]\n  width_2: [8, 64]\n  'on': ['089']\n"
    )
    again = _spacefile.load(str(tmp_path / "part.yaml"))
    same(again.space, part)
    assert (again.name, again.objective, again.budget) == (whole.name, whole.objective, whole.budget)
    # A part of a part is written from that, with the domains of both.
    smaller = again.space.with_domains({"depth": [1]})
    again.narrowed(smaller, again.budget).write(tmp_path / "part.yaml")
    same(_spacefile.load(str(tmp_path / "part.yaml")).space, smaller)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["part.yaml", "space.yaml"]


def test_a_part_that_is_the_whole_has_no_domains(tmp_path: Path) -> None:
    whole = read(tmp_path, WHOLE)
    assert "domains" not in whole.narrowed(whole.space.with_domains({"depth": range(4)}), None).text(tmp_path)


def test_the_budget_of_a_part_is_written_where_it_is_another(tmp_path: Path) -> None:
    whole = read(tmp_path, WHOLE)
    budget = ab.Budget(params=3000, macs=(10, None), weight_bytes=(5, 9))
    (tmp_path / "part.yaml").write_text(whole.narrowed(whole.space, budget).text(tmp_path))
    assert _spacefile.load(str(tmp_path / "part.yaml")).budget == budget


def test_a_part_of_another_file_names_it_from_where_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/whole.yaml").write_text(WHOLE)
    outer = read(tmp_path, "space: below/whole.yaml\ndomains: {depth: [0, 1]}")
    part = outer.space.with_domains({"kernel_1": [3]})
    for file, reference in [("part.yaml", "below/whole.yaml"), ("below/part.yaml", "whole.yaml")]:
        outer.narrowed(part, outer.budget).write(tmp_path / file)
        assert (tmp_path / file).read_text() == f"space: {reference}\ndomains:\n  depth: [0, 1]\n  kernel_1: [3]\n"
        same(_spacefile.load(str(tmp_path / file)).space, part)


def test_a_part_of_a_module_attribute_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "part_of.py").write_text(
        "import archbudget as ab\nfrom archbudget import layers\n"
        "space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int('units', 1, 9))])\n"
    )
    monkeypatch.chdir(tmp_path)
    whole = _spacefile.load("part_of:space")
    part = whole.space.with_domains({"units": range(2, 8)})
    whole.narrowed(part, ab.Budget(params=50)).write(tmp_path / "part.yaml")
    assert (tmp_path / "part.yaml").read_text() == (
        "space: part_of:space\nbudget: {params: 50}\ndomains:\n  units: {low: 2, high: 7}\n"
    )
    loaded = _spacefile.load("part.yaml")
    same(loaded.space, part)
    assert (loaded.name, loaded.budget) == ("part", ab.Budget(params=50))


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    whole = read(tmp_path, WHOLE)
    unwritable = dataclasses.replace(whole, description={"name": object()})
    with pytest.raises(yaml.YAMLError):
        unwritable.write(tmp_path / "space.yaml")
    assert (tmp_path / "space.yaml").read_text() == WHOLE
    assert [entry.name for entry in tmp_path.iterdir()] == ["space.yaml"]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        whole.write(tmp_path / "nowhere/space.yaml")


def test_the_published_schema_is_the_one_that_the_code_makes() -> None:
    published = Path(_spacefile.__file__).with_name("space.schema.json")
    assert json.loads(published.read_text()) == _spacefile.schema(), "write it anew: archbudget schema"


# Metrics and layers of one's own.

OWN = """
import archbudget as ab
from archbudget import layers

convolutions = ab.Metric("convolutions", lambda layer: int(layer.type == "Conv2D"))

@layers.custom
def Scale(input_shape, by, shift=0):
    return layers.Counts(input_shape, trainable_params=by + shift)
"""
MEASURED = """\
budget: {latency_us: 1500, convolutions: [1, null], params: 5000}
decisions: {filters: [2, 4], by: [1, 2]}
layers:
- Input: [6, 6, 1]
- Conv2D: {filters: $filters, kernel_size: 3, weight_bits: 4}
- own:Scale: $by
- own:Scale: {by: 3, shift: $by * 2}
metrics:
  latency_us: {table: tables/latency.csv, column: ms, decimals: 3}
  convolutions: own:convolutions
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/latency.csv").write_text("type,filters,by,ms\nConv2D,2,,0.5\nConv2D,4,,1.25\nScale,,,0.25\n")
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("own", None)
    return tmp_path


def test_a_file_has_metrics_and_layers_of_its_own(own: Path) -> None:
    loaded = read(own, MEASURED)
    space, budget = loaded.space, loaded.budget
    assert space.metrics[5:] == ("latency_us", "convolutions")
    assert budget == ab.Budget(params=5000, custom={"latency_us": 1500, "convolutions": (1, None)})
    arch = space.architecture(filters=4, by=2)
    assert (arch.costs["latency_us"], arch.costs["convolutions"]) == (1750, 1)
    assert [layer.params for layer in arch.layers[2:]] == [2, 7]
    assert arch.weight_bytes == 40 * 4 // 8 + 9 * 4
    assert space.within(budget).count() == 2


def test_decisions_within_lists_and_mappings_are_found(own: Path) -> None:
    (own / "nested.py").write_text(
        "from archbudget import layers\n"
        "@layers.custom\n"
        "def Nested(input_shape, given):\n"
        "    return layers.Counts(input_shape, given['sizes'][1] + given['more'])\n"
    )
    text = (
        "decisions: {size: [1, 2]}\nlayers:\n- Input: [4]\n"
        "- nested:Nested: {given: {sizes: [0, $size], more: $size * 10}}"
    )
    assert read(own, text).space.range("params") == (11, 22)
    with pytest.raises(SpaceError, match=r":4: layers\[1\].nested:Nested.given.more: unknown decision \$sise"):
        read(own, text.replace("$size *", "$sise *"))


def test_a_part_of_a_file_keeps_its_metrics(own: Path) -> None:
    whole = read(own, MEASURED)
    assert whole.budget is not None
    part = whole.space.within(whole.budget).prune()
    (own / "below").mkdir()
    for file in ("part.yaml", "below/part.yaml"):
        whole.narrowed(part, whole.budget).write(own / file)
        again = _spacefile.load(file)
        assert again.space.metrics == whole.space.metrics
        assert again.space.range("latency_us") == (1000, 1000)
        assert again.budget == whole.budget
    (own / "other.yaml").write_text("space: below/part.yaml\nmetrics: {more: own:convolutions}")
    with pytest.raises(SpaceError, match=r"other.yaml:2: metrics.more: own:convolutions is named 'convolutions'"):
        _spacefile.load("other.yaml")


def test_metrics_are_added_to_another_space(own: Path) -> None:
    plain = MEASURED.split("metrics:")[0].split("\n", 1)[1]
    (own / "plain.yaml").write_text(plain)
    loaded = read(own, "space: plain.yaml\nbudget: {convolutions: 1}\nmetrics: {convolutions: own:convolutions}")
    assert loaded.space.range("convolutions") == (1, 1)
    (own / "first.yaml").write_text("space: plain.yaml\nmetrics: {convolutions: own:convolutions}")
    with pytest.raises(SpaceError, match=r"space.yaml:2: metrics: two metrics are named 'convolutions'"):
        read(own, "space: first.yaml\nmetrics: {convolutions: own:convolutions}")


def test_a_file_without_its_metrics_can_be_loaded(own: Path) -> None:
    (own / "tables/latency.csv").unlink()
    (own / "space.yaml").write_text(MEASURED)
    (own / "outer.yaml").write_text("space: space.yaml\nbudget: {latency_us: 3}")
    for file in ("space.yaml", "outer.yaml"):
        loaded = _spacefile.load(file, measured=False)
        assert (len(loaded.space.metrics), loaded.budget) == (5, None)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("latency_us: 1500", "latency_ms: 1500", r":1: budget.latency_ms: unknown key; did you mean latency_us\?"),
        ("latency_us: 1500", "latency_us: 0", r":1: budget: latency_us: the upper bound must be at least 1, not 0"),
        ("latency_us: 1500", "latency_us: x", r":1: budget.latency_us.*not 'x'"),
        ("tables/latency", "latency", r":9: metrics.latency_us: .*latency.csv cannot be read: .*No such file"),
        ("column: ms", "column: us", r":9: metrics.latency_us: .*latency.csv:1: a latency table has one column 'us'"),
        ("decimals: 3", "decimals: 0", r":9: metrics.latency_us: .*latency.csv:2: the ms must be an integer after"),
        ("decimals: 3", "decimal: 3", r":9: metrics.latency_us.*decimal: unknown key; did you mean decimals\?"),
        ("decimals: 3", "combine: min", r":9: metrics.latency_us.*combine.*'sum' or 'max'"),
        (
            "own:convolutions",
            "own:convolution",
            r":10: metrics.convolutions: own:convolution: .*did you mean convolutions",
        ),
        ("own:convolutions", "own:Scale", r":10: metrics.convolutions: own:Scale is not a Metric but type"),
        ("own:convolutions", "3", r":10: metrics.convolutions.*not 3"),
        ("own:Scale: $by", "own:Scales: $by", r":6: layers\[2\].own:Scales: .*did you mean Scale\?"),
        (
            "own:Scale: $by",
            "own:convolutions",
            r":6: layers\[2\]: own:convolutions is not a layer made by layers.custom",
        ),
        ("own:Scale: $by", "own:Scale", r":6: layers\[2\]: Scale: missing a required argument: 'by'"),
        (
            "own:Scale: $by",
            "own:Scale: {by: $by, to: 3}",
            r":6: layers\[2\].own:Scale: Scale: got an unexpected keyword",
        ),
        (
            "Scale,,,0.25",
            "Scale,,2,0.25",
            r"space.yaml: 4 entries are missing: .*type=Scale, input_shape=4x4x2, output_shape=4x4x2, by=1 \(the n",
        ),
    ],
)
def test_what_is_wrong_with_own_metrics_and_layers_is_said(own: Path, before: str, after: str, message: str) -> None:
    table = own / "tables/latency.csv"
    table.write_text(table.read_text().replace(before, after))
    with pytest.raises(ArchbudgetError, match=message) as caught:
        read(own, MEASURED.replace(before, after))
    assert "\n" not in str(caught.value)


def test_the_schema_knows_metrics_and_layers_of_ones_own() -> None:
    schema = _spacefile.schema()
    assert {"table", "column", "decimals", "combine"} == set(schema["$defs"]["Table"]["properties"])
    name, block = schema["$defs"]["Layer"]["anyOf"][1:]
    assert re.fullmatch(name["pattern"], "my_layers:Scale")
    assert not re.fullmatch(name["pattern"], "Dense")
    assert list(block["patternProperties"]) == [name["pattern"]]


AROUND = """
decisions:
  units: [3, 5]
  merge: [concat, sum]
layers:
  - Input: [6, 5, 4]
  - TimeDistributed: {Dense: $channels * 2}
  - TimeDistributed:
      layer:
        Bidirectional: {layer: {LSTM: {units: $units}}, merge_mode: $merge}
  - RNN: {cell: [{LSTMCell: $units}, {GRUCell: {units: 4}}], return_sequences: true}
  - RNN: {SimpleRNNCell: 4}
  - SpectralNormalization: {Dense: 2}
  - Pipeline: [ReLU, {Dense: $units}]
  - TimeDistributed: Flatten
"""


def test_layers_stand_inside_of_others(tmp_path: Path) -> None:
    text = AROUND.replace("  - TimeDistributed: Flatten\n", "")
    space = read(tmp_path, text).space
    assert list(space.decisions) == ["merge", "units"]
    arch = space.architecture(merge="concat", units=3)
    assert [record.output_shape for record in arch.layers] == [
        (6, 5, 4),
        (6, 5, 8),
        (6, 6),
        (6, 4),
        (4,),
        (2,),
        (3,),
    ]
    with pytest.raises(ArchbudgetError, match="needs an input of at least 2 axes"):
        read(tmp_path, AROUND)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("TimeDistributed: {Dens: 3}", r":9: layers\[7\].TimeDistributed.Dens: unknown argument"),
        (
            "TimeDistributed: {layer: {Dens: 3}}",
            r":9: layers\[7\].TimeDistributed.layer.Dens: unknown layer 'Dens'",
        ),
        ("TimeDistributed: {layer: 3}", r":9: layers\[7\].TimeDistributed.layer: a layer is a name, or a name and its"),
        ("TimeDistributed: {Dense: {unit: 3}}", r"TimeDistributed.Dense.unit: unknown argument; did you mean units"),
        ("RNN: [{Dense: 3}]", r"RNN: .*cell must be a cell .*, not Dense|cells must be a cell .*, not Dense"),
        ("LSTMCell: 3", "LSTMCell is one step of a recurrent layer"),
    ],
)
def test_what_is_wrong_inside_is_told_with_its_place(tmp_path: Path, layer: str, message: str) -> None:
    head = "layers:\n  - Input: [6, 5]\n" + "  - ReLU\n" * 6
    with pytest.raises(ArchbudgetError, match=message):
        read(tmp_path, f"{head}  - {layer}\n")
