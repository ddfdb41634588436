"""What compose.yaml promises: hardened, on the loopback, for development alone; and all that it names is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml
from typer.main import get_command

from gateway.cli import app
from gateway.processes.serving import stop_s
from gateway.settings import Settings
from tests.support.kubernetes.application import gateway_routes, is_inner

ROOT: Final = Path(__file__).parents[3]
TEXT: Final = (ROOT / "compose.yaml").read_text("utf-8")
COMPOSE: Final = yaml.safe_load(TEXT)
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = {name: service for name, service in SERVICES.items() if service["image"].startswith("mashang:")}
GATEWAYS: Final = ("gateway-1", "gateway-2")
PROXY: Final = (ROOT / "k8s/compose/haproxy.cfg").read_text("utf-8")
each_service = pytest.mark.parametrize("name", SERVICES)
each_of_ours = pytest.mark.parametrize("name", OURS)


def test_everything_of_the_stack_is_there() -> None:
    assert {"secrets", "migrate", "seed", *GATEWAYS, "worker", "simulators"} == set(OURS)
    assert {"postgres", "valkey", "proxy", "prometheus", "grafana"} == set(SERVICES) - set(OURS)


@each_service
def test_a_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]
    assert not {"privileged", "cap_add", "pid", "ipc"} & set(service)


def test_one_service_builds_the_image_and_comes_before_all_others_that_run_it() -> None:
    """Several builds of one name, side by side, end with "already exists" in engines with containerd's image store."""
    assert [name for name in SERVICES if "build" in SERVICES[name]] == ["secrets"]
    assert all("secrets" in _comes_before(name) for name in set(OURS) - {"secrets"})


def _comes_before(name: str) -> set[str]:
    waited_for = set(SERVICES[name].get("depends_on", {}))
    return waited_for.union(*(_comes_before(other) for other in waited_for))


@each_service
def test_an_image_has_a_version(name: str) -> None:
    assert re.search(r":v?\d+(\.\d+)*(-\w+)?$", SERVICES[name]["image"])


@each_service
def test_ports_are_opened_on_the_loopback_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", [*GATEWAYS, "postgres", "valkey"])
def test_stores_and_gateways_have_no_way_out(name: str) -> None:
    assert set(SERVICES[name]["networks"]) == {"inner"}
    assert COMPOSE["networks"]["inner"] == {"internal": True}
    assert "ports" not in SERVICES[name]


@each_of_ours
def test_nobody_can_make_it_production_with_a_variable(name: str) -> None:
    assert OURS[name]["environment"]["MASHANG_ENV"] == "development"
    assert not re.search(r"\$\{|\$[A-Za-z_]", TEXT)


def test_no_secret_is_written_down() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"KEY|TOKEN|PASSWORD|SECRET", variable):
                assert variable.endswith("_FILE"), variable
            assert "@" not in value or ":{password}@" in value


@each_of_ours
def test_the_variables_are_settings(name: str) -> None:
    known = {str(field.validation_alias or f"MASHANG_{key.upper()}") for key, field in Settings.model_fields.items()}
    assert set(OURS[name]["environment"]) <= known


@each_of_ours
def test_the_commands_exist_and_take_these_options(name: str) -> None:
    group: Any = get_command(app)
    arguments = [str(part) for part in OURS[name]["command"]]
    context = typer.Context(group, info_name="mashang")
    while hasattr(group, "resolve_command"):
        word, group, arguments = group.resolve_command(context, arguments)
        context = typer.Context(group, parent=context, info_name=word)
    group.make_context(group.name, arguments, parent=context)


@each_of_ours
def test_the_secrets_are_read_before_the_command_runs(name: str) -> None:
    entrypoint = OURS[name]["entrypoint"]
    if name == "secrets":
        assert entrypoint == ["mashang"]
    else:
        assert ". /var/lib/mashang/demo/demo.env; exec mashang" in entrypoint[2]


