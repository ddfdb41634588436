"""Tracing: which work is traced, how its trace is named, and the spans that are sent to a collector."""
