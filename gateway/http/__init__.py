"""The HTTP toolkit: what a request passes between the socket and a handler. It must not know any resource."""
