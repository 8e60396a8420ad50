"""Spaces: a family of networks, one network, batches of them, and the questions that are asked about all of them."""
