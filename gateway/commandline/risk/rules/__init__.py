"""`mashang risk rules …`."""
