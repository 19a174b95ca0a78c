"""What is measured: tallies, latencies, samples and readings, and how they add up.

Pure. Reading the kernel belongs to c1m/kernel, conclusions to coordinator/results.
"""
