"""Tries routing out on scripted channels, in virtual time: our own router beside others and an all-knowing oracle.

scenario.py    what happens: routes, when they fail and how, the traffic; the ready ones are in scenarios/
channels.py    how a scripted channel answers
traffic.py     payments, made by seed or read from a file
world.py       the events of one run, in virtual time
strategies.py  the rivals and the oracle
ours.py        the router, circuit breakers and splits of production
measures.py    what a run amounts to: lost payments, cost, time to leave and to return
running.py     many seeds and strategies, over the machine's cores
picture.py     the drawing
"""
