"""Reading and managing a queue: the gRPC service and its statements."""
