"""Which worker opens which connections, what that costs, which limit comes next, and how to raise it.

Pure arithmetic over facts. Gathering the facts belongs to fleet, printing the plan to report.
"""
