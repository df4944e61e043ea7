"""The uncached path beside Express, grpc-js and pg."""
