"""A sweep on a Ray cluster ends as on this machine: each run once, the same bits."""

import importlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora.errors import InputError
from scaling.cluster import driver as ray_driver
from scaling.cluster.driver import add_metrics, run_ray
from scaling.cluster.node import Outcome, PackedText, ProgressActor, unpack
from scaling.data.shards import MANIFEST
from scaling.record import read_record
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.local import run_local
from scaling.sweep.queue import RunQueue
from scaling.sweep.run_folder import CHECKPOINT
from scaling.sweep.status import SweepStatus
from scaling.train.metrics import METRICS
from scaling.train.progress import StopRequest
from tests.conftest import ROOT
from tests.scaling.sweep.sweeps import (
    ENDED,
    TRUNKS,
    all_remains,
    names,
    planned,
    planned_trunks,
    run_of,
    six,
    statuses,
    tiny,
)
from tests.scaling.train.runs import text_shards
from tokenize_lab import ray as ray_cluster

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install ray"
)


class Nodes:
    """A cluster of Ray on this machine, whose nodes keep apart what they hold."""

    def __init__(self, count: int) -> None:
        utils = importlib.import_module("ray.cluster_utils")
        quiet = {"num_cpus": 1, "include_dashboard": False}
        # The head trains nothing, since with it the cluster dies.
        head = {**quiet, "num_cpus": 0 if count > 1 else 1}
        self.cluster = utils.Cluster(initialize_head=True, head_node_args=head)
        self.nodes = {}
        for _ in range(count if count > 1 else 0):
            node = self.cluster.add_node(num_cpus=1)
            self.nodes[node.node_id] = node
        self.cluster.wait_for_nodes()

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def kill(self, node: str) -> None:
        """Kill a node with all its processes."""
        self.cluster.remove_node(self.nodes.pop(node), allow_graceful=False)


@pytest.fixture(params=[2])
def nodes(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    found = Nodes(request.param)
    yield found
    found.cluster.shutdown()


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Outcome]]:
    """Return what will come back from the nodes, by run."""
    heard: list[tuple[str, Outcome]] = []
    keep = ray_driver.RayDriver.keep

    def noted(self: ray_driver.RayDriver, run_id: str, outcome: Outcome) -> None:
        heard.append((run_id, outcome))
        keep(self, run_id, outcome)

    monkeypatch.setattr(ray_driver.RayDriver, "keep", noted)
    return heard


def node_of(nodes: Nodes, run_id: str) -> str:
    """Return the node that has a run in a folder of its own."""
    context = importlib.import_module("ray").get_runtime_context()
    below = Path(context.get_temp_dir()) / "tokenize-lab"
    (found,) = [node for node in nodes.nodes if list(below.glob(f"{node}/*/runs/{run_id}"))]
    return str(found)


