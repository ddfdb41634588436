"""How the channel accounts do: success, latency and calls under way by account, wallet and method; circuit breakers.

`health.Health` is the face.  Everything here is pure, with the clock handed in, but for what has `run` in it
(`sharing`, `probing`, `running`).  Why it is built so: docs/decisions/0017-health-and-breaker.md.
"""
