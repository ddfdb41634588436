"""Reviews: what only a person can decide, shown and settled (docs/reviews.md).

review.py     what is in review, and the verdicts that fit      reading.py    from the database
asking.py     what the channel says of it now                   desk.py       a verdict, from the request to the commit
payment_verdicts.py, refund_verdicts.py, late_verdicts.py, callback_verdicts.py    what each verdict does, or why not
"""
