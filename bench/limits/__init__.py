"""A rate limit over three gateways at twice its rate, from outside: what passes in any 60 s, and what it costs."""
