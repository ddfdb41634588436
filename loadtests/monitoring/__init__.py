"""Dashboards and alerts: written from their sources, checked against the metrics, tried on a real stack."""
