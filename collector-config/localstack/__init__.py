"""The real components on one machine without containers: find or build the binaries, run them, ask them.

The one rule here: standard library only, so that `stack.py` runs wherever Python does.
"""
