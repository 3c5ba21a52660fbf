use super::*;

// As written by numpy and Python: {b'data': uint8 2 × 3, 'labels': [7, -8, 300], 'x': (1.5, None, True)}.
const PROTOCOL_0: &[u8] = b"(dp0\nc_codecs\nencode\np1\n(Vdata\np2\nVlatin1\np3\ntp4\nRp5\ncnumpy._core.multiarray\n_reconstruct\np6\n(cnumpy\nndarray\np7\n(I0\ntp8\ng1\n(Vb\np9\ng3\ntp10\nRp11\ntp12\nRp13\n(I1\n(I2\nI3\ntp14\ncnumpy\ndtype\np15\n(Vu1\np16\nI00\nI01\ntp17\nRp18\n(I3\nV|\np19\nNNNI-1\nI-1\nI0\ntp20\nbI00\ng1\n(V\x01\x02\xc8\x04\x05\x06\np21\ng3\ntp22\nRp23\ntp24\nbsVlabels\np25\n(lp26\nI7\naI-8\naI300\nasVx\np27\n(F1.5\nNI01\ntp28\ns.";
const PROTOCOL_2: &[u8] = b"\x80\x02}q\x00(c_codecs\nencode\nq\x01X\x04\x00\x00\x00dataq\x02X\x06\x00\x00\x00latin1q\x03\x86q\x04Rq\x05cnumpy._core.multiarray\n_reconstruct\nq\x06cnumpy\nndarray\nq\x07K\x00\x85q\x08h\x01X\x01\x00\x00\x00bq\x09h\x03\x86q\nRq\x0b\x87q\x0cRq\x0d(K\x01K\x02K\x03\x86q\x0ecnumpy\ndtype\nq\x0fX\x02\x00\x00\x00u1q\x10\x89\x88\x87q\x11Rq\x12(K\x03X\x01\x00\x00\x00|q\x13NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x14b\x89h\x01X\x07\x00\x00\x00\x01\x02\xc3\x88\x04\x05\x06q\x15h\x03\x86q\x16Rq\x17tq\x18bX\x06\x00\x00\x00labelsq\x19]q\x1a(K\x07J\xf8\xff\xff\xffM,\x01eX\x01\x00\x00\x00xq\x1bG?\xf8\x00\x00\x00\x00\x00\x00N\x88\x87q\x1cu.";
const PROTOCOL_4: &[u8] = b"\x80\x04\x95\xc4\x00\x00\x00\x00\x00\x00\x00}\x94(C\x04data\x94\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x02K\x03\x86\x94h\x05\x8c\x05dtype\x94\x93\x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b\x89C\x06\x01\x02\xc8\x04\x05\x06\x94t\x94b\x8c\x06labels\x94]\x94(K\x07J\xf8\xff\xff\xffM,\x01e\x8c\x01x\x94G?\xf8\x00\x00\x00\x00\x00\x00N\x88\x87\x94u.";
const PROTOCOL_5: &[u8] = b"\x80\x05\x95\xaf\x00\x00\x00\x00\x00\x00\x00}\x94(C\x04data\x94\x8c\x13numpy._core.numeric\x94\x8c\x0b_frombuffer\x94\x93\x94(\x96\x06\x00\x00\x00\x00\x00\x00\x00\x01\x02\xc8\x04\x05\x06\x94\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94bK\x02K\x03\x86\x94\x8c\x01C\x94t\x94R\x94\x8c\x06labels\x94]\x94(K\x07J\xf8\xff\xff\xffM,\x01e\x8c\x01x\x94G?\xf8\x00\x00\x00\x00\x00\x00N\x88\x87\x94u.";
/// numpy.asfortranarray([[1, 2, 3], [4, 5, 6]]) of big-endian single precision, in the form of Python 2.
const FORTRAN: &[u8] = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03U\x01bq\x04\x87q\x05Rq\x06(K\x01K\x02K\x03\x86q\x07cnumpy\ndtype\nq\x08U\x02f4q\x09K\x00K\x01\x87q\x0aRq\x0b(K\x03U\x01>q\x0cNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0db\x88U\x18\x3f\x80\x00\x00\x40\x80\x00\x00\x40\x00\x00\x00\x40\xa0\x00\x00\x40\x40\x00\x00\x40\xc0\x00\x00q\x0etq\x0fb.";
/// [numpy.int64(5), numpy.float32(0.5)].
const SCALARS: &[u8] = b"\x80\x04\x95\x9f\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x16numpy._core.multiarray\x94\x8c\x06scalar\x94\x93\x94\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94\x8c\x02i8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94bC\x08\x05\x00\x00\x00\x00\x00\x00\x00\x94\x86\x94R\x94h\x03h\x06\x8c\x02f4\x94\x89\x88\x87\x94R\x94(K\x03h\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94bC\x04\x00\x00\x00?\x94\x86\x94R\x94e.";

fn read(bytes: &[u8]) -> Result<Pickle, DataError> {
    Pickle::decode(bytes, Path::new("some-pickle"))
}

fn fault(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn all_protocols_of_python_3_give_the_same() {
    for bytes in [PROTOCOL_0, PROTOCOL_2, PROTOCOL_4, PROTOCOL_5] {
        let pickle = read(bytes).unwrap();
        let root = pickle.root();
        let data = root.entry("data").unwrap().array().unwrap();
        assert_eq!(data.to_u8().unwrap(), ndarray::array![[1, 2, 200], [4, 5, 6]].into_dyn());
        assert_eq!(root.entry("labels").unwrap().integers().unwrap(), [7, -8, 300]);
        let members: Vec<Item> = root.entry("x").unwrap().members().unwrap().collect();
        assert_eq!(members[0].number().unwrap(), 1.5);
        assert_eq!(members[2].integer().unwrap(), 1);
        let error = members[1].integer().unwrap_err().to_string();
        assert!(error.starts_with("some-pickle: entry 'x', member 1: None instead of an integer"), "{error}");
    }
}

#[test]
fn pickles_of_python_2_are_read() {
    let of_0 = b"(dp1\nS'raw'\np2\nS\"a\\n'b\\\\\\xff\"\np3\nsS'labels'\np4\n(lp5\nI7\naI-8\naL300L\nasS'name'\np6\nV\xe9\\u20ac\np7\ns.";
    let of_2 = b"\x80\x02}q\x01(U\x03rawq\x02U\x06a\n'b\\\xffq\x03U\x06labelsq\x04]q\x05(K\x07\x8a\x01\xf8M,\x01eU\x04nameq\x06X\x05\x00\x00\x00\xc3\xa9\xe2\x82\xacq\x07u.";
    for bytes in [&of_0[..], of_2] {
        let pickle = read(bytes).unwrap();
        assert_eq!(pickle.root().entry("labels").unwrap().integers().unwrap(), [7, -8, 300]);
        assert_eq!(pickle.root().entry("name").unwrap().text().unwrap(), "é€");
        let raw = pickle.root().entry("raw").unwrap();
        assert_eq!(raw.string_of(raw.id).unwrap(), b"a\n'b\\\xff");
        assert!(raw.text().is_err());
    }
}

#[test]
fn fortran_order_and_big_endian_numbers_are_read() {
    let pickle = read(FORTRAN).unwrap();
    let array = pickle.root().array().unwrap();
    assert_eq!(array.to_f32(), ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].into_dyn());
    assert_eq!(pickle.root().integers().unwrap(), [1, 2, 3, 4, 5, 6]);
    let pickle = read(SCALARS).unwrap();
    let members: Vec<Item> = pickle.root().members().unwrap().collect();
    assert_eq!(members[0].integer().unwrap(), 5);
    assert!(members[1].integer().is_err());
}

#[test]
fn a_file_cut_off_anywhere_is_an_error_with_the_byte() {
    for whole in [PROTOCOL_0, PROTOCOL_2, PROTOCOL_4, PROTOCOL_5, FORTRAN, SCALARS] {
        for length in 0..whole.len() {
            let error = fault(&whole[..length]);
            assert!(error.starts_with("some-pickle: byte ") && error.contains("the file ends"), "{error}");
        }
    }
    assert!(fault(&PROTOCOL_2[..60]).contains("byte 54: "), "{}", fault(&PROTOCOL_2[..60]));
}

#[test]
fn damaged_bytes_never_panic() {
    for whole in [PROTOCOL_0, PROTOCOL_2, PROTOCOL_4, PROTOCOL_5, FORTRAN, SCALARS] {
        for at in 0..whole.len() {
            for value in [0, 1, b'(', b'.', b'R', b'b', b't', b'0', 0x7f, 0x80, 0xff] {
                let mut bytes = whole.to_vec();
                bytes[at] = value;
                if let Ok(pickle) = read(&bytes) {
                    let root = pickle.root();
                    let _ = (root.array(), root.integers(), root.text(), root.number());
                    let _ = root.entry("data").and_then(|item| item.array());
                }
            }
        }
    }
}

#[test]
fn nothing_is_executed() {
    let shell = b"cos\nsystem\n(S'echo gotcha'\ntR.";
    assert_eq!(
        fault(shell),
        "some-pickle: byte 0: the pickle asks for 'os.system', which is never executed; if you trust its \
         author, let Python write plain arrays instead"
    );
    assert!(
        fault(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.")
            .contains("byte 18: the pickle asks for 'builtins.eval'")
    );
    for (bytes, name) in [
        (&b"(ios\nsystem\n."[..], "the creation of an object"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "the creation of an object"),
        (b"Psome\n.", "outside the file"),
        (b"\x82\x01.", "an extension"),
        (b"\x80\x04\x8f.", "a set"),
        (b"\xfe.", "0xfe is no instruction"),
        (b"<!DOCTYPE html>", "0x3c is no instruction"),
        (b"\x80\x09.", "protocol 9"),
        (b"}}b.", "the state of an object"),
        (b"cnumpy\nndarray\n)R.", "unusual arguments of NdArray"),
        (b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR.", "of the type 'O8'"),
    ] {
        assert!(fault(bytes).contains(name), "{}", fault(bytes));
    }
}

#[test]
fn claimed_sizes_are_compared_with_the_file_first() {
    let huge = b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.";
    assert!(fault(huge).contains("9223372036854775807 bytes should follow, but the file ends after 1"));
    assert!(fault(b"T\xff\xff\xff\xffab").contains("4294967295 bytes should follow"));
    assert!(fault(b"\x8b\xff\xff\xff\x7f.").contains("more than 64 bits"));
    // The shape of an array: (255, 255, 255) instead of (2, 3).
    let shape = PROTOCOL_2.windows(5).position(|bytes| bytes == b"K\x02K\x03\x86").unwrap();
    let mut bytes = PROTOCOL_2.to_vec();
    bytes[shape + 1] = 255;
    assert!(fault(&bytes).contains("an array with 6 bytes, but shape [255, 3] of U8 asks for 765"));
    bytes.splice(shape..shape + 4, [[b'J', 0xff, 0xff, 0xff, 0x7f]; 2].concat());
    assert!(fault(&bytes).contains("shape [2147483647, 2147483647]"), "{}", fault(&bytes));
}

#[test]
fn small_files_do_not_unfold_into_large_values() {
    // Text of 1,000 characters that is made into bytes again and again.
    let mut bytes = b"\x80\x02c_codecs\nencode\nq\x00X\xe8\x03\x00\x00".to_vec();
    bytes.extend([b'a'; 1000]);
    bytes.extend(b"U\x06latin1\x86q\x010");
    bytes.extend([&b"h\x00h\x01R0"[..]; 50].concat());
    bytes.extend(b"N.");
    assert!(fault(&bytes).contains("far larger than the file"), "{}", fault(&bytes));
    // A list within itself, and lists of ten lists of ten lists: sharing is kept.
    let pickle = read(b"]q\x00h\x00a.").unwrap();
    let mut item = pickle.root();
    for _ in 0..1000 {
        item = item.members().unwrap().next().unwrap();
    }
    let mut bytes = b"]q\x00".to_vec();
    for level in 1..200u8 {
        bytes.extend([b'(', b'h', level - 1, b'h', level - 1, b'l', b'q', level]);
    }
    bytes.push(b'.');
    assert!(read(&bytes).unwrap().objects.len() <= 200);
}

#[test]
fn instructions_without_operands_are_errors() {
    for bytes in [
        &b"."[..],
        b"0.",
        b"t.",
        b"(K\x01K\x02K\x03d.",
        b"h\x05.",
        b"N(0.",
        b"NK\x01a.",
        b"K\x01K\x02R.",
        b"2.",
    ] {
        assert!(fault(bytes).starts_with("some-pickle: byte "), "{}", fault(bytes));
    }
    assert!(fault(b"Iabc\n.").contains("'abc' is no number"));
}

#[test]
fn wrong_keys_are_answered_with_the_right_ones() {
    let pickle = read(PROTOCOL_4).unwrap();
    let error = pickle.root().entry("fine_labels").unwrap_err().to_string();
    assert!(error.contains("no entry 'fine_labels'; the keys are 'data', 'labels', 'x'"), "{error}");
    let error = pickle.root().entry("labels").unwrap().array().unwrap_err().to_string();
    assert!(error.contains("entry 'labels': a list instead of an array"), "{error}");
    assert!(
        read(b"N.").unwrap().root().entry("data").unwrap_err().to_string().contains("None instead of a dict")
    );
}

#[test]
fn a_packed_file_is_read_and_an_absent_one_named() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pickle.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), Default::default());
    encoder.write_all(PROTOCOL_2).unwrap();
    encoder.finish().unwrap();
    assert_eq!(Pickle::read(&path).unwrap().root().entry("labels").unwrap().integers().unwrap().len(), 3);
    assert!(matches!(Pickle::read(&folder.path().join("none")), Err(DataError::Absent { .. })));
}
