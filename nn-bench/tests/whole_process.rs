//! The program as a process: its exit codes, its one-line messages and a real Ctrl-C.
//!
//! The registry's experiments take too long for a test, so this file is its own program: called with
//! `as-nn-bench` it is `nn-bench` with two toy experiments, otherwise it is the tests that call it so.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Duration;

use nn_bench::{Environment, Experiment, ProfileInfo, Run, RunError};

const AS_NN_BENCH: &str = "as-nn-bench";
const QUICK: &[ProfileInfo] = &[ProfileInfo { name: "quick", what: "little", duration: "1 s" }];

type Test = fn(&Path);

struct Instant;

impl Experiment for Instant {
    fn name(&self) -> &'static str {
        "instant-toy"
    }
    fn title(&self) -> &'static str {
        "Over at once"
    }
    fn summary(&self) -> &'static str {
        "Reports one number."
    }
    fn profiles(&self) -> &'static [ProfileInfo] {
        QUICK
    }
    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        run.report.metric("answer", 42.0)?;
        Ok(())
    }
}

/// Runs until interrupted, or for a minute.
struct Slow;

impl Experiment for Slow {
    fn name(&self) -> &'static str {
        "slow-toy"
    }
    fn title(&self) -> &'static str {
        "Never over"
    }
    fn summary(&self) -> &'static str {
        "Waits to be interrupted."
    }
    fn profiles(&self) -> &'static [ProfileInfo] {
        QUICK
    }
    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        eprintln!("started");
        for _ in 0..600 {
            if run.interrupted() {
                let saved = run.out().write("checkpoint.bin", b"half")?;
                // Time for an impatient second Ctrl-C.
                std::thread::sleep(Duration::from_millis(if run.seed == 2 { 30_000 } else { 0 }));
                return Err(run.stop_after_saving(saved));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == AS_NN_BENCH) {
        let experiments: Vec<Box<dyn Experiment>> = vec![Box::new(Instant), Box::new(Slow)];
        let environment = Environment::read(|name| std::env::var_os(name));
        return ExitCode::from(nn_bench::application::start(&experiments, arguments, environment));
    }
    let tests: [(&str, Test); 8] = [
        ("a_finished_run_exits_with_0", a_finished_run_exits_with_0),
        ("what_the_user_can_put_right_exits_with_2", what_the_user_can_put_right_exits_with_2),
        ("the_binary_refuses_unknown_names", the_binary_refuses_unknown_names),
        ("lists_go_to_standard_output", lists_go_to_standard_output),
        ("only_the_same_run_is_resumed", only_the_same_run_is_resumed),
        ("two_runs_do_not_share_a_folder", two_runs_do_not_share_a_folder),
        ("the_first_ctrl_c_saves", the_first_ctrl_c_saves),
        ("the_second_ctrl_c_stops_at_once", the_second_ctrl_c_stops_at_once),
    ];
    for (name, test) in tests {
        let folder = tempfile::tempdir().expect("a temporary folder");
        test(folder.path());
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn program(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program's path"));
    command.arg(AS_NN_BENCH).args(line.split_whitespace()).current_dir(folder).env_remove("NN_DATA_DIR");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code 2, nothing on standard output, and one line on standard error that has all of `parts`.
fn assert_refused(output: &Output, parts: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    assert_eq!(message.lines().count(), 1, "not one line: {message}");
    assert!(message.starts_with("error: "), "{message}");
    for part in parts {
        assert!(message.contains(part), "'{part}' is not in: {message}");
    }
}

fn a_finished_run_exits_with_0(folder: &Path) {
    let output = program(folder, "experiment instant-toy --profile quick").output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).starts_with("answer = 42\nreport:  runs/instant-toy-quick-cpu/report.html\n")
    );
    for file in ["report.html", "metrics.json"] {
        assert!(folder.join("runs/instant-toy-quick-cpu").join(file).is_file(), "no {file}");
    }
}

fn what_the_user_can_put_right_exits_with_2(folder: &Path) {
    fs::write(folder.join("occupied"), "").expect("a file");
    let refused = |line: &str, parts: &[&str]| {
        assert_refused(&program(folder, line).output().expect("runs"), parts);
    };
    refused("experiment instnt-toy --profile quick", &["'instnt-toy'", "did you mean 'instant-toy'?"]);
    refused("experiment instant-toy", &["no profile 'default'", "it has: quick"]);
    refused("experiment instant-toy --profile quick --data nowhere", &["--data", "nowhere"]);
    refused(
        "experiment instant-toy --profile quick --out occupied/run",
        &["occupied/run", "choose another --out"],
    );
    refused("experiment instant-toy --profile quick --resume", &["nothing to resume", "leave out --resume"]);
    refused("experiment instant-toy --backend abacus", &["'abacus'", "cpu, reference"]);
    refused("experiment", &["<NAME>", "--help"]);
    let mut with_environment = program(folder, "experiment instant-toy --profile quick");
    let output = with_environment.env("NN_DATA_DIR", "nowhere").output().expect("runs");
    assert_refused(&output, &["NN_DATA_DIR", "nowhere"]);
}

fn the_binary_refuses_unknown_names(folder: &Path) {
    let mut binary = Command::new(env!("CARGO_BIN_EXE_nn-bench"));
    let output = binary.args(["experiment", "no-such-thing"]).current_dir(folder).output().expect("runs");
    assert_refused(&output, &["'no-such-thing'", "nn-bench experiment --list"]);
}

fn lists_go_to_standard_output(folder: &Path) {
    let names = program(folder, "experiment --list --names").output().expect("runs");
    assert_eq!((names.status.code(), text(&names.stdout).as_str()), (Some(0), "instant-toy\nslow-toy\n"));
    let list = text(&program(folder, "experiment --list").output().expect("runs").stdout);
    assert!(list.contains("Reports one number.") && list.contains("--profile quick"), "{list}");
    let help = program(folder, "experiment --help").output().expect("runs");
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Examples:"));
}

fn only_the_same_run_is_resumed(folder: &Path) {
    let line = "experiment instant-toy --profile quick --out here";
    assert!(program(folder, line).output().expect("runs").status.success());
    assert!(program(folder, &format!("{line} --resume")).output().expect("runs").status.success());
    let output = program(folder, &format!("{line} --resume --seed 9")).output().expect("runs");
    assert_refused(&output, &["here", "seed 1, not 9", "choose another --out"]);
}

/// Starts the slow experiment and returns once it says that it runs.
fn slow(folder: &Path, seed: u64) -> (std::process::Child, impl Read) {
    let line = format!("experiment slow-toy --profile quick --seed {seed}");
    let mut child = program(folder, &line).stderr(Stdio::piped()).spawn().expect("runs");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut first = String::new();
    stderr.read_line(&mut first).expect("a line");
    assert_eq!(first, "started\n");
    (child, stderr)
}

fn interrupt(child: &std::process::Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

fn two_runs_do_not_share_a_folder(folder: &Path) {
    let (mut child, _stderr) = slow(folder, 1);
    let output = program(folder, "experiment slow-toy --profile quick").output().expect("runs");
    child.kill().expect("a running process");
    child.wait().expect("an ended process");
    assert_refused(&output, &["another run is writing to runs/slow-toy-quick-cpu"]);
}

fn the_first_ctrl_c_saves(folder: &Path) {
    let (mut child, mut stderr) = slow(folder, 3);
    interrupt(&child);
    let mut said = String::new();
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("an end").code(), Some(130), "{said}");
    let last = said.lines().last().unwrap_or_default();
    let wanted = "interrupted: saved runs/slow-toy-quick-cpu/checkpoint.bin; resume with: cargo xtask \
                  reproduce-experiment slow-toy --profile quick --backend cpu --seed 3 --resume";
    assert_eq!(last, wanted);
    assert!(folder.join("runs/slow-toy-quick-cpu/checkpoint.bin").is_file());
}

fn the_second_ctrl_c_stops_at_once(folder: &Path) {
    let (mut child, mut stderr) = slow(folder, 2);
    interrupt(&child);
    // Two signals in the same instant are one: the second waits for the answer to the first.
    let checkpoint = folder.join("runs/slow-toy-quick-cpu/checkpoint.bin");
    for _ in 0..100 {
        if checkpoint.is_file() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let began = std::time::Instant::now();
    interrupt(&child);
    let mut said = String::new();
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("an end").code(), Some(130), "{said}");
    assert!(began.elapsed() < Duration::from_secs(10), "{said}");
    assert!(!said.contains("interrupted: saved"), "{said}");
}
