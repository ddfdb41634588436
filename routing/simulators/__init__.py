"""The channel simulators: servers that speak the wallets' wire protocols and keep their own durable books."""
