"""The console at /app: its files under static/, read once, compressed once, and named by what they contain.

The browser runs the files as they are; there is no build step. This room knows no resource of the API: the console is
a client like any other.
"""
