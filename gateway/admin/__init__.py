"""The admin API: merchants, keys and channel accounts, behind the admin token."""
