"""Versions of the risk rules under /admin/v1: saved, published, put back (docs/risk.md)."""
