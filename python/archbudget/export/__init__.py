"""Real models of other libraries: a `Network` in, a model out. Each file imports its library when it is imported."""

__all__: list[str] = []
