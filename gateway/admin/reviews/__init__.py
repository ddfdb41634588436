"""What waits for a person, under /admin/v1 (docs/reviews.md)."""
