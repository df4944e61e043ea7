"""`make demo`: one customer's journey against the running suite, through its public surface alone.

It runs in the organization whose key `make up` printed. Every step checks what it promises, and ends the demo (exit
code 1) when it is wrong. tests/e2e/test_journey.py runs the same steps.
"""
