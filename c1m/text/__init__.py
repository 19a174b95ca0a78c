"""Counts, durations and bytes as people write them: parsing and formatting.

Standard library only. Sentences belong to the code that raises or prints them.
"""
