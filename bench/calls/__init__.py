"""What a call costs, from its webhook to its rating: ours beside a monolith in Node."""
