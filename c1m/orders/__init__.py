"""Orders to the processes of a node, as values and as plain messages. Pure.

What is measured and reported back belongs to measure; sending the messages belongs to processes.
"""
