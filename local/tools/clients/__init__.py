"""What strangers' generators make of the OpenAPI document: clients that accept every answer and run the journey.

`parse.py`, `journey.py` and `journey.ts` run beside the generated clients, where nothing of the project is installed.
"""
