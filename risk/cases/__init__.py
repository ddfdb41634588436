"""Cases that a person looks at, complaints among them; the verdicts become labels."""
