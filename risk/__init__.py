"""Approve, review or decline: screens a payment before anything is charged."""
