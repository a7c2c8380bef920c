//! Where a value can stand in a shell script: where a word, or a part of one, can stand unquoted.
//!
//! Every `{{path}}` becomes `"${VARIABLE}"`. That is one argument, whatever the value, only outside quotes,
//! here-documents, arithmetic, backticks and comments, and only where the shell does not read its arguments as code
//! again (`eval`). This reader follows POSIX sh closely enough to know. It never has to know more than that: wherever
//! shells differ or a construct is rare and hairy, it is *lost*, and refuses every template from there to the end of
//! the script. Refusing costs the author a `"$RUNBOOK_VAR_X"`; accepting wrongly would cost a database.

mod command;

use super::parse::Piece;
use command::Command;

/// The slots (by number) that cannot stand where they stand, and why: behind "cannot stand".
pub(super) fn misplaced(pieces: &[Piece]) -> Vec<(usize, &'static str)> {
    let mut items = Vec::new();
    let mut slots = 0;
    for piece in pieces {
        match piece {
            Piece::Text(text) => items.extend(text.chars().map(Item::Char)),
            Piece::Slot(_) => {
                items.push(Item::Slot(slots));
                slots += 1;
            }
        }
    }
    if slots == 0 {
        return Vec::new();
    }
    let mut reader = Reader { items, at: 0, wrong: Vec::new(), documents: Vec::new(), depth: 0 };
    reader.command(false);
    reader.wrong
}

/// One step of the script: a character, or the slot of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Char(char),
    Slot(usize),
}

/// A here-document whose body has not come yet.
struct Document {
    end: String,
    /// `<<-`: tabs before its lines do not count.
    tabs: bool,
    /// Part of its end was quoted: nothing in it is expanded.
    quoted: bool,
    /// How deep in command substitutions it was announced.
    depth: u32,
}

struct Reader {
    items: Vec<Item>,
    at: usize,
    wrong: Vec<(usize, &'static str)>,
    documents: Vec<Document>,
    depth: u32,
}

const DEPTH_MAX: u32 = 50;

const IN_QUOTES: &str = "inside quotes";
const IN_DOCUMENT: &str = "in a here-document";
const IN_ARITHMETIC: &str = "in arithmetic";
const IN_BACKTICKS: &str = "inside backticks";
const IN_COMMENT: &str = "in a comment";
const IN_BRACES: &str = "inside `${...}`";
const BEHIND_DOLLAR: &str = "directly behind a `$`";
const BEHIND_BACKSLASH: &str = "directly behind a backslash";

impl Reader {
    fn peek(&self) -> Option<Item> {
        self.items.get(self.at).copied()
    }

    fn peek_char(&self, ahead: usize) -> Option<char> {
        match self.items.get(self.at + ahead) {
            Some(Item::Char(c)) => Some(*c),
            Some(Item::Slot(_)) | None => None,
        }
    }

    fn next(&mut self) -> Option<Item> {
        let item = self.peek();
        self.at += usize::from(item.is_some());
        item
    }

    fn skip_if(&mut self, c: char) -> bool {
        let is = self.peek_char(0) == Some(c);
        self.at += usize::from(is);
        is
    }

    fn refuse(&mut self, slot: usize, why: &'static str) {
        self.wrong.push((slot, why));
    }

    /// Nothing is known from here on: refuses the rest.
    fn lose(&mut self, why: &'static str) {
        while let Some(item) = self.next() {
            if let Item::Slot(slot) = item {
                self.refuse(slot, why);
            }
        }
    }

    /// A list of commands: the script, or what stands in `$(...)`.
    fn command(&mut self, nested: bool) {
        let mut command = Command::default();
        let mut parens = 0_u32;
        while let Some(item) = self.next() {
            let c = match item {
                Item::Slot(slot) => {
                    if let Some(why) = command.refuses() {
                        self.refuse(slot, why);
                    }
                    command.take('\u{fffd}');
                    continue;
                }
                Item::Char(c) => c,
            };
            match c {
                '\\' => self.backslash(&mut command),
                '\'' => self.single(&mut command),
                '"' => self.double(&mut command),
                '`' => self.backticks(&mut command),
                '$' => self.dollar(&mut command, false),
                '#' if !command.in_word() => self.comment(),
                '\n' => {
                    command.end(nested);
                    self.documents_begin();
                }
                ' ' | '\t' => command.end_word(nested),
                // `>&2`, `<&3`, `>|file`, `&>file` redirect, and the command goes on.
                '&' if self.behind_redirection() => command.duplicates(nested),
                '|' if self.behind_redirection() => command.end_word(nested),
                '&' if self.peek_char(0) == Some('>') => command.end_word(nested),
                '(' if self.peek_char(0) == Some('(') => self.lose("behind `((`, which shells read in different ways"),
                '(' => {
                    command.end(nested);
                    parens += 1;
                }
                ')' if parens > 0 => {
                    command.end(nested);
                    parens -= 1;
                }
                ')' if nested => {
                    command.end(nested);
                    break;
                }
                // Outside `$(...)` a `)` may be the end of a pattern in `case`.
                ';' | '&' | '|' | ')' => command.end(nested),
                '<' | '>' => self.redirection(c, &mut command, nested),
                c => command.take(c),
            }
            if let Some(why) = command.lost() {
                self.lose(why);
            }
        }
    }

