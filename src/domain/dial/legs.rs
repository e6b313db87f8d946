//! How many channels of a call count against limits, and through which trunks they go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dial_string;
use crate::domain::limits::{Limits, TrunkLimits};
use crate::domain::originate::{OriginateSpec, Target};

/// The channels of a call that count against limits. A call counts as one, also if its A leg dials one second leg. If it
/// dials several at once, every leg counts, with the A leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legs {
    /// How many legs count, at least 1.
    pub count: usize,
    /// How many of the legs go through each trunk, by its name; empty if only the A leg counts.
    pub trunks: Vec<(Arc<str>, usize)>,
}

/// The limits that hold for a call, which a call with several legs must not exceed by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct LegLimits<'a> {
    /// The limits of the server.
    pub server: Limits,
    /// The limits of the server's trunks.
    pub trunks: &'a [TrunkLimits],
    /// The limits of the client's grant for the server.
    pub grant: Limits,
    /// The limits of the client on all servers.
    pub client: Limits,
    /// The limits of the queue on the server.
    pub queue: Limits,
}

impl Legs {
    /// The legs of a call of which only the A leg counts.
    pub const ONE: Self = Self { count: 1, trunks: Vec::new() };

    /// Returns the legs of a call that count.
    #[must_use]
    pub fn of(spec: &OriginateSpec) -> Self {
        let second = at_once(&spec.target);
        if second.is_empty() {
            return Self::ONE;
        }
        let mut trunks: BTreeMap<&str, usize> = BTreeMap::new();
        for trunk in second.iter().copied().chain([spec.channel.as_str()]).filter_map(dial_string::trunk) {
            *trunks.entry(trunk).or_default() += 1;
        }
        let trunks = trunks.into_iter().map(|(name, legs)| (Arc::from(name), legs)).collect();
        Self { count: 1 + second.len(), trunks }
    }

    /// Returns the limit that the call exceeds by itself, so that it could never begin, as a text for people. None if it
    /// exceeds none.
    #[must_use]
    pub fn exceeded(&self, limits: &LegLimits<'_>) -> Option<String> {
        if self.count == 1 {
            return None;
        }
        let whole = [
            (limits.server, "max_channels", "the server"),
            (limits.grant, "max_live_calls", "the grant for the server"),
            (limits.client, "max_live_calls", "the client"),
            (limits.queue, "max_live_calls", "the queue"),
        ];
        let of_whole = whole.into_iter().find_map(|(set, name, whose)| exceeded(self.count, set, name, whose));
        of_whole.or_else(|| {
            self.trunks.iter().find_map(|(trunk, legs)| {
                let limits = limits.trunks.iter().find(|limits| *limits.trunk == **trunk)?;
                exceeded(*legs, limits.limits(), "max_channels", &format!("trunk {trunk}"))
            })
        })
    }
}

fn exceeded(legs: usize, set: Limits, live: &str, whose: &str) -> Option<String> {
    let says = |name: &str, value: f64| {
        format!("has {legs} legs at once, which is more than the {name} of {whose} allows: {value}")
    };
    if let Some(most) = set.max_live.filter(|most| usize::try_from(*most).is_ok_and(|most| most < legs)) {
        return Some(says(live, most.into()));
    }
    // Less than one call a second is a long interval between calls, and no limit on the legs of one.
    let legs = u32::try_from(legs).map_or(f64::INFINITY, f64::from);
    set.per_second.filter(|rate| rate.max(1.0) < legs).map(|rate| says("calls_per_second", rate))
}

/// Returns the channels that `Dial` calls at once; none if it calls only one, or if another target runs.
fn at_once(target: &Target) -> Vec<&str> {
    match target {
        Target::Application { name, data } if name.eq_ignore_ascii_case("Dial") => {
            let legs: Vec<&str> = data.split(',').next().unwrap_or_default().split('&').collect();
            if legs.len() > 1 { legs } else { Vec::new() }
        }
        Target::Application { .. } | Target::Extension { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legs(data: &str) -> Legs {
        let target = Target::Application { name: "dial".into(), data: data.into() };
        Legs::of(&OriginateSpec::new("PJSIP/1@a".into(), target))
    }

    fn at_most(max_live: i32) -> Limits {
        Limits { max_live: Some(max_live), per_second: None }
    }

    fn a_second(per_second: f64) -> Limits {
        Limits { max_live: None, per_second: Some(per_second) }
    }

    #[test]
    fn legs_that_are_called_at_once_count_with_the_a_leg_and_a_single_second_leg_does_not() {
        assert_eq!(legs("PJSIP/2@b,30"), Legs::ONE);
        let trunks = |trunks: &[(&str, usize)]| trunks.iter().map(|(name, legs)| (Arc::from(*name), *legs)).collect();
        let two = Legs { count: 3, trunks: trunks(&[("a", 2), ("b", 1)]) };
        assert_eq!(legs("PJSIP/2@a&PJSIP/3@b,30,t"), two);
        let local = Legs { count: 3, trunks: trunks(&[("a", 1), ("p", 1)]) };
        assert_eq!(legs("Local/2@c/n&SIP/p/3"), local);
        let other = Target::Application { name: "Playback".into(), data: "a&b".into() };
        assert_eq!(Legs::of(&OriginateSpec::new("PJSIP/1@a".into(), other)), Legs::ONE);
    }

    #[test]
    fn a_call_that_exceeds_a_limit_by_itself_says_which() {
        let trunk =
            |max_channels, calls_per_second| vec![TrunkLimits { trunk: "a".into(), max_channels, calls_per_second }];
        let none: &[TrunkLimits] = &[];
        let (few, slow) = (trunk(Some(1), None), trunk(None, Some(1.5)));
        let base = LegLimits { server: at_most(3), trunks: none, ..LegLimits::default() };
        for (limits, expected) in [
            (base, None),
            (LegLimits { server: at_most(2), ..base }, Some("max_channels of the server allows: 2")),
            (LegLimits { grant: at_most(2), ..base }, Some("max_live_calls of the grant for the server allows: 2")),
            (LegLimits { client: at_most(1), ..base }, Some("max_live_calls of the client allows: 1")),
            (LegLimits { queue: at_most(1), ..base }, Some("max_live_calls of the queue allows: 1")),
            (LegLimits { client: a_second(2.5), ..base }, Some("calls_per_second of the client allows: 2.5")),
            (LegLimits { client: a_second(3.0), ..base }, None),
            (LegLimits { trunks: &few, ..base }, Some("max_channels of trunk a allows: 1")),
            (LegLimits { trunks: &slow, ..base }, Some("calls_per_second of trunk a allows: 1.5")),
        ] {
            let said = legs("PJSIP/2@a&PJSIP/3@b").exceeded(&limits);
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().ends_with(expected.unwrap_or_default()), "{limits:?}");
            assert_eq!(Legs::ONE.exceeded(&LegLimits { client: a_second(0.1), ..limits }), None);
        }
    }
}
