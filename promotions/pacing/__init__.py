"""Pacing: a campaign's spend follows a curve over the day."""
