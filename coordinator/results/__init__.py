"""What a run showed: comparison, reconciliation, memory cost, storms, verdict and the summary document.

Pure functions over the ledger; asking nodes belongs to run, text for people to report.
"""
