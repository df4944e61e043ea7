"""The suite as processes: the plan, the runner that starts and stops it, its supervisor, keys and folder.

Knows no command line and prints nothing; `local.cli` does.
"""
