"""The worker, c1m-worker: it opens and holds connections from many source addresses.

Here stand only the command line and its start; everything else is in a sub-package.
"""
