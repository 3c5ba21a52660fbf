use super::test_server::{Faults, TestServer};
use super::*;
use std::collections::HashMap;
use std::path::PathBuf;
use tempfile::TempDir;

/// A file of the embedded subset, served as if it were official.
const FILE: OfficialFile = OfficialFile {
    name: "digits",
    sha256: "b97c8bfeb834d8e7999eaa2d69239abe06653dc09c1e5d7eb0c974c5965bc6a9",
};
const CONTENT: &[u8] = include_bytes!("../../data/mnist-subset/t10k-images-idx3-ubyte.gz");

struct Trial {
    folder: TempDir,
    server: TestServer,
}

impl Trial {
    fn new(content: &[u8], faults: Faults) -> Self {
        let files = HashMap::from([("digits.gz".to_string(), content.to_vec())]);
        Self { folder: tempfile::tempdir().unwrap(), server: TestServer::start(files, faults) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fetch(&self) -> Result<Vec<String>, DataError> {
        let mut events = Vec::new();
        let mut last = 0;
        let mut report = |progress: Progress<'_>| match progress {
            Progress::Present { .. } => events.push("present".to_string()),
            Progress::Started { resumed_from, .. } => {
                last = resumed_from;
                events.push(format!("started at {resumed_from}"));
            }
            Progress::Received { bytes, total, .. } => {
                assert!(bytes > last && total == Some(CONTENT.len() as u64), "{bytes} of {total:?}");
                last = bytes;
            }
            Progress::Finished { path } => {
                assert_eq!(last, CONTENT.len() as u64);
                assert!(path.is_file());
                events.push("finished".to_string());
            }
        };
        let options = FetchOptions::default();
        fetch_files(&[FILE], self.folder.path(), &self.server.address(), &options, &mut report)?;
        assert_eq!(fs::read(self.path("digits.gz")).unwrap(), CONTENT);
        assert!(!self.path("digits.gz.part").exists());
        Ok(events)
    }
}

#[test]
fn a_file_is_fetched_once() {
    let trial = Trial::new(CONTENT, Faults::default());
    assert_eq!(trial.fetch().unwrap(), ["started at 0", "finished"]);
    assert_eq!(trial.fetch().unwrap(), ["present"]);
    assert_eq!(trial.server.requests(), ["digits.gz"]);
}

#[test]
fn interrupted_downloads_are_resumed_where_they_stopped() {
    let trial = Trial::new(CONTENT, Faults { cuts: [70_000, 0, 0, 30_000, 1].into(), ..Faults::default() });
    let events = trial.fetch().unwrap();
    assert_eq!(events.first().unwrap(), "started at 0");
    assert_eq!(events.last().unwrap(), "finished");
    assert_eq!(
        trial.server.requests(),
        [
            "digits.gz",
            "digits.gz bytes=70000-",
            "digits.gz bytes=70000-",
            "digits.gz bytes=70000-",
            "digits.gz bytes=100000-",
            "digits.gz bytes=100001-",
        ]
    );
}

#[test]
fn a_download_of_an_earlier_run_is_resumed() {
    let trial = Trial::new(CONTENT, Faults::default());
    fs::write(trial.path("digits.gz.part"), &CONTENT[..1000]).unwrap();
    assert_eq!(trial.fetch().unwrap(), ["started at 1000", "finished"]);
    // All of it was there, and only the check was missing.
    let trial = Trial::new(CONTENT, Faults::default());
    fs::write(trial.path("digits.gz.part"), CONTENT).unwrap();
    assert!(
        fetch_files(
            &[FILE],
            trial.folder.path(),
            &trial.server.address(),
            &FetchOptions::default(),
            &mut |progress| assert!(matches!(progress, Progress::Finished { .. }))
        )
        .is_ok()
    );
    assert_eq!(trial.server.requests(), [format!("digits.gz bytes={}-", CONTENT.len())]);
}

#[test]
fn leftovers_of_another_file_are_replaced() {
    for leftover in [vec![7; 1000], vec![7; CONTENT.len()], vec![7; CONTENT.len() + 1]] {
        let trial = Trial::new(CONTENT, Faults::default());
        fs::write(trial.path("digits.gz.part"), &leftover).unwrap();
        let events = trial.fetch().unwrap();
        assert_eq!(events[events.len() - 2..], ["started at 0", "finished"]);
        assert_eq!(trial.server.requests().len(), 2);
    }
}

#[test]
fn a_server_without_ranges_starts_from_the_beginning() {
    let trial = Trial::new(CONTENT, Faults { without_ranges: true, cuts: [5].into(), ..Faults::default() });
    assert_eq!(trial.fetch().unwrap(), ["started at 0", "started at 0", "finished"]);
    assert_eq!(trial.server.requests(), ["digits.gz", "digits.gz bytes=5-"]);
}

#[test]
fn a_file_with_another_content_is_not_kept() {
    let mut damaged = CONTENT.to_vec();
    damaged[100] ^= 1;
    for (content, complaint) in [
        (&b"another content"[..], "has the SHA-256"),
        (&damaged[..], "damaged gzip data"),
        (&CONTENT[..5000], "cut off after"),
    ] {
        let trial = Trial::new(content, Faults::default());
        let outcome = fetch_files(
            &[FILE],
            trial.folder.path(),
            &trial.server.address(),
            &FetchOptions::default(),
            &mut |_| (),
        );
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(complaint) && error.contains(FILE.sha256), "{error}");
        assert!(!trial.path("digits.gz").exists() && !trial.path("digits.gz.part").exists());
        assert_eq!(trial.server.requests().len(), 1, "the same server would send the same again");
    }
}

