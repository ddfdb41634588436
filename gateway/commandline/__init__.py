"""A till at a terminal, through gateway.client (pay, refund, cancel, look), and a simulated customer (scan)."""
