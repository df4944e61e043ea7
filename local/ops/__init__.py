"""`make ops`: what an operator asks of the running suite: queues, dead letters, pools, slow queries, memory.

Talks gRPC as a service that acts for no organization, so it sees all of them; reads PostgreSQL as its administrator.
"""
