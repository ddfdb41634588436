"""The analyst's queue under /admin/v1, its evidence, verdicts and pages (docs/risk-cases.md)."""
