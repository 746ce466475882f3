"""The command `anthropic-otel docs`: prints the documents of the installed package.

command.py   the command
pages.py     finds the documents and their names
links.py     rewrites the documents' links to files of the repository
"""