    fn behind_redirection(&self) -> bool {
        matches!(self.at.checked_sub(2).map(|before| self.items[before]), Some(Item::Char('<' | '>')))
    }

    /// What stands in `$(...)`, `<(...)` or `>(...)`, up to and with its `)`.
    fn nested(&mut self) {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.lose("so deep in `$(...)`");
        }
        let before = self.documents.len();
        self.command(true);
        if self.documents.len() > before {
            self.lose("behind a here-document whose body is missing");
        }
        self.depth -= 1;
    }

    fn backslash(&mut self, command: &mut Command) {
        let before = self.at.checked_sub(2).map(|before| self.items[before]);
        match self.next() {
            Some(Item::Slot(slot)) => self.refuse(slot, BEHIND_BACKSLASH),
            // The line goes on; what stands on both sides of the break may be one token then.
            Some(Item::Char('\n')) => {
                if matches!(before, Some(Item::Char('<' | '>' | '$' | '(' | '&' | '|' | '#'))) {
                    self.lose("behind an operator that is broken by a backslash");
                }
            }
            Some(Item::Char(c)) => command.take(c),
            None => {}
        }
    }

    fn single(&mut self, command: &mut Command) {
        command.begin_word();
        while let Some(item) = self.next() {
            match item {
                Item::Char('\'') => return,
                Item::Char(c) => command.take(c),
                Item::Slot(slot) => self.refuse(slot, IN_QUOTES),
            }
        }
    }

    fn double(&mut self, command: &mut Command) {
        command.begin_word();
        while let Some(item) = self.next() {
            match item {
                Item::Char('"') => return,
                Item::Char('\\') => match self.next() {
                    Some(Item::Slot(slot)) => self.refuse(slot, IN_QUOTES),
                    Some(Item::Char(c)) => command.take(c),
                    None => {}
                },
                Item::Char('$') => self.dollar(command, true),
                Item::Char('`') => self.backticks(command),
                Item::Char(c) => command.take(c),
                Item::Slot(slot) => self.refuse(slot, IN_QUOTES),
            }
        }
    }

    fn backticks(&mut self, command: &mut Command) {
        command.take('`');
        while let Some(item) = self.next() {
            match item {
                Item::Char('`') => return,
                Item::Char('\\') => {
                    if let Some(Item::Slot(slot)) = self.next() {
                        self.refuse(slot, IN_BACKTICKS);
                    }
                }
                Item::Char(_) => {}
                Item::Slot(slot) => self.refuse(slot, IN_BACKTICKS),
            }
        }
    }

    fn comment(&mut self) {
        while let Some(item) = self.peek() {
            match item {
                Item::Char('\n') => return,
                Item::Char(_) => {}
                Item::Slot(slot) => self.refuse(slot, IN_COMMENT),
            }
            self.at += 1;
        }
    }

