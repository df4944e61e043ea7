"""One process of this machine: start it under a guard, stop it, probe it, find its port and its memory.

Standard library only. Knows neither stores nor services.
"""
