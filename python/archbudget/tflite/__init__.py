"""A network as TensorFlow Lite Micro runs it: its operators, its arena, and the size of its file."""

from archbudget.tflite.graph import Graph, converted
from archbudget.tflite.memory import Arena, arena, check
from archbudget.tflite.size import flash

__all__ = ["Arena", "Graph", "arena", "check", "converted", "flash"]
