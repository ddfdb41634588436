"""Which channel: the router, the channel adapters and the channel simulators."""
