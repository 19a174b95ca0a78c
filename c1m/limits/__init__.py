"""The table of a machine's limits: how each limit is read, what it bounds, and how it is raised.

Pure. Reading /proc belongs to c1m/kernel, advice for a fleet to coordinator/planning.
"""
