"""The bodies, queries and answers of the API as msgspec structs, with their mapping from protos.

Limits that only a service decides are documented here and enforced there, so that its answer lists all violations.
"""
