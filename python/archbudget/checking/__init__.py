"""Checking one network against a budget: for the command line, for tests, and for the difference to another model."""

from archbudget.checking.assertion import assert_within
from archbudget.checking.comparison import Change, Comparison, compared
from archbudget.checking.model import BITS, Checked, Read, ReadOptions, network_of_model, read_model, read_shapes
from archbudget.checking.verdict import BoundCheck, Verdict, range_text, verdict

__all__ = [
    "BITS",
    "BoundCheck",
    "Change",
    "Checked",
    "Comparison",
    "Read",
    "ReadOptions",
    "Verdict",
    "assert_within",
    "compared",
    "network_of_model",
    "range_text",
    "read_model",
    "read_shapes",
    "verdict",
]
