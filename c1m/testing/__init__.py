"""Nodes in memory and a clock that jumps, with which a whole run takes milliseconds and no process.

Here belong the nodes' side of a run (a worker that opens connections by its schedule, a target that accepts them, and what can
happen to both) and virtual time. Nothing of the coordinator's own work is imitated: the run, its ledger, its verdict and its
report are the real ones.
"""
