//! Argo CD's plugin server: which commands it runs for which call, where, with what around them, and what it makes of the outcome.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::plugin::Plugin;
use crate::upload::Upload;

/// How long a command may take after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// What Argo CD says of an Application in the environment; later entries win.
pub(crate) type Environment = Vec<(&'static str, String)>;

pub(crate) struct Server {
    pub(crate) plugin: Plugin,
    /// What the caller waits, less what is kept back for the answer.
    pub(crate) deadline: Duration,
    work: PathBuf,
    /// Where the plugin's program is found.
    programs: PathBuf,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Server {
    pub(crate) fn new(plugin: Plugin, work: &Path) -> Self {
        let programs = Path::new(env!("CARGO_BIN_EXE_valkey-render")).parent().unwrap().to_owned();
        Self { plugin, deadline: Duration::from_millis(59_900), work: work.to_owned(), programs }
    }

    /// Whether the Application's folder is one of the plugin's.
    pub(crate) fn matches(&self, upload: &Upload, environment: &Environment) -> Result<bool, String> {
        let Some(discover) = &self.plugin.spec.discover else { return Ok(false) };
        let unpacked = upload.unpack(&self.work)?;
        let ran = self.run(&discover.find.words(), &unpacked.app, environment)?;
        Ok(!ran.stdout.strip_suffix('\n').unwrap_or(&ran.stdout).is_empty())
    }

    /// The manifests: what standard output says, whole.
    pub(crate) fn generate(&self, upload: &Upload, environment: &Environment) -> Result<Ran, String> {
        // Also where the Application names the plugin.
        if self.plugin.spec.discover.is_some() && !self.matches(upload, environment)? {
            return Err("the plugin does not take the folder for its own".to_owned());
        }
        let unpacked = upload.unpack(&self.work)?;
        if let Some(init) = &self.plugin.spec.init {
            self.run(&init.words(), &unpacked.app, environment)?;
        }
        self.run(&self.plugin.spec.generate.words(), &unpacked.app, environment)
    }

    /// What people find in the Application's form.
    pub(crate) fn parameters(&self, upload: &Upload, environment: &Environment) -> Result<Vec<Value>, String> {
        let Some(parameters) = &self.plugin.spec.parameters else { return Ok(Vec::new()) };
        let unpacked = upload.unpack(&self.work)?;
        let ran = self.run(&parameters.dynamic.words(), &unpacked.app, environment)?;
        serde_json::from_str(&ran.stdout).map_err(|error| error.to_string())
    }

    fn run(&self, words: &[&str], folder: &Path, environment: &Environment) -> Result<Ran, String> {
        let ran = self.finish(self.command(words, folder, environment));
        if ran.status.success() {
            return Ok(ran);
        }
        // One that is killed may have been printing.
        assert!(ran.status.code().is_none() || ran.stdout.is_empty(), "printed by a call that fails: {}", ran.stdout);
        let cause = ran.status.to_string().replace("status: ", "status ");
        Err(format!("`{}` failed {cause}: {}", words.join(" "), ran.stderr.trim()))
    }

    /// In a process group of its own, with little around it: no home, no terminal, nothing to read.
    fn command(&self, words: &[&str], folder: &Path, environment: &Environment) -> Command {
        let last: BTreeMap<&str, &String> =
            environment.iter().filter(|(name, _)| !name.is_empty()).map(|(name, value)| (*name, value)).collect();
        // The program is looked for where this process looks.
        let program = Some(self.programs.join(words[0])).filter(|program| program.exists());
        let mut command = Command::new(program.unwrap_or_else(|| PathBuf::from(words[0])));
        command.args(&words[1..]).current_dir(folder).env_clear().envs(last);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.programs.display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
    }

    fn finish(&self, mut command: Command) -> Ran {
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
        let status = self.wait(&mut child, start);
        Ran { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), took: start.elapsed() }
    }

    fn wait(&self, child: &mut Child, start: Instant) -> ExitStatus {
        let mut told = false;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if start.elapsed() > self.deadline + GRACE {
                signal("KILL", child.id());
            } else if start.elapsed() > self.deadline && !told {
                told = true;
                signal("TERM", child.id());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Sends a signal to the process group that a command leads.
fn signal(name: &str, group: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} -{group}")]).status().unwrap();
    assert!(sent.success());
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.unwrap().read_to_string(&mut text).unwrap();
        text
    })
}

/// Runs a call several times side by side, as a repo-server with many Applications does.
pub(crate) fn side_by_side<T: Send>(times: usize, call: impl Fn() -> T + Sync) -> Vec<T> {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..times {
            let (sender, call) = (sender.clone(), &call);
            scope.spawn(move || sender.send(call()).unwrap());
        }
    });
    drop(sender);
    receiver.iter().collect()
}
