"""Generators of random cases, and the oracles that tests hold the library against."""
