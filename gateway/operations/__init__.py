"""Pages of the gateway's operations port: figures and the state of each service. No client of the API sees them."""
