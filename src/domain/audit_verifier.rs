//! Verifies the chain of the audit, entry by entry, in the order of the entries' ids. No IO.

use super::audit_chain::{ANCHOR, Anchor, Content, Hash, Link, Unchained};

/// Verifies the entries of a chain one after the other.
#[derive(Debug)]
pub struct Verifier {
    /// The hashes that must be in the chain and were not seen yet.
    wanted: Vec<Hash>,
    /// Whether the entries may begin in the middle of the chain.
    may_be_a_part: bool,
    /// The `seq` and the hash of the last entry of the chain.
    last: Option<(i64, Hash)>,
    /// The id of the first entry and of the last one.
    ids: Option<(i64, i64)>,
    /// The entries without a hash since the last entry of the chain.
    unchained: Option<Unchained>,
    entries: u64,
    first_seq: Option<i64>,
}

/// The first entry that does not fit into the chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit entry {id}{}: {flaw}", seq.map(|seq| format!(" (seq {seq})")).unwrap_or_default())]
pub struct Broken {
    /// The id of the entry.
    pub id: i64,
    /// The number of the entry in the chain, if it has one.
    pub seq: Option<i64>,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The content was changed after it was hashed.
    #[error("its content does not match its hash, so it was changed")]
    Changed,
    /// The hash of the entry before is another one.
    #[error("its previous_hash is not the hash of the entry before it, so an entry was changed, added or removed")]
    Unlinked,
    /// The numbers of the chain have a gap, or one is there twice.
    #[error("seq {expected} was expected here, so entries are missing or were added")]
    Seq {
        /// The number that the entry should have.
        expected: i64,
    },
    /// The entry is not in the order of the ids.
    #[error("its id does not rise, so entries were renumbered")]
    Order,
    /// The entry has a number and no hash, or a hash and no number.
    #[error("it has only a part of seq, previous_hash and hash")]
    Incomplete,
    /// The anchor does not fit the entries before it that have no hash.
    #[error("the earlier entries that it covers were changed, added or removed")]
    Uncovered,
    /// No anchor covers the entry.
    #[error(
        "it has no hash, and no entry covers it: it was added by hand, or by a server of an earlier version since the \
         last change; the next change covers it"
    )]
    Unchained,
}

/// What a chain without a flaw consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many entries there are, with those that have no hash.
    pub entries: u64,
    /// The number of the first entry in the chain and of the last one. None if the chain is empty.
    pub seqs: Option<(i64, i64)>,
    /// The hash of the last entry in the chain.
    pub head: Hash,
    /// The hashes that were to be in the chain and are not.
    pub missing: Vec<Hash>,
}

impl Verifier {
    /// Begins to verify a chain from its first entry on.
    #[must_use]
    pub const fn of_all() -> Self {
        Self {
            wanted: Vec::new(),
            may_be_a_part: false,
            last: None,
            ids: None,
            unchained: None,
            entries: 0,
            first_seq: None,
        }
    }

    /// Begins to verify entries that may begin in the middle of a chain.
    #[must_use]
    pub fn of_part() -> Self {
        Self { may_be_a_part: true, ..Self::of_all() }
    }

    /// Takes note of a hash that must be in the chain.
    pub fn want(&mut self, hash: Hash) {
        // The hash of a chain without entries is in every chain.
        if hash != Hash::START {
            self.wanted.push(hash);
        }
    }

    /// Verifies the next entry.
    ///
    /// # Errors
    /// Returns what is wrong with the entry. The verifier must not be used any more then.
    pub fn add(&mut self, content: &Content<'_>, link: Option<Link>) -> Result<(), Broken> {
        let broken = |flaw| Broken { id: content.id, seq: content.seq, flaw };
        if self.ids.is_some_and(|(_, last)| content.id <= last) {
            return Err(broken(Flaw::Order));
        }
        self.ids = Some((self.ids.map_or(content.id, |(first, _)| first), content.id));
        self.entries += 1;
        let (seq, link) = match (content.seq, link) {
            (Some(seq), Some(link)) => (seq, link),
            (None, None) => {
                self.unchained = Some(Unchained::with(self.unchained, content));
                return Ok(());
            }
            _ => return Err(broken(Flaw::Incomplete)),
        };
        let (last_seq, last_hash) = match self.last {
            Some(last) => last,
            None if self.may_be_a_part => (seq - 1, link.previous),
            None => (0, Hash::START),
        };
        if seq != last_seq + 1 {
            return Err(broken(Flaw::Seq { expected: last_seq + 1 }));
        }
        if link.previous != last_hash {
            return Err(broken(Flaw::Unlinked));
        }
        if Hash::of(link.previous, content) != link.hash {
            return Err(broken(Flaw::Changed));
        }
        self.cover(content).map_err(broken)?;
        self.wanted.retain(|wanted| *wanted != link.hash && *wanted != link.previous);
        self.first_seq.get_or_insert(seq);
        self.last = Some((seq, link.hash));
        Ok(())
    }

    /// Compares the entries without a hash with the anchor that covers them, if `content` is one.
    fn cover(&mut self, content: &Content<'_>) -> Result<(), Flaw> {
        if content.action != ANCHOR {
            return Ok(());
        }
        let anchor: Anchor = serde_json::from_str(content.detail).map_err(|_| Flaw::Uncovered)?;
        let from_before = self.ids.is_none_or(|(first, _)| anchor.first_id < first);
        let unchained = self.unchained.take();
        // A part that begins after the first entry that the anchor covers cannot tell.
        let cannot_tell = self.may_be_a_part && from_before && self.first_seq.is_none();
        if cannot_tell || unchained.is_some_and(|unchained| unchained.anchor() == anchor) {
            return Ok(());
        }
        Err(Flaw::Uncovered)
    }

