"""Running jobs in one process: worker, poller, executor, heartbeat, completer, maintenance and schedule.

It must not know any kind of job, and reaches the tables only through libs.jobs.store.
"""
