"""The tables of schema `agent`: SQL in, domain values out. No rule, no message, no protocol."""
