import pytest

from gateway.middleware.authentication import own_origins, read_credential
from gateway.principals import Credential
from libs.errors import Unauthenticated
from tests.unit.gateway.requests import make_request


def credential(**headers: bytes) -> Credential:
    request = make_request({name: value.decode("latin-1") for name, value in headers.items()})
    return read_credential(request, "echosenseix_session")


def test_authorization_comes_before_the_key_and_the_key_before_the_cookie() -> None:
    cookie = b"theme=dark; echosenseix_session=tok"
    assert credential(cookie=cookie) == Credential("cookie", "tok")
    assert credential(cookie=cookie, x_api_key=b"esx_1") == Credential("api_key", "esx_1")
    assert credential(cookie=cookie, x_api_key=b"esx_1", authorization=b"bearer abc") == Credential("bearer", "abc")


def test_keys_are_told_from_tokens_by_their_prefix() -> None:
    assert credential(authorization=b"Bearer esx_test_1_2").is_api_key
    assert credential(x_api_key=b"whatever").is_api_key
    assert not credential(authorization=b"Bearer abc").is_api_key


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (b"Basic dXNlcg==", "unauthenticated"),
        (b"Bearer", "invalid_credential"),
        (b"Bearer ", "invalid_credential"),
        (b"Bearer \xff\xfe", "invalid_credential"),
        (b"Bearer a\x01b", "invalid_credential"),
        (b"Bearer " + b"x" * 600, "invalid_credential"),
        (b"", "unauthenticated"),
    ],
)
def test_a_credential_that_can_be_none_is_refused_unasked(authorization: bytes, reason: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        credential(authorization=authorization)
    assert caught.value.reason == reason


def test_a_wrong_authorization_is_not_repaired_by_a_cookie() -> None:
    with pytest.raises(Unauthenticated):
        credential(authorization=b"Basic x", cookie=b"echosenseix_session=tok")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_developers_machine_is_one_origin_under_each_of_its_names(host: str) -> None:
    names = {"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"}
    assert own_origins(f"http://{host}:8080") == names


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com:443/", "https://api.example.com"),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("http://localhost.example.com:8080", "http://localhost.example.com:8080"),
        ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
    ],
)
def test_any_other_address_has_exactly_its_own_origin(url: str, origin: str) -> None:
    assert own_origins(url) == {origin}
