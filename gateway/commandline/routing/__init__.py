"""`mashang routing …`."""
