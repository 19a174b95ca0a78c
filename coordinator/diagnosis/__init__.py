"""Why connections fail, are dropped, or stop growing: ordered rules over evidence.

Pure. Collecting the evidence belongs to ledger, printing the causes to report.
"""
