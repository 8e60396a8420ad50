"""The cases of `make fuzz`: random spaces, budgets, layers and files, for a bounded time."""
