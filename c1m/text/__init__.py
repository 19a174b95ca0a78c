"""Counts, durations and bytes as people write them, both ways.

Standard library only; sentences belong where they are said.
"""
