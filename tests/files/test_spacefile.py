"""Spaces by reference."""

import dataclasses
import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml

import archbudget as ab
from archbudget import files, layers
from archbudget.errors import ArchbudgetError, SpaceError

ONE = "decisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $u\n"
"""A file with one decision."""


def read(tmp_path: Path, text: str) -> files.Loaded:
    file = tmp_path / "space.yaml"
    file.write_text(text)
    return files.load(str(file))


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
    assert files.load(str(tmp_path / "part.yaml")).space.size == part.size < whole.space.size


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
    whole = files.load(str(tmp_path / "whole.yaml")).space
    known = whole.decisions
    expected = whole.with_constraints([known["width_1"] + known["width_2"] <= 5]).with_domains({"padding_1": ["valid"]})
    assert len(loaded.space.constraints) == len(whole.constraints) + 2
    assert loaded.space.size == expected.size < whole.with_domains({"padding_1": ["valid"]}).size
    pruned = loaded.narrowed(loaded.space.with_domains({"depth": [2]}), None)
    pruned.write(tmp_path / "part.yaml")
    again = files.load(str(tmp_path / "part.yaml")).space
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
        (f"{ONE}constraints: [$u <= 2, $u + 2.5 < 3]", "constraints[1]: '$u + 2.5 < 3' uses more than"),
        (f"{ONE}constraints: [3 <= 2]", "constraints[0]: the constraint (3 <= 2) reads no decision"),
        (f"{ONE}constraints: [not $u]", "constraints[0]: ~ joins conditions"),
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
        ("decisions: {b: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $b << 2", "uses more than + - * //"),
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
        ("name: a", "gives its layers, or a graph of them, or another space; this gives none of them"),
        ("space: a.yaml\nlayers:\n- Input: [8]", "this gives layers and space"),
        ("space: space.yaml", ":1: space: "),
        ("space: space.yaml", "space.yaml leads to itself"),
        ("space: missing.yaml", "missing.yaml"),
        ("space: nowhere", ":1: space: 'nowhere' is not a space"),
        ("space: archbudget.digits:accuracy\ndecisions: {a: [1]}", ":2: decisions: it belongs to the space"),
        ("space: a.yaml\nbytes_per_weight: 1", ":2: bytes_per_weight: it belongs to the space"),
        ("space: a.yaml\nin_place: false", ":2: in_place: it belongs to the space"),
        ("in_place: 0\nlayers:\n  - Input: {shape: [4]}", ":1: in_place: "),
        (f"{ONE}domains: {{v: [1]}}", "unknown decisions in the domains: 'v'; this space has u"),
        (f"{ONE}domains: {{u: [3]}}", "3 is not a value of decision 'u'"),
        (f"{ONE}domains: {{u: []}}", ":5: domains.u: decision 'u' has no values"),
        (f"{ONE}domains: {{u: 3}}", ":5: domains.u: a decision is a list of values or a range"),
        (f"{ONE}domains: {{u: {{low: 1}}}}", ":5: domains.u.high: it is missing"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ArchbudgetError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "space.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_space_for_a_runtime_that_copies(tmp_path: Path) -> None:
    body = "layers:\n- Input: [8]\n- Residual: [{Dense: 8}]"
    for setting, values in (("", 16), ("in_place: true\n", 16), ("in_place: false\n", 24)):
        assert read(tmp_path, setting + body).space.architecture().peak_activation_bytes == 4 * values


def test_a_module_attribute_is_a_space_or_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_spaces.py").write_text(
        "import archbudget as ab\n"
        "from archbudget import layers\n"
        "SPACE = ab.Space([layers.Input((4,)), layers.Dense(ab.Choice('units', [1, 2]))])\n"
        "def make():\n    return SPACE\n"
        "NUMBER = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    assert files.load("my_spaces:SPACE").space.size == 2
    assert files.load("my_spaces:make").space.size == 2
    for reference, message in [
        ("my_spaces:SPAC", "did you mean SPACE?"),
        ("my_spaces:NUMBER", "is not a Space but int"),
        ("no_such_module:SPACE", "there is no module 'no_such_module'"),
        ("my_spaces", "give module:attribute"),
        ("missing.yaml", "there is no file missing.yaml"),
    ]:
        with pytest.raises(SpaceError, match=message.replace("?", r"\?")):
            files.load(reference)


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
    with pytest.raises(
        SpaceError, match=r"space\.yaml:2: domains.kernel_2: unknown decisions in the domains: 'kernel_2'"
    ):
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
    again = files.load(str(tmp_path / "part.yaml"))
    same(again.space, part)
    assert (again.name, again.objective, again.budget) == (whole.name, whole.objective, whole.budget)
    # A part of a part is written from that, with the domains of both.
    smaller = again.space.with_domains({"depth": [1]})
    again.narrowed(smaller, again.budget).write(tmp_path / "part.yaml")
    same(files.load(str(tmp_path / "part.yaml")).space, smaller)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["part.yaml", "space.yaml"]


def test_a_part_that_is_the_whole_has_no_domains(tmp_path: Path) -> None:
    whole = read(tmp_path, WHOLE)
    assert "domains" not in whole.narrowed(whole.space.with_domains({"depth": range(4)}), None).text(tmp_path)


def test_the_budget_of_a_part_is_written_where_it_is_another(tmp_path: Path) -> None:
    whole = read(tmp_path, WHOLE)
    budget = ab.Budget(params=3000, macs=(10, None), weight_bytes=(5, 9))
    (tmp_path / "part.yaml").write_text(whole.narrowed(whole.space, budget).text(tmp_path))
    assert files.load(str(tmp_path / "part.yaml")).budget == budget


def test_a_part_of_another_file_names_it_from_where_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/whole.yaml").write_text(WHOLE)
    outer = read(tmp_path, "space: below/whole.yaml\ndomains: {depth: [0, 1]}")
    part = outer.space.with_domains({"kernel_1": [3]})
    for file, reference in [("part.yaml", "below/whole.yaml"), ("below/part.yaml", "whole.yaml")]:
        outer.narrowed(part, outer.budget).write(tmp_path / file)
        assert (tmp_path / file).read_text() == f"space: {reference}\ndomains:\n  depth: [0, 1]\n  kernel_1: [3]\n"
        same(files.load(str(tmp_path / file)).space, part)


def test_a_part_of_a_module_attribute_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "part_of.py").write_text(
        "import archbudget as ab\nfrom archbudget import layers\n"
        "space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int('units', 1, 9))])\n"
    )
    monkeypatch.chdir(tmp_path)
    whole = files.load("part_of:space")
    part = whole.space.with_domains({"units": range(2, 8)})
    whole.narrowed(part, ab.Budget(params=50)).write(tmp_path / "part.yaml")
    assert (tmp_path / "part.yaml").read_text() == (
        "space: part_of:space\nbudget: {params: 50}\ndomains:\n  units: {low: 2, high: 7}\n"
    )
    loaded = files.load("part.yaml")
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
    published = Path(ab.__file__).with_name("space.schema.json")
    assert published.read_text() == json.dumps(files.schema(), indent=2) + "\n", "write it anew: make derived"


