"""The commands of `python3 -m local` and what they show: words, exit codes, logs, status.

Owns no process: the runner does. Must not import gateway or services.
"""
