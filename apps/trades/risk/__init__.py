"""The risk manager: what an account may risk, what it has lost, and what is done about that.

``actions`` decide and tell the engine, ``watch`` looks at every account each second by the prices
of ``marks``, and the arithmetic is in ``rules``.
"""
