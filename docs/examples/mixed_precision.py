"""How many ways there are to give the layers of a network 2, 4 or 8 bits inside a size."""

import archbudget as ab
from archbudget import layers

bits = [ab.Choice(f"bits_{i}", [2, 4, 8]) for i in range(1, 6)]
space = ab.Space(
    [
        layers.Input((32, 32, 3)),
        *(layers.Conv2D(32 * 2**i, 3, strides=2, padding="same", weight_bits=bits[i]) for i in range(4)),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, weight_bits=bits[4]),
    ]
)
low, high = space.range("weight_bytes")
for share in (0.3, 0.5, 0.8):
    fits = space.within(ab.Budget(weight_bytes=int(share * high)))
    print(
        f"{share:.0%} of {high:,} bytes: {fits.count():>3} of {space.size} ways, 8 bits for the first layer in", end=" "
    )
    print(f"{fits.marginals()['bits_1'][8]:.0%} of them")
