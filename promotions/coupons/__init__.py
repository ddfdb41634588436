"""Coupons: claimed or issued, bound to a customer, redeemed at the till, returned, expired."""
