"""The books: memo double entry over who owes whom; Mashang never holds the money."""
