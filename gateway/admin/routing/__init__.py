"""Where payments go, under /admin/v1: the policy, why, and how the accounts do (docs/routing.md)."""
