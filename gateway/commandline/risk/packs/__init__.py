"""`mashang risk packs …`."""
