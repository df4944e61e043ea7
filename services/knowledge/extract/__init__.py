"""From an uploaded file to chunks, in a sandbox.

`reader` is the caller's side and the only door; `document` and the formats below it run in the sandbox.
"""
