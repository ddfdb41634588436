"""What is told to Prometheus: the processes' files, what a scrape answers, and which names of many are told.

families.py   what one scrape is made of                ranking.py     the busiest 100 by name, the rest as `other`
folder.py     the files of the processes of a host      exposition.py  the text, for /metrics of gateway and worker
merging.py    the files of several processes as one     catalogue.py   every metric as a table (docs/metrics.md)
process.py    what a process tells of itself
"""
