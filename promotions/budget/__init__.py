"""The budget pool: slices granted by PostgreSQL, served fast by Valkey, never overspent whatever Valkey says."""
