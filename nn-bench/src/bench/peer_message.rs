//! The lines that are exchanged with a peer script: words to it, JSON from it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The first line of a script: which libraries are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Hello {
    /// The version of Python.
    pub python: String,
    /// The versions of the libraries that can be measured.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Why the others cannot.
    #[serde(default)]
    pub missing: BTreeMap<String, String>,
    /// The card that they compute on, unless it is the processor.
    #[serde(default)]
    pub card: Option<String>,
}

impl Hello {
    /// Reads the line.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line)
            .map_err(|_| format!("it does not begin as a peer does: '{}'", start_of(line)))
    }
}

/// What is asked of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Do this many units of work and say how long they took.
    Run(u32),
    /// Say what the work came to.
    Figure,
}

impl Request {
    /// The line to send.
    pub fn line(self, library: &str, workload: &str) -> String {
        match self {
            Self::Run(units) => format!("run {library} {workload} {units}\n"),
            Self::Figure => format!("figure {library} {workload}\n"),
        }
    }

    /// The number in the answer: seconds, or the figure.
    ///
    /// # Errors
    ///
    /// What the script could not do, or what is wrong with its answer, in words.
    pub fn parse_answer(self, line: &str) -> Result<f64, String> {
        #[derive(Deserialize)]
        struct Answer {
            seconds: Option<f64>,
            figure: Option<f64>,
            error: Option<String>,
        }
        let unclear = || format!("an answer that makes no sense: '{}'", start_of(line));
        let answer: Answer = serde_json::from_str(line).map_err(|_| unclear())?;
        match (answer.error, self) {
            (Some(error), _) => Err(error),
            (None, Self::Run(_)) => {
                answer.seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0).ok_or_else(unclear)
            }
            (None, Self::Figure) => answer.figure.ok_or_else(unclear),
        }
    }
}

/// Enough of a line to recognise it.
fn start_of(line: &str) -> String {
    let line = line.trim();
    let start: String = line.chars().take(60).collect();
    if start.len() < line.len() { format!("{start}…") } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_names_versions_and_reasons() {
        let line = r#"{"python": "3.12.1", "versions": {"torch": "2.9"}, "missing": {"scikit-learn": "ModuleNotFoundError"}}"#;
        let hello = Hello::parse(line).unwrap();
        assert_eq!((hello.python.as_str(), hello.versions["torch"].as_str()), ("3.12.1", "2.9"));
        assert_eq!((hello.missing["scikit-learn"].as_str(), &hello.card), ("ModuleNotFoundError", &None));
        assert_eq!(
            Hello::parse(r#"{"python": "3", "card": "A card"}"#).unwrap().card.as_deref(),
            Some("A card")
        );
        let error =
            Hello::parse("usage: something else entirely, which goes on and on and on for ever").unwrap_err();
        assert!(error.contains("'usage: something") && error.ends_with("…'"), "{error}");
    }

    #[test]
    fn requests_are_words() {
        assert_eq!(Request::Run(3).line("torch", "rbm-cd1"), "run torch rbm-cd1 3\n");
        assert_eq!(Request::Figure.line("torch", "rbm-cd1"), "figure torch rbm-cd1\n");
    }

    #[test]
    fn answers_are_numbers_or_reasons() {
        let run = |line| Request::Run(1).parse_answer(line);
        assert_eq!(run(r#"{"seconds": 0.25}"#), Ok(0.25));
        assert_eq!(run(r#"{"error": "KeyError: 'x'"}"#), Err("KeyError: 'x'".to_string()));
        for nonsense in [r#"{"seconds": 0}"#, r#"{"seconds": -1}"#, r#"{"figure": 1}"#, "{}", "0.25", ""] {
            assert!(run(nonsense).unwrap_err().contains("makes no sense"), "{nonsense}");
        }
        assert_eq!(Request::Figure.parse_answer(r#"{"figure": -3.5}"#), Ok(-3.5));
        // Python writes what JSON does not know.
        assert!(Request::Figure.parse_answer(r#"{"figure": NaN}"#).is_err());
    }
}
