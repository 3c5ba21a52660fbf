//! `nn-bench convnet` as a process, on a little data folder of pickles: what it says and writes, that it goes on where it
//! was killed, and what it refuses.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const SIDE: usize = 8;
const CLASSES: usize = 3;
/// Images of a batch that takes about a second, so that a run is met in the middle of it.
const MANY: usize = 15_000;

const LAYERS: &str = "\
# A little network.
[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=1\n\
[conv1]\ntype=conv\ninputs=data\nchannels=3\nfilters=8\nfilterSize=5\npadding=2\nstride=1\ninitW=0.001\npartialSum=1\n\
[pool1]\ntype=pool\npool=max\ninputs=conv1\nchannels=8\nsizeX=3\nstride=2\nneuron=relu\n\
[fc8]\ntype=fc\ninputs=pool1\noutputs=8\ninitW=0.1\nneuron=relu\n\
[fc3]\ntype=fc\ninputs=fc8\noutputs=3\ninitW=0.1\n\
[probs]\ntype=softmax\ninputs=fc3\n\
[logprob]\ntype=cost.logreg\ninputs=labels,probs\n";

const PARAMETERS: &str = "\
[conv1]\nepsW=0.0001\nepsB=0.0002\nmomW=0.9\nmomB=0.9\nwc=0.004\n\
[fc8]\nepsW=exp[base=0.001;tgtFactor=10]\nepsB=0.002\nmomW=0.9\nmomB=0.9\nwc=0.03\ndropout=0.25\n\
[fc3]\nepsW=0.001\nepsB=0.002\nmomW=0.9\nmomB=0.9\nwc=0.03\n\
[logprob]\ncoeff=1\n";

/// An array of numpy, as Python pickles it with protocol 2.
fn array(shape: [usize; 2], kind: &str, bytes: &[u8]) -> Vec<u8> {
    let mut pickle =
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01".to_vec();
    for side in shape {
        pickle.push(b'J');
        pickle.extend((side as u32).to_le_bytes());
    }
    let (order, kind) = kind.split_at(1);
    pickle.push(0x86);
    pickle.extend(format!("cnumpy\ndtype\nU\x02{kind}K\x00K\x01").as_bytes());
    pickle.extend(b"\x87R(K\x03U\x01");
    pickle.extend(order.as_bytes());
    pickle.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T");
    pickle.extend((bytes.len() as u32).to_le_bytes());
    pickle.extend(bytes);
    pickle.extend(b"tb");
    pickle
}

fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for (key, value) in entries {
        pickle.extend([b'U', key.len() as u8]);
        pickle.extend(key.as_bytes());
        pickle.extend(value);
    }
    pickle.extend(b"u.");
    pickle
}

fn list(labels: &[u8]) -> Vec<u8> {
    [b"](".to_vec(), labels.iter().flat_map(|&label| [b'K', label]).collect(), b"e".to_vec()].concat()
}

/// So many images of noise, in the colour of their class: red, green or blue.
fn batch(cases: usize, seed: u32) -> Vec<u8> {
    let labels: Vec<u8> = (0..cases).map(|case| ((case + seed as usize) % CLASSES) as u8).collect();
    let mut columns = vec![0u8; 3 * SIDE * SIDE * cases];
    for (place, value) in columns.iter_mut().enumerate() {
        let (case, channel) = (place % cases, place / cases / (SIDE * SIDE));
        let noise = (place as u32 ^ seed.wrapping_mul(77)).wrapping_mul(2_654_435_761) >> 25;
        *value = noise as u8 + if channel == usize::from(labels[case]) { 100 } else { 0 };
    }
    dictionary(&[("data", array([3 * SIDE * SIDE, cases], "|u1", &columns)), ("labels", list(&labels))])
}

