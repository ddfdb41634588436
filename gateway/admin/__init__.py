"""The admin API: a folder for each noun, behind the admin token."""
