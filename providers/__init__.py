"""Voice platforms that customers run agents at: one folder for each, and the registry that lists them.

A folder holds all that is special about its provider. `interface` is what each of them implements. Services and the
gateway read `registry` and `interface`, never a provider's folder. Nothing here keeps state or writes to a store.
"""
