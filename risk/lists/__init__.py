"""Lists of customers, devices, addresses, cards …: kept in PostgreSQL, looked up in this process."""
