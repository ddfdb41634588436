"""The image tried for real: `make image-try` runs every command of it with podman and takes payments through it."""
