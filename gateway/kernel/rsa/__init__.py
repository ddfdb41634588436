"""RSA signatures (SHA-256, PKCS#1 v1.5) made eight at a time where the processor can.

signing.py       `await sign_sha256(key, message)`: who signs in the same turn of the event loop is signed together
choosing.py      which way this process signs, and why: chosen once, told in a log line and by `mashang doctor`
choice.py        the names of the ways, for the settings
multibuffer.py   one to eight signatures by one call, each checked before it leaves
crypto_mb.py     Intel's multi-buffer library: found, loaded and called
"""
