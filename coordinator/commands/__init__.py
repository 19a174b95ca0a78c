"""The commands of c1m-coord: options in, exit code out.

No command counts, decides or talks to a node itself: that belongs to run, fleet, results and report.
"""
