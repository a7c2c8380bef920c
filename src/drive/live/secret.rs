//! Secrets: masked by value on every way out, and pinned in the journal by a keyed digest only (R23).
//!
//! Masking knows a secret by what it is, not by where it stands: the value itself and the shapes that programs give it
//! (JSON, URL, base64, a quoted shell word). It must not know who asks.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// What stands in the place of a secret.
pub const MASK: &str = "[secret]";

/// A secret is at least that many bytes long. A shorter one cannot be masked by value: it would be found everywhere, and
/// the holes would tell what it is. Where one is declared, it is refused.
pub const LENGTH_MIN: usize = 4;

/// A line of a secret of several lines is masked by itself from that length on (a private key printed line by line).
const LINE_MIN: usize = 8;

/// The secret values of a run and all the shapes in which they are recognised. Cheap to clone.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeSet<String>,
    /// `None` while there is nothing to mask.
    finder: Option<Arc<Finder>>,
}

struct Finder {
    shapes: AhoCorasick,
    longest: usize,
}

/// Never shows a value.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

impl Secrets {
    /// The secrets of a run. Values that are too short to be masked are left out; see [`can_be_kept`].
    pub fn new<'a>(values: impl IntoIterator<Item = &'a Json>) -> Self {
        let mut secrets = Self::default();
        for value in values {
            collect(value, &mut secrets.values);
        }
        secrets.build();
        secrets
    }

    /// These and one more.
    #[must_use]
    pub fn with(&self, value: &Json) -> Self {
        let mut more = self.clone();
        collect(value, &mut more.values);
        more.build();
        more
    }

    fn build(&mut self) {
        let shapes: BTreeSet<Vec<u8>> = self.values.iter().flat_map(|value| shapes(value)).collect();
        let longest = shapes.iter().map(Vec::len).max().unwrap_or(0);
        self.finder = (longest > 0).then(|| {
            let shapes = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(&shapes)
                .expect("a few short patterns stay far below the limits of the automaton");
            Arc::new(Finder { shapes, longest })
        });
    }

    /// Whether any secret stands in the text, in any shape.
    pub fn appear_in(&self, text: &str) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.shapes.is_match(text))
    }

    /// The text with every secret replaced by [`MASK`].
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(finder) = &self.finder else { return Cow::Borrowed(text) };
        let mut masked = String::new();
        let mut from = 0;
        for found in finder.shapes.find_iter(text) {
            masked.push_str(&text[from..found.start()]);
            masked.push_str(MASK);
            from = found.end();
        }
        if from == 0 {
            return Cow::Borrowed(text);
        }
        masked.push_str(&text[from..]);
        Cow::Owned(masked)
    }

    /// The value with every secret in its texts masked.
    pub fn mask_json(&self, value: &Json) -> Json {
        match value {
            Json::Null | Json::Bool(_) | Json::Number(_) => match self.mask(&value.to_string()) {
                Cow::Borrowed(_) => value.clone(),
                Cow::Owned(masked) => Json::from(masked),
            },
            Json::String(text) => Json::from(self.mask(text)),
            Json::Array(items) => items.iter().map(|item| self.mask_json(item)).collect(),
            Json::Object(fields) => {
                fields.iter().map(|(name, field)| (self.mask(name).into_owned(), self.mask_json(field))).collect()
            }
        }
    }

    /// A masker for bytes that arrive piece by piece.
    pub fn masking(&self) -> Masking {
        Masking { finder: self.finder.clone(), held: Vec::new() }
    }
}

/// Masks a stream of bytes: a secret is found also where it crosses the border of two pieces.
pub struct Masking {
    finder: Option<Arc<Finder>>,
    /// The end of what came in that could still be the beginning of a secret.
    held: Vec<u8>,
}

