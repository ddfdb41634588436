"""Callbacks: the channels' notifications come in here (docs/callbacks.md).

api.py        the endpoint                               reception.py   from raw bytes to the acknowledgement
inbox.py      what was taken in, durable, and sealed     applying.py    what a notification does to its payment
"""
