"""Space files and files of candidates: how a space, or a batch, is read and written."""

from archbudget.files.reader import load, parse, read, text_of_space
from archbudget.files.reference import is_file, load_attribute, refused
from archbudget.files.schema import schema
from archbudget.files.writer import Loaded

__all__ = ["Loaded", "is_file", "load", "load_attribute", "parse", "read", "refused", "schema", "text_of_space"]
