"""What is sent: orders, markets and rules drawn from a seed, and the generators that keep requests open."""
