//! How unkind a simulated world is.

use super::Dice;

/// How often what goes wrong, in a thousand.
#[derive(Clone, Debug)]
pub struct Faults {
    /// An attempt fails.
    pub fails: u32,
    /// An attempt ends and its effect is not known.
    pub unknown: u32,
    /// An attempt is never started.
    pub never: u32,
    /// A verdict is not `holds`.
    pub misses: u32,
    /// A guard is breached, or blind.
    pub breaches: u32,
    /// A person says no.
    pub no_go: u32,
    /// A person says nothing.
    pub silence: u32,
    /// A window is closed, or closes.
    pub closed: u32,
    /// A way back is shut.
    pub shut: u32,
    /// An operator meddles, at each thing that happens.
    pub meddling: u32,
    /// The process is killed, at each thing that happens.
    pub crashes: u32,
    /// A run that has ended is rolled back.
    pub regrets: u32,
}

impl Faults {
    /// A world in which all goes well.
    pub const NONE: Self = Self {
        fails: 0,
        unknown: 0,
        never: 0,
        misses: 0,
        breaches: 0,
        no_go: 0,
        silence: 0,
        closed: 0,
        shut: 0,
        meddling: 0,
        crashes: 0,
        regrets: 0,
    };

    /// Each kind of fault is absent, rare or common: worlds that differ in kind find more than worlds that are all
    /// equally mixed (A. Groce and others, "Swarm testing", 2012).
    pub fn swarm(dice: &mut Dice) -> Self {
        let mut rate = |often: u32| dice.pick(&[0, often / 6, often / 2, often]);
        Self {
            fails: rate(300),
            unknown: rate(200),
            never: rate(60),
            misses: rate(500),
            breaches: rate(80),
            no_go: rate(400),
            silence: rate(500),
            closed: rate(600),
            shut: rate(500),
            meddling: rate(80),
            crashes: rate(60),
            regrets: rate(800),
        }
    }
}
