"""ProxylessNAS: size by hand, names."""

from __future__ import annotations

from archbudget import spaces

CHOICES = tuple(f"{kernel}x{kernel}_MBConv{expand}" for expand in (3, 6) for kernel in (3, 5, 7))


def test_size_and_names() -> None:
    space = spaces.proxylessnas()
    # The first block of each of 6 stages changes the shape; the other 15 can be left out.
    assert space.size == 6**6 * 7**15 == 221_502_229_807_900_608
    assert list(space.decisions) == [f"block_{number}" for number in range(1, 22)]
    for number, decision in enumerate(space.decisions.values(), 1):
        assert decision.values == (CHOICES if number % 4 == 1 else (*CHOICES, "Zero"))


def test_an_omitted_block_costs_nothing() -> None:
    space = spaces.proxylessnas()
    values = {name: decision.values[0] for name, decision in space.decisions.items()}
    # 24 channels expanded to 72, 3x3, projected to 24; each normalised.
    block = 24 * 72 + 2 * 72 + 9 * 72 + 2 * 72 + 72 * 24 + 2 * 24
    kept, left = (space.architecture(values | {"block_2": choice}) for choice in ("3x3_MBConv3", "Zero"))
    assert kept.trainable_params - left.trainable_params == block
    assert kept.macs - left.macs == 56 * 56 * (24 * 72 + 9 * 72 + 72 * 24)


def test_a_wide_network_has_a_wide_last_layer() -> None:
    for width, last in [(0.5, 1280), (1.0, 1280), (1.4, 1792)]:
        space = spaces.proxylessnas(width=width)
        arch = space.architecture({name: decision.values[0] for name, decision in space.decisions.items()})
        assert arch.layers[-1].input_shapes == ((last,),)
