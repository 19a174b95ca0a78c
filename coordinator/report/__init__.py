"""Values of a run as text: live view, summary tables, charts, memory tables, preflight tables.

Nothing here measures or decides; every number comes from results, ledger or planning.
"""
