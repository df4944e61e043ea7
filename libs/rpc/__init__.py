"""gRPC between the processes of the suite: server, channel, principal, errors, deadlines. No business noun.

The only room, beside servicers and the gateway's clients, that imports grpc. Its submodules are imported by name, so
that a process pays only for what it uses.
"""