    /// Ends the verification.
    ///
    /// # Errors
    /// Returns the first entry that has no hash and is not covered by an anchor.
    pub fn finish(self) -> Result<Summary, Broken> {
        if let Some(unchained) = self.unchained {
            return Err(Broken { id: unchained.first_id(), seq: None, flaw: Flaw::Unchained });
        }
        Ok(Summary {
            entries: self.entries,
            seqs: self.first_seq.zip(self.last.map(|(seq, _)| seq)),
            head: self.last.map_or(Hash::START, |(_, hash)| hash),
            missing: self.wanted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry whose texts are its detail or fixed.
    #[derive(Clone)]
    struct Row {
        id: i64,
        seq: Option<i64>,
        action: &'static str,
        detail: String,
        link: Option<Link>,
    }

    impl Row {
        fn content(&self) -> Content<'_> {
            Content {
                id: self.id,
                seq: self.seq,
                at: 5,
                actor: "alice",
                action: self.action,
                target: "t",
                remote_address: None,
                request_id: "r",
                detail: &self.detail,
                before: None,
                after: None,
            }
        }
    }

    /// Makes two entries without a hash, their anchor and two entries after it.
    fn chain() -> Vec<Row> {
        let old = |id| Row { id, seq: None, action: "Old", detail: "{}".to_owned(), link: None };
        let mut rows = vec![old(3), old(5)];
        let covered = Unchained::with(Some(Unchained::with(None, &rows[0].content())), &rows[1].content());
        let anchor = serde_json::to_string(&covered.anchor()).unwrap();
        let mut last = Hash::START;
        for (seq, (action, detail)) in [(ANCHOR, anchor.as_str()), ("A", "{}"), ("B", "{}")].into_iter().enumerate() {
            let seq = i64::try_from(seq).unwrap() + 1;
            let mut row = Row { id: 10 + seq, seq: Some(seq), action, detail: detail.to_owned(), link: None };
            let hash = Hash::of(last, &row.content());
            row.link = Some(Link { previous: last, hash });
            last = hash;
            rows.push(row);
        }
        rows
    }

    fn verify(mut verifier: Verifier, rows: &[Row]) -> Result<Summary, Broken> {
        for row in rows {
            verifier.add(&row.content(), row.link)?;
        }
        verifier.finish()
    }

    fn flaw(rows: &[Row]) -> (i64, Flaw) {
        let broken = verify(Verifier::of_all(), rows).unwrap_err();
        (broken.id, broken.flaw)
    }

    #[test]
    fn a_chain_that_nothing_was_done_to_is_whole() {
        let rows = chain();
        let summary = verify(Verifier::of_all(), &rows).unwrap();
        assert_eq!((summary.entries, summary.seqs), (5, Some((1, 3))));
        assert_eq!(summary.head, rows[4].link.unwrap().hash);
        assert_eq!(verify(Verifier::of_all(), &[]).unwrap().head, Hash::START);
    }

    #[test]
    fn what_was_done_to_a_chain_is_found_at_its_entry() {
        let changed = |change: &dyn Fn(&mut Vec<Row>)| {
            let mut rows = chain();
            change(&mut rows);
            flaw(&rows)
        };
        assert_eq!(changed(&|rows| rows[3].detail = "{ }".to_owned()), (12, Flaw::Changed));
        assert_eq!(changed(&|rows| drop(rows.remove(3))), (13, Flaw::Seq { expected: 2 }));
        assert_eq!(changed(&|rows| rows.swap(3, 4)), (13, Flaw::Seq { expected: 2 }));
        assert_eq!(changed(&|rows| rows[4].id = 12), (12, Flaw::Order));
        assert_eq!(changed(&|rows| rows[4].link = None), (13, Flaw::Incomplete));
        assert_eq!(changed(&|rows| rows[0].detail = "{ }".to_owned()), (11, Flaw::Uncovered));
        assert_eq!(changed(&|rows| drop(rows.remove(1))), (11, Flaw::Uncovered));
        assert_eq!(changed(&|rows| drop(rows.drain(..2))), (11, Flaw::Uncovered));
        let added = Row { id: 20, ..chain()[0].clone() };
        assert_eq!(changed(&|rows| rows.push(added.clone())), (20, Flaw::Unchained));
        let rehashed = |rows: &mut Vec<Row>| {
            rows[3].detail = "{ }".to_owned();
            let previous = rows[3].link.unwrap().previous;
            rows[3].link = Some(Link { previous, hash: Hash::of(previous, &rows[3].content()) });
        };
        assert_eq!(changed(&rehashed), (13, Flaw::Unlinked));
    }

    #[test]
    fn a_part_of_a_chain_follows_from_the_hash_of_its_last_entry() {
        let rows = chain();
        let hash = |index: usize| rows[index].link.unwrap().hash;
        assert_eq!(flaw(&rows[3..]), (12, Flaw::Seq { expected: 1 }), "a part was taken for the whole");
        let mut verifier = Verifier::of_part();
        verifier.want(hash(2));
        let summary = verify(verifier, &rows[3..]).unwrap();
        assert_eq!((summary.seqs, summary.missing), (Some((2, 3)), vec![]));
        // The anchor covers an entry before the part, so only the chain itself is verified.
        assert!(verify(Verifier::of_part(), &rows[1..]).is_ok());
    }

    #[test]
    fn a_cut_off_end_is_noticed_by_a_hash_that_is_missing() {
        let rows = chain();
        let head = rows[4].link.unwrap().hash;
        let mut verifier = Verifier::of_all();
        verifier.want(head);
        assert_eq!(verify(verifier, &rows[..4]).unwrap().missing, [head]);
    }
}
