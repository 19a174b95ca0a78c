"""What the kernel says and takes: /proc, sock_diag, slabinfo, cgroups, sysctls.

What the numbers mean belongs to c1m/measure and c1m/limits.
"""
