"""The last hour of the suite in numbers, of all gateways together. It asks no one and shows nothing itself."""
