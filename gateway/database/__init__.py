"""Both stores: PostgreSQL (pools, group commit, migrations) and Valkey (one pipeline for all waiting calls)."""
