//! Where a value can stand in a query of Prometheus: inside quotes, escaped, so that it is always a text and never a part
//! of the query. (In a pattern, `=~"..."`, that text is a pattern.)

use super::parse::Piece;

/// The slots (by number) that cannot stand where they stand, and where that is.
pub(super) fn misplaced(pieces: &[Piece]) -> Vec<(usize, &'static str)> {
    let mut wrong = Vec::new();
    let mut state = State::default();
    let mut number = 0;
    for piece in pieces {
        match piece {
            Piece::Text(text) => state = text.chars().fold(state, State::after),
            Piece::Slot(_) => {
                wrong.extend(state.refuses().map(|place| (number, place)));
                number += 1;
            }
        }
    }
    wrong
}

/// What stands between quotes for this value. Both quotes are written as numbers, so that it does not matter which one is
/// around it.
pub(super) fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '\\' => escaped.push_str(r"\\"),
            '"' => escaped.push_str(r"\x22"),
            '\'' => escaped.push_str(r"\x27"),
            '\n' => escaped.push_str(r"\n"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Until this character.
    Quoted(char),
    /// Behind a backslash inside quotes.
    Escape(char),
    /// Between backticks nothing can be escaped.
    Raw,
    Comment,
}

impl State {
    const fn refuses(self) -> Option<&'static str> {
        match self {
            Self::Open => Some("outside the quotes"),
            Self::Quoted(_) => None,
            Self::Escape(_) => Some("behind a backslash"),
            Self::Raw => Some("between backticks"),
            Self::Comment => Some("in a comment"),
        }
    }

    const fn after(self, c: char) -> Self {
        match (self, c) {
            (Self::Open, '"' | '\'') => Self::Quoted(c),
            (Self::Open, '`') => Self::Raw,
            (Self::Open, '#') => Self::Comment,
            (Self::Quoted(quote), '\\') => Self::Escape(quote),
            (Self::Escape(quote), _) => Self::Quoted(quote),
            (Self::Quoted(quote), c) if c as u32 == quote as u32 => Self::Open,
            (Self::Raw, '`') | (Self::Comment, '\n') => Self::Open,
            (same, _) => same,
        }
    }
}
