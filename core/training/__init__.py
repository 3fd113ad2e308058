"""The training run: recipe, batches, loop, and what is kept of it."""
