//! The legs of an attempt: the channels that Asterisk created for it.

/// A channel that a channel snapshot lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveLeg {
    /// The Uniqueid of the channel.
    pub uniqueid: String,
    /// The channel's name, as `PJSIP/endpoint1-00000001`.
    pub name: String,
}

/// Every leg of an attempt that a message named, in the order in which they were first named.
#[derive(Clone, Debug, Default)]
pub(super) struct Legs(Vec<Leg>);

#[derive(Clone, Debug)]
struct Leg {
    uniqueid: String,
    name: String,
    presence: Presence,
}

/// What is known about whether a leg exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// A Newstate or an OriginateResponse named the leg; its Newchannel was not received.
    Named,
    /// A Newchannel reported the leg, or a channel snapshot lists it.
    Alive,
    /// A Hangup ended the leg, or a channel snapshot does not list it.
    Gone,
    /// A Newchannel reported the leg after its Hangup, because messages may arrive late or twice. The leg keeps its
    /// attempt alive until a channel snapshot decides, but nothing is sent to it any more.
    Reappeared,
}

impl Legs {
    /// Takes in a Newchannel.
    pub(super) fn appeared(&mut self, uniqueid: String, name: String) {
        match self.find(&uniqueid) {
            Some(leg) => {
                leg.name = name;
                leg.presence = match leg.presence {
                    Presence::Named | Presence::Alive => Presence::Alive,
                    Presence::Gone | Presence::Reappeared => Presence::Reappeared,
                };
            }
            None => self.0.push(Leg { uniqueid, name, presence: Presence::Alive }),
        }
    }

    /// Takes in a leg's name from a message that does not prove that the leg still exists.
    pub(super) fn named(&mut self, uniqueid: &str, name: String) {
        match self.find(uniqueid) {
            Some(leg) => leg.name = name,
            None => self.0.push(Leg { uniqueid: uniqueid.to_owned(), name, presence: Presence::Named }),
        }
    }

    /// Takes in a Hangup.
    pub(super) fn gone(&mut self, uniqueid: &str) {
        if let Some(leg) = self.find(uniqueid) {
            leg.presence = Presence::Gone;
        }
    }

    /// Takes in a channel snapshot: these legs exist, and no others.
    pub(super) fn found(&mut self, found: Vec<LiveLeg>) {
        for leg in &mut self.0 {
            if !found.iter().any(|live| live.uniqueid == leg.uniqueid) {
                leg.presence = Presence::Gone;
            }
        }
        for LiveLeg { uniqueid, name } in found {
            match self.find(&uniqueid) {
                Some(leg) => (leg.name, leg.presence) = (name, Presence::Alive),
                None => self.0.push(Leg { uniqueid, name, presence: Presence::Alive }),
            }
        }
    }

    /// Returns true if a message has named this leg.
    pub(super) fn contains(&self, uniqueid: &str) -> bool {
        self.0.iter().any(|leg| leg.uniqueid == uniqueid)
    }

    /// Returns true if no leg is left that keeps the attempt alive.
    pub(super) fn none_is_left(&self) -> bool {
        !self.0.iter().any(|leg| matches!(leg.presence, Presence::Alive | Presence::Reappeared))
    }

    /// The Uniqueids of all legs, including those that are gone.
    pub(super) fn uniqueids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|leg| leg.uniqueid.as_str())
    }

    /// The name of a leg that an action can address, because its Hangup was not received.
    pub(super) fn name(&self, uniqueid: &str) -> Option<&str> {
        self.addressable().find(|leg| leg.uniqueid == uniqueid).map(|leg| leg.name.as_str())
    }

    /// The names of the channels to hang up, to end the call. The A leg ends the whole call; if it is gone, as after a
    /// transfer, every other leg has to be hung up.
    pub(super) fn to_hang_up(&self, a_leg: &str) -> Vec<String> {
        match self.name(a_leg) {
            Some(name) => vec![name.to_owned()],
            None => self.addressable().map(|leg| leg.name.clone()).collect(),
        }
    }

    fn addressable(&self) -> impl Iterator<Item = &Leg> {
        self.0.iter().filter(|leg| matches!(leg.presence, Presence::Named | Presence::Alive))
    }

    fn find(&mut self, uniqueid: &str) -> Option<&mut Leg> {
        self.0.iter_mut().find(|leg| leg.uniqueid == uniqueid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_that_is_only_named_can_be_addressed_and_keeps_no_attempt_alive() {
        let mut legs = Legs::default();
        legs.named("a", "PJSIP/a".into());
        assert!(legs.none_is_left());
        assert_eq!(legs.name("a"), Some("PJSIP/a"));
        legs.appeared("a".into(), "PJSIP/a-1".into());
        assert!(!legs.none_is_left());
        assert_eq!(legs.to_hang_up("a"), ["PJSIP/a-1"]);
    }

    #[test]
    fn a_late_newchannel_keeps_the_attempt_alive_until_a_channel_snapshot() {
        let mut legs = Legs::default();
        legs.appeared("a".into(), "PJSIP/a".into());
        legs.gone("a");
        assert!(legs.none_is_left());
        legs.appeared("a".into(), "PJSIP/a".into());
        assert_eq!((legs.none_is_left(), legs.name("a")), (false, None));
        legs.found(vec![LiveLeg { uniqueid: "b".into(), name: "PJSIP/b".into() }]);
        assert!(legs.contains("a"));
        assert_eq!(legs.to_hang_up("a"), ["PJSIP/b"]);
    }
}
