//! A small HTTP server on this machine for the tests of downloading, with the faults that occur in practice.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What the server does to its answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// For each answer in turn: the connection ends after so many bytes of the body. Later answers are whole.
    pub(super) cuts: VecDeque<usize>,
    /// Requests for a part of a file are answered with the whole.
    pub(super) without_ranges: bool,
    /// The connection ends before anything is answered.
    pub(super) silent: bool,
}

/// A running server; dropping it ends it.
pub(super) struct TestServer {
    socket: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Serves the files, by name, from the folder `/files/`.
    pub(super) fn start(files: HashMap<String, Vec<u8>>, mut faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (record, end) = (requests.clone(), ended.clone());
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                answer(connection.unwrap(), &files, &mut faults, &record);
            }
        });
        Self { socket, requests, ended, thread: Some(thread) }
    }

    /// Address of the folder of the files.
    pub(super) fn address(&self) -> String {
        format!("http://{}/files/", self.socket)
    }

    /// Name of the file and value of the `Range` header, if any, of every request so far: "name range".
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // The thread waits for a connection; one more wakes it.
        let _ = TcpStream::connect(self.socket);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answer(
    stream: TcpStream,
    files: &HashMap<String, Vec<u8>>,
    faults: &mut Faults,
    record: &Mutex<Vec<String>>,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    let name = path.strip_prefix("/files/").unwrap_or_default().to_string();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range = headers.iter().find_map(|line| {
        let (header, value) = line.split_once(": ")?;
        header.eq_ignore_ascii_case("range").then(|| value.to_string())
    });
    record.lock().unwrap().push(format!("{name} {}", range.clone().unwrap_or_default()).trim_end().into());
    if faults.silent {
        let _ = stream.shutdown(Shutdown::Both);
        return;
    }
    let from = range.filter(|_| !faults.without_ranges).map(|value| {
        value
            .strip_prefix("bytes=")
            .and_then(|rest| rest.strip_suffix('-'))
            .unwrap()
            .parse::<usize>()
            .unwrap()
    });
    let (status, extra, body): (_, String, &[u8]) = match (files.get(&name), from) {
        (None, _) => ("404 Not Found", String::new(), b"there is no such file"),
        (Some(file), None) => ("200 OK", String::new(), file),
        (Some(file), Some(from)) if from < file.len() => {
            let range = format!("Content-Range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len());
            ("206 Partial Content", range, &file[from..])
        }
        (Some(file), Some(_)) => {
            ("416 Range Not Satisfiable", format!("Content-Range: bytes */{}\r\n", file.len()), b"")
        }
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{extra}Connection: close\r\n\r\n", body.len());
    let sent = faults.cuts.pop_front().unwrap_or(body.len()).min(body.len());
    let mut stream = stream;
    // The client may have gone away; the test then sees it on its side.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..sent]));
    let _ = stream.shutdown(Shutdown::Write);
}