#[test]
fn errors_tell_all_that_is_needed_to_do_it_by_hand() {
    let trial = Trial::new(CONTENT, Faults::default());
    let unreachable = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let bases = [(format!("{}wrong/", trial.server.address()), "status 404"), (unreachable, "refused")];
    for (base, complaint) in bases {
        let outcome = fetch_files(&[FILE], trial.folder.path(), &base, &FetchOptions::default(), &mut |_| ());
        let error = outcome.unwrap_err().to_string();
        let address = format!("{}/digits.gz", base.trim_end_matches('/'));
        let folder = trial.folder.path().to_str().unwrap();
        for part in
            [complaint, &address, FILE.sha256, "digits.gz: cannot download", &format!("into {folder}")]
        {
            assert!(error.to_lowercase().contains(&part.to_lowercase()), "{part} is not in: {error}");
        }
    }
}

#[test]
fn attempts_without_a_byte_end_and_keep_what_is_there() {
    let trial = Trial::new(CONTENT, Faults { cuts: [9, 0, 0, 0].into(), ..Faults::default() });
    let error = trial.fetch().unwrap_err().to_string();
    assert!(error.contains("run again to resume"), "{error}");
    assert_eq!(fs::read(trial.path("digits.gz.part")).unwrap(), &CONTENT[..9]);
    assert_eq!(trial.server.requests().len(), 4);
    assert_eq!(trial.fetch().unwrap(), ["started at 9", "finished"]);

    let trial = Trial::new(CONTENT, Faults { silent: true, ..Faults::default() });
    assert!(matches!(trial.fetch(), Err(DataError::Download { .. })));
}

#[test]
fn a_wrong_file_in_the_cache_is_reported_and_left() {
    let trial = Trial::new(CONTENT, Faults::default());
    fs::write(trial.path("digits"), "something else").unwrap();
    assert!(matches!(trial.fetch(), Err(DataError::SumMismatch { .. })));
    assert_eq!(fs::read(trial.path("digits")).unwrap(), b"something else");
    assert!(trial.server.requests().is_empty());
}

#[test]
fn a_folder_in_use_and_a_proxy_that_is_none_are_errors() {
    let trial = Trial::new(CONTENT, Faults::default());
    let held = lock(trial.folder.path()).unwrap();
    assert!(matches!(trial.fetch(), Err(DataError::Busy { .. })));
    drop(held);
    trial.fetch().unwrap();

    let options = FetchOptions { proxy: Some("ftp://x y".into()), ..FetchOptions::default() };
    let outcome = fetch_with(Dataset::Mnist, trial.folder.path(), &options, &mut |_| ());
    assert!(outcome.unwrap_err().to_string().starts_with("the address of the proxy is ftp://x y"));
}

#[test]
fn a_proxy_is_used_if_one_is_named() {
    // A proxy is asked to open a tunnel; this server knows no such request and gives no tunnel.
    let trial = Trial::new(CONTENT, Faults::default());
    let proxy = Trial::new(CONTENT, Faults::default());
    let address = proxy.server.address().trim_end_matches("/files/").to_string();
    let options = FetchOptions { proxy: Some(address), ..FetchOptions::default() };
    let outcome = fetch_files(&[FILE], trial.folder.path(), &trial.server.address(), &options, &mut |_| ());
    assert!(matches!(outcome, Err(DataError::Download { .. })));
    assert_eq!(proxy.server.requests().len(), 1);
    assert!(trial.server.requests().is_empty());
}

#[test]
fn a_server_without_tls_at_a_tls_address_is_an_error() {
    use std::io::Write;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let outcome = fetch_files(&[FILE], folder.path(), &base, &FetchOptions::default(), &mut |_| ());
    assert!(matches!(outcome, Err(DataError::Download { .. })), "{outcome:?}");
    server.join().unwrap();
}

#[test]
fn nothing_is_downloaded_for_a_folder_of_data_that_is_given() {
    let trial = Trial::new(CONTENT, Faults::default());
    let options = FetchOptions { address: Some(trial.server.address()), ..FetchOptions::default() };
    let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let located = |data_dir| locate_or_fetch(Dataset::Mnist, data_dir, cache.path(), &options, &mut |_| ());
    assert!(matches!(located(Some(data.path())), Err(DataError::DatasetAbsent { .. })));
    assert!(trial.server.requests().is_empty() && !cache.path().join("mnist").exists());
    assert!(matches!(located(None), Err(DataError::Download { .. })));
    assert_eq!(trial.server.requests(), ["train-images-idx3-ubyte.gz"]);
}

#[test]
fn whole_official_sets_are_fetched_and_then_found() {
    let Some(value) = std::env::var_os("NN_DATA_DIR") else {
        eprintln!("skipped: NN_DATA_DIR is not set");
        return;
    };
    // Tests run in the folder of the crate; a relative value is meant from the root of the workspace.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(value);
    for dataset in Dataset::ALL {
        let source = dataset.find(&root).unwrap();
        let paths = [&source.train_images, &source.train_labels, &source.test_images, &source.test_labels];
        let files = dataset.files().iter().map(OfficialFile::packed_name);
        let files = files.zip(paths.map(|path| fs::read(path).unwrap())).collect();
        let server = TestServer::start(files, Faults { cuts: [1_000_000, 20].into(), ..Faults::default() });
        let options = FetchOptions { address: Some(server.address()), ..FetchOptions::default() };
        let cache = tempfile::tempdir().unwrap();
        let located = || locate_or_fetch(dataset, None, cache.path(), &options, &mut |_| ()).unwrap();
        let fetched = located();
        assert_eq!(server.requests().len(), 6);
        fetched.verify().unwrap();
        assert_eq!(located(), fetched);
        assert_eq!(server.requests().len(), 6);
        assert_eq!(fetched.load().unwrap().0.len(), 60_000);
    }
}
