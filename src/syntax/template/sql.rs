//! Where `{{ident x}}` can stand in a statement: outside quotes and comments.
//!
//! It must hold for `PostgreSQL` and `SQLite` alike, so what the two read in different ways ends the search for safe places.

use super::parse::{Helper, Piece, Slot};

/// The slots (by number) that cannot stand where they stand, and why.
pub(super) fn misplaced(pieces: &[Piece]) -> Vec<(usize, &'static str)> {
    let mut wrong = Vec::new();
    let mut reader = Reader::default();
    let mut number = 0;
    for piece in pieces {
        match piece {
            Piece::Text(text) => text.chars().for_each(|c| reader.take(c)),
            Piece::Slot(slot) => {
                if let Some(why) = reader.refuses(slot) {
                    wrong.push((number, why));
                }
                number += 1;
                reader.last = '"';
            }
        }
    }
    wrong
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Until this character.
    Quoted(char),
    LineComment,
    BlockComment,
    /// Read differently by different servers: nothing is safe from here on.
    Lost,
}

#[derive(Debug, Default)]
struct Reader {
    state: State,
    last: char,
}

impl Reader {
    fn refuses(&self, slot: &Slot) -> Option<&'static str> {
        if slot.helper != Some(Helper::Ident) {
            return Some("a value cannot be put into a statement");
        }
        match self.state {
            State::Open if self.last.is_alphanumeric() || matches!(self.last, '_' | '$' | '&' | '"' | '\'') => {
                Some("an identifier cannot stand glued to what is before it")
            }
            State::Open => None,
            State::Quoted(_) => Some("an identifier cannot stand inside quotes"),
            State::LineComment | State::BlockComment => Some("an identifier cannot stand in a comment"),
            State::Lost => Some("whether this is inside quotes depends on the server"),
        }
    }

    fn take(&mut self, c: char) {
        let before = std::mem::replace(&mut self.last, c);
        self.state = match self.state {
            State::Open => match c {
                '\'' | '"' => State::Quoted(c),
                // MySQL's quotes and a bracketed name of SQLite; a dollar quote of PostgreSQL.
                '`' | '[' => State::Lost,
                '$' if before == '$' || before.is_alphanumeric() || before == '_' => State::Lost,
                '-' if before == '-' => State::LineComment,
                '*' if before == '/' => {
                    self.last = ' ';
                    State::BlockComment
                }
                _ => State::Open,
            },
            State::Quoted(_) if c == '\\' => State::Lost,
            State::Quoted(quote) if c == quote => State::Open,
            State::LineComment if c == '\n' => State::Open,
            // PostgreSQL nests comments, SQLite does not.
            State::BlockComment if c == '*' && before == '/' => State::Lost,
            State::BlockComment if c == '/' && before == '*' => State::Open,
            same => same,
        };
    }
}
