"""The spaces of the shelf, and their sources."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from archbudget.spaces._autoformer import autoformer
from archbudget.spaces._darts import darts
from archbudget.spaces._densenet import densenet
from archbudget.spaces._ds_cnn import ds_cnn
from archbudget.spaces._efficientnet import efficientnet
from archbudget.spaces._lenet import lenet
from archbudget.spaces._nas_bench import nas_bench_201, nats_bench_size
from archbudget.spaces._nas_bench_macro import nas_bench_macro
from archbudget.spaces._ofa_resnet import ofa_resnet50
from archbudget.spaces._once_for_all import mcunet, ofa_mobilenet_v3, ofa_proxyless
from archbudget.spaces._proxylessnas import proxylessnas
from archbudget.spaces._recurrent import recurrent
from archbudget.spaces._resnet import resnet
from archbudget.spaces._tc_resnet import tc_resnet
from archbudget.spaces._transformer import transformer
from archbudget.spaces._unet import unet
from archbudget.spaces._vgg import vgg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archbudget.space.space import Space


@dataclass(frozen=True)
class Shelved:
    """A space of the shelf.

    Args:
        make: The function that makes it, by default with the arguments of the paper.
        paper: The paper that published it.
        published_size: The number of networks as the paper states it; `None` if it does not.

    Example:
        >>> import archbudget as ab
        >>> shelved = ab.spaces.SHELF["darts"]
        >>> shelved.paper, shelved.make().size
        ('arXiv 1806.09055', 1076746950455072400)
    """

    make: Callable[..., Space]
    paper: str
    published_size: str | None = None


SHELF: Mapping[str, Shelved] = MappingProxyType(
    {
        "nas_bench_201": Shelved(nas_bench_201, "arXiv 2001.00326", "15,625"),
        "nats_bench_size": Shelved(nats_bench_size, "arXiv 2009.00437", "32,768"),
        "nas_bench_macro": Shelved(nas_bench_macro, "arXiv 2103.11922", "6,561"),
        "darts": Shelved(darts, "arXiv 1806.09055", "1e18"),
        "ofa_mobilenet_v3": Shelved(ofa_mobilenet_v3, "arXiv 1908.09791", "2e19"),
        "ofa_proxyless": Shelved(ofa_proxyless, "arXiv 1908.09791"),
        "ofa_resnet50": Shelved(ofa_resnet50, "arXiv 1908.09791"),
        "proxylessnas": Shelved(proxylessnas, "arXiv 1812.00332"),
        "mcunet": Shelved(mcunet, "arXiv 2007.10319"),
        "efficientnet": Shelved(efficientnet, "arXiv 1905.11946"),
        "ds_cnn": Shelved(ds_cnn, "arXiv 1711.07128"),
        "tc_resnet": Shelved(tc_resnet, "arXiv 1904.03814"),
        "lenet": Shelved(lenet, "LeCun et al. 1998"),
        "vgg": Shelved(vgg, "arXiv 1409.1556"),
        "resnet": Shelved(resnet, "arXiv 1512.03385"),
        "densenet": Shelved(densenet, "arXiv 1608.06993"),
        "unet": Shelved(unet, "arXiv 1505.04597"),
        "autoformer": Shelved(autoformer, "arXiv 2107.00651"),
        "transformer": Shelved(transformer, "arXiv 1706.03762"),
        "recurrent": Shelved(recurrent, "arXiv 1409.2329"),
    }
)
"""The spaces by the names of their functions in `archbudget.spaces`."""
