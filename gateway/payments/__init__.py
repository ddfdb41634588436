"""Payments: from a till's request to a booked outcome.

flow.py        the way of one payment, top to bottom        states.py   the one transition table
resolution.py  what to do next for an unknown outcome       settle.py   a channel's report becomes an outcome
schemas.py     requests and answers                         api.py      the endpoints
payment.py     the payment and its order                    store.py    reads
"""
