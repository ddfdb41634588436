"""Labels: whether a payment was fraud, as it became known later; the truth that rules and models are measured by."""
