"""`mashang risk …`, a folder for each noun of more than one file."""
