"""What MASHANG_ENV=production refuses, with every reason at once (docs/operating.md)."""
