"""Refunds: from a merchant's request to money given back and booked.

split.py    what goes back to whom, pure        rules.py    whether a refund may be taken, pure
refund.py   a refund and its order              schemas.py  requests and answers
store.py    reads, and every commit             desk.py     takes refunds, and applies what channels say of them
steps.py    what to do next, pure               api.py      the endpoints
"""
