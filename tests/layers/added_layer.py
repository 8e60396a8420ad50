"""What holds where the layer of `CONTRIBUTING.md` was added; `test_adding.py` runs it in a copy of the sources."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import keras
from keras import ops

import archbudget as ab
from archbudget import files, layers
from support import layer_table
from support.keras_layers import describe
from support.layer_records import count, one_layer_network
from support.random_layers import DRAWS, random_case

KIND = "MaxoutDense"


class MaxoutDense(keras.layers.Layer):
    """The real layer, which Keras lacks."""

    def __init__(
        self,
        units: int,
        pieces: int = 4,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if units < 1 or pieces < 1:
            raise ValueError("units and pieces are at least 1")
        self.units, self.pieces, self.use_bias = units, pieces, use_bias
        self.initializers = kernel_initializer, bias_initializer

    def build(self, input_shape: tuple[int, ...]) -> None:
        columns = self.units * self.pieces
        kernel, bias = self.initializers
        self.kernel = self.add_weight((input_shape[-1], columns), kernel, name="kernel")
        self.bias = self.add_weight((columns,), bias, name="bias") if self.use_bias else None
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    def call(self, inputs: Any) -> Any:
        sums = ops.matmul(inputs, self.kernel)
        sums = sums if self.bias is None else sums + self.bias
        return ops.max(ops.reshape(sums, (*ops.shape(sums)[:-1], self.units, self.pieces)), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(input_shape) < 2:
            raise ValueError("an input has at least one axis beside the batch")
        return (*input_shape[:-1], self.units)


keras.layers.MaxoutDense = MaxoutDense


def test_a_space_with_it_counts_what_a_hand_calculation_says() -> None:
    units = ab.Choice("units", [3, 5])
    space = ab.Space([layers.Input((7, 4)), layers.MaxoutDense(units, ab.Int("pieces", 1, 3), name="maxout")])
    assert space.size == 6
    counts = space.evaluate({"units": [3, 5], "pieces": [2, 3]})
    assert counts["params"].tolist() == [(4 + 1) * 3 * 2, (4 + 1) * 5 * 3]
    assert counts["macs"].tolist() == [7 * 4 * 3 * 2, 7 * 4 * 5 * 3]
    assert space.within(ab.Budget(params=30)).count() == 3
    arch = space.architecture(units=5, pieces=3)
    record = arch.layer("maxout")
    assert (record.type, record.output_shape, record.params) == (KIND, (7, 5), 75)
    assert arch.to_keras().count_params() == arch.params
    explained = arch.explain("maxout")
    assert "(4 + 1) * 5 * 3 = 75" in explained
    assert "= 7*4*5*3 = 420" in explained
    assert "features of the input" in explained


def test_a_space_file_may_name_it(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "decisions: {units: [3, 5]}\nlayers:\n  - Input: [4]\n  - MaxoutDense: {units: $units, pieces: 2}\n"
    )
    space = files.load(str(path)).space
    assert space.evaluate({"units": [3, 5]})["params"].tolist() == [(4 + 1) * 3 * 2, (4 + 1) * 5 * 2]


def test_the_derived_files_name_it() -> None:
    schema = files.schema()["$defs"]["Layer"]["anyOf"][-1]["properties"][KIND]
    assert schema["description"].startswith("The largest of several `Dense` layers")
    assert schema["anyOf"][0]["required"] == ["units"]
    assert '"MaxoutDense": {' in Path(ab.__file__).with_name("space.schema.json").read_text(encoding="utf-8")
    assert f"| `{KIND}` | The largest of several `Dense` layers" in layer_table.table()


def test_it_is_drawn_without_an_entry() -> None:
    assert KIND not in DRAWS
    rng = Random("added")
    accepted = 0
    for _ in range(50):
        arguments, shapes = random_case(rng, KIND)
        expected = describe(KIND, arguments, shapes)
        assert count(KIND, arguments, shapes) == expected
        if expected is not None:
            assert one_layer_network(KIND, arguments, shapes).params == expected["trainable"]
            accepted += 1
    assert 10 < accepted < 50
