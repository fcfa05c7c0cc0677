"""A pocket Kubernetes with one cluster in it, and aims to reach: what the benchmarks share."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

# What a benchmark is started with: the paths of the programs that it needs, in this order.
PROGRAMS = dict(zip(["valkey-render", "valkey-topology-agent", "pocket-cluster", "servers", "witness"], sys.argv[1:]))

SERVER = "app.kubernetes.io/component=valkey"
AGENT = "app.kubernetes.io/component=topology-agent"

SPEC = """
apiVersion: valkey-gitops.dev/v1alpha1
kind: ValkeyCluster
metadata: {{name: bench, namespace: default}}
spec:
  version: "{version}"
  shards: {shards}
  tls: {{disabled: true}}
  auth: {{disabled: true}}
  storage: {storage}
  persistence: {{appendOnly: {keeps}}}
  placement: {{zoneSpread: "Off", hostSpread: "Off"}}
  config: {{tcp-backlog: {backlog}}}
"""

WITNESS = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default}}
spec:
  restartPolicy: Never
  containers:
    - name: witness
      image: valkey-gitops/witness:1
      command: [witness, --server, "bench-0.bench-nodes.default.svc.cluster.local:6379", --prefix, {name}, --load, "{load}"]
"""


class Aims:
    """What has to be reached. Whoever misses one says so in the end, and fails."""

    def __init__(self):
        self.missed = []

    def at_most(self, what, value, most, unit=""):
        self.note(value <= most, f"{what}: {value:.2f}{unit} (to reach: at most {most}{unit})")

    def at_least(self, what, value, least, unit=""):
        self.note(value >= least, f"{what}: {value:.2f}{unit} (to reach: at least {least}{unit})")

    def note(self, is_reached, text):
        print(("  " if is_reached else "! ") + text, flush=True)
        if not is_reached:
            self.missed.append(text)

    def judge(self):
        if self.missed:
            sys.exit("\n".join(["missed:", *self.missed]))


def until(what, is_so, pause=0.02, seconds=120):
    """Waits for something, but not for ever."""
    end = time.time() + seconds
    while not is_so():
        if time.time() > end:
            raise TimeoutError(f"never: {what}")
        time.sleep(pause)


class Pocket:
    """Begins with the block and ends with it. `programs` are the paths of what runs in it, by their names. Where servers keep what they
    have on disk, they come back as themselves."""

    def __init__(self, programs, version, keeps=False):
        self.programs = {name: os.path.abspath(path) for name, path in programs.items()}
        self.version = version
        storage = "{size: 1Gi}" if keeps else "{ephemeral: {sizeLimit: 1Gi}}"
        self.disk = {"storage": storage, "keeps": str(keeps).lower()}
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.environment = {**os.environ, "KUBECONFIG": str(self.folder / "kubeconfig")}
        self.witnesses = 0

    def __enter__(self):
        servers = self.programs["servers"]
        arguments = ["--kubeconfig", self.environment["KUBECONFIG"], "--image-folder", f"valkey/valkey={servers}/{{series}}"]
        for name in {"valkey-topology-agent", "witness"} & set(self.programs):
            image = self.folder / name
            image.mkdir()
            shutil.copy(self.programs[name], image / name)
            arguments += ["--image-folder", f"valkey-gitops/{name}={image}"]
        self.process = subprocess.Popen([self.programs["pocket-cluster"], *arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("ready")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *line, text=None, check=True):
        return subprocess.run(line, env=self.environment, input=text, capture_output=True, text=True, check=check).stdout

    def kubectl(self, *arguments, text=None):
        return self.run("kubectl", *arguments, text=text)

    def fault(self, fault):
        return self.run(self.programs["pocket-cluster"], "fault", json.dumps(fault))

    def apply(self, shards, backlog=1000, kinds=lambda document: True):
        spec = SPEC.format(version=self.version, shards=shards, backlog=backlog, **self.disk)
        rendered = self.run(self.programs["valkey-render"], "render", text=spec)
        chosen = [part for part in rendered.split("---\n") if part.strip() and kinds(part)]
        self.kubectl("apply", "-f", "-", text="---\n".join(chosen))

    def pods(self, selector):
        return json.loads(self.kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]

    def addresses(self, count):
        """Of all servers by their pods, as soon as so many have one and answer."""
        while True:
            found = {pod["metadata"]["name"]: pod.get("status", {}).get("podIP") for pod in self.pods(SERVER)}
            if len(found) == count and all(found.values()) and all("PONG" in self.ask(pod, "PING") for pod in found):
                return found
            time.sleep(0.05)

    def until_started(self, count):
        """Until Kubernetes takes so many servers for started."""
        container = lambda pod: pod.get("status", {}).get("containerStatuses", [{}])[0]
        is_started = lambda pod: container(pod).get("started") is True
        until("servers that are started", lambda: sum(map(is_started, self.pods(SERVER))) >= count, pause=0)

    def begin(self, pod, *command):
        line = [self.programs["pocket-cluster"], "exec", "--seconds", "300", pod, "--", *command]
        return subprocess.Popen(line, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def exec(self, pod, *command, check=True):
        said, error = (process := self.begin(pod, *command)).communicate()
        assert process.returncode == 0 or not check, said + error
        return said

    def python(self, script, *words):
        """Begins a script in the servers' own network."""
        return self.begin("bench-0", "/usr/bin/python3", "-c", script, *words)

    def ask(self, pod, *command):
        return self.exec(pod, "valkey-cli", "-s", "/run/valkey/valkey.sock", *command, check=False)

    def agents(self, count):
        """Has so many agents run: one, or none while somebody else does something to the cluster."""
        self.kubectl("scale", "deployment/bench-agent", f"--replicas={count}")
        until("so many agents", lambda: len(self.pods(AGENT)) == count, pause=0.05)

    def until_at_rest(self):
        def is_at_rest():
            agent = next((pod["metadata"]["name"] for pod in self.pods(AGENT)), "none")
            check = self.begin(agent, "valkey-topology-agent", "check", "--cluster", "bench")
            check.communicate()
            return check.returncode == 0

        until("the cluster as it should be", is_at_rest, pause=0.1, seconds=300)

    def change(self, **wanted):
        """Seconds from the change to a cluster that is as it should be."""
        begun = time.time()
        self.apply(**wanted)
        self.until_at_rest()
        return time.time() - begun

    def watched(self, happens, load=0):
        """What happens returns, and what a witness meanwhile saw."""
        self.witnesses += 1
        name = f"witness-{self.witnesses}"
        self.kubectl("apply", "-f", "-", text=WITNESS.format(name=name, load=load))
        until("a witness at work", lambda: self.log(name).startswith("begun"), pause=0.1)
        # So that the seconds of what happens are not all there are.
        time.sleep(2)
        result = happens()
        time.sleep(1)
        self.exec(name, "sh", "-c", "kill -TERM 1", check=False)
        until("what a witness tells", lambda: self.log(name).strip().endswith("}"), pause=0.1)
        report = json.loads(self.log(name).splitlines()[-1])
        assert report["stale"] == report["wrong"] == report["unread"] == 0, report
        self.kubectl("delete", "pod", name)
        return result, report

    def log(self, pod):
        return self.run("kubectl", "logs", pod, check=False)


def gap(report):
    """Milliseconds of the longest time without a successful write to any shard's slots."""
    return max(shard["millis"] for shard in report["shards"])


def worst(report):
    """Writes in the worst second, as a share of those in most seconds."""
    return report["rate"]["worst"] / report["rate"]["median"]


def errors(report):
    return sum(report["errors"].values())
