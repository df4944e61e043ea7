"""What realtime knows without any I/O: channels and who may listen, webhook endpoints and their delivery schedule."""
