"""Rule sets on history, in money: what they would have caught, and whom they would have hit."""
