"""What one unary call between two processes costs, by libs.rpc and by other ways. `python -m bench.rpc`."""
