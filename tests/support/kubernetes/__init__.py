"""Checks of k8s/ that go beyond the schemas: `python -m tests.support.kubernetes` (make k8s-check)."""
