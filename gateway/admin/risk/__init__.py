"""The risk check under /admin/v1: rule sets, lists, cases, complaints, labels, models, decisions (docs/risk.md)."""