fn meta() -> Vec<u8> {
    let mean: Vec<u8> = (0..3 * SIDE * SIDE).flat_map(|_| 97f32.to_be_bytes()).collect();
    let values = (3 * SIDE * SIDE) as u16;
    let values = [b"M".to_vec(), values.to_le_bytes().to_vec()].concat();
    dictionary(&[
        ("num_vis", values),
        ("data_mean", array([3 * SIDE * SIDE, 1], ">f4", &mean)),
        ("label_names", b"](U\x03redU\x05greenU\x04bluee".to_vec()),
    ])
}

/// A folder with four batches of 300 images and the two files.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    put("data/batches.meta", &meta());
    for number in 1..=4 {
        put(&format!("data/data_batch_{number}"), &batch(300, number));
    }
    put("layers.cfg", LAYERS.as_bytes());
    put("params.cfg", PARAMETERS.as_bytes());
    folder
}

fn program(folder: &Path, options: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nn-bench"));
    command.current_dir(folder).env_remove("NN_DATA_DIR");
    command.args("convnet --layers layers.cfg --params params.cfg --data data".split(' '));
    command.args(options.split_whitespace());
    command
}

fn finished(folder: &Path, options: &str) -> (String, String) {
    let Output { status, stdout, stderr } = program(folder, options).output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(status.code(), Some(0), "{stderr}");
    (stdout, stderr)
}

/// The only line on standard error that begins so, which is the last, after the exit code 2.
fn refusal(folder: &Path, options: &str) -> String {
    let output = program(folder, options).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((lines.len(), said.lines().last()), (1, lines.first().copied()), "{said}");
    lines[0].to_string()
}

fn model(folder: &Path, out: &str) -> Vec<u8> {
    fs::read(folder.join(out).join("model.safetensors")).unwrap()
}

/// Columns of a table of figures.
fn table(path: PathBuf, names: &[&str]) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let at: Vec<usize> =
        names.iter().map(|name| header.iter().position(|one| one == name).unwrap()).collect();
    lines.map(|row| at.iter().map(|column| row[*column].parse().unwrap()).collect()).collect()
}

#[test]
fn a_line_for_each_batch_and_a_test_now_and_then() {
    let folder = folder();
    let at = folder.path();
    let (said, lines) = finished(at, "--epochs 3 --test-freq 2 --out run");
    let begin = |begin: &str| lines.lines().filter(|line| line.starts_with(begin)).count();
    for epoch in 1..=3 {
        for number in 1..=3 {
            assert_eq!(begin(&format!("{epoch}.{number}... logprob: ")), 1, "{lines}");
        }
    }
    // After batches 2, 4, 6 and 8, and at the end.
    assert_eq!(begin("test output: logprob: "), 5);
    assert_eq!(begin("layer 'conv1' weights: "), 5);
    // 300 cases are minibatches of 128, 128 and 44.
    let batches = table(at.join("run/convnet-train.csv"), &["update", "epochs", "batch"]);
    let expected = (0..9).map(|i| vec![3.0 * (i + 1) as f64, (i + 1) as f64 / 3.0, (i % 3 + 1) as f64]);
    assert_eq!(batches, expected.collect::<Vec<_>>());
    let tests = table(at.join("run/convnet-test.csv"), &["update", "error"]);
    assert_eq!(tests.iter().map(|row| row[0]).collect::<Vec<_>>(), [6.0, 12.0, 18.0, 24.0, 27.0]);
    // Colours are easy to tell; a guess is wrong two times of three.
    assert!(tests[4][1] < 0.2, "{tests:?}");
    let errors = said.lines().find(|line| line.starts_with("test_error_percent = ")).unwrap();
    let page = fs::read_to_string(at.join("run/report.html")).unwrap();
    assert!(
        page.contains("cargo xtask convnet --layers layers.cfg --params params.cfg --data data --epochs 3")
    );
    // The model, tested alone, is as good.
    let (alone, _) = finished(at, "--test-only --out run");
    let error: f64 =
        alone.lines().find_map(|line| line.strip_prefix("test_error = ")).unwrap().parse().unwrap();
    let percent: f64 = errors.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((100.0 * error - percent).abs() < 0.1, "{alone}{errors}");
}

