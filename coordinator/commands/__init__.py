"""The commands of c1m-coord: from options to an exit code.

No command counts, decides or talks to a node itself: that belongs to run, fleet, results and report.
"""
