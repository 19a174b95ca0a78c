"""The table of limits of a machine: how each is read, what it bounds, how it is raised.

Pure; reading /proc belongs to c1m/kernel, advice for a fleet to coordinator/planning.
"""
