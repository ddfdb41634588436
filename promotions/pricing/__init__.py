"""What a payment costs: benefits, random draws, stacking, and why each campaign applied or not.  Pure."""
