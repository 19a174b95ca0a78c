"""The target, c1m-target: it accepts and counts connections, or observes another server.

Here stand only the command line and its start; everything else is in a sub-package.
"""
