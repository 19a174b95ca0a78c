"""The frame of every c1m program: its Typer app, log lines, ^C during import, the state directory.

Commands and their options belong to the programs.
"""
