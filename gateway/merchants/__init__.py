"""Merchants: their accounts, their API keys, and the directory of both that every process keeps in memory."""
