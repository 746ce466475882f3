"""`anthropic-otel docs`: the documents that come with the package, for whoever has installed it and has no clone.

command.py   the command
pages.py     which documents there are, and what they are called
links.py     their links, which lead to files of the repository, as something that leads somewhere here
"""
