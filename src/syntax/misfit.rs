//! The ways in which a key or a value can fail to fit the description of the format: what `shape` finds without knowing
//! what anything means.

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

use crate::model::Shapes;

/// A key or a value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
#[expect(missing_docs, reason = "the fields are the words of the message beside them; `at` is always the place")]
pub enum Misfit {
    /// Another version of the format.
    #[error("format {found} is not known")]
    #[diagnostic(code(format_unknown), help("this version reads `format = 1`"))]
    FormatUnknown {
        found: String,
        #[label("must be 1")]
        at: SourceSpan,
    },
    /// No key of the format.
    #[error("{owner} has no key `{key}`")]
    #[diagnostic(code(unknown_key))]
    UnknownKey {
        owner: String,
        key: String,
        #[label("not a key of the format")]
        at: SourceSpan,
        #[help]
        help: Option<String>,
    },
    /// Of the format, and not built.
    #[error("{what} is not supported yet")]
    #[diagnostic(code(not_supported_yet))]
    NotYet {
        what: String,
        #[label("part of format 1, but this version cannot carry it out")]
        at: SourceSpan,
    },
    /// A value of another kind.
    #[error("`{key}` must be {wanted}")]
    #[diagnostic(code(wrong_type))]
    WrongType {
        key: String,
        wanted: String,
        found: &'static str,
        #[label("this is {found}")]
        at: SourceSpan,
        #[help]
        help: Option<String>,
    },
    /// A number outside its range.
    #[error("`{key}` must be {range}")]
    #[diagnostic(code(out_of_range))]
    OutOfRange {
        key: String,
        range: String,
        #[label("out of range")]
        at: SourceSpan,
    },
    /// A list with too few or too many entries.
    #[error("`{key}` must have {wanted}")]
    #[diagnostic(code(wrong_length))]
    WrongLength {
        key: String,
        wanted: &'static str,
        #[label("this has {found}")]
        at: SourceSpan,
        found: usize,
    },
    /// A word that is none of the words.
    #[error("`{key}` must be {choices}")]
    #[diagnostic(code(unknown_word))]
    UnknownWord {
        key: String,
        choices: String,
        #[label("not one of them")]
        at: SourceSpan,
        #[help]
        help: Option<String>,
    },
    /// A name that cannot stand in an expression.
    #[error("`{name}` is not a name")]
    #[diagnostic(code(bad_name), help("a name is lower-case letters, digits and `_`, and begins with a letter"))]
    BadName {
        name: String,
        #[label("cannot stand in an expression as it is")]
        at: SourceSpan,
    },
    /// No length of time.
    #[error("`{text}` is not a duration")]
    #[diagnostic(code(bad_duration), help("write 250ms, 30s, 5m, 1h30m or 7d; the larger unit first, whole numbers"))]
    BadDuration {
        text: String,
        #[label("for `{key}`")]
        at: SourceSpan,
        key: String,
    },
    /// A duration that only a run would tell.
    #[error("nothing says what `{key}` is: {why}")]
    #[diagnostic(
        code(duration_unknown),
        help(
            "write {key} = \"30s\", or {key} = \"{{{{vars.x}}}}\" where `x` has a duration such as \"30s\" as its default"
        )
    )]
    DurationUnknown {
        key: String,
        why: String,
        #[label("must be a duration")]
        at: SourceSpan,
    },
    /// A variable that is taken for a duration and is none.
    #[error("`{key}` is what `{name}` says, and {found} {why}")]
    #[diagnostic(code(bad_duration_var), help("{}", Shapes::REMEDY))]
    BadDurationVar {
        name: String,
        found: String,
        key: String,
        why: &'static str,
        #[label("no length of time for it")]
        at: SourceSpan,
        #[label("is taken for `{key}` here")]
        also: Option<SourceSpan>,
    },
    /// No size.
    #[error("`{text}` is not a size")]
    #[diagnostic(code(bad_size), help("write 512KiB, 64MiB or 1GiB"))]
    BadSize {
        text: String,
        #[label("for `{key}`")]
        at: SourceSpan,
        key: String,
    },
    /// No percentage.
    #[error("`{text}` is not a percentage")]
    #[diagnostic(code(bad_percent), help("write it as \"0.1%\""))]
    BadPercent {
        text: String,
        #[label("for `{key}`")]
        at: SourceSpan,
        key: String,
    },
    /// No opening hours.
    #[error("`{text}` is not a window")]
    #[diagnostic(code(bad_window), help("write \"Sat 01:00-05:00\", \"Mon-Fri 22:00-02:00\" or \"daily 01:00-03:00\""))]
    BadWindow {
        text: String,
        #[label("{reason}")]
        at: SourceSpan,
        reason: &'static str,
    },
    /// No time zone.
    #[error("there is no time zone `{zone}`")]
    #[diagnostic(code(unknown_zone), help("write an IANA name such as \"Europe/Berlin\" or \"UTC\""))]
    UnknownZone {
        zone: String,
        #[label("not in the IANA database")]
        at: SourceSpan,
    },
    /// No JSON pointer.
    #[error("`{text}` is not a JSON pointer")]
    #[diagnostic(code(bad_pointer), help("a pointer is \"\" for everything, or begins with `/`: \"/items/0/id\""))]
    BadPointer {
        text: String,
        #[label("must begin with `/`")]
        at: SourceSpan,
    },
    /// No `host:port`.
    #[error("`{text}` is not an address")]
    #[diagnostic(code(bad_address), help("write host and port: \"db1:5432\", \"[::1]:5432\""))]
    BadAddress {
        text: String,
        #[label("must be host:port")]
        at: SourceSpan,
    },
    /// No regular expression.
    #[error("this is not a regular expression: {reason}")]
    #[diagnostic(code(bad_regex))]
    BadRegex {
        reason: String,
        #[label("here")]
        at: SourceSpan,
    },
    /// No name of an environment variable.
    #[error("`{name}` cannot be the name of an environment variable")]
    #[diagnostic(code(bad_env_name), help("letters, digits and `_`, not beginning with a digit; `RUNBOOK_` is ours"))]
    BadEnvName {
        name: String,
        #[label("here")]
        at: SourceSpan,
    },
    /// A key that must be there.
    #[error("{owner} lacks `{key}`")]
    #[diagnostic(code(missing_key))]
    MissingKey {
        owner: String,
        key: &'static str,
        #[label("`{key}` belongs here")]
        at: SourceSpan,
        #[help]
        help: String,
    },
    /// A key without the one that it goes with.
    #[error("`{key}` means nothing here")]
    #[diagnostic(code(key_out_of_place))]
    KeyOutOfPlace {
        key: String,
        #[label("would do nothing")]
        at: SourceSpan,
        #[help]
        help: String,
    },
    /// Two keys of which one may be there.
    #[error("{owner} has two: `{first}` and `{second}`")]
    #[diagnostic(code(two_at_once), help("keep one of them"))]
    TwoAtOnce {
        owner: String,
        first: &'static str,
        second: &'static str,
        #[label("the second {what}")]
        at: SourceSpan,
        what: &'static str,
        #[label("the first")]
        also: SourceSpan,
    },
    /// None of some keys of which one must be there.
    #[error("{owner} has no {what}")]
    #[diagnostic(code(none_given))]
    NoneGiven {
        owner: String,
        what: &'static str,
        #[label("no {what}")]
        at: SourceSpan,
        #[help]
        help: &'static str,
    },
}
