"""The HTTP edge: what every request passes before it reaches a domain.

edge.py     the outermost layer: request id, body bounds, the direct way of the hot route, metrics
answers.py  answers and the one error shape        health.py   /livez, /readyz, /metrics
"""
