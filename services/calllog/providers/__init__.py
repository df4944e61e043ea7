"""What is fetched from providers of calls. HTTP goes through libs.http alone; reading what they say is domain."""
