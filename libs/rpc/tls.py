"""TLS between the processes of the suite: each shows a certificate, and each checks the other's.

A server's certificate names its service (subject alternative name "calllog"), whatever address it is reached by.
Without the three settings gRPC is plain text: for one machine, and behind a mesh that encrypts.
"""

import grpc

from libs.config import ProcessSettings


def server_credentials(settings: ProcessSettings) -> grpc.ServerCredentials | None:
    """None for plain text."""
    if not settings.grpc_tls:
        return None
    authority, key, certificate = _pem(settings)
    return grpc.ssl_server_credentials([(key, certificate)], authority, require_client_auth=True)


def channel_credentials(settings: ProcessSettings) -> grpc.ChannelCredentials | None:
    """None for plain text."""
    if not settings.grpc_tls:
        return None
    authority, key, certificate = _pem(settings)
    return grpc.ssl_channel_credentials(authority, key, certificate)


def _pem(settings: ProcessSettings) -> tuple[bytes, bytes, bytes]:
    return (
        settings.grpc_tls_authority.encode(), settings.grpc_tls_key.encode(), settings.grpc_tls_certificate.encode(),
    )  # fmt: skip
