"""Load generation and benchmarks; only ever run in processes of its own (Locust patches the standard library)."""
