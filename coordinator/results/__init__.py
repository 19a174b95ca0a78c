"""The results of a run: comparison, reconciliation, memory cost, storms, verdict and the summary document.

Pure functions over the ledger. Asking nodes belongs to run, text for people to report.
"""
