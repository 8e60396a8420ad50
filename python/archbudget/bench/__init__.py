"""How fast candidates are counted: compared with handwritten code, and in a space of the user."""

from archbudget.bench.environment import environment
from archbudget.bench.own import measure
from archbudget.bench.peers import PEERS, constraint_call, run

__all__ = ["PEERS", "constraint_call", "environment", "measure", "run"]
