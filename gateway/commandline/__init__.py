"""What a person at a terminal does as a till: pay, refund, cancel, look at a payment; all through gateway.client."""
