"""Codes that any wallet can pay (聚合码): their tokens, static codes, and the cashier page behind `/q/{token}`."""
