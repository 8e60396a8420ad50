"""Spaces whose diagrams may keep, or look at, little, so that they soon become implicit or open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget.program import writer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    import archbudget as ab


class SmallProgram:
    """A program whose diagrams soon become implicit, or open."""

    limits: dict[str, int]
    compiled = 0
    """How many were."""
    made = writer.Program

    def __init__(self, **settings: Any) -> None:
        self._program = self.made(**settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._program, name)

    def compile(self) -> Any:
        SmallProgram.compiled += 1
        return self._program.compile(**self.limits)


def little(make: Callable[[], ab.Space], monkeypatch: pytest.MonkeyPatch, **limits: int) -> ab.Space:
    """A space whose diagram may keep, or look at, little."""
    monkeypatch.setattr(SmallProgram, "limits", limits, raising=False)
    with monkeypatch.context() as context:
        context.setattr(writer, "Program", SmallProgram)
        before = SmallProgram.compiled
        space = make()
    assert SmallProgram.compiled > before, "it was compiled by another program"
    return space