/// Killed after its first lines, without any warning, and resumed: the same bits as a run that nobody disturbed.
#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("data/data_batch_3"), batch(MANY, 3)).unwrap();
    finished(at, "--epochs 2 --test-freq 1 --out whole");
    let mut killed = program(at, "--epochs 2 --test-freq 1 --out killed");
    let mut child = killed.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // The second batch ends after the first has been saved; the third is long.
    assert!(lines.any(|line| line.starts_with("1.2... ")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!at.join("killed/model.safetensors").exists(), "it was over before it was killed");
    let (_, lines) = finished(at, "--epochs 2 --test-freq 1 --out killed --resume");
    assert!(!lines.contains("1.1... "), "it began afresh: {lines}");
    assert_eq!(model(at, "killed"), model(at, "whole"));
    let columns = ["update", "epochs", "batch", "cost", "error"];
    let [killed, whole] =
        ["killed", "whole"].map(|run| table(at.join(run).join("convnet-train.csv"), &columns));
    assert_eq!(killed, whole);
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_in_the_middle_of_a_batch_and_says_how_to_go_on() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("data/data_batch_2"), batch(MANY, 2)).unwrap();
    finished(at, "--train-range 1-2 --epochs 2 --out whole");
    let mut command = program(at, "--train-range 1-2 --epochs 2 --out stopped");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("1.1... ") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    let wanted = "interrupted: saved stopped/checkpoint-convnet.safetensors; resume with: cargo xtask convnet --layers \
                  layers.cfg --params params.cfg --data data --train-range 1-2 --epochs 2 --backend cpu --seed 1 --out \
                  stopped --resume";
    assert_eq!(said.lines().last(), Some(wanted));
    let refused = refusal(at, "--train-range 1-2 --epochs 2 --out stopped");
    assert!(refused.contains("stopped holds an unfinished run; add --resume"), "{refused}");
    finished(at, "--train-range 1-2 --epochs 2 --out stopped --resume");
    assert_eq!(model(at, "stopped"), model(at, "whole"));
}

/// Parts of 6×6 pixels, tested on one or ten of them.
#[test]
fn parts_of_images_are_seen_and_ten_of_them_tested() {
    let folder = folder();
    let at = folder.path();
    let options = "--crop-border 1 --multiview-test";
    let (said, _) = finished(at, &format!("{options} --epochs 3 --out whole"));
    let figure = |said: &str, name: &str| -> f64 {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(" = ").parse().unwrap()
    };
    assert!(figure(&said, "test_error_percent") < 20.0, "{said}");
    // The first layer sees a smaller image, so that a model of whole images does not fit.
    let refused = refusal(at, "--test-only --out whole");
    assert!(refused.contains("fc8.weights"), "{refused}");
    let [one, ten] = ["--crop-border 1", options]
        .map(|options| figure(&finished(at, &format!("{options} --test-only --out whole")).0, "test_cost"));
    assert!(one != ten && (one - ten).abs() < 0.2, "{one} {ten}");
    let page = fs::read_to_string(at.join("whole/report.html")).unwrap();
    assert!(
        page.contains("--crop-border 1 --multiview-test --backend cpu"),
        "the command is not in the report"
    );
}

/// As its users did by hand: train, lower the rates in the file, fold in another batch, go on.
#[test]
fn rates_and_batches_can_be_changed_on_the_way() {
    let folder = folder();
    let at = folder.path();
    finished(at, "--train-range 1-2 --epochs 1 --out run");
    let first = model(at, "run");
    let frozen = PARAMETERS.replace("exp[base=0.001;tgtFactor=10]", "0.001").replace("0.001", "0");
    let frozen =
        frozen.replace("0.002", "0").replace("epsW=0.0001", "epsW=0").replace("epsB=0.0002", "epsB=0");
    fs::write(at.join("params.cfg"), frozen).unwrap();
    let (_, lines) = finished(at, "--train-range 1-3 --epochs 2 --out run --resume");
    for line in ["2.1... ", "2.2... ", "2.3... "] {
        assert!(lines.contains(line), "{lines}");
    }
    assert_eq!(model(at, "run"), first, "with rates of 0 nothing changes");
}

