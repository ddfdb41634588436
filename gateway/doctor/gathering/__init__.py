"""Reads the facts of each area from servers, channels and this machine; changes nothing."""
