"""A long history for a database, made fast and taken out again: `mashang seed` (docs/growing.md)."""
