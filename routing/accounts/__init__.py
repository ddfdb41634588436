"""The channel accounts: which there are, on which terms, and what they have taken in.

book.py   the accounts as they stand, each with its live channel     store.py   their rows: made, changed, rotated
terms.py  everything agreed with the channel about one account: fees.py, hours.py and limits, read by terms_reading.py
usage.py  what each took in by day, shared by all processes
"""
