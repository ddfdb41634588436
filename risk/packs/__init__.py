"""Rule sets that are ready to be used, one file for each pattern of fraud."""
