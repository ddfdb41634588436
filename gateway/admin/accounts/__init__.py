"""Channel accounts under /admin/v1: made, changed, given new credentials, drained, maintained."""
