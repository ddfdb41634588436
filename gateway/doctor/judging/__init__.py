"""What the facts of each area mean; pure."""
