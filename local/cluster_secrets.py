"""Make the secrets of a cluster once, from inside it: `python -m local.cluster_secrets`, run by a Job.

The installation's keys stay in the Secret `suite-keys`; what each pod mounts is derived from them. Safe to run again:
keys that exist are kept, missing ones are added, derived Secrets are applied anew. `rotate [NAME…]` replaces keys while
the pods run, which read the changed files again; `retire [NAME…]` drops those whose time is over. Nothing is printed
but names and key ids.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from libs.clock import utcnow
from local.runner import rotation
from local.runner.accounts import bus_users
from local.runner.keys import Keys, completed
from local.runner.retirement import retirement
from local.runner.topology import StoreUrls, edge_environment, stores_environment
from local.stores.nats import ADMINISTRATOR, BusUser, authorization
from suite.services import SERVICES

# Where Kubernetes mounts the token, the authority and the namespace of a pod.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The database that k8s/infra creates.
DATABASE = "echosenseix"
# Seconds until every pod has read a changed Secret: the kubelet looks once a minute, and its cache is as old.
PROPAGATION_SECONDS = 180.0
# The owner of the fields in server-side apply: another tool's entries stay.
MANAGER = "first-secrets"
# Status codes of the Kubernetes API.
NOT_FOUND = 404
CONFLICT = 409


def derive(keys: Keys, addresses: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Name of each Secret -> its entries. `addresses`: host:port of POSTGRES, POOLER, REDIS and NATS."""
    password, redis, nats = (keys.values[f"store.{name}"] for name in ("postgres", "redis", "nats"))
    admin = admin_url(keys, addresses)
    stores = StoreUrls(
        database=f"postgresql://{addresses['POOLER']}/{DATABASE}",
        direct=f"postgresql://{addresses['POSTGRES']}/{DATABASE}",
        redis=f"redis://:{redis}@{addresses['REDIS']}/0",
        nats=f"nats://{ADMINISTRATOR}:{nats}@{addresses['NATS']}",
        has_bus_users=True,
    )
    users = [BusUser(ADMINISTRATOR, nats), *bus_users(keys)]
    found = {
        "stores": _stores(password, redis, users),
        "gateway": keys.service_environment("gateway") | edge_environment(stores, keys, "gateway"),
    }
    for service, entry in SERVICES.items():
        own = keys.service_environment(service)
        # Only the migration sets the roles' passwords; serving pods get them inside their DSN.
        passwords = {name: own.pop(name) for name in ("DATABASE_APP_PASSWORD", "DATABASE_SYSTEM_PASSWORD")}
        name = entry.deployable
        found[name] = own | stores_environment(stores, keys, service)
        found[f"{name}-migration"] = passwords | {"DATABASE_ADMIN_URL": admin}
    return found


def admin_url(keys: Keys, addresses: Mapping[str, str]) -> str:
    return f"postgresql://postgres:{keys.values['store.postgres']}@{addresses['POSTGRES']}/{DATABASE}"


def _stores(postgres: str, redis: str, users: list[BusUser]) -> dict[str, str]:
    """What the stores of k8s/infra read; it only remembers, so Redis keeps nothing on disk and bounds its memory."""
    return {
        "POSTGRES_PASSWORD": postgres,
        "REDIS_PASSWORD": redis,
        "redis.conf": f'requirepass {redis}\ndir /data\nsave ""\nmaxmemory 192mb\nmaxmemory-policy allkeys-lru\n',
        "nats.conf": (
            "listen: 0.0.0.0:4222\nhttp: 0.0.0.0:8222\njetstream {store_dir: /data, max_file: 1GB}\n"
            + authorization(users)
        ),
    }


class Cluster:
    """The Secrets of one namespace, through the API server."""

    def __init__(self, client: httpx.Client, namespace: str) -> None:
        self._client, self._path = client, f"/api/v1/namespaces/{namespace}/secrets"
        self._versions: dict[str, str] = {}

    def read(self, name: str) -> dict[str, str]:
        """The entries, empty when there is no such Secret."""
        answer = self._client.get(f"{self._path}/{name}")
        if answer.status_code == NOT_FOUND:
            return {}
        document = answer.raise_for_status().json()
        self._versions[name] = document["metadata"]["resourceVersion"]
        return {key: base64.b64decode(value).decode() for key, value in document.get("data", {}).items()}

    def create(self, name: str, entries: Mapping[str, str]) -> bool:
        """False when another run has created it first."""
        answer = self._client.post(self._path, json=_manifest(name, entries))
        if answer.status_code == CONFLICT:
            return False
        answer.raise_for_status()
        return True

    def apply(self, name: str, entries: Mapping[str, str]) -> None:
        """Server-side apply: creates or replaces the entries that this command owns. One that was read is replaced only
        as it was read: a Job that ran beside this one would lose its keys. The Job fails then, and begins again."""
        answer = self._client.patch(
            f"{self._path}/{name}",
            params={"fieldManager": MANAGER, "force": "true"},
            content=json.dumps(_manifest(name, entries, self._versions.get(name))),
            headers={"Content-Type": "application/apply-patch+yaml"},
        ).raise_for_status()
        if name in self._versions:
            self._versions[name] = answer.json()["metadata"]["resourceVersion"]


