"""`mashang merchant …`."""
