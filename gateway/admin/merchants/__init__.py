"""Merchants, their keys, settings and stores under /admin/v1."""
