"""Approve, review or decline: every payment is screened by rules before it is priced."""