def six_long(path: Path) -> tuple[SweepFolder, list[Job]]:
    """Plan six runs long enough for a node to die in."""
    return planned(path, [tiny(seed, 300 + 4 * seed) for seed in range(6)])


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray itself, when a node dies
def test_a_node_dies_and_every_run_ends_once_with_the_same_bits(
    tmp_path: Path,
    nodes: Nodes,
    outcomes: list[tuple[str, Outcome]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, jobs = six_long(tmp_path / "here")
    there, _ = six_long(tmp_path / "there")
    run_local(here, workers_per_device=2)
    deaths: list[str] = []
    lost = RunQueue.killed

    def noted(self: RunQueue, run_id: str, how: str) -> None:
        deaths.append(run_id)
        lost(self, run_id, how)

    monkeypatch.setattr(RunQueue, "killed", noted)
    killed: list[str] = []

    def watch(state: SweepStatus) -> None:
        # Both nodes have trained a run and are at another.
        at_work = {outcome.node for _, outcome in outcomes}
        if not killed and at_work >= set(nodes.nodes) and state.counts["running"] == 2:
            killed.append(outcomes[0][1].node)
            nodes.kill(killed[0])

    state = run_ray(there, address=nodes.address, watch=watch)
    assert killed and deaths
    assert state.counts["finished"] == 6 and state.ended
    assert Counter(run_id for run_id, _ in outcomes) == {job.run_id: 1 for job in jobs}
    assert all_remains(there, jobs) == all_remains(here, jobs)
    assert all(names(there.run(job.run_id)) == ENDED for job in jobs)
    assert names(there.path) == {"runs", "shards", "sweep.json"}
    unpacked = Counter(outcome.node for _, outcome in outcomes if outcome.unpacked)
    assert len(unpacked) == 2 and set(unpacked.values()) == {1}


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_branches_wait_for_their_trunk_and_end_with_the_same_bits(
    tmp_path: Path, nodes: Nodes, outcomes: list[tuple[str, Outcome]]
) -> None:
    here, jobs = planned_trunks(tmp_path / "here")
    there, _ = planned_trunks(tmp_path / "there")
    run_local(here, workers_per_device=2)
    assert run_ray(there, address=nodes.address).counts["finished"] == 6
    assert all_remains(there, jobs) == all_remains(here, jobs)
    assert all(names(there.run(job.run_id)) == ENDED for job in jobs)
    order = [run_id for run_id, _ in outcomes]
    left = {run_id: set(outcome.branches) for run_id, outcome in outcomes if outcome.branches}
    for job in jobs:
        if job.trunk:
            assert job.run_id in left[job.trunk]
            assert order.index(job.trunk) < order.index(job.run_id)
    assert len(left) == 2 and len(order) == 6


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_trunk_whose_node_dies_is_trained_again_before_its_branches(
    tmp_path: Path, nodes: Nodes, outcomes: list[tuple[str, Outcome]]
) -> None:
    budgets = "compute_flops = [4e8, 8e8, 8e9]"
    text = TRUNKS.replace("compute_flops = [1e8, 2e8, 4e8]", budgets).replace("[0, 1]", "[0]")
    here, jobs = planned_trunks(tmp_path / "here", text)
    there, _ = planned_trunks(tmp_path / "there", text)
    run_local(here)
    (trunk,) = (job for job in jobs if not job.trunk)
    killed: list[str] = []

    def watch(state: SweepStatus) -> None:
        steps = {run.job.run_id: run.step for run in state.runs}
        branches_at = max(job.branches_at for job in jobs)
        if not killed and steps[trunk.run_id] > branches_at:
            killed.append(node_of(nodes, trunk.run_id))
            nodes.kill(killed[0])

    assert run_ray(there, address=nodes.address, watch=watch).counts["finished"] == 3
    assert killed and outcomes[0][0] == trunk.run_id
    assert all_remains(there, jobs) == all_remains(here, jobs)


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("nodes", [1], indirect=True)
def test_told_to_stop_every_run_is_saved_here_and_goes_on_there(
    tmp_path: Path, nodes: Nodes
) -> None:
    folder, jobs = planned(tmp_path / "stopped", [tiny(0, 800), tiny(1, 20)])
    long, short = jobs
    stop = StopRequest()

    def watch(state: SweepStatus) -> None:
        if run_of(state, long).phase == "running":
            stop.signal = signal.SIGINT

    state = run_ray(folder, address=nodes.address, watch=watch, stop=stop)
    assert statuses(folder, jobs) == {long.run_id: "interrupted", short.run_id: "none"}
    assert state.counts["waiting"] == 2
    assert CHECKPOINT in names(folder.run(long.run_id))
    step = len((folder.run(long.run_id) / METRICS).read_text("utf-8").splitlines())
    seen: list[int] = []
    run_ray(
        folder,
        address=nodes.address,
        watch=lambda state: seen.append(run_of(state, long).step),
    )
    assert min(seen) >= step > 0  # it did not begin anew
    whole, _ = planned(tmp_path / "whole", [tiny(0, 800), tiny(1, 20)])
    run_local(whole, workers_per_device=2)
    assert all_remains(folder, jobs) == all_remains(whole, jobs)


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("nodes", [1], indirect=True)
def test_faults_of_runs_are_recorded_and_faults_of_nodes_are_one_line(
    tmp_path: Path, nodes: Nodes, outcomes: list[tuple[str, Outcome]]
) -> None:
    folder, (job,) = planned(tmp_path, [tiny(0)])
    with pytest.raises(InputError, match="no node of the Ray cluster has 64 CPUs"):
        run_ray(folder, address=nodes.address, cpus_per_run=64)
    if importlib.import_module("torch").cuda.is_available() is False:
        nodes.cluster.add_node(num_cpus=1, num_gpus=1)
        with pytest.raises(InputError, match=r"node .*: device 'cuda': this machine has no CUDA"):
            run_ray(folder, address=nodes.address, gpus_per_run=0.25)
    assert statuses(folder, [job]) == {job.run_id: "none"}
    text = folder.shards / job.shards / "train" / "bytes.u8"
    text.write_bytes(b"x" + text.read_bytes()[1:])
    outcomes.clear()
    run_ray(folder, address=nodes.address, gpus_per_run=0)
    record = read_record(folder.run(job.run_id))
    assert record is not None and record.status == "failed"
    assert f"shards/{job.shards}/train/bytes.u8: its content has changed" in record.reason
    assert len(outcomes) == 2  # it was tried once more


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_is_started_for_a_sweep_and_ends_with_it(tmp_path: Path) -> None:
    ray = importlib.import_module("ray")
    folder, jobs = six(tmp_path / "there")
    assert run_ray(folder, at_once=1).counts["finished"] == 6
    assert not ray.is_initialized()
    here, _ = six(tmp_path / "here")
    run_local(here)
    assert all_remains(folder, jobs) == all_remains(here, jobs)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the address of a cluster begun by `ray start`, and what it asks of who joins it."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    asked = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
    temporary = tempfile.mkdtemp(prefix="lab-", dir="/tmp")  # short, for the names of sockets
    words = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    words += [f"--port={port}", "--num-cpus=1", "--include-dashboard=false"]
    words += ["--disable-usage-stats", f"--temp-dir={temporary}", "--node-ip-address=127.0.0.1"]
    with (tmp_path / "head.log").open("wb") as log:
        head = subprocess.Popen(
            words, env={**os.environ, **asked}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 60
            while b"runtime started" not in (tmp_path / "head.log").read_bytes():
                assert time.monotonic() < deadline and head.poll() is None
                time.sleep(0.2)
            yield f"127.0.0.1:{port}", asked
        finally:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait(30)
            shutil.rmtree(temporary, ignore_errors=True)


@needs_ray
@pytest.mark.slow
def test_a_cluster_begun_by_ray_start_is_joined_with_its_token(
    tmp_path: Path, locked: tuple[str, dict[str, str]]
) -> None:
    address, asked = locked
    folder, jobs = planned(tmp_path / "sweep", [tiny(0)])
    call = (
        "from pathlib import Path\n"
        "from corpora.errors import InputError\n"
        "from scaling.sweep.folder import SweepFolder\n"
        "from scaling.cluster.driver import run_ray\n"
        f"folder = SweepFolder(Path({str(folder.path)!r}))\n"
        "try:\n"
        f"    run_ray(folder, address={address!r}, gpus_per_run=0)\n"
        "except InputError as error:\n"
        "    raise SystemExit(f'error: {error}')\n"
    )

    # Where Ray has begun a cluster in this process, it has set these for all that come after.
    bare = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH")}

    def run(**environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", call],
            cwd=ROOT,
            env={**bare, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    refused = run(RAY_gcs_rpc_server_connect_timeout_s="1")
    assert refused.returncode == 1
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and "RAY_AUTH_MODE=token" in last
    assert statuses(folder, jobs) == {jobs[0].run_id: "none"}
    joined = run(**asked)
    assert joined.returncode == 0, joined.stderr
    assert statuses(folder, jobs) == {jobs[0].run_id: "finished"}


@needs_ray
@pytest.mark.parametrize(
    ("address", "why"),
    [("127.0.0.1:{port}", "refused"), ("ray://head:10001", "HOST:PORT"), ("nonsense", "HOST:PORT")],
)
def test_no_cluster_is_one_line(tmp_path: Path, address: str, why: str) -> None:
    folder, _ = planned(tmp_path, [tiny(0)])
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nobody listens
        address = address.format(port=unused.getsockname()[1])
        with pytest.raises(InputError, match="no Ray cluster there") as caught:
            run_ray(folder, address=address)
    told = str(caught.value)
    assert why in told and "ray start --head" in told and "\n" not in told
    assert names(folder.path) == {"runs", "shards", "sweep.json"}


@pytest.mark.usefixtures("no_extras")
def test_without_ray_one_line_says_how_to_install_it(tmp_path: Path) -> None:
    folder, _ = planned(tmp_path, [tiny(0)])
    with pytest.raises(InputError, match=r"pip install '\.\[ray\]'"):
        run_ray(folder)


def test_what_has_ended_needs_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = planned(tmp_path, [tiny(0)])
    assert run_local(folder).ended
    monkeypatch.setattr(ray_cluster, "_imported", None)
    assert run_ray(folder).counts["finished"] == 1


class Store:
    """Stands for Ray where a text is unpacked."""

    def get(self, piece: bytes) -> bytes:
        return piece


def packed(folder: Path) -> PackedText:
    """Pack a text as its bytes."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {str(path.relative_to(folder)): (path.read_bytes(),) for path in paths}
    return PackedText(folder.name, files)


def test_a_text_is_unpacked_once_and_whole(tmp_path: Path) -> None:
    text = text_shards(tmp_path / "here", ["abc" * 100, "cab" * 100], 300)
    shards = tmp_path / "there"
    torn = shards / "unpacking" / text.name
    torn.mkdir(parents=True)
    (torn / MANIFEST).write_text("half")
    assert [unpack(Store(), packed(text), shards) for _ in range(2)] == [True, False]
    assert packed(shards / text.name) == packed(text)


@pytest.mark.parametrize("name", ["../out", "/tmp/out"])
def test_no_text_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="leads out"):
        unpack(Store(), PackedText("0" * 16, {name: (b"x",)}), tmp_path)


def test_metrics_of_runs_under_way_come_home(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    actor = ProgressActor()

    def sent(begin: int, lines: bytes) -> int:
        stopping, received = actor.tell(7, begin, lines)
        assert not stopping
        for news in actor.read().values():
            add_metrics(path, *news)
        return received

    assert sent(0, b"") == 0 and path.read_bytes() == b""
    assert sent(0, b"1\n2\n") == 4 and sent(4, b"3\n") == 6
    assert path.read_bytes() == b"1\n2\n3\n"
    assert sent(0, b"1\n") == 2 and path.read_bytes() == b"1\n"  # cut back to a checkpoint
    # The actor died: it is sent everything once more.
    actor = ProgressActor()
    assert sent(2, b"2\n") == 0 and path.read_bytes() == b"1\n"
    assert sent(0, b"1\n2\n") == 4 and path.read_bytes() == b"1\n2\n"
    # What the driver lacks the beginning of comes with the end of the run.
    path.write_bytes(b"")
    assert sent(4, b"3\n") == 6 and path.read_bytes() == b""
    path.unlink()
    path.symlink_to(elsewhere := tmp_path / "elsewhere")
    add_metrics(path, 0, b"")
    assert not elsewhere.exists()
    actor.stop()
    assert actor.tell(7, 6, b"4\n") == (True, 8) and actor.tell(7, 8, b"5\n") == (True, 10)
    assert actor.read() == {7: (6, b"4\n5\n")} and actor.read() == {}
