"""What every c1m program needs as a program: the Typer frame, log lines, ^C during import, the state directory.

Commands and their options belong to the programs.
"""
