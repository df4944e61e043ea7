"""Development tools behind `make`: the stages of `make check`, locks, generated protos, the optional speech model.

Must not need a running suite.
"""
