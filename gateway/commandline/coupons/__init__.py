"""`mashang coupon …`."""
