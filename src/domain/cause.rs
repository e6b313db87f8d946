//! Hangup causes of ITU-T Q.850, as Asterisk reports them.

/// A Q.850 cause, 0 to 127. Asterisk reports 0 if none was given.
pub type Cause = u8;

/// Normal call clearing. Every call that is ended on purpose has this cause, so it says nothing about the reason.
pub const NORMAL_CLEARING: Cause = 16;

/// Returns what a cause means, in Asterisk's own words (`include/asterisk/causes.h`, `main/channel.c`).
#[must_use]
pub fn text(cause: Cause) -> &'static str {
    match cause {
        1 => "Unallocated (unassigned) number",
        2 => "No route to specified transit network",
        3 => "No route to destination",
        5 => "Misdialled trunk prefix",
        6 => "Channel unacceptable",
        7 => "Call awarded and being delivered in an established channel",
        8 => "Pre-empted",
        14 => "Number ported elsewhere",
        16 => "Normal Clearing",
        17 => "User busy",
        18 => "No user responding",
        19 => "User alerting, no answer",
        20 => "Subscriber absent",
        21 => "Call Rejected",
        22 => "Number changed",
        23 => "Redirected to new destination",
        26 => "Answered elsewhere",
        27 => "Destination out of order",
        28 => "Invalid number format",
        29 => "Facility rejected",
        30 => "Response to STATus ENQuiry",
        31 => "Normal, unspecified",
        34 => "Circuit/channel congestion",
        38 => "Network out of order",
        41 => "Temporary failure",
        42 => "Switching equipment congestion",
        43 => "Access information discarded",
        44 => "Requested channel not available",
        50 => "Facility not subscribed",
        52 => "Outgoing call barred",
        54 => "Incoming call barred",
        57 => "Bearer capability not authorized",
        58 => "Bearer capability not available",
        65 => "Bearer capability not implemented",
        66 => "Channel not implemented",
        69 => "Facility not implemented",
        81 => "Invalid call reference value",
        88 => "Incompatible destination",
        95 => "Invalid message unspecified",
        96 => "Mandatory information element missing",
        97 => "Message type nonexist.",
        98 => "Wrong message",
        99 => "Info. element nonexist or not implemented",
        100 => "Invalid information element contents",
        101 => "Message not compatible with call state",
        102 => "Recover on timer expiry",
        103 => "Mandatory IE length error",
        111 => "Protocol error, unspecified",
        127 => "Interworking, unspecified",
        _ => "Unknown",
    }
}

/// Returns the more telling of the causes of two legs of a call: normal clearing (16) and none given (0) yield to any
/// other cause. Local channels report the cause on one half only.
#[must_use]
pub fn most_telling(known: Option<Cause>, next: Cause) -> Cause {
    const fn weight(cause: Cause) -> u8 {
        match cause {
            0 => 0,
            NORMAL_CLEARING => 1,
            _ => 2,
        }
    }
    match known {
        Some(known) if weight(known) >= weight(next) => known,
        _ => next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leg_that_knows_why_decides() {
        assert_eq!(most_telling(Some(0), 17), 17);
        assert_eq!(most_telling(Some(17), 0), 17);
        assert_eq!(most_telling(Some(16), 0), 16);
        assert_eq!(most_telling(None, 0), 0);
        assert_eq!(most_telling(Some(19), 1), 19);
    }
}
