//! A peer script that runs beside us, one request at a time.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::THREADS;
use super::peer_message::{Hello, Request};

/// How long a library may take to be imported, and a request to be answered, before the peer is given up.
const PATIENCE: Duration = Duration::from_secs(600);

/// What numerical libraries read the number of their threads from.
const THREAD_VARIABLES: [&str; 4] =
    ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"];

/// What would change how long idle threads of a library stay awake: measured as it comes.
const WAITING_VARIABLES: [&str; 3] = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"];

/// One script; ends when dropped.
#[derive(Debug)]
pub struct PeerProcess {
    /// What it said first.
    pub hello: Hello,
    child: Child,
    requests: Option<ChildStdin>,
    lines: Receiver<String>,
    complaints: PathBuf,
}

impl PeerProcess {
    /// Starts `interpreter script arguments` and waits for its first line. What it complains of goes into a file
    /// beside the script. It sees cards only if `on_card`.
    ///
    /// # Errors
    ///
    /// Why there is no such peer, in words.
    pub fn start(
        interpreter: &OsStr,
        script: &Path,
        arguments: &[String],
        on_card: bool,
    ) -> Result<Self, String> {
        let complaints = script.with_extension("stderr");
        let stderr =
            File::create(&complaints).map_err(|error| format!("no file for its messages: {error}"))?;
        let mut command = Command::new(interpreter);
        command.arg(script).args(arguments);
        command.envs(THREAD_VARIABLES.map(|variable| (variable, THREADS.to_string())));
        WAITING_VARIABLES.iter().for_each(|variable| {
            command.env_remove(variable);
        });
        if !on_card {
            // Both sides compute on the processor.
            command.env("CUDA_VISIBLE_DEVICES", "");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", interpreter.to_string_lossy()))?;
        let requests = child.stdin.take();
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            // A thread of its own, asleep until a line comes, so that a peer that hangs can be given up.
            thread::spawn(move || {
                let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
                while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
            });
        }
        let mut process = Self { hello: Hello::default(), child, requests, lines, complaints };
        process.hello = Hello::parse(&process.next_line()?)?;
        Ok(process)
    }

    /// Sends a request and waits for the number in the answer.
    ///
    /// # Errors
    ///
    /// Why there is none, in words.
    pub fn ask(&mut self, request: Request, library: &str, workload: &str) -> Result<f64, String> {
        let sent = self.requests.as_mut().map(|requests| {
            requests.write_all(request.line(library, workload).as_bytes()).and_then(|()| requests.flush())
        });
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.last_words());
        }
        request.parse_answer(&self.next_line()?)
    }

    fn next_line(&mut self) -> Result<String, String> {
        self.lines.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => format!("no answer in {} s", PATIENCE.as_secs()),
            RecvTimeoutError::Disconnected => self.last_words(),
        })
    }

    fn last_words(&mut self) -> String {
        let _ = self.child.wait();
        let complaints = fs::read_to_string(&self.complaints).unwrap_or_default();
        match complaints.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(line) => format!("its process ended: {}", line.trim()),
            None => "its process ended without a word".to_string(),
        }
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // The end of its input is the end of a peer; one that hangs has to be told otherwise.
        drop(self.requests.take());
        for _ in 0..20 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const FAKE: &str = r#"
echo '{"python": "sh", "versions": {"fast": "1"}, "missing": {"slow": "not installed"}}'
while read -r verb library workload units; do
    case "$verb $workload" in
        "run good") echo '{"seconds": 0.5}' ;;
        "figure good") echo "{\"figure\": $#}" ;;
        "run crash") echo 'Killed: out of everything' >&2; exit 1 ;;
        *) echo "{\"error\": \"no workload $workload\"}" ;;
    esac
done
"#;

    fn start(script: &str) -> (tempfile::TempDir, Result<PeerProcess, String>) {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("fake.py");
        fs::write(&path, script).unwrap();
        let started = PeerProcess::start(OsStr::new("sh"), &path, &["a".to_string(), "b".to_string()], false);
        (temporary, started)
    }

    #[test]
    fn a_peer_answers_until_it_dies_and_then_says_why() {
        let (_temporary, peer) = start(FAKE);
        let mut peer = peer.unwrap();
        assert_eq!(
            (peer.hello.versions["fast"].as_str(), peer.hello.missing["slow"].as_str()),
            ("1", "not installed")
        );
        assert_eq!(peer.ask(Request::Run(3), "fast", "good"), Ok(0.5));
        assert_eq!(peer.ask(Request::Figure, "fast", "good"), Ok(2.0));
        assert_eq!(peer.ask(Request::Run(1), "fast", "bad"), Err("no workload bad".to_string()));
        let reason = peer.ask(Request::Run(1), "fast", "crash").unwrap_err();
        assert_eq!(reason, "its process ended: Killed: out of everything");
        assert!(peer.ask(Request::Run(1), "fast", "good").is_err());
    }

    #[test]
    fn what_is_no_peer_is_refused_with_the_reason() {
        let (_temporary, silent) = start("exit 0");
        assert_eq!(silent.unwrap_err(), "its process ended without a word");
        let (_temporary, chatty) = start("echo hello");
        assert!(chatty.unwrap_err().contains("'hello'"));
        let temporary = tempfile::tempdir().unwrap();
        let missing =
            PeerProcess::start(OsStr::new("no-such-python"), &temporary.path().join("x.py"), &[], false);
        assert!(missing.unwrap_err().starts_with("cannot start no-such-python: "));
    }
}
