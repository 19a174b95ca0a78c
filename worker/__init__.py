"""c1m-worker: opens and holds connections from many source addresses."""
