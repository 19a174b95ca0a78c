"""The types of a run's summary, of a moment of a running run and of its events, and how they become JSON and a JSON Schema.

Records only: what they mean, in which unit. results fills them, report, criteria and commands read them.
"""
