"""Spaces: families of networks, single networks, batches of candidates, and the questions about all of them."""
