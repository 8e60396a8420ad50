"""Metrics of one's own: functions of a layer, and tables of measurements.

A metric is asked once for each distinct layer that a space meets (by all that the record of it says), while the space
is compiled, so that it may be slow: candidates are then counted as fast as by the built-in metrics.
"""

from archbudget.metrics._distinct import distinct_layers
from archbudget.metrics._latency import LatencyTable
from archbudget.metrics._metric import Metric, output_size, weighted_layers

__all__ = ["LatencyTable", "Metric", "distinct_layers", "output_size", "weighted_layers"]
