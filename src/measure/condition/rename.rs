//! A condition with other names: what an included part says, in the names of the runbook that includes it.
//!
//! Letters are read, not meanings: a word that begins a path and is not the field of another is its root, wherever it does
//! not stand in a text or a comment. Whoever renames compares what the condition reads before and after.

/// What a path begins with that names something of a runbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOf {
    /// `vars.<name>`.
    Var,
    /// `probe.<name>`, `series.<name>`, `baseline.<name>`.
    Probe,
    /// `steps.<name>`.
    Step,
}

impl NameOf {
    fn behind(root: &str) -> Option<Self> {
        match root {
            "vars" => Some(Self::Var),
            "probe" | "series" | "baseline" => Some(Self::Probe),
            "steps" => Some(Self::Step),
            _ => None,
        }
    }
}

/// The same condition, each name of a variable, a probe or a step as `to` says.
pub fn rename(text: &str, to: impl Fn(NameOf, &str) -> String) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut at = 0;
    let mut is_field = false;
    while let Some(first) = text[at..].chars().next() {
        let end = at + token(&text[at..], first);
        let word = &text[at..end];
        renamed.push_str(word);
        at = end;
        if first.is_whitespace() || word.starts_with("//") {
            continue;
        }
        if let Some(what) = NameOf::behind(word).filter(|_| !is_field)
            && let Some(name) = name_behind(&text[at..])
        {
            renamed.push_str(&text[at..at + name.start]);
            renamed.push_str(&to(what, &text[at..][name.clone()]));
            // A quote behind the name begins no text.
            let quoted = text[at..][..name.start].ends_with(['"', '\'']);
            let behind = at + name.end;
            at = behind + usize::from(quoted && text[behind..].starts_with(['"', '\'']));
            renamed.push_str(&text[behind..at]);
        }
        is_field = word == ".";
    }
    renamed
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// How long the token is with which a text begins: a text, a comment, a word, or one character.
fn token(text: &str, first: char) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    let letters = text.find(|c| !is_word(c)).unwrap_or(text.len());
    // `r"..."`: a backslash is only a backslash there.
    let prefix = &text[..letters];
    let is_prefix = ["r", "R", "b", "B", "rb", "br", "RB", "BR", "Rb", "rB", "bR", "Br"].contains(&prefix);
    if text[letters..].starts_with(['"', '\'']) && (letters == 0 || is_prefix) {
        return letters + quoted(&text[letters..], prefix.contains(['r', 'R']));
    }
    if letters > 0 { letters } else { first.len_utf8() }
}

/// How long the text in quotes is with which it begins.
fn quoted(text: &str, raw: bool) -> usize {
    let quote = &text[..1];
    let close = if text.starts_with(&quote.repeat(3)) { quote.repeat(3) } else { quote.to_owned() };
    let mut at = close.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(&close) {
            return at + close.len();
        }
        let skipped = usize::from(!raw && rest.starts_with('\\'));
        at += rest.chars().take(1 + skipped).map(char::len_utf8).sum::<usize>();
    }
    text.len()
}

/// The name behind a root: `.name` or `["name"]`.
fn name_behind(text: &str) -> Option<std::ops::Range<usize>> {
    let skip = |at: usize| text[at..].find(|c: char| !c.is_whitespace()).map(|more| at + more);
    let open = skip(0)?;
    let start = skip(open + 1).filter(|_| text[open..].starts_with(['.', '[']))?;
    let start = start + usize::from(text[open..].starts_with('[') && text[start..].starts_with(['"', '\'']));
    let length = text[start..].find(|c| !is_word(c)).unwrap_or(text.len() - start);
    (length > 0).then_some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed(text: &str) -> String {
        rename(text, |_, name| format!("p_{name}"))
    }

    #[test]
    fn every_name_of_a_variable_a_probe_or_a_step_is_renamed_and_nothing_else() {
        #[rustfmt::skip]
        let table = [
            ("probe.lag < 5",                              "probe.p_lag < 5"),
            ("series.lag.avg(\"30s\") > vars.most",        "series.p_lag.avg(\"30s\") > vars.p_most"),
            ("baseline . lag .p99 * 2.0 > probe.lag",      "baseline . p_lag .p99 * 2.0 > probe.p_lag"),
            ("steps.copy.outputs.vars == 'vars.x'",        "steps.p_copy.outputs.vars == 'vars.x'"),
            ("vars[\"host\"] == r'\\' + probe['x']",       "vars[\"p_host\"] == r'\\' + probe['p_x']"),
            ("'it\\'s vars.a' == vars.a",                  "'it\\'s vars.a' == vars.p_a"),
            ("\"\"\"a \" vars.a\"\"\" == vars.a",          "\"\"\"a \" vars.a\"\"\" == vars.p_a"),
            ("json.vars.x && stdout.contains(vars.x)",     "json.vars.x && stdout.contains(vars.p_x)"),
            ("vars.a // vars.b\n || vars.c",               "vars.p_a // vars.b\n || vars.p_c"),
            ("vars.list.all(v, v.vars > 1)",               "vars.p_list.all(v, v.vars > 1)"),
            ("über == vars.a",                             "über == vars.p_a"),
            ("has(vars.a.b)",                              "has(vars.p_a.b)"),
            ("probe",                                      "probe"),
            ("'open vars.a",                               "'open vars.a"),
        ];
        for (text, wanted) in table {
            assert_eq!(prefixed(text), wanted);
        }
    }
}
