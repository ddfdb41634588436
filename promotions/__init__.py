"""Which discount: prices a payment and says who funds the difference."""
