"""Repositories of the billing schema: all SQL of the service, domain objects in and out.

Must not know protos or rules. Nothing here updates a ledger row; only an account's balance moves.
"""