impl Masking {
    /// Takes in a piece and appends to `out` what is certain. At most one longest secret is held back.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Some(finder) = self.finder.clone() else {
            out.extend_from_slice(piece);
            return;
        };
        self.held.extend_from_slice(piece);
        // A match that starts before this place lies wholly in what is here, so that the longest one is known.
        let certain = self.held.len().saturating_sub(finder.longest - 1);
        self.settle(&finder, certain, out);
    }

    /// Appends the rest: nothing more comes.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(finder) = self.finder.clone() {
            self.settle(&finder, self.held.len(), out);
        }
    }

    fn settle(&mut self, finder: &Finder, certain: usize, out: &mut Vec<u8>) {
        let mut from = 0;
        for found in finder.shapes.find_iter(&self.held) {
            if found.start() >= certain {
                break;
            }
            out.extend_from_slice(&self.held[from..found.start()]);
            out.extend_from_slice(MASK.as_bytes());
            from = found.end();
        }
        let until = certain.max(from);
        out.extend_from_slice(&self.held[from..until]);
        self.held.drain(..until);
    }
}

/// Whether a value is long enough to be masked wherever it appears. Nothing at all needs no mask.
pub fn can_be_kept(value: &Json) -> bool {
    let text = as_text(value);
    text.is_empty() || text.len() >= LENGTH_MIN
}

