"""Campaigns: what a manager sets up, its versions and lifecycle, and the set in force in this process."""
