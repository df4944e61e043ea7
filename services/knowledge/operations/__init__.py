"""Acts of several steps: receiving an upload, indexing an entry, searching. They know storage and blobs, not protos."""
