"""Repositories of the calllog schema: all SQL of the service, domain objects in and out.

Must not know protos or rules.
"""
