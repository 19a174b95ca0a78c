"""The steps of one run: prepare, open, hold, compare, close, and what happens when a node is lost.

Formulas belong to planning, results and diagnosis; gRPC to fleet; text for people to report.
"""