# Custom metrics and layers

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


def test_a_file_has_custom_metrics_and_layers(own: Path) -> None:
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
        again = files.load(file)
        assert again.space.metrics == whole.space.metrics
        assert again.space.range("latency_us") == (1000, 1000)
        assert again.budget == whole.budget
    (own / "other.yaml").write_text("space: below/part.yaml\nmetrics: {more: own:convolutions}")
    with pytest.raises(SpaceError, match=r"other.yaml:2: metrics.more: own:convolutions is named 'convolutions'"):
        files.load("other.yaml")


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
        loaded = files.load(file, measured=False)
        assert (len(loaded.space.metrics), loaded.budget) == (5, None)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("latency_us: 1500", "latency_ms: 1500", r":1: budget.latency_ms: unknown key; did you mean latency_us\?"),
        (
            "latency_us: 1500",
            "latency_us: [3, 1]",
            r":1: budget.latency_us: latency_us: the range \(3, 1\) is empty",
        ),
        ("latency_us: 1500", "latency_us: x", r":1: budget.latency_us: latency_us: 'x' is not a number"),
        ("tables/latency", "latency", r":9: metrics.latency_us: .*latency.csv cannot be read: .*No such file"),
        ("column: ms", "column: us", r":9: metrics.latency_us: .*latency.csv:1: a latency table has one column 'us'"),
        ("decimals: 3", "decimals: 0", r":9: metrics.latency_us: .*latency.csv:2: the ms must be an integer after"),
        ("decimals: 3", "decimal: 3", r":9: metrics.latency_us.*decimal: unknown key; did you mean decimals\?"),
        ("decimals: 3", "combine: min", r":9: metrics.latency_us.*combine: must be sum or max, not 'min'"),
        (
            "own:convolutions",
            "own:convolution",
            r":10: metrics.convolutions: own:convolution: .*did you mean convolutions",
        ),
        ("own:convolutions", "own:Scale", r":10: metrics.convolutions: own:Scale is not a Metric but a class"),
        ("own:convolutions", "3", r":10: metrics.convolutions.*not 3"),
        ("own:Scale: $by", "own:Scales: $by", r":6: layers\[2\].own:Scales: .*did you mean Scale\?"),
        (
            "own:Scale: $by",
            "own:convolutions",
            r":6: layers\[2\]: own:convolutions is neither a layer made by layers.custom nor a class",
        ),
        ("own:Scale: $by", "own:Scale", r":6: layers\[2\]: Scale: missing a required argument: 'by'"),
        (
            "own:Scale: $by",
            "own:Scale: {by: $by, to: 3}",
            r":6: layers\[2\].own:Scale: Scale: unknown argument 'to'",
        ),
        (
            "Scale,,,0.25",
            "Scale,,2,0.25",
            r"space.yaml:8: 4 entries are missing: .*type=Scale, input_shape=4x4x2, output_shape=4x4x2, by=1 \(the n",
        ),
    ],
)
def test_errors_of_custom_metrics_and_layers_are_one_line(own: Path, before: str, after: str, message: str) -> None:
    table = own / "tables/latency.csv"
    table.write_text(table.read_text().replace(before, after))
    with pytest.raises(ArchbudgetError, match=message) as caught:
        read(own, MEASURED.replace(before, after))
    assert "\n" not in str(caught.value)


