"""Who is let in when not everybody can be: how much this process can begin, whose turn it is, and merchants' quotas.

limit.py      how many payments may be begun at once, learned from our own time     bucket.py    tokens by the second
admission.py  admits or refuses, and counts who is here                             sharing.py   quotas over processes
running.py    measures the event loop's lateness and keeps all this going

The layer that answers with it stands in gateway/http/admission.py; docs/overload.md tells operators and tills of it.
"""
