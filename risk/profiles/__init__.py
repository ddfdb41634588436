"""What is usual for a customer: kept up by the worker in PostgreSQL, read in one batch for waiting payments."""
