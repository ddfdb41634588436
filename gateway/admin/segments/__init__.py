"""Customers' segments under /admin/v1 (docs/campaigns.md)."""
