"""`mashang risk lists …`."""
