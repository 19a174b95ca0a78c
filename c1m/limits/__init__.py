"""Limits as data: what each is (``limit``), all of them (``table``), and how they stand when a run asks (``assessment``).

Pure; the host's values are read by ``c1m.kernel.limits`` and travel in ``Host``.
"""