    /// What begins with `$`.
    fn dollar(&mut self, command: &mut Command, quoted: bool) {
        command.take('$');
        let Some(item) = self.peek() else { return };
        let c = match item {
            Item::Slot(slot) => {
                self.at += 1;
                self.refuse(slot, BEHIND_DOLLAR);
                return;
            }
            Item::Char(c) => c,
        };
        match c {
            '(' if self.peek_char(1) == Some('(') => {
                self.at += 2;
                self.arithmetic();
            }
            '(' => {
                self.at += 1;
                self.nested();
            }
            '{' => {
                self.at += 1;
                self.braces(0);
            }
            // `$'...'` and `$"..."` of bash, `$` and a quoted text elsewhere: the same unless a backslash is in it.
            '\'' if !quoted => {
                self.at += 1;
                let start = self.at;
                self.single(command);
                if self.items[start..self.at].contains(&Item::Char('\\')) {
                    self.lose("behind `$'...'` with a backslash in it, which shells read in different ways");
                }
            }
            '[' => self.lose("behind `$[`, which shells read in different ways"),
            '\\' if self.peek_char(1) == Some('\n') => self.lose("behind a `$` at the end of a broken line"),
            c if c.is_ascii_alphabetic() || c == '_' => {
                while self.peek_char(0).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
                    self.at += 1;
                }
            }
            c if c.is_ascii_digit() || "?#@*!-$".contains(c) => self.at += 1,
            _ => {}
        }
    }

    /// Behind `$((`.
    fn arithmetic(&mut self) {
        let mut open = 2;
        while let Some(item) = self.next() {
            match item {
                Item::Slot(slot) => self.refuse(slot, IN_ARITHMETIC),
                Item::Char('(') => open += 1,
                Item::Char(')') => {
                    open -= 1;
                    if open == 1 && self.peek_char(0) != Some(')') {
                        // A command in parentheses in a `$(...)`.
                        return self.lose("behind `$((`, which may be a command");
                    }
                    if open == 0 {
                        return;
                    }
                }
                Item::Char('$') if self.skip_if('{') => self.braces(0),
                Item::Char(c) if c.is_ascii_alphanumeric() || " \t\n_$+-*/%<>=!&|^~?:,.@#".contains(c) => {}
                Item::Char(_) => return self.lose("behind arithmetic that is not plain"),
            }
        }
    }

    /// Behind `${`.
    fn braces(&mut self, depth: u32) {
        while let Some(item) = self.next() {
            match item {
                Item::Slot(slot) => self.refuse(slot, IN_BRACES),
                Item::Char('}') => return,
                Item::Char('$') if self.skip_if('{') && depth < DEPTH_MAX => self.braces(depth + 1),
                Item::Char('\'' | '"' | '\\' | '`' | '(' | '{' | '\n') => {
                    return self
                        .lose("behind a `${...}` with quotes or commands in it, which shells read in different ways");
                }
                Item::Char(_) => {}
            }
        }
    }

    fn redirection(&mut self, c: char, command: &mut Command, nested: bool) {
        command.end_word(nested);
        if self.skip_if('(') {
            self.nested();
            command.begin_word();
            return;
        }
        if c != '<' || !self.skip_if('<') {
            return;
        }
        // `<<<` is a word in bash, and an error elsewhere.
        if !self.skip_if('<') {
            self.document_announced();
        }
    }

    /// Behind `<<`.
    fn document_announced(&mut self) {
        let tabs = self.skip_if('-');
        while self.skip_if(' ') || self.skip_if('\t') {}
        let (mut end, mut quoted) = (String::new(), false);
        while let Some(item) = self.peek() {
            let c = match item {
                Item::Slot(_) => return self.lose("in the end of a here-document, or behind it"),
                Item::Char(c) => c,
            };
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '$' | '`' | '\\' => return self.lose("behind a here-document whose end is not plain text"),
                '\'' | '"' => {
                    self.at += 1;
                    quoted = true;
                    loop {
                        match self.next() {
                            Some(Item::Char(inner)) if inner == c => break,
                            Some(Item::Char(inner)) if !"\\$`\n".contains(inner) => end.push(inner),
                            Some(_) => {
                                self.at -= 1;
                                return self.lose("behind a here-document whose end is not plain text");
                            }
                            None => return,
                        }
                    }
                }
                c => {
                    end.push(c);
                    self.at += 1;
                }
            }
        }
        self.documents.push(Document { end, tabs, quoted, depth: self.depth });
    }

    /// Behind the end of a line: the bodies of the here-documents announced in it.
    fn documents_begin(&mut self) {
        for document in std::mem::take(&mut self.documents) {
            if document.depth != self.depth {
                return self.lose("behind a here-document around a `$(...)`");
            }
            self.document(&document);
        }
    }

    fn document(&mut self, document: &Document) {
        while self.at < self.items.len() {
            let mut line = String::new();
            let mut whole = true;
            while let Some(item) = self.next() {
                match item {
                    Item::Char('\n') => break,
                    Item::Char(c) => line.push(c),
                    Item::Slot(slot) => {
                        whole = false;
                        self.refuse(slot, IN_DOCUMENT);
                    }
                }
            }
            let text = if document.tabs { line.trim_start_matches('\t') } else { &line };
            if whole && text == document.end {
                return;
            }
            if !document.quoted && !is_plain(&line) {
                return self.lose("behind a here-document with a command or a broken line in it");
            }
        }
    }
}

/// Whether every shell sees the end of this line of an expanded here-document where it is seen here.
fn is_plain(line: &str) -> bool {
    let count = |text: &str| line.matches(text).count();
    !line.ends_with('\\')
        && count("`").is_multiple_of(2)
        && (!line.contains("$(") || count("(") == count(")"))
        && (!line.contains("${") || count("{") == count("}"))
}
