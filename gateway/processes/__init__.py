"""Keeps processes: children tied to their parent, restarts, inherited sockets, ordered stops, the HTTP server.

children.py     a child process that dies with its parent     supervisor.py   restarts what dies, stops in order
sockets.py      listening sockets that children inherit       interrupts.py   Ctrl-C, and a second one to hurry
serving.py      uvicorn, in this process or in several        tether.py       the helper that ties a child to its parent
"""
