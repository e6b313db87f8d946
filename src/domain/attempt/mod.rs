//! The life of one attempt, from its Originate to its end, as a state machine without IO.
//!
//! AMI promises neither order nor completeness: an OriginateResponse may be received before the events of its call, a
//! leg may be seen only when it hangs up, any message may be lost with a connection, and any may be received twice. So an
//! [`Attempt`] gathers evidence and legs, and every [`Signal`] may be received at any time. These tables have all that a
//! signal changes; a test holds them to the code. `·` changes nothing, and so does any signal after `over`.
//!
//! The phase is what the evidence and the legs amount to. Ringing and answered are committed when they begin, failed and
//! gone wait for messages that are missing, and over ends the attempt by all its evidence together.
//!
//! | signal | dialing | ringing | answered | failed | gone |
//! | --- | --- | --- | --- | --- | --- |
//! | `Ringing`, `StateChanged` ringing | ringing | · | · | · | · |
//! | `StateChanged` up, `DialEnded` answer, `Originated` success, `CdrReceived` answer | answered | answered | · | answered | over |
//! | `Originated` failure | failed | failed | · | · | over |
//! | `LegGone` last | gone | gone | over | over | · |
//! | `GraceOver` | · | · | · | over | over |
//! | `LegAppeared`, `Found` other | · | · | · | · | dialing |
//! | `Found` ringing | ringing | · | · | · | ringing |
//! | `Found` up | answered | answered | · | answered | answered |
//! | `Refused`, `Missing` twice, `Abandoned` | over | over | over | over | over |
//! | `Accepted`, `StateChanged` other, `DialEnded` other, `CdrReceived` other, `Bridged`, `LegGone` other, `Noted` | · | · | · | · | · |
//! | `ConnectionLost`, `Missing`, `ChannelIdTaken`, `ChannelIdFree`, `Tick` | · | · | · | · | · |
//! | `EndRequested`, `Overlong`, `MixMonitorAnswered` started, `MixMonitorAnswered` failed, `MixMonitorStopped` | · | · | · | · | · |
//!
//! The attempt may be in doubt, and a channel id that the client chose may be another call's: until the attempt's own
//! channel is seen, a refused Originate may mean that, and the next channel snapshot decides.
//!
//! | signal | lives | in doubt | missed once | id unseen | id refused | id undecided |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | `LegAppeared` | · | lives | lives | id own | id own | id own |
//! | `Found` ringing, `Found` up, `Found` other | · | lives | lives | id own | · | · |
//! | `Ringing`, `StateChanged` ringing, `StateChanged` up, `DialEnded` answer, `DialEnded` other | · | lives | lives | · | · | · |
//! | `Originated` success, `Bridged`, `LegGone` last, `LegGone` other | · | lives | lives | · | · | · |
//! | `Originated` failure | · | lives | lives | id refused | · | · |
//! | `ConnectionLost` | in doubt | · | in doubt | · | · | · |
//! | `Tick` | in doubt | · | · | · | · | · |
//! | `Missing` | · | missed once | over | · | · | · |
//! | `GraceOver` | · | · | · | · | id undecided | · |
//! | `ChannelIdTaken` | · | · | · | · | over | over |
//! | `ChannelIdFree` | · | · | · | · | · | over |
//! | `Refused`, `Abandoned` | over | over | over | over | over | over |
//!
//! The client may want the call to end, or the call has taken as long as it may. It is then hung up, and again whenever a
//! leg appears. The recording is started after the answer and stops with the A leg.
//!
//! | signal | not requested | requested | idle | asked | running |
//! | --- | --- | --- | --- | --- | --- |
//! | `EndRequested`, `Overlong` | requested | · | · | · | · |
//! | `Tick`, `LegAppeared`, `Found` ringing, `Found` other | · | HangUp | · | · | · |
//! | `Found` up | · | HangUp | asked | · | · |
//! | `StateChanged` up, `DialEnded` answer, `Originated` success, `CdrReceived` answer | · | · | asked | · | · |
//! | `MixMonitorAnswered` started | · | · | · | running | · |
//! | `MixMonitorAnswered` failed | · | · | · | stopped | · |
//! | `MixMonitorStopped`, `LegGone` last | · | · | · | · | stopped |
//! | `Refused`, `Abandoned` | over | over | over | over | over |

mod billing;
mod channel_id;
mod closed;
mod course;
mod effect;
mod end_requested;
mod evidence;
mod legs;
mod liveness;
mod machine;
mod recorder;
mod signal;

pub use closed::Closed;
pub use course::Resumed;
pub use effect::{Effect, End};
pub use evidence::{DialStatus, OriginateResult};
pub use legs::LiveLeg;
pub use machine::Attempt;
pub use signal::{ALegState, Signal};
