"""Webhooks: events of payments and refunds, told to the merchant's own servers.

catalogue.py   what merchants are told of            announcing.py  an event and its row in the outbox
rendering.py   the body of a message                 relay.py       the outbox becomes deliveries
lines.py       who is served next                    dispatch.py    leases deliveries and sends them, each line in turn
sending.py     one try                               results.py     what became of tries, written in bulk
schedule.py    when the next try is                  disabling.py   an endpoint that only fails is switched off
addresses.py   which addresses are taken             resolving.py   names become addresses that were checked
posting.py     one POST to a pinned address          signing.py     secrets and signatures (Standard Webhooks)
endpoints.py   the merchant's endpoints              events.py      reading events, sending them again
api.py         the endpoints of both                 schemas.py     what they take and give
running.py     the worker's part, composed
"""
