"""The files for services beyond one machine, as far as they can be checked without running them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any, cast

import pytest
import yaml
from dockerfile import stages
from support import ROOT

from indexer.commands import cli as indexer
from search_ui.__main__ import cli as search_ui

FOLDER = ROOT / "docker"
CLUSTER = (FOLDER / "cluster.yaml").read_text(encoding="utf-8")
FILE: dict[str, Any] = yaml.safe_load(CLUSTER)
SERVICES: dict[str, Any] = FILE["services"]
QDRANT = ("qdrant-1", "qdrant-2", "qdrant-3")
OWN = ("ray-head", "ray-worker", "ray-worker-gpu", "index", "page")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")


def kubernetes(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load((FOLDER / "kubernetes" / name).read_text(encoding="utf-8")))


def leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All values of a file, with the names over them."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{name}/{key}")
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, name)
    else:
        yield name, node


def test_there_are_the_services_that_the_page_names() -> None:
    assert set(SERVICES) == {"postgres", *QDRANT, *OWN}
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "index": ["index"], "ray-worker-gpu": ["gpu"],
    }  # fmt: skip
    names = {stage.name for stage in stages((FOLDER / "Dockerfile").read_text(encoding="utf-8"))}
    assert {SERVICES[name]["build"]["target"] for name in OWN} == {"cluster"} <= names


def test_what_is_not_given_is_refused_and_nothing_has_a_default() -> None:
    used = re.findall(r"\$\{([^}]*)\}", CLUSTER)
    assert used
    assert all(re.fullmatch(r"[A-Z_]+:\?.+", each) for each in used), used
    example = (FOLDER / "cluster.env.example").read_text(encoding="utf-8")
    listed = re.findall(r"^([A-Z_]+)=(.*)$", example, re.M)
    assert {name for name, _ in listed} == {each.split(":?")[0] for each in used}
    assert not [value for _, value in listed if value]
    ignored = subprocess.run(["git", "check-ignore", "docker/cluster.env"], cwd=ROOT, capture_output=True, check=False)
    assert ignored.returncode == 0


def test_every_secret_comes_from_the_environment() -> None:
    seen = [
        (name, value) for service in SERVICES.values() for name, value in service.get("environment", {}).items()
        if SECRET.search(name)
    ]  # fmt: skip
    assert len(seen) > 8
    assert all(str(value).startswith("${") for _, value in seen), seen
    for service in SERVICES.values():
        assert not SECRET.search(" ".join(service.get("command", [])))


def test_only_the_page_is_published_and_on_the_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"page": ["127.0.0.1:8501:8501"]}
    assert FILE["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == set(OWN)
    assert all("inside" in service["networks"] for service in SERVICES.values())


def test_who_is_waited_for_says_when_it_is_ready() -> None:
    waited = {
        other for service in SERVICES.values() for other, how in service.get("depends_on", {}).items()
        if how == {"condition": "service_healthy"}
    }  # fmt: skip
    assert waited == {"postgres", *QDRANT, "ray-head"}
    for name in waited:
        test = SERVICES[name]["healthcheck"]["test"]
        assert test[0] == "CMD" and len(test) > 1
        if test[1] == "bash":
            assert subprocess.run(["bash", "-n", "-c", test[-1]], check=False).returncode == 0
    for name in OWN:
        # The image asks the port of the page, which only the page serves.
        assert ("healthcheck" in SERVICES[name]) == (name != "page")


@pytest.mark.skipif(os.name == "nt", reason="bash is asked")
@pytest.mark.parametrize(("answer", "healthy"), [("200 OK", True), ("503 Service Unavailable", False), ("", False)])
def test_the_health_of_qdrant_is_what_it_answers(answer: str, healthy: bool) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answered() -> None:
            client, _ = server.accept()
            with client:
                asked = client.recv(1000)
                if answer and asked.startswith(b"GET /readyz HTTP/1.0\r\n"):
                    client.sendall(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n".encode())

        thread = threading.Thread(target=answered)
        thread.start()
        test = [part.replace("/6333", f"/{port}") for part in SERVICES["qdrant-1"]["healthcheck"]["test"][1:]]
        code = subprocess.run(test, timeout=20, check=False).returncode
        thread.join()
    assert (code == 0) == healthy


def test_qdrant_has_three_nodes_that_find_each_other_and_one_name() -> None:
    for name in QDRANT:
        service = SERVICES[name]
        assert service["command"][-2:] == ["--uri", f"http://{name}:6335"]
        assert ("--bootstrap" in service["command"]) == (name != QDRANT[0])
        assert service["networks"]["inside"]["aliases"] == ["qdrant"]
        assert service["volumes"] == [f"{name}:/qdrant/storage"]
        assert service["environment"]["QDRANT__TELEMETRY_DISABLED"] == "true"


def test_vectors_are_on_two_nodes() -> None:
    from store.qdrant.server import _SPREAD

    for name in ("index", "page"):
        given = {key: int(SERVICES[name]["environment"][key]) for key in _SPREAD.values()}
        assert given[_SPREAD["replication_factor"]] == 2 and given[_SPREAD["shard_number"]] % len(QDRANT) == 0


def test_the_commands_have_the_options_that_they_are_given() -> None:
    run = kubernetes("rayjob.yaml")["spec"]["entrypoint"].split()
    for words in (SERVICES["index"]["command"], SERVICES["page"]["command"], run):
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        command = indexer.commands["index"] if "index" in words else search_ui
        assert options <= {name for each in command.params for name in each.opts}, options


def test_every_volume_is_declared_and_used() -> None:
    used = {line.split(":")[0] for service in SERVICES.values() for line in service.get("volumes", [])}
    assert used == set(FILE["volumes"])


def test_our_containers_may_do_no_more_than_those_of_one_machine() -> None:
    one = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]["page"]
    for name in OWN:
        for limit in ("read_only", "cap_drop", "security_opt", "tmpfs"):
            assert SERVICES[name][limit] == one[limit], (name, limit)


def test_ray_has_a_token_and_tells_nobody() -> None:
    for name in ("ray-head", "ray-worker", "ray-worker-gpu", "index"):
        environment = SERVICES[name]["environment"]
        assert environment["RAY_AUTH_MODE"] == "token" and environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert "--include-dashboard=false" in SERVICES["ray-head"]["command"]


def test_the_files_for_kubernetes_hold_no_secret() -> None:
    for path in sorted((FOLDER / "kubernetes").glob("*.yaml")):
        for name, value in leaves(yaml.safe_load(path.read_text(encoding="utf-8"))):
            assert not re.search(r"://[^/@\s]*:[^/@\s]*@", str(value)), (path.name, name)
        assert "Not run here" in path.read_text(encoding="utf-8").splitlines()[0]
    job = kubernetes("rayjob.yaml")["spec"]["rayClusterSpec"]
    groups = [job["headGroupSpec"], *job["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert {one["name"] for one in container["env"] if SECRET.search(one["name"])} == {
            one["name"] for one in container["env"] if "valueFrom" in one
        }
    assert job["authOptions"] == {"mode": "token"}


def test_kubernetes_runs_what_compose_runs() -> None:
    values, database = kubernetes("qdrant-values.yaml"), kubernetes("postgres.yaml")["spec"]
    assert values["replicaCount"] == len(QDRANT) and values["config"]["cluster"]["enabled"]
    assert SERVICES["postgres"]["image"].split(":")[1] == re.split(r"[:.]", database["imageName"])[-2]
    initdb = database["bootstrap"]["initdb"]
    assert (initdb["owner"], initdb["database"], initdb["encoding"]) == ("sightline", "sightline", "UTF8")
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (least,) = (each.split(">=")[1] for each in asked["cluster"] if each.startswith("ray"))
    version = kubernetes("rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"]
    assert [int(part) for part in version.split(".")[:2]] >= [int(part) for part in least.split(".")]
