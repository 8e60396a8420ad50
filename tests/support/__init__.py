"""What tests are made with: generators, oracles, and the walkers of the house."""
