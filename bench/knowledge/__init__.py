"""The knowledge base, measured: how fast a document becomes searchable (`speed`), how well questions are answered
(`ranking`). `python -m bench.knowledge`, each against a suite of its own.
"""
