"""What `make fuzz` runs: random spaces, budgets, layers and files, as many as there is time for."""
