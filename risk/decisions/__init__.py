"""Decisions as they were made: stored with what was seen, explained and replayed."""
