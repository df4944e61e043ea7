"""What the suite consists of, as plain values: data that several deployables must agree on and no mechanism owns.

Standard library only. `libs` must not import it: a mechanism gets these values from the deployable that uses it.
"""
