"""Reads from and writes to the kernel: /proc, sock_diag, slabinfo, cgroups, sysctls.

This package reports numbers. Their interpretation belongs to c1m/measure and c1m/limits.
"""
