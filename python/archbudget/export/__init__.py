"""Real models of other libraries, and text that builds them: a `Network` in, a model out."""

__all__: list[str] = []
