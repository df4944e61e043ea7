"""Between protos and domain values, both ways. Pure: the non-domain side is in each function's name."""
