"""The risk check's lists under /admin/v1, and imports into them (docs/risk-lists.md)."""
