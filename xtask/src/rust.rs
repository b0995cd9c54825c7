//! Rust source text to words and punctuation, without comments and literals. `unsafety` and `limits` search it.
//! Invariant: whatever the text is, the result is some list of words; nothing here fails.

/// The words and the other visible characters of `text`, in order. Comments, strings, characters and the
/// quotes of lifetimes are left out.
pub fn words(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let mut words = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let start = i;
        match bytes[i] {
            b'/' if at(i + 1) == b'/' => i = line_end(bytes, i),
            b'/' if at(i + 1) == b'*' => i = comment_end(bytes, i),
            b'"' => i = string_end(bytes, i),
            b'\'' => i = char_end(bytes, i),
            byte if is_word(byte) => {
                while is_word(at(i)) {
                    i += 1;
                }
                let word = &text[start..i];
                match word {
                    // Prefixes of literals.
                    "r" | "br" | "cr" if matches!(at(i), b'"' | b'#') => match raw_end(bytes, i) {
                        Some(end) => i = end,
                        None => i += 1,
                    },
                    "b" | "c" if at(i) == b'"' => i = string_end(bytes, i),
                    "b" if at(i) == b'\'' => i = char_end(bytes, i),
                    _ => words.push(word),
                }
            }
            byte => {
                i += 1;
                if byte.is_ascii_graphic() {
                    words.push(&text[start..i]);
                }
            }
        }
    }
    words
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| from + at)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], from: usize) -> usize {
    let (mut i, mut depth) = (from, 0);
    while i < bytes.len() {
        match &bytes[i..] {
            [b'/', b'*', ..] => (i, depth) = (i + 2, depth + 1),
            [b'*', b'/', ..] => (i, depth) = (i + 2, depth - 1),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut i = from + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'"' => return i + 1,
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The end of a raw string whose hash signs begin at `from`; `None` for a raw identifier.
fn raw_end(bytes: &[u8], from: usize) -> Option<usize> {
    let hashes = bytes[from..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(from + hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'#'; hashes + 1];
    end[0] = b'"';
    let start = from + hashes + 1;
    let found = bytes[start..].windows(end.len()).position(|window| window == end);
    Some(found.map_or(bytes.len(), |at| start + at + end.len()))
}

/// The end of a character, or of the quote that begins a lifetime.
fn char_end(bytes: &[u8], from: usize) -> usize {
    let rest = &bytes[from + 1..];
    if rest.first() == Some(&b'\\') {
        let close = rest.iter().skip(2).position(|byte| *byte == b'\'');
        return close.map_or(bytes.len(), |at| from + 1 + at + 3);
    }
    // One character of up to four bytes, then a quote; else a lifetime.
    let close = rest.iter().take(5).skip(1).position(|byte| *byte == b'\'');
    match close {
        Some(at) if at == 0 || rest[0] >= 0x80 => from + 1 + at + 2,
        _ => from + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_left_out() {
        let cases: &[(&str, &[&str])] = &[
            ("a // unsafe\nb", &["a", "b"]),
            ("a /* unsafe /* unsafe */ unsafe */ b", &["a", "b"]),
            (r#"f("unsafe \" unsafe", b"unsafe", c"unsafe")"#, &["f", "(", ",", ",", ")"]),
            (r###"f(r"unsafe\", br#"unsafe " unsafe"#, g)"###, &["f", "(", ",", ",", "g", ")"]),
            ("r#unsafe r", &["unsafe", "r"]),
            (r"'u' '\'' b'u' '\u{41}' x", &["x"]),
            ("&'a str, 'é' 'static", &["&", "a", "str", ",", "static"]),
            ("#![forbid(unsafe_code)]", &["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"]),
            ("\"never closed", &[]),
            ("/* never closed", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), *expected, "{text}");
        }
    }
}
