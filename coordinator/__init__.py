"""The coordinator, c1m-coord: it plans a run, directs the nodes, and reports the result.

Here stand only the command line's frame and its start; everything else is in a sub-package.
"""
