"""Benchmarks of one part each: prices, routes, risk decisions, the pool, velocities, webhooks, a flash sale."""
