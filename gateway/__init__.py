"""The public HTTP edge: stateless, no SQL, no domain rule."""
