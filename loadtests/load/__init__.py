"""`make load`: Locust's tills against a stack, a report, and the audit of every book."""
