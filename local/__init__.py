"""The suite on one machine: embedded stores, the processes of the suite, and the commands behind `make`.

Owns nothing that production needs; may import `libs`, never `services` or `gateway` (it starts them as processes).
"""
