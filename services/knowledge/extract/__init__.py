"""From an uploaded file to blocks of text, in a child process with limits.

`process` is the parent's side and the only door; everything else runs in the child.
"""