def _manifest(name: str, entries: Mapping[str, str], version: str | None = None) -> dict[str, object]:
    metadata = {"name": name, "labels": {"app.kubernetes.io/part-of": "echosenseix"}}
    if version is not None:
        metadata["resourceVersion"] = version
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}


def installation_keys(cluster: Cluster) -> Keys:
    """The keys as kept, completed where a newer release knows more."""
    known = json.loads(cluster.read("suite-keys").get("keys.json", "{}"))
    stores = {f"store.{name}": secrets.token_hex(16) for name in ("postgres", "redis", "nats")}
    values = {**stores, **completed(known)}
    entries = {"keys.json": json.dumps(values)}
    # Two runs may begin at once; the one that loses the race reads what the other made.
    if not known and not cluster.create("suite-keys", entries):
        return installation_keys(cluster)
    if known and values != known:
        cluster.apply("suite-keys", entries)
    return Keys(values)


def rotate(cluster: Cluster, addresses: Mapping[str, str], words: list[str], sleep: Callable[[float], None]) -> None:
    """Publish, wait until every pod has read it, then activate. A run that broke off goes on from where it was."""
    values = installation_keys(cluster).values
    names = rotation.chosen(values, words)
    values = rotation.published(values, names, utcnow())
    _keep(cluster, values, addresses)
    _say("published", {name: rotation.kids_of(values[name])[-1:] for name in names})
    sleep(PROPAGATION_SECONDS)
    values = rotation.activated(values, names)
    _keep(cluster, values, addresses)
    _say("active", {name: rotation.kids_of(values[name])[:1] for name in names})
    # Last, because it reads the database, which a key that leaked must not wait for.
    retire(cluster, addresses, words)


def retire(cluster: Cluster, addresses: Mapping[str, str], words: list[str]) -> None:
    """Drop the keys whose time is over. An encryption key stays while a stored value needs it."""
    keys = installation_keys(cluster)
    names = rotation.chosen(keys.values, words)
    found = asyncio.run(retirement(keys.values, names, utcnow(), admin_url(keys, addresses)))
    if found.past:
        _keep(cluster, rotation.dropped(keys.values, found.past), addresses)
    _say("dropped", found.past)
    sys.stdout.writelines(f"{sentence}\n" for sentence in found.kept)


def _keep(cluster: Cluster, values: Mapping[str, str], addresses: Mapping[str, str]) -> None:
    """The installation's own Secret first: what pods mount can be derived from it again."""
    cluster.apply("suite-keys", {"keys.json": json.dumps(values)})
    for name, entries in derive(Keys(dict(values)), addresses).items():
        cluster.apply(name, entries)


def _say(what: str, kids: Mapping[str, list[str]]) -> None:
    for name, found in kids.items():
        sys.stdout.write(f"{what} {name}: {', '.join(kid or 'the first' for kid in found)}\n")
    sys.stdout.flush()


def own_cluster() -> Cluster:
    """Of the namespace of this pod."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    client = httpx.Client(
        base_url=f"https://{host}:{port}",
        verify=str(ACCOUNT / "ca.crt"),
        headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text('ascii')}"},
        timeout=10,
    )
    return Cluster(client, (ACCOUNT / "namespace").read_text("ascii"))


def main() -> None:
    cluster = own_cluster()
    addresses = {name: os.environ[f"{name}_ADDRESS"] for name in ("POSTGRES", "POOLER", "REDIS", "NATS")}
    match sys.argv[1:]:
        case ["rotate", *words]:
            rotate(cluster, addresses, words, time.sleep)
        case ["retire", *words]:
            retire(cluster, addresses, words)
        case _:
            for name, entries in derive(installation_keys(cluster), addresses).items():
                cluster.apply(name, entries)
                sys.stdout.write(f"{name}: {', '.join(sorted(entries))}\n")


if __name__ == "__main__":
    main()
