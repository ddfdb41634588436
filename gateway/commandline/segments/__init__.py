"""`mashang segments …`."""
