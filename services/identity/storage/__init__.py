"""The tables of schema `identity`: SQL in, domain values out. No rule, no message, no protocol."""
