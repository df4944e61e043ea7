"""Money as plain data and pure rules: meters, rates, the double-entry ledger, reconciliation. Must not do I/O."""
