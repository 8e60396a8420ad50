"""The widest version of a network that fits, by one multiplier of all widths."""

import archbudget as ab
from archbudget import layers

network = ab.Space(
    [
        layers.Input((96, 96, 3)),
        layers.Conv2D(32, 3, strides=2, padding="same"),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.Conv2D(64, 1),
        layers.DepthwiseConv2D(3, strides=2, padding="same"),
        layers.Conv2D(128, 1),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10),
    ]
)
widths = network.vary({"conv2d*.filters": ab.scale(0.25, 1.5, divisor=8, name="width")})
print(widths.decisions["width"])
for bound in (2_000_000, 8_000_000, 32_000_000):
    arch = widths.within(ab.Budget(macs=bound)).largest("macs")
    print(f"macs <= {bound:>10,}: width {arch['width']}, {arch.macs:>10,} macs, {arch.params:>6,} params")
