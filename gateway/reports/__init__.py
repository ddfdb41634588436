"""Reports: a till's day (交班/日结), held against the books.

api.py        the endpoint                                 page.py         the report as a printable page
shift.py      sums and how they are held against the books; pure           spreadsheet.py  the report as CSV
store.py      reads it all in one snapshot                 schemas.py      the report as the API shows it
"""
