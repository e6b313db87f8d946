//! Decides whose turn it is. Queues share a lane by weight, and queues of a higher priority go first.
//!
//! Among queues of one priority this is weighted deficit round robin in its smooth form. Each pick raises the deficit
//! of every queue by its part of the weights. Only a queue with a deficit above 0 may have the pick, and of these the
//! one whose next call would be late first. So no queue is ever a whole call ahead of its share or behind it (earliest
//! deadline first is optimal for unit jobs; Baruah and others, "Proportionate progress", 1996).

/// One pick of this many goes to queues below the highest priority that has a call to dial.
pub const LOWER_EVERY: u32 = 10;

/// The part of a lane that a queue gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The priority, 0 to 9. The highest goes first.
    priority: i32,
    /// The weight among queues of the same priority, 1 to 100.
    weight: i32,
    /// The calls that the queue was entitled to and did not get, from -1 to 1. It is below 0 if the queue got more.
    deficit: f64,
}

impl Share {
    /// Creates the share of a queue that has had no turn yet. A weight below 1 counts as 1.
    #[must_use]
    pub fn new(priority: i32, weight: i32) -> Self {
        Self { priority, weight: weight.max(1), deficit: 0.0 }
    }

    /// Changes the priority and the weight from now on. The deficit is kept.
    pub fn set(&mut self, priority: i32, weight: i32) {
        *self = Self { deficit: self.deficit, ..Self::new(priority, weight) };
    }

    /// Returns how soon the queue's next call would be late: the picks until its deficit is a whole call, divided by
    /// the sum of the weights. The queue with the smallest value goes first.
    fn deadline(&self) -> f64 {
        (1.0 - self.deficit) / f64::from(self.weight)
    }
}

/// Something that takes turns, such as a queue.
pub trait Contender {
    /// Returns the share that decides when it has a turn.
    fn share(&self) -> &Share;
    /// Returns the share, to be changed when a turn is taken.
    fn share_mut(&mut self) -> &mut Share;
    /// Returns true if it has a call that may begin now. While it has none, its deficit does not grow.
    fn is_able(&self) -> bool;
}

/// The turns that the queues of one lane take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    /// The picks for the highest priority since the last pick for a lower one that was able to go.
    since_lower: u32,
}

impl Turns {
    /// Returns the index of the contender whose turn it is; None if no contender is able to go.
    #[must_use]
    pub fn next<C: Contender>(&self, contenders: &[C]) -> Option<usize> {
        let group = self.group(contenders)?;
        let total = total(contenders, group);
        let mut best: Option<(usize, bool, f64)> = None;
        for (index, contender) in contenders.iter().enumerate().filter(|(_, contender)| group.has(*contender)) {
            let share = deficit_after(contender.share(), total);
            let (has_deficit, deadline) = (share.deficit > 0.0, share.deadline());
            let sooner =
                best.is_none_or(
                    |(_, best_has_deficit, best_deadline)| {
                        if has_deficit == best_has_deficit { deadline < best_deadline } else { has_deficit }
                    },
                );
            if sooner {
                best = Some((index, has_deficit, deadline));
            }
        }
        best.map(|(index, ..)| index)
    }

    /// Counts the turn that the contender at `index` has taken.
    pub fn take<C: Contender>(&mut self, contenders: &mut [C], index: usize) {
        let Some(group) = self.group(contenders) else { return };
        let total = total(contenders, group);
        for contender in contenders.iter_mut().filter(|contender| group.has(*contender)) {
            *contender.share_mut() = deficit_after(contender.share(), total);
        }
        if let Some(taker) = contenders.get_mut(index) {
            let share = taker.share_mut();
            share.deficit = (share.deficit - 1.0).max(-1.0);
        }
        self.since_lower = match group {
            Group::Only(_) => self.since_lower,
            Group::Highest(_) => self.since_lower + 1,
            Group::Below(_) => 0,
        };
    }

    /// Returns the group that shares the next pick; None if no contender is able to go.
    fn group<C: Contender>(&self, contenders: &[C]) -> Option<Group> {
        let able = || contenders.iter().filter(|contender| contender.is_able()).map(|able| able.share().priority);
        let (highest, lowest) = (able().max()?, able().min()?);
        Some(if highest == lowest {
            Group::Only(highest)
        } else if self.since_lower + 1 < LOWER_EVERY {
            Group::Highest(highest)
        } else {
            Group::Below(highest)
        })
    }
}

/// The contenders that share a pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// All contenders that are able to go, which have this priority.
    Only(i32),
    /// The contenders of this priority, although others are able to go.
    Highest(i32),
    /// All contenders below this priority.
    Below(i32),
}

