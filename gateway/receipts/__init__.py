"""Receipts (电子凭证): what was paid, what came back, for the merchant's till and for the customer.

api.py     the endpoints       receipt.py  the receipt as a value; pure     page.py   the page, in both languages
tokens.py  the public links    store.py    reads what it is made of         schemas.py  the receipt as the API shows it
"""
