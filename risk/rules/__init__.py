"""Rules as analysts write them: read, checked, tried, versioned, published, compiled, in force in this process."""