@each_service
def test_what_a_service_waits_for_can_happen(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        service = SERVICES[other]
        if how["condition"] == "service_completed_successfully":
            assert service["restart"] == "no"
        elif how["condition"] == "service_healthy":
            assert "test" in service.get("healthcheck", {}) or other in OURS
        else:
            assert how["condition"] == "service_started"


@each_service
def test_mounted_files_volumes_and_networks_exist(name: str) -> None:
    for source in [mount.split(":")[0] for mount in SERVICES[name].get("volumes", [])]:
        assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]
    assert set(SERVICES[name].get("networks", [])) <= set(COMPOSE["networks"])


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateway_has_time_for_its_longest_payment(name: str) -> None:
    defaults = {key: field.default for key, field in Settings.model_fields.items()}
    drain_s = float(SERVICES[name]["environment"]["MASHANG_DRAIN_S"])
    settings = Settings.model_construct(**{**defaults, "drain_s": drain_s})
    [fall] = re.findall(r"check inter 1s fall (\d+)", PROXY)
    assert drain_s > int(fall)  # the proxy has noticed before the listener shuts
    assert _seconds(SERVICES[name]["stop_grace_period"]) > stop_s(settings)
    assert _seconds(SERVICES["worker"]["stop_grace_period"]) > settings.recovery_lease_s


def test_the_worker_has_a_name_for_this_machine_where_receivers_run() -> None:
    assert SERVICES["worker"]["extra_hosts"] == ["host.docker.internal:host-gateway"]
    assert "host.docker.internal" in (ROOT / "docs/containers.md").read_text("utf-8")


def test_valkey_keeps_what_it_is_told_and_forgets_nothing_for_want_of_memory() -> None:
    command = SERVICES["valkey"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "everysec"
    assert options["--maxmemory-policy"] == "noeviction"


def test_the_proxy_asks_every_gateway_whether_it_is_ready() -> None:
    assert dict(re.findall(r"^    server (\S+) (\S+)$", PROXY, re.MULTILINE)) == {
        name: f"{name}:8000" for name in GATEWAYS
    }
    assert "option httpchk GET /readyz" in PROXY
    assert "http-check expect status 200" in PROXY


def test_the_door_for_payments_shows_what_the_ingress_shows() -> None:
    """By how a path begins as it is written: the gateway decodes paths and shortens none, so no other gets in."""
    [payments] = re.findall(r"^frontend payments\n(?:    .*\n)+", PROXY, re.MULTILINE)
    [(begins, whole)] = re.findall(
        r"return status 404 unless \{ path -m beg (.+?) \} \|\| \{ path (\S+) \}$", payments, re.MULTILINE
    )
    shown = {route for route in gateway_routes() if route == whole or route.startswith(tuple(begins.split()))}
    assert shown == {route for route in gateway_routes() if not is_inner(route)}
    assert all(begin.endswith("/") for begin in begins.split())


def test_the_proxy_asks_the_engines_own_name_server_wherever_that_is() -> None:
    """Docker's is at 127.0.0.11 and podman's elsewhere; without answers HAProxy takes the gateways out."""
    [(name, asked)] = re.findall(r"^resolvers (\w+)\n    (.+)$", PROXY, re.MULTILINE)
    assert asked == "parse-resolv-conf"
    assert f" resolvers {name} " in PROXY


def test_the_proxy_believes_no_caller_about_its_address() -> None:
    doors = re.findall(r"^frontend (?:payments|operators)\n(?:    .*\n)+", PROXY, re.MULTILINE)
    assert len(doors) == 2
    assert all("http-request del-header X-Forwarded-For" in door for door in doors)
    assert "option forwardfor" in PROXY
    assert all(SERVICES[name]["environment"]["MASHANG_TRUSTED_PROXIES"] == "1" for name in GATEWAYS)


def test_no_payment_is_sent_twice_by_the_proxy() -> None:
    [retried] = re.findall(r"^    retry-on (.+)$", PROXY, re.MULTILINE)
    assert retried == "conn-failure"


def test_prometheus_finds_what_it_scrapes_by_the_names_of_the_stack() -> None:
    jobs = yaml.safe_load((ROOT / "k8s/monitoring/prometheus.yaml").read_text("utf-8"))["scrape_configs"]
    named = {name for job in jobs for found in job.get("dns_sd_configs", []) for name in found["names"]}
    aliases = {alias for name in GATEWAYS for alias in SERVICES[name]["networks"]["inner"]["aliases"]}
    assert named == {"gateway", "worker"}
    assert named <= set(SERVICES) | aliases
    [port] = [found["port"] for job in jobs for found in job["dns_sd_configs"] if found["names"] == ["worker"]]
    assert SERVICES["worker"]["environment"]["MASHANG_WORKER_PORT"] == str(port)


def test_the_proxy_understands_its_configuration() -> None:
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.skip("haproxy is not installed: its own check of k8s/compose/haproxy.cfg is left out")
    checked = subprocess.run(
        [program, "-c", "-f", str(ROOT / "k8s/compose/haproxy.cfg")], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode()


def _seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text.removesuffix("s"))
