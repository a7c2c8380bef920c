//! The simple command that is being read: its words so far, and what they mean for a value behind them.

/// Words of one simple command, without their quotes; an expansion in them is `$` and nothing more.
#[derive(Default)]
pub(super) struct Command {
    words: Vec<String>,
    word: Option<String>,
    lost: Option<&'static str>,
    duplicating: bool,
}

/// They read their arguments as code, or as names whose subscripts are code.
const READ_CODE: [&str; 5] = ["eval", "trap", "let", "alias", "unset"];
/// With `-c` they read the argument behind it as code.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "su", "runuser"];

impl Command {
    /// A word has begun, even if nothing comes of it: `''`.
    pub(super) fn begin_word(&mut self) {
        self.word.get_or_insert_default();
    }

    pub(super) fn take(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    pub(super) const fn in_word(&self) -> bool {
        self.word.is_some()
    }

    /// `>&` or `<&`: what follows is a descriptor, or in bash a file whose name is expanded a second time.
    pub(super) fn duplicates(&mut self, nested: bool) {
        self.end_word(nested);
        self.duplicating = true;
    }

    pub(super) fn end_word(&mut self, nested: bool) {
        let Some(word) = self.word.take() else { return };
        self.duplicating = false;
        match word.as_str() {
            // It changes how every later word is read.
            "alias" => self.lost = Some("behind `alias`"),
            // The `)` of its patterns would be taken for the end of the `$(...)`.
            "case" if nested => self.lost = Some("behind a `case` in `$(...)`"),
            _ => {}
        }
        self.words.push(word);
    }

    pub(super) fn end(&mut self, nested: bool) {
        self.end_word(nested);
        self.words.clear();
        self.duplicating = false;
    }

    /// Why nothing can be said from here on.
    pub(super) fn lost(&mut self) -> Option<&'static str> {
        self.lost.take()
    }

    /// Why no value can stand here.
    pub(super) fn refuses(&self) -> Option<&'static str> {
        if self.word.as_ref().is_some_and(|word| word.rfind('[') > word.rfind(']')) {
            return Some("in a subscript or a pattern in brackets");
        }
        if self.duplicating {
            return Some("behind `>&`, where bash expands it twice");
        }
        let has = |name: &str| self.words.iter().any(|word| word == name);
        if READ_CODE.iter().any(|name| has(name)) {
            return Some("behind a command that reads its arguments as code, such as `eval`");
        }
        if has("[[") && !has("]]") {
            return Some("inside `[[ ]]`, where it may be read as arithmetic");
        }
        self.is_code_of_a_shell().then_some("as the code of `sh -c`")
    }

    /// Whether the next word is what `sh -c` reads as code. Behind the code it is `$1`, which is safe.
    fn is_code_of_a_shell(&self) -> bool {
        let name = |word: &String| word.rsplit('/').next().is_some_and(|name| SHELLS.contains(&name));
        let Some(shell) = self.words.iter().rposition(name) else { return false };
        let behind = &self.words[shell + 1..];
        let option = |word: &String| word.starts_with(['-', '+']);
        let Some(c) = behind.iter().position(|word| {
            word.starts_with('-') && !word.starts_with("--") && word.contains('c') || word == "--command"
        }) else {
            return false;
        };
        behind[c + 1..].iter().all(option)
    }
}
