"""What operators do at a terminal: migrate, seed, retention, trail, reviews, doctor."""
