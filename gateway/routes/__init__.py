"""One module a resource: parse, call, shape. Each ends in ROUTES, its part of the route table."""
