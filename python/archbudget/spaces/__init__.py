"""A shelf of published search spaces, each a short definition with the names of its paper.

```python
space = archbudget.spaces.nas_bench_201()
space.architecture(edge_0_1="nor_conv_3x3", ...).macs
```

Each function describes a space and compiles it, which takes up to a second with the default arguments. The functions
share no state, so they are safe to call from several threads, and compiling releases the GIL.
"""

from archbudget.spaces._autoformer import autoformer
from archbudget.spaces._darts import DartsCell, darts
from archbudget.spaces._densenet import densenet
from archbudget.spaces._ds_cnn import ds_cnn
from archbudget.spaces._efficientnet import efficientnet
from archbudget.spaces._lenet import lenet
from archbudget.spaces._nas_bench import NasBench201Cell, NatsBenchCell, nas_bench_201, nats_bench_size
from archbudget.spaces._nas_bench_macro import nas_bench_macro
from archbudget.spaces._ofa_resnet import ofa_resnet50
from archbudget.spaces._once_for_all import mcunet, ofa_mobilenet_v3, ofa_proxyless
from archbudget.spaces._proxylessnas import proxylessnas
from archbudget.spaces._recurrent import recurrent
from archbudget.spaces._resnet import resnet
from archbudget.spaces._shelf import SHELF, Shelved
from archbudget.spaces._tc_resnet import tc_resnet
from archbudget.spaces._transformer import TRANSFORMERS, transformer
from archbudget.spaces._unet import unet
from archbudget.spaces._vgg import vgg

__all__ = [
    "SHELF",
    "TRANSFORMERS",
    "DartsCell",
    "NasBench201Cell",
    "NatsBenchCell",
    "Shelved",
    "autoformer",
    "darts",
    "densenet",
    "ds_cnn",
    "efficientnet",
    "lenet",
    "mcunet",
    "nas_bench_201",
    "nas_bench_macro",
    "nats_bench_size",
    "ofa_mobilenet_v3",
    "ofa_proxyless",
    "ofa_resnet50",
    "proxylessnas",
    "recurrent",
    "resnet",
    "tc_resnet",
    "transformer",
    "unet",
    "vgg",
]


def __dir__() -> list[str]:
    return sorted(__all__)
