"""The commands of `mashang`, a folder for each group: over gateway.client and the admin API."""
