"""What the test of the whole catalogue checks of each fault, part by part.

The rule: what is expected follows from the catalogue's entry and the stack, never from what the library did.
"""
