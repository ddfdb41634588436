"""Writes the reference in docs/ from the code: docs/api from the OpenAPI document, docs/errors.md from the tables."""