impl Group {
    fn has(self, contender: &impl Contender) -> bool {
        let priority = contender.share().priority;
        contender.is_able()
            && match self {
                Self::Only(highest) | Self::Highest(highest) => priority == highest,
                Self::Below(highest) => priority < highest,
            }
    }
}

fn total<C: Contender>(contenders: &[C], group: Group) -> f64 {
    let members = contenders.iter().filter(|contender| group.has(*contender));
    members.map(|member| f64::from(member.share().weight)).sum()
}

/// Returns a share after a pick of its group, whose weights add up to `total`, before the turn is taken. The deficit
/// never exceeds one call, so that a queue that could not go for an hour does not get the whole next hour.
fn deficit_after(share: &Share, total: f64) -> Share {
    Share { deficit: (share.deficit + f64::from(share.weight) / total).min(1.0), ..*share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug)]
    struct Queue {
        share: Share,
        left: usize,
        got: usize,
    }

    impl Contender for Queue {
        fn share(&self) -> &Share {
            &self.share
        }
        fn share_mut(&mut self) -> &mut Share {
            &mut self.share
        }
        fn is_able(&self) -> bool {
            self.left > 0
        }
    }

    fn queue(priority: i32, weight: i32, calls: usize) -> Queue {
        Queue { share: Share::new(priority, weight), left: calls, got: 0 }
    }

    fn pick(turns: &mut Turns, queues: &mut [Queue]) -> Option<usize> {
        let index = turns.next(queues)?;
        turns.take(queues, index);
        queues[index].left -= 1;
        queues[index].got += 1;
        Some(index)
    }

    proptest! {
        #[test]
        fn shares_stay_within_one_call_of_the_weights(weights in prop::collection::vec(1..=100, 1..12)) {
            let mut queues: Vec<Queue> = weights.iter().map(|&weight| queue(5, weight, usize::MAX)).collect();
            let (mut turns, total) = (Turns::default(), f64::from(weights.iter().sum::<i32>()));
            for picks in 1..=2000 {
                pick(&mut turns, &mut queues);
                for queue in &queues {
                    let due = f64::from(picks) * f64::from(queue.share.weight) / total;
                    prop_assert!((queue.got as f64 - due).abs() < 1.0 + 1e-6, "{} for {due} after {picks}", queue.got);
                }
            }
        }

        #[test]
        fn every_call_of_every_queue_gets_a_turn(
            queues in prop::collection::vec((0..10, 1..=100, 0_usize..200), 1..12),
        ) {
            let mut queues: Vec<Queue> = queues.iter().map(|&(p, w, calls)| queue(p, w, calls)).collect();
            let (mut turns, all) = (Turns::default(), queues.iter().map(|queue| queue.left).sum::<usize>());
            for _ in 0..all {
                prop_assert!(pick(&mut turns, &mut queues).is_some());
            }
            prop_assert!(pick(&mut turns, &mut queues).is_none());
            prop_assert!(queues.iter().all(|queue| queue.left == 0 && queue.share.deficit.abs() <= 1.0));
        }
    }

    #[test]
    fn a_queue_of_ten_calls_beside_one_of_a_million_gets_every_second_turn() {
        let mut queues = [queue(5, 1, 1_000_000), queue(5, 1, 10)];
        let mut turns = Turns::default();
        let mut picks = 0;
        while queues[1].left > 0 {
            pick(&mut turns, &mut queues);
            picks += 1;
        }
        assert!((19..=20).contains(&picks), "{picks}");
    }

    #[test]
    fn a_higher_priority_leaves_a_tenth_of_the_turns_to_all_others() {
        let mut queues = [queue(9, 1, 10_000), queue(5, 3, 10_000), queue(0, 1, 10_000)];
        let mut turns = Turns::default();
        for _ in 0..1000 {
            pick(&mut turns, &mut queues);
        }
        assert_eq!(queues.map(|queue| queue.got), [900, 75, 25]);
    }

    #[test]
    fn a_queue_that_could_not_go_for_long_does_not_take_all_turns_afterwards() {
        let mut queues = [queue(5, 1, 10_000), queue(5, 1, 0)];
        let mut turns = Turns::default();
        for _ in 0..500 {
            pick(&mut turns, &mut queues);
        }
        queues[1].left = 10_000;
        for _ in 0..100 {
            pick(&mut turns, &mut queues);
        }
        assert!((49..=51).contains(&queues[1].got), "{}", queues[1].got);
    }
}
