"""What campaigns know of customers and stores: history, segments, what they took of each campaign."""
