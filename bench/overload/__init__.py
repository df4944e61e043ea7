"""More than the suite can answer, from outside: how much it still answers, how fast, and to whom."""
