//! Tell: notices in, text out. Never asked for a decision, never stops a run.
//!
//! [`words`] turns a notice into a sentence, a role and an event name; [`View`] is where a run stands at one moment,
//! folded from its notices; [`layout`] and [`story`] turn that into lines; a [`Reporter`] brings the lines to a terminal
//! ([`Terminal`]), to a log ([`Plain`]) or to a machine ([`Json`]). Nothing here reads a clock, the environment or a
//! journal: all of that is handed in.

pub mod backtest;
pub mod evidence;
pub mod graph;
mod json;
pub mod layout;
mod news;
mod plain;
pub mod plan;
mod reporter;
#[cfg(test)]
mod sample;
pub mod story;
mod terminal;
pub mod text;
mod theme;
pub mod view;
pub mod words;

pub use json::{Json, line as json_line};
pub use plain::Plain;
pub use reporter::{Reporter, Told};
pub use story::Story;
pub use terminal::{Size, Terminal};
pub use text::{Line, Role};
pub use theme::{Mark, Theme};
pub use view::View;
