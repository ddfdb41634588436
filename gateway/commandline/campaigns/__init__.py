"""`mashang campaign …`."""
