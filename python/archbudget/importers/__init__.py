"""Models of frameworks, read into spaces without decisions: data is read, and nothing of a model is executed."""

__all__: list[str] = []
