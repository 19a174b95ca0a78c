"""The newest sample of every node, folded into sums, a timeline and evidence.

Pure folds; streams that bring the samples belong to fleet and run, conclusions to results and diagnosis.
"""
