"""Campaigns under /admin/v1: written, started, funded, stopped, reported on (docs/campaigns.md)."""
