"""`mashang risk cases …`."""
