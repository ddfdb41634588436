"""Pure code that every room may use: money, clock, ids, errors, failures, the metric catalogue."""
