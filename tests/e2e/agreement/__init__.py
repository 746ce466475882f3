"""What the test of agreement holds against each other: the app, the server, the SDK's span and the library's telemetry.

Rule: an observer is reduced to a word without a look at any other observer, nor at what the catalogue expects. Whether
the words fit is for the table alone.
"""
