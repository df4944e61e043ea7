"""What a provider implements: its declaration, and the values that its functions take and return.

Knows no provider. `reports`, `envelopes`, `agents` and `credentials` are plain values without I/O.
"""