#[test]
fn what_a_user_can_get_wrong_is_said_in_a_line() {
    let folder = folder();
    let at = folder.path();
    let refused = |options: &str, parts: &[&str]| {
        let said = refusal(at, options);
        for part in parts {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
    };
    let with = |name: &str, bytes: &[u8], options: &str, parts: &[&str]| {
        let whole = fs::read(at.join(name)).unwrap();
        fs::write(at.join(name), bytes).unwrap();
        refused(options, parts);
        fs::write(at.join(name), whole).unwrap();
    };
    let usual = "--epochs 1 --out refused";
    let second = "data/data_batch_2";
    with(second, &dictionary(&[("labels", list(&[0]))]), usual, &["data_batch_2: ", "no entry 'data'"]);
    let whole = batch(300, 2);
    with(second, &whole[..whole.len() / 2], usual, &["data_batch_2: byte ", "the file ends"]);
    with("data/batches.meta", &dictionary(&[]), usual, &["batches.meta: ", "no entry 'num_vis'"]);
    let grey = LAYERS.replace("channels=3", "channels=1");
    with(
        "layers.cfg",
        grey.as_bytes(),
        usual,
        &["num_vis", "192 values, which are no square image of 1 channels"],
    );
    let wide = LAYERS.replace("filterSize=5\npadding=2", "filterSize=15\npadding=3");
    with("layers.cfg", wide.as_bytes(), usual, &["layers.cfg, line 13: [conv1] filterSize is `15`", "8 × 8"]);
    let two = LAYERS.replace("outputs=3", "outputs=2");
    with(
        "layers.cfg",
        two.as_bytes(),
        usual,
        &["reading batch 1, for a network of 2 outputs: label 2 of case 1"],
    );
    with(
        "params.cfg",
        b"[conv1]\nepsW=x\n",
        usual,
        &["params.cfg, line 2: [conv1] epsW is `x`, but a rate is"],
    );
    refused("--epochs 1 --train-range 1-9 --out refused", &["--train-range is 1-9", "batches 1, 2, 3, 4"]);
    refused(
        "--epochs 1 --train-range 4-1 --out refused",
        &["'4-1'", "--train-range", "the smaller one first"],
    );
    refused("--epochs 1 --crop-border 4 --out refused", &["--crop-border is 4", "images of 8×8"]);
    refused("--epochs 1 --multiview-test --out refused", &["--crop-border"]);
    refused("--out refused", &["--epochs <N>", "nn-bench convnet --help"]);
    refused("--test-only --out nothing", &["nothing to resume in nothing"]);
    refused("--epochs 1 --resume --out nothing", &["nothing to resume in nothing"]);
    for left in ["report.html", "metrics.json", "model.safetensors"] {
        assert!(!at.join("refused").join(left).exists(), "{left}");
    }
    // A checkpoint of another network.
    finished(at, "--epochs 1 --out run");
    let wider = LAYERS.replace("outputs=8", "outputs=9");
    with(
        "layers.cfg",
        wider.as_bytes(),
        "--epochs 2 --resume --out run",
        &["fc8.weights", "the model needs"],
    );
    with("layers.cfg", wider.as_bytes(), "--test-only --out run", &["fc8.weights", "the model needs"]);
    fs::remove_dir_all(at.join("data")).unwrap();
    refused(usual, &["--data: data is not a folder"]);
    fs::create_dir(at.join("data")).unwrap();
    refused(usual, &["CIFAR-10", "data"]);
}
