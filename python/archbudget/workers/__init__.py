"""A search in processes of its own: what each of them does, and who looks after them."""

__all__: list[str] = []
