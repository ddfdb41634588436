"""The audit trail: who changed what over the admin API, append-only and hash-chained (docs/audit.md)."""
