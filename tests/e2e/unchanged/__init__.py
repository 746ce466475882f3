"""Nothing changes, beyond results: every object that the library touches is, to its app, what it was without it.

Rule: a test compares the facts of an object in a plain app with those in an instrumented one. Nothing here says what a
fact must be, and nothing here knows the inside of the library.

    facts.py      what there is to compare of an object: a walk over every attribute, and what an action comes to
    world.py      an app on one HTTP stack, and the doors by which it may be instrumented
    clients.py    probes of HTTP clients and SDK clients
    messages.py   probes of requests, responses and streams
    mocks.py      probes with `unittest.mock`
    orders.py     other patches of the same clients and classes, put on and taken off in every order
"""
