"""The Centrifugo client protocol, JSON v2, and the sockets that speak it. Public SDKs are its conformance suite."""