/// HMAC-SHA-256 (RFC 2104) in hex: the journal's header pins a secret by this, with a key of the run, so that neither the
/// value nor equality between runs can be read from it.
pub fn keyed_digest(key: &[u8], value: &[u8]) -> String {
    const BLOCK: usize = 64;
    let mut pad = [0u8; BLOCK];
    if key.len() > BLOCK {
        pad[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        pad[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(pad.map(|b| b ^ 0x36)).chain_update(value).finalize();
    hex(&Sha256::new().chain_update(pad.map(|b| b ^ 0x5c)).chain_update(inner).finalize())
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn as_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn collect(value: &Json, into: &mut BTreeSet<String>) {
    let whole = as_text(value);
    match value {
        Json::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Json::Object(fields) => fields.values().for_each(|field| collect(field, into)),
        Json::Null | Json::Bool(_) => return,
        Json::Number(_) | Json::String(_) => {}
    }
    for line in whole.lines().map(str::trim).filter(|line| line.len() >= LINE_MIN) {
        into.insert(line.to_owned());
    }
    if whole.len() >= LENGTH_MIN {
        into.insert(whole);
    }
}

/// All shapes in which a value is looked for.
fn shapes(value: &str) -> Vec<Vec<u8>> {
    let quoted = Json::from(value).to_string();
    let json = &quoted[1..quoted.len() - 1];
    let mut shapes: Vec<Vec<u8>> = [
        value.to_owned(),
        json.to_owned(),
        json.replace('/', "\\/"),
        json_ascii(json),
        value.replace('\'', r"'\''"),
        value.replace('\'', r#"'"'"'"#),
        url(value, false, "%20"),
        url(value, false, "+"),
        url(value, true, "%20"),
        url(value, true, "+"),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    shapes.extend(base64_within(value.as_bytes()));
    shapes
}

/// JSON as writers that stay in ASCII write it.
fn json_ascii(json: &str) -> String {
    let mut text = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// Percent-encoding (RFC 3986): all but the unreserved characters.
fn url(value: &str, lower: bool, space: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte as char),
            b' ' => text.push_str(space),
            _ if lower => {
                let _ = write!(text, "%{byte:02x}");
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// The characters of a base64 text (RFC 4648, both alphabets) that only the value decides, for each of the three places at
/// which it may begin within a group: `user:password` hides the password at any of them.
fn base64_within(value: &[u8]) -> Vec<Vec<u8>> {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let mut found = Vec::new();
    for shift in 0..3 {
        let mut bytes = vec![0; shift];
        bytes.extend_from_slice(value);
        let first = (shift * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&bytes);
            if last >= first + LENGTH_MIN {
                found.push(text.as_bytes()[first..last].to_vec());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let values: Vec<Json> = values.iter().map(|&value| Json::from(value)).collect();
        Secrets::new(&values)
    }

    #[test]
    fn a_secret_is_masked_in_every_shape_that_programs_give_it() {
        let secret = "pä/ss w'ord\"+1";
        let masker = secrets(&[secret]);
        let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let shapes = [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            "\"p\\u00e4\\/ss w'ord\\\"+1\"".replace("\\/", "/"),
            "p%C3%A4%2Fss%20w%27ord%22%2B1".to_owned(),
            "p%c3%a4%2fss+w%27ord%22%2b1".to_owned(),
            r#"'pä/ss w'\''ord"+1'"#.to_owned(),
        ];
        for shape in shapes {
            let text = format!("before {shape} after");
            let shown = masker.mask(&text);
            assert!(shown.contains(MASK) && !shown.contains("ord"), "{shape}: {shown}");
            assert!(shown.starts_with("before ") && shown.ends_with(" after"), "{shown}");
        }
        for before in ["", "u:", "us:", "use:"] {
            let header = base64(&format!("{before}{secret}"));
            assert!(masker.mask(&header).contains(MASK), "{header}");
            assert!(masker.appear_in(&header));
        }
    }

    #[test]
    fn a_text_without_secrets_is_handed_on_as_it_is() {
        assert!(matches!(secrets(&["swordfish"]).mask("nothing here"), Cow::Borrowed("nothing here")));
        assert!(matches!(secrets(&[]).mask("swordfish"), Cow::Borrowed("swordfish")));
    }

    #[test]
    fn the_longest_of_two_secrets_is_masked_whole() {
        assert_eq!(secrets(&["abcd", "abcdefgh"]).mask("xabcdefghx abcdx"), "x[secret]x [secret]x");
    }

    #[test]
    fn a_value_too_short_to_be_found_safely_is_no_secret() {
        assert!(!can_be_kept(&json!("abc")));
        assert!(can_be_kept(&json!("abcd")));
        assert!(can_be_kept(&json!("")));
        assert_eq!(secrets(&["abc"]).mask("xabcx"), "xabcx");
    }

    #[test]
    fn each_long_line_of_a_secret_of_several_lines_is_masked() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n";
        assert_eq!(secrets(&[key]).mask("line: MIIEvQIBADANBg"), "line: [secret]");
    }

    #[test]
    fn a_secret_across_the_border_of_two_pieces_is_masked_wherever_the_border_is() {
        let masker = secrets(&["swordfish", "sword"]);
        let text = b"a swordfish, a sword, swordfis and no sword-fish";
        let whole = masker.mask(std::str::from_utf8(text).unwrap()).into_owned();
        for size in 1..text.len() {
            let mut masking = masker.masking();
            let mut out = Vec::new();
            for piece in text.chunks(size) {
                masking.feed(piece, &mut out);
            }
            masking.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), whole, "pieces of {size}");
        }
    }

    #[test]
    fn a_secret_list_hides_each_of_its_items() {
        let masker = Secrets::new(&[json!(["first-one", {"k": "second-one"}, 123_456])]);
        assert_eq!(masker.mask("first-one second-one 123456"), "[secret] [secret] [secret]");
        assert_eq!(masker.with(&json!("third-one")).mask("third-one first-one"), "[secret] [secret]");
    }

    #[test]
    fn a_secret_is_masked_in_every_text_of_a_value() {
        let masker = secrets(&["swordfish", "4711"]);
        let value = json!({"a": ["my swordfish", 4711, 7], "swordfish": true});
        assert_eq!(masker.mask_json(&value), json!({"a": ["my [secret]", "[secret]", 7], "[secret]": true}));
    }

    #[test]
    fn the_keyed_digest_is_hmac_sha_256() {
        // RFC 4231, test cases 2 and 6.
        assert_eq!(
            keyed_digest(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            keyed_digest(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
