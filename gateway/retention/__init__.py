"""What becomes of months long past: cut off while payments go on, archived, dropped (docs/growing.md)."""
