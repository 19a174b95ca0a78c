"""The newest sample of every node, folded into sums, a timeline and evidence.

Pure folds. The streams of samples belong to fleet and run, conclusions to results and diagnosis.
"""
