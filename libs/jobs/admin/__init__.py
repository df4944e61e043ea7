"""What people and operators see of a queue and do to it: the gRPC service and its statements."""
