//! The machine that reads a pickle: instructions, stack and memo.

use std::collections::HashMap;
use std::path::Path;

use crate::DataError;

use super::numpy::Function;
use super::{Id, Object};

/// What is wrong, and what to do.
struct Fault(String, &'static str);

const DAMAGED: &str = "the file is damaged or no pickle; obtain it again";
const TOO_MANY: &str = "more than 16 million objects";
const REFUSED: &str = "write plain lists, dictionaries and arrays of numbers";

impl From<String> for Fault {
    fn from(fault: String) -> Self {
        Self(fault, REFUSED)
    }
}

fn damaged<T>(fault: impl Into<String>) -> Result<T, Fault> {
    Err(Fault(fault.into(), DAMAGED))
}

/// Most objects of a pickle, and most references to them on its stack and in its memo: 16 million.
const MAX_OBJECTS: usize = 1 << 24;

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks that are open.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Bytes that objects may still take beyond a fixed amount each.
    budget: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        // Text and its bytes are both kept, and Latin-1 text grows to twice its length at most.
        let budget = bytes.len().saturating_mul(4);
        Self {
            bytes,
            at: 0,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            budget,
        }
    }

    /// Reads to the end of the pickle: all objects, and the one that was pickled.
    pub(super) fn run(mut self, name: &Path) -> Result<(Vec<Object>, Id), DataError> {
        loop {
            let start = self.at;
            let counts = [self.objects.len(), self.stack.len(), self.marks.len(), self.memo.len()];
            let largest = counts.into_iter().max().unwrap_or(0);
            let room = if largest < MAX_OBJECTS { Ok(()) } else { Err(Fault::from(TOO_MANY.to_string())) };
            match room.and_then(|()| self.step()) {
                Ok(None) => {}
                Ok(Some(root)) => return Ok((self.objects, root)),
                Err(Fault(fault, remedy)) => {
                    return Err(DataError::malformed(name, format!("byte {start}"), fault, remedy));
                }
            }
        }
    }

    pub(super) fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    /// Accounts for memory whose amount an instruction sets otherwise than by its own length.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.budget.checked_sub(bytes);
        self.budget = left.ok_or("objects that together are far larger than the file")?;
        Ok(())
    }

    /// Carries out one instruction; at the last one, gives the pickled object.
    fn step(&mut self) -> Result<Option<Id>, Fault> {
        match self.take(1)?[0] {
            0x80 => {
                let version = self.take(1)?[0];
                if version > 5 {
                    return Err(Fault(format!("pickle protocol {version}"), "write it with protocol 2 to 5"));
                }
            }
            b'.' => return self.pop().map(Some),
            0x95 => drop(self.take(8)?), // the length of a frame, which only helps to read in pieces
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }

            b'N' => self.push(Object::None)?,
            0x88 => self.push(Object::Bool(true))?,
            0x89 => self.push(Object::Bool(false))?,
            b'K' => {
                let value = self.unsigned(1)?;
                self.push(Object::Integer(value as i64))?;
            }
            b'M' => {
                let value = self.unsigned(2)?;
                self.push(Object::Integer(value as i64))?;
            }
            b'J' => {
                let value = self.unsigned(4)? as u32 as i32;
                self.push(Object::Integer(value.into()))?;
            }
            0x8a => {
                let length = self.unsigned(1)?;
                self.long(length)?;
            }
            0x8b => {
                let length = self.unsigned(4)?;
                self.long(length)?;
            }
            b'I' => match self.line()? {
                b"00" => self.push(Object::Bool(false))?,
                b"01" => self.push(Object::Bool(true))?,
                digits => self.parsed(digits, Object::Integer)?,
            },
            b'L' => {
                let digits = self.line()?;
                self.parsed(digits.strip_suffix(b"L").unwrap_or(digits), Object::Integer)?;
            }
            b'F' => {
                let digits = self.line()?;
                self.parsed(digits, Object::Float)?;
            }
            b'G' => {
                // The only big-endian number of the language.
                let bits = self.unsigned(8)?.swap_bytes();
                self.push(Object::Float(f64::from_bits(bits)))?;
            }

            b'U' | b'C' => self.bytes(1)?,
            b'T' | b'B' => self.bytes(4)?,
            0x8e | 0x96 => self.bytes(8)?,
            0x8c => self.text(1)?,
            b'X' => self.text(4)?,
            0x8d => self.text(8)?,
            b'S' => {
                let literal = self.line()?.trim_ascii_end();
                let bytes = unquoted(literal).map_or_else(|| damaged("a string without quotes"), Ok)?;
                self.push(Object::Bytes(bytes))?;
            }
            b'V' => {
                let literal = self.line()?;
                let text = unescaped(literal).map_or_else(|| damaged("text with a wrong escape"), Ok)?;
                self.push(Object::Text(text))?;
            }

            b')' => self.push(Object::Tuple(Vec::new()))?,
            b']' => self.push(Object::List(Vec::new()))?,
            b'}' => self.push(Object::Dict(Vec::new()))?,
            count @ 0x85..=0x87 => {
                let mut members = vec![0; usize::from(count - 0x84)];
                for member in members.iter_mut().rev() {
                    *member = self.pop()?;
                }
                self.push(Object::Tuple(members))?;
            }
            b't' => {
                let members = self.pop_to_mark()?;
                self.push(Object::Tuple(members))?;
            }
            b'l' => {
                let members = self.pop_to_mark()?;
                self.push(Object::List(members))?;
            }
            b'd' => {
                let entries = paired(&self.pop_to_mark()?)?;
                self.push(Object::Dict(entries))?;
            }
            b'a' => {
                let member = self.pop()?;
                self.extend_list(vec![member])?;
            }
            b'e' => {
                let members = self.pop_to_mark()?;
                self.extend_list(members)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(vec![(key, value)])?;
            }
            b'u' => {
                let entries = paired(&self.pop_to_mark()?)?;
                self.extend_dict(entries)?;
            }

            b'p' => {
                let digits = self.line()?;
                let slot = number(digits)?;
                self.store(slot)?;
            }
            b'q' => {
                let slot = self.unsigned(1)? as u32;
                self.store(slot)?;
            }
            b'r' => {
                let slot = self.unsigned(4)? as u32;
                self.store(slot)?;
            }
            0x94 => self.store(self.memo.len() as u32)?,
            b'g' => {
                let digits = self.line()?;
                let slot = number(digits)?;
                self.recall(slot)?;
            }
            b'h' => {
                let slot = self.unsigned(1)? as u32;
                self.recall(slot)?;
            }
            b'j' => {
                let slot = self.unsigned(4)? as u32;
                self.recall(slot)?;
            }

            b'c' => {
                let module = String::from_utf8_lossy(self.line()?).into_owned();
                let name = String::from_utf8_lossy(self.line()?).into_owned();
                self.function(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Object::Text(module), Object::Text(name)) = (self.object(module), self.object(name))
                else {
                    return damaged("a function whose name is no text");
                };
                let (module, name) = (module.clone(), name.clone());
                self.function(&module, &name)?;
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let (&Object::Function(function), Object::Tuple(arguments)) =
                    (self.object(function), self.object(arguments))
                else {
                    return damaged("a call of what is no function");
                };
                let arguments: Vec<Id> = arguments.iter().take(8).copied().collect();
                let result = self.call(function, &arguments)?;
                self.push(result)?;
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                let built = self.build(object, state)?;
                self.objects[object as usize] = built;
            }
            other => return Err(unknown(other)),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            let rest = self.bytes.len() - self.at;
            return damaged(format!("{count} bytes should follow, but the file ends after {rest} of them"));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return damaged("a line should follow, but the file ends before its end");
        };
        self.at += length + 1;
        Ok(&rest[..length])
    }

    /// A little-endian number of up to 8 bytes.
    fn unsigned(&mut self, count: usize) -> Result<u64, Fault> {
        let mut value = [0; 8];
        value[..count].copy_from_slice(self.take(count)?);
        Ok(u64::from_le_bytes(value))
    }

    fn counted(&mut self, width: usize) -> Result<&'a [u8], Fault> {
        let length = self.unsigned(width)?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn bytes(&mut self, width: usize) -> Result<(), Fault> {
        let bytes = self.counted(width)?.to_vec();
        self.push(Object::Bytes(bytes))
    }

    fn text(&mut self, width: usize) -> Result<(), Fault> {
        match std::str::from_utf8(self.counted(width)?) {
            Ok(text) => self.push(Object::Text(text.into())),
            Err(_) => damaged("text that is not UTF-8"),
        }
    }

    /// An integer of `length` bytes in two's complement.
    fn long(&mut self, length: u64) -> Result<(), Fault> {
        if length > 8 {
            return Err(Fault("an integer of more than 64 bits".into(), REFUSED));
        }
        let bytes = self.take(length as usize)?;
        let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
        let mut value = [sign; 8];
        value[..bytes.len()].copy_from_slice(bytes);
        self.push(Object::Integer(i64::from_le_bytes(value)))
    }

    fn parsed<T: std::str::FromStr>(&mut self, digits: &[u8], object: fn(T) -> Object) -> Result<(), Fault> {
        let value = number(digits)?;
        self.push(object(value))
    }

    fn push(&mut self, object: Object) -> Result<(), Fault> {
        let id = self.objects.len() as Id;
        self.objects.push(object);
        self.stack.push(id);
        Ok(())
    }

    /// Takes the top of the stack, which has to lie above the last mark.
    fn pop(&mut self) -> Result<Id, Fault> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Id, Fault> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        match self.stack.get(bottom..).and_then(<[Id]>::last) {
            Some(&top) => Ok(top),
            None => damaged("an instruction needs an object, but there is none"),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Fault> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => damaged("an instruction needs a mark, but there is none"),
        }
    }

    fn extend_list(&mut self, members: Vec<Id>) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.objects[top as usize] {
            Object::List(list) => list.extend(members),
            _ => return damaged("members are given to what is no list"),
        }
        Ok(())
    }

    fn extend_dict(&mut self, entries: Vec<(Id, Id)>) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.objects[top as usize] {
            Object::Dict(dict) => dict.extend(entries),
            _ => return damaged("entries are given to what is no dictionary"),
        }
        Ok(())
    }

    fn store(&mut self, slot: u32) -> Result<(), Fault> {
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), Fault> {
        match self.memo.get(&slot) {
            Some(&id) => self.stack.push(id),
            None => return damaged(format!("object {slot} is used before it is stored")),
        }
        Ok(())
    }

    fn function(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let Some(function) = Function::named(module, name) else {
            let fault = format!("the pickle asks for '{module}.{name}', which is never executed");
            return Err(Fault(fault, "if you trust its author, let Python write plain arrays instead"));
        };
        self.push(Object::Function(function))
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Result<T, Fault> {
    match std::str::from_utf8(digits).ok().and_then(|digits| digits.trim().parse().ok()) {
        Some(value) => Ok(value),
        None => {
            let shown = String::from_utf8_lossy(&digits[..digits.len().min(40)]);
            damaged(format!("'{shown}' is no number that can be read"))
        }
    }
}

fn paired(members: &[Id]) -> Result<Vec<(Id, Id)>, Fault> {
    match members.len() % 2 {
        0 => Ok(members.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()),
        _ => damaged("a dictionary with a key that has no value"),
    }
}

fn unknown(code: u8) -> Fault {
    let name = match code {
        b'P' | b'Q' => "a reference to an object outside the file",
        b'i' | b'o' | 0x81 | 0x92 => "the creation of an object of a class",
        0x82..=0x84 => "an extension of Python",
        0x8f..=0x91 => "a set",
        0x97 | 0x98 => "a buffer outside the file",
        _ => return Fault(format!("0x{code:02x} is no instruction"), DAMAGED),
    };
    Fault(format!("instruction 0x{code:02x}: {name}"), REFUSED)
}

/// The bytes of a string as Python 2 prints it: in quotes, with escapes.
fn unquoted(literal: &[u8]) -> Option<Vec<u8>> {
    let (&quote, rest) = literal.split_first()?;
    let content = rest.strip_suffix(&[quote]).filter(|_| quote == b'\'' || quote == b'"')?;
    let mut bytes = Vec::with_capacity(content.len());
    let mut rest = content.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(if byte != b'\\' {
            byte
        } else {
            match rest.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => hexadecimal(&mut rest, 2)? as u8,
                same @ (b'\\' | b'\'' | b'"') => same,
                _ => return None,
            }
        });
    }
    Some(bytes)
}

/// Text of protocol 0: Latin-1, other characters escaped by `\u` with four or `\U` with eight hexadecimal digits.
fn unescaped(literal: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(literal.len());
    let mut rest = literal.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let digits = match (byte, rest.peek()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(byte.into());
                continue;
            }
        };
        rest.next();
        text.push(char::from_u32(hexadecimal(&mut rest, digits)?)?);
    }
    Some(text)
}

fn hexadecimal(bytes: &mut impl Iterator<Item = u8>, digits: usize) -> Option<u32> {
    (0..digits).try_fold(0, |value, _| Some(16 * value + char::from(bytes.next()?).to_digit(16)?))
}
