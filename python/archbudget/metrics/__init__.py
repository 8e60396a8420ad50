"""Custom metrics: functions of a layer, and tables of measurements.

The function of a metric is called once for each distinct layer of a space (as its record tells layers apart) while the
space is compiled, so it may be slow: candidates are then counted as fast as with the built-in metrics. Where the
diagram of a space is too wide to be compiled completely, the threads that count call it for new layers, too, while they
hold the GIL.
"""

from archbudget.metrics._distinct import distinct_layers
from archbudget.metrics._language import active_params, decode_macs, kv_cache_bytes, prefill_macs, quantized_bytes
from archbudget.metrics._latency import LatencyTable
from archbudget.metrics._metric import Metric, OutputSize, has_weights, output_size, weighted_layers

__all__ = [
    "LatencyTable",
    "Metric",
    "OutputSize",
    "active_params",
    "decode_macs",
    "distinct_layers",
    "has_weights",
    "kv_cache_bytes",
    "output_size",
    "prefill_macs",
    "quantized_bytes",
    "weighted_layers",
]


def __dir__() -> list[str]:
    return sorted(__all__)