def test_the_schema_has_custom_metrics_and_layers() -> None:
    schema = files.schema()
    assert {"table", "entries", "column", "decimals", "combine", "resolution"} == set(
        schema["$defs"]["Table"]["properties"]
    )
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


def test_layers_can_be_inside_other_layers(tmp_path: Path) -> None:
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
def test_errors_of_inner_layers_have_their_position(tmp_path: Path, layer: str, message: str) -> None:
    head = "layers:\n  - Input: [6, 5]\n" + "  - ReLU\n" * 6
    with pytest.raises(ArchbudgetError, match=message):
        read(tmp_path, f"{head}  - {layer}\n")


def doubling(first: str, each: str) -> str:
    """Twelve anchors, each of them ten times the one before: 10^12 values in less than a kilobyte."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{number}: &a{number} {each.replace('*', f'*a{number - 1}')}" for number in range(1, 13)]
    return "\n".join([*lines, "layers:", "- Input: [8]"])


TEN_LISTS = f"[{', '.join(['*'] * 10)}]"
TEN_KEYS = f"{{{', '.join(f'k{number}: *' for number in range(10))}}}"
INPUT = "layers:\n- Input: [8]\n"
CHOICE = f"decisions: {{u: [1, 2]}}\n{INPUT}"

LARGE: dict[str, tuple[str, str]] = {
    "lists of lists": (doubling("[1, 2]", TEN_LISTS), ":6: a space file has at most 100,000 values, each alias"),
    "maps of maps": (doubling("{x: 1}", TEN_KEYS), ":6: a space file has at most 100,000 values, each alias"),
    "merged maps": (
        doubling("{x: 1}", f"{{<<: {TEN_LISTS}}}"),
        ":6: a space file has at most 100,000 values, each alias",
    ),
    "blocks of layers": (
        INPUT
        + "- &a0 [Flatten]\n"
        + "".join(f"- &a{n} {TEN_LISTS.replace('*', f'*a{n - 1}')}\n" for n in range(1, 13)),
        ": a space file has at most 100,000 values",
    ),
    "long text": (f"a: &a {'x' * 10**5}\nb: [{', '.join(['*a'] * 11)}]", ":2: a space file has at most 1,048,576 char"),
    "many values": (f"layers: [{'[],' * 300_000}]", ":1: a space file has at most 100,000 values"),
    "many keys": ("".join(f"k{number}: 1\n" for number in range(60_000)), ":50001: a space file has at most 100,000 v"),
    "a list in itself": ("layers: &a [*a]", ":1: *a stands within itself"),
    "a map in itself": ("&a\nlayers:\n- Repeat: {times: 2, block: *a}", ":3: *a stands within itself"),
    "an alias of nothing": ("layers: [*a]", ":1: not valid YAML: found undefined alias"),
    "open lists": (f"layers: {'[' * 10**6}", ":1: a space file has at most 100 levels"),
    "closed lists": (f"layers: {'[' * 5000}{']' * 5000}", ":1: a space file has at most 100 levels"),
    "open maps": ("layers: " + "{a: " * 5000, ":1: a space file has at most 100 levels"),
    "blocks in blocks": (
        "layers:\n" + "".join(f"{'  ' * n}- a:\n" for n in range(300)),
        ":51: a space file has at most 1",
    ),
    "dashes": ("layers:\n- " + "- " * 5000 + "a", ":2: a space file has at most 100 levels"),
    "both": ("layers:\n" + "".join(f"{' ' * n}-\n" for n in range(1, 90)) + " " * 90 + "[" * 20, "at most 100 levels"),
    "keys of keys": ("? " * 5000 + "a", ":1: a space file has at most 100 levels"),
    "a long file": (INPUT + "#" * (1 << 20), "space.yaml has 1,048,597 bytes; at most 1,048,576 are read"),
    "a long word": (INPUT + f"- {'x' * 10**6}", ":3: layers[1]: unknown layer 'xxx"),
    "a long key": (f"? {'x' * 10**6}\n: 1", ":1: xxx"),
    "many digits": (
        f"budget: {{params: {'9' * 10**6}}}",
        ":1: not valid YAML: an integer has at most 100 digits, not 1,0",
    ),
    "a hundred digits": (
        f"budget: {{params: {'9' * 100}}}\n{INPUT}",
        ":1: budget.params: params: a bound must be at most 2^63 - 1",
    ),
    "a large power": (f"budget: {{params: 1e999999}}\n{INPUT}", ":1: budget.params: "),
    "an infinite number": (f"budget: {{params: 1.0e+999999}}\n{INPUT}", "a bound must be an integer, not inf"),
    "no number": (f"budget: {{params: .nan}}\n{INPUT}", "a bound must be an integer, not nan"),
    "an int of text": (f"{INPUT}- Dense: !!int abc", ":3: not valid YAML: 'abc' is no integer"),
    "a bool of text": (f"name: !!bool x\n{INPUT}", "not valid YAML"),
    "a date of text": (f"name: !!timestamp 2020-99-99\n{INPUT}", "not valid YAML"),
    "many repetitions": (
        f"{INPUT}- Repeat: {{times: 1000000000, block: [{{Dense: 3}}]}}",
        ":3: layers[1].Repeat: a Repeat has",
    ),
    "repetitions of nothing": (f"{INPUT}- Repeat: {{times: 1000000000, block: []}}", "has 1,000,000,000 layers"),
    "repetitions within repetitions": (
        f"{INPUT}- Repeat: {{times: 1000, block: [Repeat: {{times: 1000, block: [Dense: 3]}}]}}",
        "has 1,000,000 layers when it is expanded; at most 65,536 are supported",
    ),
    "repetitions of aliases": (
        f"{INPUT}- Residual: &a [{', '.join(['Flatten'] * 300)}]\n- Repeat: {{times: 300, block: *a}}",
        ":4: layers[2].Repeat: a Repeat has 90,000 layers",
    ),
    "repetitions by a decision": (
        f"{CHOICE}- Repeat: {{times: $u * 100000, block: [Flatten]}}",
        "has 200,000 layers",
    ),
    "many decisions": (f"{CHOICE}- Repeat: {{times: 70000, block: [Dense: $u]}}", "has 70,000 layers"),
    "a wide range": (
        f"decisions: {{u: {{low: 1, high: {10**12}}}}}\n{INPUT}",
        "has 1,000,000,000,000 values; at most 1,0",
    ),
    "a wider range": (f"decisions: {{u: {{low: 1, high: {10**40}}}}}\n{INPUT}", "has 10,000,000,000,000"),
    "a wide domain": (f"{CHOICE}domains: {{u: {{low: 1, high: {10**12}}}}}", ":4: domains.u: decision 'u' has 1,000,0"),
    "a long sum": (
        f"{CHOICE}- Dense: {'+'.join(['$u'] * 10**5)}",
        "an expression has at most 10,000 characters, not 299,999",
    ),
    "many brackets": (f"{CHOICE}- Dense: {'(' * 4000}$u{')' * 4000}", "is not an expression over decisions"),
    "many signs": (f"{CHOICE}- Dense: 3 * {'-' * 9000}$u", "layers[1].Dense.units: '3 * ---"),
    "a sum of many": (f"{CHOICE}- Dense: {'+'.join(['$u'] * 3000)}", ":4: layers[1].Dense.units: "),
    "a large product": (f"{CHOICE}- Dense: $u * {'9' * 5000}", ":4: layers[1].Dense.units: "),
    "keys that are equal": (
        f"{INPUT}- OneOf: {{name: x, blocks: {{1: [], 1.0: []}}}}",
        ":3: the key '1.0' stands here twice",
    ),
    "two merges": (f"{INPUT}- Input: {{<<: {{shape: [8]}}, <<: {{shape: [9]}}}}", ":3: the key '<<' stands here twice"),
    "an unhashable key": (f"? [a]\n: 1\n{INPUT}", "not valid YAML: "),
    "two documents": (f"{INPUT}---\n{INPUT}", ":3: not valid YAML: expected a single document"),
    "a NUL": ("layers: [\0]", "not valid YAML: "),
    "a NUL in a name": (f'decisions: {{"a\\0b": [1]}}\n{INPUT}', "a str without control characters"),
    "Python": ("layers: !!python/object/apply:os.system [true]", "could not determine a constructor for the tag"),
    "a set": (f"decisions: !!set {{a}}\n{INPUT}", ":1: decisions: "),
    "a device as table": (
        f"metrics: {{m: {{table: /dev/zero}}}}\n{INPUT}",
        "/dev/zero cannot be read: it is a character device",
    ),
    "a folder as table": (f"metrics: {{m: {{table: .}}}}\n{INPUT}", "cannot be read: it is a folder"),
    "a table without a name": (f'metrics: {{m: {{table: "a\\0"}}}}\n{INPUT}', "cannot be read: embedded null byte"),
    "a folder as space": ("space: folder.yaml", ":1: space: "),
}


@pytest.mark.parametrize("what", LARGE)
@pytest.mark.usefixtures("hang_guard")
def test_files_beyond_the_limits_are_refused_at_once(tmp_path: Path, what: str) -> None:
    text, message = LARGE[what]
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ArchbudgetError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "space.yaml" in str(caught.value)
    assert len(str(caught.value)) <= 2000
    assert str(caught.value).isprintable()


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are those of POSIX")
@pytest.mark.usefixtures("hang_guard")
def test_a_space_file_is_a_regular_file(tmp_path: Path) -> None:
    pipe, device = tmp_path / "pipe.yaml", tmp_path / "device.yaml"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for file, message in (
        (pipe, "pipe.yaml cannot be read: it is a named pipe, not a regular file$"),
        (device, "device.yaml cannot be read: it is a character device, not a regular file$"),
    ):
        with pytest.raises(SpaceError, match=message):
            files.load(str(file))
        with pytest.raises(SpaceError, match=rf"space.yaml:1: space: .*{message}"):
            read(tmp_path, f"space: {file.name}")
        with pytest.raises(SpaceError, match=rf"space.yaml:1: metrics.m: .*{message}"):
            read(tmp_path, f"metrics: {{m: {{table: {file.name}}}}}\n{INPUT}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_a_space_file_is_utf_8(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(f"name: café\n{INPUT}", encoding=encoding)
    with pytest.raises(SpaceError, match="space.yaml cannot be read: 'utf-8' codec"):
        files.load(str(file))
    file.write_text(f"name: café\n{INPUT}", encoding="utf-8-sig")
    assert files.load(str(file)).name == "café"


def test_a_file_of_many_layers_is_read(tmp_path: Path) -> None:
    dense = "- Dense: {units: 8, activation: relu, use_bias: false}\n"
    space = read(tmp_path, INPUT + dense * 2000).space
    assert len(space.layer_names) == 2001


def test_aliases_stand_for_what_they_name(tmp_path: Path) -> None:
    space = read(
        tmp_path,
        f"{CHOICE}- &layer {{Dense: {{units: $u, activation: relu}}}}\n- *layer\n"
        "- Dense: &given {units: 3}\n- Dense: {<<: *given, use_bias: false}\n",
    ).space
    assert space.layer_names == ("input_layer", "dense", "dense_1", "dense_2", "dense_3")
    assert space.architecture(u=2).params == (8 + 1) * 2 + (2 + 1) * 2 + (2 + 1) * 3 + 3 * 3


def test_files_that_name_one_another_end(tmp_path: Path) -> None:
    (tmp_path / "0.yaml").write_text(INPUT)
    for number in range(1, 20):
        (tmp_path / f"{number}.yaml").write_text(f"space: {number - 1}.yaml")
    assert files.load(str(tmp_path / "15.yaml")).space.size == 1
    with pytest.raises(SpaceError, match="more than 16 space files name one another"):
        files.load(str(tmp_path / "19.yaml"))
    (tmp_path / "0.yaml").write_text("space: 1.yaml")
    with pytest.raises(SpaceError, match="1.yaml leads to itself"):
        files.load(str(tmp_path / "1.yaml"))


CODE = {
    f"{INPUT}- code_that_runs:Layer: {{a: 2}}": ":3: layers[1].code_that_runs:Layer: 'code_that_runs:Layer'",
    f"{INPUT}- code_that_runs:Layer": ":3: layers[1]: 'code_that_runs:Layer'",
    f"{INPUT}- Repeat: {{times: 2, block: [code_that_runs:Layer]}}": ":3: layers[1].Repeat.block[0]: 'code_that_",
    f"{INPUT}- OneOf: {{name: a, blocks: {{b: [code_that_runs:Layer]}}}}": "layers[1].OneOf.blocks.b[0]: ",
    f"{INPUT}- Residual: [code_that_runs:Layer]": "layers[1].Residual[0]: ",
    f"{INPUT}- TimeDistributed: code_that_runs:Layer": "layers[1].TimeDistributed",
    f"{INPUT}- TimeDistributed: {{layer: {{code_that_runs:Layer: 3}}}}": "layers[1].TimeDistributed.layer",
    f"metrics: {{m: code_that_runs:metric}}\n{INPUT}": ":1: metrics.m: 'code_that_runs:metric'",
    "space: code_that_runs:SPACE": ":1: space: 'code_that_runs:SPACE'",
    "space: archbudget.spaces:lenet": ":1: space: 'archbudget.spaces:lenet'",
    "space: inner.yaml": ":1: space: ",
}


@pytest.mark.parametrize("text", CODE)
def test_a_file_that_names_python_is_refused_where_nothing_may_run(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code_that_runs.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "inner.yaml").write_text("space: code_that_runs:SPACE")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(SpaceError) as caught:
        ab.Space.load("space.yaml", code=False)
    assert CODE[text] in str(caught.value)
    assert str(caught.value).endswith("would be imported and called, which --no-code (code=False) refuses")
    assert "\n" not in str(caught.value)
    assert "code_that_runs" not in sys.modules


def test_a_file_that_only_describes_is_read_where_nothing_may_run(tmp_path: Path) -> None:
    (tmp_path / "latency.csv").write_text("type,latency\nDense,3\n")
    (tmp_path / "whole.yaml").write_text(
        f"objective: code_that_runs:objective\nbudget: {{latency: 3}}\nmetrics: {{latency: {{table: latency.csv}}}}\n"
        f"{CHOICE}- Dense: $u"
    )
    (tmp_path / "part.yaml").write_text("space: whole.yaml\ndomains: {u: [2]}")
    for name, size in (("whole.yaml", 2), ("part.yaml", 1)):
        space = ab.Space.load(tmp_path / name, code=False)
        assert space.size == size
        assert space.range("latency") == (3, 3)
    assert ab.Space.load(str(tmp_path / "part.yaml")).size == 1
    assert "code_that_runs" not in sys.modules


def test_python_runs_where_it_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code_of_mine.py").write_text(
        "from archbudget import layers\n"
        "@layers.custom\n"
        "def Own(input_shape):\n"
        "    return layers.Counts(input_shape, 7)\n"
    )
    (tmp_path / "space.yaml").write_text(f"{INPUT}- code_of_mine:Own")
    monkeypatch.chdir(tmp_path)
    assert ab.Space.load("space.yaml").range("params") == (7, 7)
    assert ab.Space.load("space.yaml", code=True).size == 1


def test_a_module_attribute_is_refused_where_nothing_may_run() -> None:
    with pytest.raises(SpaceError, match="^'archbudget.spaces:lenet' would be imported and called, which --no-code"):
        files.load("archbudget.spaces:lenet", code=False)
    with pytest.raises(SpaceError, match="^code must be True or False, not 'no'$"):
        ab.Space.load("space.yaml", code="no")  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="^there is no file space_that_is_missing.yaml$"):
        ab.Space.load("space_that_is_missing.yaml")
    with pytest.raises(SpaceError, match="^a file is given by its path, not by 3$"):
        ab.Space.load(3)  # type: ignore[arg-type]
