"""Lightning modules, batches, budgets and resuming."""
