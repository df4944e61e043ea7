"""Our queue beside BullMQ, same machine, same run, each saying how durable it is. `python -m bench.jobs`."""
