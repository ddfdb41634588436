"""A score from boosted trees: trained on labelled history, versioned, with reasons; off by default."""
