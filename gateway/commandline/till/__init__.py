"""What a till and its customer do at a terminal: `mashang pay`, `quote`, `refund`, `scan`, `payment …`."""
