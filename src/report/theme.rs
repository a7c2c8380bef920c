//! How a role looks, and which signs a terminal can show. Decided once, from what the environment says.

use console::Style;

use super::text::{Line, Role};

/// The look of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    colours: bool,
    unicode: bool,
}

/// A sign before a line; its word always stands beside it, so that none needs to be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not begun.
    Pending,
    /// Conditions are looked at before it begins.
    Checking,
    /// Runs.
    Running,
    /// Its criteria are measured.
    Measuring,
    /// Waits for its next try.
    Resting,
    /// Waits for a person.
    Asking,
    /// Done.
    Done,
    /// Was already true.
    Found,
    /// Left out.
    Skipped,
    /// Failed, and tolerated.
    Tolerated,
    /// Failed.
    Failed,
    /// Not known.
    Unknown,
    /// Is being undone.
    Undoing,
    /// Undone.
    Undone,
    /// Paused, or waiting for time to come.
    Paused,
}

impl Theme {
    /// Neither colours nor anything but ASCII.
    pub const BARE: Self = Self { colours: false, unicode: false };
    /// Everything.
    pub const FULL: Self = Self { colours: true, unicode: true };

    /// A theme with what is said here.
    pub const fn new(colours: bool, unicode: bool) -> Self {
        Self { colours, unicode }
    }

    /// What the environment asks for: `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, `TERM`, and the locale.
    ///
    /// `NO_COLOR` (set and not empty) wins over everything: who says no means it. (<https://no-color.org>,
    /// <https://bixense.com/clicolors>)
    pub fn from_env(terminal: bool, env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let on = |name: &str| set(name).map(|value| value != "0");
        let colours = if set("NO_COLOR").is_some() {
            false
        } else if on("CLICOLOR_FORCE") == Some(true) {
            true
        } else {
            terminal && on("CLICOLOR") != Some(false) && set("TERM").is_none_or(|term| term != "dumb")
        };
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self { colours, unicode: locale.contains("utf-8") || locale.contains("utf8") }
    }

    /// The same without colours.
    #[must_use]
    pub const fn colourless(self) -> Self {
        Self { colours: false, ..self }
    }

    /// What shows that something was cut.
    pub const fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// What stands between things on one line.
    pub const fn dot(self) -> &'static str {
        if self.unicode { " · " } else { " - " }
    }

    /// A rule's character.
    pub const fn rule(self) -> &'static str {
        if self.unicode { "─" } else { "-" }
    }

    /// A bar of `cells` cells, filled for `part` of `whole`.
    pub fn bar(self, part: u64, whole: u64, cells: usize) -> (String, String) {
        let wide = cells as u128;
        let nearest = (u128::from(part) * wide * 2 / u128::from(whole.max(1))).div_ceil(2);
        // Full means that the bound is reached, and nothing else does.
        let most = if part >= whole { cells } else { cells.saturating_sub(1) };
        let full = usize::try_from(nearest).map_or(most, |full| full.min(most));
        let (filled, empty) = if self.unicode { ("━", "╌") } else { ("#", ".") };
        (filled.repeat(full), empty.repeat(cells - full))
    }

    /// The sign for a state.
    pub const fn mark(self, mark: Mark) -> &'static str {
        let (sign, ascii) = match mark {
            Mark::Pending => ("·", "."),
            Mark::Running => ("▸", ">"),
            Mark::Checking | Mark::Measuring => ("▹", ">"),
            Mark::Resting => ("↻", "@"),
            Mark::Asking => ("◆", "?"),
            Mark::Done => ("✓", "+"),
            Mark::Found => ("✓", "="),
            Mark::Skipped => ("–", "-"),
            Mark::Tolerated => ("!", "!"),
            Mark::Failed => ("✗", "x"),
            Mark::Unknown => ("?", "?"),
            Mark::Undoing => ("◂", "<"),
            Mark::Undone => ("↶", "<"),
            Mark::Paused => ("‖", "|"),
        };
        if self.unicode { sign } else { ascii }
    }

    /// The line as a terminal takes it.
    pub fn paint(self, line: &Line) -> String {
        if !self.colours {
            return line.to_string();
        }
        line.parts().iter().map(|(role, text)| style(*role).apply_to(text).to_string()).collect()
    }
}

fn style(role: Role) -> Style {
    let style = Style::new().force_styling(true);
    match role {
        Role::Plain => style,
        Role::Dim => style.dim(),
        Role::Strong => style.bold(),
        Role::Good => style.green(),
        Role::Active => style.cyan(),
        Role::Warn => style.yellow(),
        Role::Bad => style.red().bold(),
        Role::Back => style.magenta(),
        Role::Ask => style.yellow().bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_signs_follow_the_environment() {
        type Env = &'static [(&'static str, &'static str)];
        #[rustfmt::skip]
        let table: [(bool, Env, Theme); 10] = [
            (true,  &[("LANG", "en_US.UTF-8")],                             Theme::new(true, true)),
            (true,  &[("LANG", "C.utf8"), ("LC_ALL", "C")],                 Theme::new(true, false)),
            (true,  &[],                                                    Theme::new(true, false)),
            (false, &[("LANG", "C.UTF-8")],                                 Theme::new(false, true)),
            (true,  &[("NO_COLOR", "1")],                                   Theme::new(false, false)),
            (true,  &[("NO_COLOR", "")],                                    Theme::new(true, false)),
            (true,  &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],          Theme::new(false, false)),
            (false, &[("CLICOLOR_FORCE", "1")],                             Theme::new(true, false)),
            (true,  &[("CLICOLOR", "0")],                                   Theme::new(false, false)),
            (true,  &[("TERM", "dumb")],                                    Theme::new(false, false)),
        ];
        for (terminal, env, want) in table {
            let lookup = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Theme::from_env(terminal, lookup), want, "{terminal} {env:?}");
        }
    }

    #[test]
    fn a_bar_is_full_exactly_when_its_bound_is_reached() {
        assert_eq!(Theme::BARE.bar(0, 10, 5), (String::new(), ".....".into()));
        assert_eq!(Theme::BARE.bar(1, 10, 5), ("#".into(), "....".into()));
        assert_eq!(Theme::BARE.bar(99, 100, 5), ("####".into(), ".".into()));
        assert_eq!(Theme::BARE.bar(99, 10, 5), ("#####".into(), String::new()));
    }
}
