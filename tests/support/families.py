"""Families of networks that several tests count."""

from __future__ import annotations

import archbudget as ab


def lenet_family() -> ab.Space:
    """The family of networks for MNIST that the documentation begins with."""
    return ab.spaces.lenet()
