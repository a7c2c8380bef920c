//! "Did you mean": the known name nearest to an unknown one, as a line of help.

use crate::measure;

/// At most so many names are compared with an unknown one.
const COMPARED_MAX: usize = 2000;

/// The candidate nearest to `name`, if one is near enough to be meant: by its letters, else by how it begins.
pub(super) fn nearest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > 100 {
        return None;
    }
    let candidates: Vec<&str> = candidates.into_iter().take(COMPARED_MAX).collect();
    measure::nearest(name, candidates.iter().copied()).or_else(|| {
        let mut alike = candidates.into_iter().filter(|other| {
            let shorter = other.len().min(name.len());
            shorter >= 3 && (other.starts_with(name) || name.starts_with(other))
        });
        // Where several begin so, none is meant more than the others.
        let first = alike.next();
        first.filter(|_| alike.next().is_none())
    })
}

/// As a line of help.
pub(super) fn did_you_mean<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<String> {
    nearest(name, candidates).map(|near| format!("did you mean `{near}`?"))
}
