//! One file as the rules see it: its text, its code without comments and literals, its code without tests.
//!
//! Not a parser: lines keep their numbers, everything else that could mislead a search is blanked out.

use std::path::Path;

/// A file and its readings. All have the same lines.
pub struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
    /// Without comments and without what stands between quotes.
    pub code: String,
    /// The same without test modules; empty in a file that is all test.
    pub production: String,
    /// The text without test modules; empty in a file that is all test.
    pub shipped: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self::with_role(path, text, is_test_path(path))
    }

    /// `is_test` for a file that is declared `#[cfg(test)]` by another.
    pub fn with_role(path: &str, text: &str, is_test: bool) -> Self {
        let is_rust = is_rust(path);
        let code = if is_rust { code_of(text) } else { text.to_owned() };
        let (production, shipped) = match (is_test, is_rust) {
            (true, _) => (String::new(), String::new()),
            (false, true) => (without_test_modules(&code, &code), without_test_modules(text, &code)),
            (false, false) => (code.clone(), text.to_owned()),
        };
        Self { path: path.to_owned(), text: text.to_owned(), code, production, shipped }
    }

    pub fn is_rust(&self) -> bool {
        is_rust(&self.path)
    }

    /// Whether this is module `name` (`src/name.rs`) or in it.
    pub fn is_of(&self, name: &str) -> bool {
        let rest = self.path.strip_prefix("src/").and_then(|path| path.strip_prefix(name));
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }
}

pub fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

pub fn is_test_path(path: &str) -> bool {
    let whole = ["tests/", "benches/", "end2end/"].iter().any(|folder| path.starts_with(folder));
    whole || path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The lines, counted from one, that `is_breach`.
pub fn lines_where(text: &str, is_breach: impl Fn(&str) -> bool) -> Vec<usize> {
    text.lines().enumerate().filter(|(_, line)| is_breach(line)).map(|(index, _)| index + 1).collect()
}

/// The lines on which `needle` stands as a whole word (or phrase).
pub fn lines_with_word(text: &str, needle: &str) -> Vec<usize> {
    lines_where(text, |line| places_of_word(line, needle).next().is_some())
}

/// Where `needle` begins, not as part of a longer word.
pub fn places_of_word<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_free = |character: Option<char>| !character.is_some_and(is_of_word);
    let starts_word = needle.starts_with(is_of_word);
    let ends_word = needle.ends_with(is_of_word);
    text.match_indices(needle).map(|(place, _)| place).filter(move |place| {
        (!starts_word || is_free(text[..*place].chars().next_back()))
            && (!ends_word || is_free(text[place + needle.len()..].chars().next()))
    })
}

pub fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

pub fn line_of(text: &str, place: usize) -> usize {
    text[..place].matches('\n').count() + 1
}

/// Names declared as `#[cfg(test)] mod name;`.
pub fn test_modules(text: &str) -> Vec<String> {
    let code = code_of(text);
    let mut lines = code.lines().map(str::trim);
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            continue;
        }
        let declared = lines.find(|line| !line.starts_with("#["));
        let name = declared.and_then(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
        found.extend(name.map(str::to_owned));
    }
    found
}

/// Blanks each `#[cfg(test)] mod … { … }`, found in `code`, out of `text`, which has the same lines.
fn without_test_modules(text: &str, code: &str) -> String {
    let mut kept = String::new();
    let (mut gated, mut end) = (false, None);
    for (line, code) in text.lines().zip(code.lines()) {
        let (indent, rest) = code.split_at(code.len() - code.trim_start().len());
        match &end {
            Some(closing) if code.trim_end() == *closing => end = None,
            Some(_) => {}
            None if gated && rest.contains("mod ") && rest.trim_end().ends_with('{') => {
                end = Some(format!("{indent}}}"));
            }
            None => kept.push_str(line),
        }
        gated = rest.trim_end() == "#[cfg(test)]" || (gated && rest.starts_with("#["));
        kept.push('\n');
    }
    kept
}

/// Rust text with comments and the insides of literals blanked out.
pub fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = token_to_blank(rest, &code).unwrap_or(0);
        if length == 0 {
            code.push(character);
            rest = &rest[character.len_utf8()..];
            continue;
        }
        let (blanked, after) = rest.split_at(length);
        code.extend(blanked.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        rest = after;
    }
    code
}

/// The length of the comment or literal that `rest` begins with.
fn token_to_blank(rest: &str, before: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |place| place + 2));
    }
    if rest.starts_with('"') {
        return Some(quoted_length(rest));
    }
    if rest.starts_with('\'') {
        return char_length(rest);
    }
    if rest.starts_with('r') && !before.ends_with(|last: char| is_of_word(last) && last != 'b') {
        let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
        let closing = format!("\"{}", "#".repeat(hashes));
        let body = rest[1 + hashes..].strip_prefix('"')?;
        return Some(2 + hashes + body.find(&closing).map_or(body.len(), |place| place + closing.len()));
    }
    None
}

fn quoted_length(rest: &str) -> usize {
    let mut is_escaped = false;
    for (place, character) in rest.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal, not a lifetime.
fn char_length(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    let (_, first) = characters.next()?;
    if first == '\\' {
        return rest.char_indices().skip(3).find(|(_, character)| *character == '\'').map(|(place, _)| place + 1);
    }
    characters.next().filter(|(_, second)| *second == '\'').map(|(place, _)| place + 1)
}
