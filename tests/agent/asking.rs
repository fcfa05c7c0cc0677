//! What servers and the agent say when they are asked.

use pocket_cluster::Said;
use spec::names::AGENT_PORT;

use crate::story::Story;

impl Story {
    /// What a command in a pod says; an error where the pod does not run.
    pub(crate) fn exec(&self, pod: &str, command: &[&str]) -> Result<Said, String> {
        self.place.exec(pod, command)
    }

    /// What the agent's own command says, in the agent's pod.
    pub(crate) fn agent(&self, command: &str) -> Result<Said, String> {
        let cluster = self.cluster.name.to_string();
        self.exec(&self.agent_pod(), &["valkey-topology-agent", command, "--cluster", &cluster])
    }

    /// What the agent serves at a path: the line with the code, and the body.
    pub(crate) fn served(&self, path: &str) -> (String, String) {
        let pods = self.agent_pods();
        let address = pods[0]["status"]["podIP"].as_str().unwrap();
        let request =
            format!("exec 3<>/dev/tcp/{address}/{AGENT_PORT}; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3");
        let said = self.exec(&self.pod_names()[0], &["bash", "-c", &request]).unwrap();
        let (head, body) = said.stdout.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    /// The samples that the agent serves: each with its name and labels, and its value.
    pub(crate) fn metrics(&self) -> Vec<(String, f64)> {
        let (_, text) = self.served("/metrics");
        let samples = text.lines().filter(|line| line.starts_with("valkey_"));
        let sample = |line: &str| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
        samples.filter_map(sample).collect()
    }

    /// The sum of the samples of this name whose labels hold all of this.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let is_one = |sample: &str| {
            sample.starts_with(&format!("{name}{{")) && labels.iter().all(|label| sample.contains(label))
        };
        self.metrics().into_iter().filter(|(sample, _)| is_one(sample)).map(|(_, value)| value).sum()
    }

    /// What a server answers, over its socket.
    pub(crate) fn ask(&self, pod: &str, command: &str) -> String {
        let script = ". /etc/valkey/ask.sh; echo \"$1\" | ask";
        let said = self.exec(pod, &["sh", "-c", script, "sh", command]);
        said.map_or_else(|error| error, |said| said.stdout)
    }

    /// What a client that knows about clusters gets to hear, one line for each command.
    pub(crate) fn client(&self, pod: &str, commands: &str) -> Vec<String> {
        let host = format!("{pod}.{}.{}.svc.cluster.local", self.name("nodes"), self.namespace());
        let tls = "--tls --cacert /etc/valkey-tls/ca.crt --cert /etc/valkey-tls/tls.crt --key /etc/valkey-tls/tls.key";
        let script = format!(
            "if [ -d /etc/valkey-tls ]; then tls='{tls}'; fi\n\
             if [ -d /etc/valkey-auth ]; then export REDISCLI_AUTH=\"$(cat /etc/valkey-auth/password)\"; fi\n\
             printf '%s\\n' \"$1\" | valkey-cli -c -h {host} ${{tls:-}} 2>&1"
        );
        let said = self.exec(pod, &["sh", "-c", &script, "sh", commands]).unwrap();
        said.stdout
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("-> Redirected"))
            .map(str::to_owned)
            .collect()
    }

    /// Writes so many keys, over all slots.
    pub(crate) fn write_keys(&self, pod: &str, count: usize) {
        let commands: Vec<String> = (0..count).map(|key| format!("SET key:{key} value:{key}")).collect();
        assert_eq!(self.client(pod, &commands.join("\n")), vec!["OK"; count]);
    }

    /// Reads them again: each has its value.
    pub(crate) fn has_keys(&self, pod: &str, count: usize) {
        let commands: Vec<String> = (0..count).map(|key| format!("GET key:{key}")).collect();
        let values: Vec<String> = (0..count).map(|key| format!("value:{key}")).collect();
        assert_eq!(self.client(pod, &commands.join("\n")), values);
    }
}
