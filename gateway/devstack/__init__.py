"""The development stack: embedded PostgreSQL and Valkey, the simulators, the gateway and its worker in one command."""
