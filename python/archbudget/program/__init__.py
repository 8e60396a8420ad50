"""Writing a description of networks into a program of the engine."""

from archbudget.program.transcript import Transcript, comparable
from archbudget.program.writer import Writer

__all__ = ["Transcript", "Writer", "comparable"]
