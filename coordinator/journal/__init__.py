"""The journal of a run: records on disk, and a run rebuilt from them.

What the records mean belongs to results and ledger. The commands that read them belong to commands.
"""
