"""Quotes: what a customer would pay now, and for each campaign why or why not; nothing is taken from a budget."""
