"""Spaces: a family of networks, one network, batches of them, and the questions that are asked about all of them.

From the bottom up: `bounds`, `description`, `table`, `columns`, `stored`, `drawing`, `family`, `architecture`,
`candidates`, `distribution`, `evaluation` and `trials`; then `constraint`, `describe` and `feasible`, which know a
`Family`; and `space`, the face with all questions.
"""

__all__: list[str] = []
