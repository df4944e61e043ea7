"""What the API takes and says, as msgspec structs, with the mapping from protos; the OpenAPI document is made of them.

Limits that only a service decides are documented here and enforced there, so that its answer lists all violations.
"""
