//! Rust source taken apart just far enough: what is code, what is comment, what is compiled for tests only.

/// One file, as lines that keep their numbers and columns.
#[derive(Debug)]
pub(super) struct RustSource {
    /// The code; comments and the insides of literals are blanks.
    code: String,
    /// The comments; everything else is blanks.
    comments: String,
    /// For each line, whether it belongs to an item under `#[cfg(test)]`.
    in_test: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

impl RustSource {
    pub(super) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let parts = parts(&chars);
        let only = |wanted| -> String {
            let keep = |(&c, &part): (&char, &Part)| if part == wanted || c == '\n' { c } else { ' ' };
            chars.iter().zip(&parts).map(keep).collect()
        };
        let code = only(Part::Code);
        let in_test = test_lines(&code);
        Self { comments: only(Part::Comment), code, in_test }
    }

    /// The lines of code outside tests, with their numbers from 1.
    pub(super) fn code_outside_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().filter(|(number, _)| !self.in_test.get(number - 1).copied().unwrap_or(false))
    }

    /// All lines of code.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// All lines of comments.
    pub(super) fn comments(&self) -> impl Iterator<Item = (usize, &str)> {
        self.comments.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `line` has `phrase`, and not only as the inside of longer words.
pub(super) fn mentions(line: &str, phrase: &str) -> bool {
    line.match_indices(phrase).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + phrase.len()..].chars().next();
        let cut = |neighbour: Option<char>, end: Option<char>| {
            end.is_some_and(is_word) && neighbour.is_some_and(is_word)
        };
        !cut(before, phrase.chars().next()) && !cut(after, phrase.chars().next_back())
    })
}

/// The words of a line of code, in order.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

fn parts(chars: &[char]) -> Vec<Part> {
    let mut parts = vec![Part::Code; chars.len()];
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut index = 0;
    while index < chars.len() {
        let after_word = index > 0 && is_word(chars[index - 1]);
        let (part, end) = match (chars[index], at(index + 1)) {
            ('/', '/') => (Part::Comment, line_end(chars, index)),
            ('/', '*') => (Part::Comment, block_comment_end(chars, index)),
            ('"', _) => (Part::Literal, string_end(chars, index + 1)),
            ('\'', next) if next == '\\' || at(index + 2) == '\'' => {
                (Part::Literal, character_end(chars, index))
            }
            ('r' | 'b' | 'c', _) if !after_word => match raw_string_end(chars, index) {
                Some(end) => (Part::Literal, end),
                None => (Part::Code, index + 1),
            },
            _ => (Part::Code, index + 1),
        };
        let end = end.min(chars.len());
        parts[index..end].fill(part);
        index = end;
    }
    parts
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|c| *c == '\n').map_or(chars.len(), |length| from + length)
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut index) = (0, from);
    while index < chars.len() {
        match chars[index..].get(..2) {
            Some(['/', '*']) => depth += 1,
            Some(['*', '/']) => depth -= 1,
            _ => {
                index += 1;
                continue;
            }
        }
        index += 2;
        if depth == 0 {
            break;
        }
    }
    index
}

/// Past the closing quote of a string whose inside begins at `from`.
fn string_end(chars: &[char], from: usize) -> usize {
    let mut index = from;
    while index < chars.len() {
        match chars[index] {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    index
}

fn character_end(chars: &[char], from: usize) -> usize {
    let inside = if chars[from + 1] == '\\' { from + 3 } else { from + 2 };
    let rest = chars.get(inside..).unwrap_or_default();
    rest.iter().position(|c| *c == '\'').map_or(chars.len(), |length| inside + length + 1)
}

/// If a raw string (`r"`, `br#"`, `cr##"`) begins at `from`, past its end.
fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let mut index = from;
    while matches!(chars.get(index), Some('r' | 'b' | 'c')) && index < from + 2 {
        index += 1;
    }
    if chars[index - 1] != 'r' {
        return None;
    }
    let hashes = chars[index..].iter().take_while(|c| **c == '#').count();
    index += hashes;
    if chars.get(index) != Some(&'"') {
        return None;
    }
    let is_end = |start: &usize| {
        chars[*start] == '"'
            && chars.get(start + 1..=start + hashes).is_some_and(|after| after.iter().all(|c| *c == '#'))
    };
    Some((index + 1..chars.len()).find(is_end).map_or(chars.len(), |quote| quote + 1 + hashes))
}

/// For each line of code, whether it belongs to an item under `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    let mut in_test = vec![false; code.lines().count()];
    let line_of = |place: usize| code[..place].matches('\n').count();
    for (start, attribute) in code.match_indices("#[cfg(") {
        let inside = start + attribute.len();
        let condition = &code[inside..inside + code[inside..].find(']').unwrap_or(0)];
        if mentions(condition, "test") && !mentions(condition, "not") {
            let last = line_of(item_end(code, start)).min(in_test.len().saturating_sub(1));
            in_test[line_of(start)..=last].fill(true);
        }
    }
    in_test
}

/// The end of the item whose attribute begins at `start`: its closing brace, or a `;` before any brace.
fn item_end(code: &str, start: usize) -> usize {
    let (mut braces, mut brackets) = (0, 0);
    for (place, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces <= 0 {
                    return start + place;
                }
            }
            ';' if braces == 0 && brackets == 0 => return start + place,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        RustSource::new(text).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn literals_and_comments_are_not_code() {
        assert_eq!(code("a // b\n/* c /* d */ e */ f"), "a f");
        assert_eq!(code(r#"a("b \" c") d"#), "a( ) d");
        assert_eq!(code("a(r#\"b \" c\"#) d(br\"e\\\") f"), "a( ) d( ) f");
        assert_eq!(code(r"a('b', '\'', '\u{1F600}') c<'d> e"), "a( , , ) c<'d> e");
        assert_eq!(code("for r in b { c }"), "for r in b { c }");
        assert_eq!(code("\"// a\" b // \"c"), "b");
    }

    #[test]
    fn comments_keep_their_lines() {
        let source = RustSource::new("a\n// b\n/// c\n");
        let comments: Vec<_> = source.comments().map(|(number, line)| (number, line.trim())).collect();
        assert_eq!(comments, [(1, ""), (2, "// b"), (3, "/// c")]);
    }

    #[test]
    fn items_for_tests_are_recognised() {
        let text = "fn a(x: [u8; 2]) {}\n#[cfg(test)]\nmod tests {\n fn b() { if c {} }\n}\nfn d() {}\n\
                    #[cfg(test)]\nuse e;\nfn f() {}\n#[cfg(not(test))]\nfn g() {}\n\
                    #[cfg(all(test, unix))]\nfn h(x: [u8; 2]) {\n}\nfn i() {}";
        let source = RustSource::new(text);
        let outside: Vec<_> = source.code_outside_tests().map(|(number, _)| number).collect();
        assert_eq!(outside, [1, 6, 9, 10, 11, 15]);
    }

    #[test]
    fn broken_source_ends_somewhere() {
        for text in ["\"", "'\\", "/*", "r#\"", "#[cfg(test", "#[cfg(test)]", "b", "'", ""] {
            let _ = RustSource::new(text);
        }
    }

    #[test]
    fn phrases_are_found_as_words_only() {
        assert!(mentions("x = std::env::var()", "std::env") && !mentions("std::environment", "std::env"));
        assert!(mentions("env::var()", "env::") && !mentions("my_env::var()", "env::"));
        assert_eq!(words("let a_b = c(1);").collect::<Vec<_>>(), ["let", "a_b", "c", "1"]);
    }
}
