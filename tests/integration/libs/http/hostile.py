"""URLs that must never lead inside. PORT stands for the port of a listener on this machine."""

_LOOPBACK_HOSTS = (
    *("127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "0", "0.0.0.0", "0x7f.1", "0x7f000001"),
    *("0x7f.0x0.0x0.0x1", "0X7F000001", "017700000001", "0177.0.0.1", "0177.0.0.01", "00000177.0.0.1", "2130706433"),
    *("127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "LocalHost", "a.localhost", "localhost.localdomain"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]"),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25eth0]"),
    *("%31%32%37.0.0.1", "127%2e0%2e0%2e1", "①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛocalhost", "localhost%00.example.com"),
    *("127.0.0.1%00", "127.0.0.1\\@example.com", "example.com\\@127.0.0.1", "127.0.0.1#@example.com"),
    *("example.com@127.0.0.1", "a:b@127.0.0.1", "127.0.0.1&@example.com", "@127.0.0.1", "127.0.0.1 .example.com"),
    *("[127.0.0.1]", "[::1", "::1", "", ".", "..", "-", "127..0.0.1"),
)
_INNER_HOSTS = (
    *(
        "10.0.0.1",
        "10.255.255.255",
        "012.0.0.1",
        "0xa.0.0.1",
        "167772161",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
    ),
    *("192.168.257", "0xc0a80101", "3232235777", "100.64.0.1", "100.127.255.255", "169.254.169.254", "169.254.1.1"),
    *(
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
    ),
    *("168.63.129.16", "100.100.100.200", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "[fc00::1]", "[fd00:ec2::254]"),
    *("[fe80::1]", "[fec0::1]", "[ff02::1]", "[ff0e::1]", "[100::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]"),
    *("[2002:a00:1::]", "[64:ff9b:1::a00:1]", "[::10.0.0.1]", "metadata.google.internal", "kubernetes.default.local"),
    *("router.home.arpa", "printer.local", "db.internal"),
)
_SCHEMES = (
    *("ftp://127.0.0.1:PORT/", "file:///etc/passwd", "gopher://127.0.0.1:PORT/_x", "unix:///var/run/docker.sock"),
    *("http+unix://%2Fvar%2Frun%2Fdocker.sock/", "ws://127.0.0.1:PORT/", "dict://127.0.0.1:PORT/", "//127.0.0.1:PORT/"),
    *("127.0.0.1:PORT", "javascript:alert(1)", "data:text/plain,x", "http:127.0.0.1:PORT/", "http:/127.0.0.1:PORT/"),
    *("http:///127.0.0.1:PORT/", "http:\\\\127.0.0.1:PORT\\", "http://127.0.0.1:PORT\t/", "http://127.0.0.1:\nPORT/"),
    *("\x00http://127.0.0.1:PORT/", " http://127.0.0.1:PORT/", "http://127.0.0.1:PORT /", "http://127.0.0.1:99999/"),
    *("http://127.0.0.1:-1/", "http://127.0.0.1:PORTx/", "http://127.0.0.1:0/", "http://example.com/\r\nHost: x", ""),
    *("http://" + "a" * 3_000 + ".example.com/", "http://" + "a." * 200 + "example.com/"),
)


def hostile_urls(port: int) -> list[str]:
    """All of them, with the listener's port where a port fits."""
    urls = [f"http://{host}:{port}/" for host in _LOOPBACK_HOSTS]
    urls += [f"https://{host}:{port}/" for host in _LOOPBACK_HOSTS[:12]]
    urls += [f"http://{host}/latest/meta-data/" for host in _INNER_HOSTS]
    return urls + [url.replace("PORT", str(port)) for url in _SCHEMES]
