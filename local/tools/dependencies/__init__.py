"""What the project depends on: bills of materials (`make sbom`), known vulnerabilities (`make audit`) and licenses.

All of it is read from the locks in requirements/ and from what `make lock` recorded beside them. Building a bill asks
no index; an audit asks, and says which services answered.
"""
