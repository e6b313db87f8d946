//! Pages of the calls that a search finds.
//!
//! The calls are read through the index that promises the fewest of them, newest first, and each is compared with the whole
//! search. How many are read for a page is limited, so that no search can cost more.

use std::collections::BTreeSet;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::call_search::{CallSearch, Cursor};
use super::call_terms::{self, Term, TermKind};
use super::calls::Call;
use super::db::{Conn, with_conn};
use super::error::Result;
use super::id_range::IdRange;
use super::queues;
use super::schema::{attempts, calls, servers};
use super::status_sql::has_status;
use super::types::Id;
use crate::domain::labels;
use crate::domain::status::{CallStatus, Outcome};

/// How many calls are read at a time once the first ones were not enough.
const CHUNK: usize = 1000;

/// How many calls are read for a page, at most one chunk more.
const MOST_READ: usize = 10_000;

/// How many calls of all clients are put in order for a page. If there are more, they are found among the newest calls.
const MOST_SORTED: usize = 10_000;

/// The hexadecimal digits from which on the prefix of an id leaves few calls: those of about a minute.
const MANY_DIGITS: u32 = 8;

/// A page of a search.
#[derive(Debug)]
pub struct CallPage {
    /// The calls that were found, newest first.
    pub calls: Vec<Call>,
    /// Where the next page begins; None if this is the last one.
    pub next: Option<Cursor>,
}

/// What the calls are read through. Each gives them newest first.
enum Source {
    /// These calls, which are all that there are.
    Few(BTreeSet<Uuid>),
    /// A client's calls with one of these terms.
    Terms { terms: Vec<Term>, client_id: i64 },
    /// A client's calls with one of these statuses, none of which is live, and outcomes.
    Statuses { pairs: Vec<(CallStatus, Option<Outcome>)>, client_id: i64 },
    /// The calls of a queue, from the last position to the first one.
    Queue { id: i64, status: Option<CallStatus>, outcome: Option<Outcome> },
    /// All calls that there are.
    All,
}

/// Some calls of a source, and where it continues; None if these are the last ones.
struct Chunk {
    calls: Vec<Call>,
    next: Option<Cursor>,
}

/// Returns at most `limit` calls that a search finds, from the newest one on, or after a cursor of the same search.
pub async fn page(conn: &mut Conn, search: &CallSearch, after: Option<Cursor>, limit: usize) -> Result<CallPage> {
    let mut page = CallPage { calls: Vec::new(), next: None };
    let Some(ids) = search.id_range() else { return Ok(page) };
    let source = Source::of(conn, search).await?;
    let (mut cursor, mut read) = (after, 0);
    loop {
        let size = if read == 0 { limit + 1 } else { CHUNK };
        let chunk = source.read(conn, ids, cursor, size).await?;
        read += size;
        for call in chunk.calls {
            if !search.matches(&call)? {
                continue;
            }
            if page.calls.len() == limit {
                page.next = page.calls.last().map(|last| source.cursor(last));
                return Ok(page);
            }
            page.calls.push(call);
        }
        cursor = chunk.next;
        if cursor.is_none() || read >= MOST_READ {
            page.next = cursor;
            return Ok(page);
        }
    }
}

/// Counts the calls that a search finds.
pub async fn count(conn: &mut Conn, search: &CallSearch) -> Result<i64> {
    if let CallSearch { client_id, queue_id: Some(id), status: Some(status), .. } = *search
        && *search == (CallSearch { client_id, queue_id: Some(id), status: Some(status), ..CallSearch::default() })
    {
        // The queue counts them.
        return Ok(queues::get(conn, client_id, id).await?.map_or(0, |queue| queue.count(status)));
    }
    let (mut count, mut after) = (0, None);
    loop {
        let page = page(conn, search, after, CHUNK).await?;
        count += i64::try_from(page.calls.len()).unwrap_or(i64::MAX);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(count),
        }
    }
}

impl Source {
    /// Chooses what the calls of a search are read through.
    async fn of(conn: &mut Conn, search: &CallSearch) -> Result<Self> {
        if let Some(attempt) = search.attempt() {
            let call: Option<Id> = with_conn!(conn, |c| {
                attempts::table.find(Id::from(attempt)).select(attempts::call_id).first(c).await.optional()
            })?;
            return Ok(Self::Few(call.into_iter().map(|id| id.0).collect()));
        }
        if let Some(status) = search.status.filter(|status| status.is_live()) {
            return Ok(Self::Few(live(conn, Some(status), search.client_id).await?));
        }
        let has_many_digits = search.ids.is_some_and(|ids| {
            let shared = (ids.first.as_u128() ^ ids.last.as_u128()).leading_zeros();
            shared >= MANY_DIGITS * 4
        });
        let terms = if has_many_digits { named(search) } else { named(search).or_else(|| labelled(search)) };
        if let Some(terms) = terms {
            return match search.client_id {
                Some(client_id) => Ok(Self::Terms { terms, client_id }),
                None => Ok(call_terms::of_all_clients(conn, &terms, MOST_SORTED).await?.map_or(Self::All, Self::Few)),
            };
        }
        if let Some(id) = search.queue_id.filter(|_| !has_many_digits) {
            return Ok(Self::Queue { id, status: search.status, outcome: search.outcome });
        }
        if (search.status.is_some() || search.outcome.is_some()) && !has_many_digits {
            return Self::by_status(conn, search).await;
        }
        let Some(client_id) = search.client_id else { return Ok(Self::All) };
        let codes: Vec<String> = match (&search.project, &search.server_code) {
            (Some(project), _) if !has_many_digits => {
                let terms = vec![Term { kind: TermKind::Project, value: project.clone() }];
                return Ok(Self::Terms { terms, client_id });
            }
            (_, Some(code)) => vec![code.clone()],
            // A removed server keeps its row, because past calls refer to it.
            (_, None) => with_conn!(conn, |c| servers::table.select(servers::code).load(c).await)?,
        };
        let terms = codes.into_iter().map(|value| Term { kind: TermKind::Server, value }).collect();
        Ok(Self::Terms { terms, client_id })
    }

    /// Reads by status and outcome. Live calls have an index of their own, and may have the outcome of an earlier attempt.
    async fn by_status(conn: &mut Conn, search: &CallSearch) -> Result<Self> {
        let statuses = CallStatus::ALL.iter().copied().filter(|status| !status.is_live());
        let statuses = statuses.filter(|status| search.status.is_none_or(|searched| searched == *status));
        let outcomes: Vec<Option<Outcome>> = match search.outcome {
            Some(outcome) => vec![Some(outcome)],
            None => std::iter::once(None).chain(Outcome::ALL.iter().copied().map(Some)).collect(),
        };
        let pairs: Vec<_> =
            statuses.flat_map(|status| outcomes.iter().map(move |outcome| (status, *outcome))).collect();
        if let Some(client_id) = search.client_id {
            return Ok(Self::Statuses { pairs, client_id });
        }
        let mut few = if search.status.is_none() { live(conn, None, None).await? } else { BTreeSet::new() };
        for (status, outcome) in pairs {
            few.extend(with_status(conn, status, outcome, None, None, MOST_SORTED + 1).await?);
            if few.len() > MOST_SORTED {
                return Ok(Self::All);
            }
        }
        Ok(Self::Few(few))
    }

    /// Returns where a page ends that ends with this call.
    fn cursor(&self, call: &Call) -> Cursor {
        match self {
            Self::Queue { .. } => Cursor::Position(call.position),
            _ => Cursor::Id(call.id.0),
        }
    }

    /// Reads the next `size` calls whose ids are in a range.
    async fn read(&self, conn: &mut Conn, ids: IdRange, after: Option<Cursor>, size: usize) -> Result<Chunk> {
        let done = Chunk { calls: Vec::new(), next: None };
        if let Self::Queue { id, status, outcome } = *self {
            let below = match after {
                None => i64::MAX,
                Some(Cursor::Position(position)) => position,
                Some(Cursor::Id(_)) => return Ok(done),
            };
            let calls = of_queue(conn, id, (status, outcome), below, size).await?;
            let next = calls.last().filter(|_| calls.len() >= size).map(|last| Cursor::Position(last.position));
            return Ok(Chunk { calls, next });
        }
        let rest = match after {
            None => Some(ids),
            Some(Cursor::Id(id)) => ids.before(id),
            Some(Cursor::Position(_)) => None,
        };
        let Some(rest) = rest else { return Ok(done) };
        if matches!(self, Self::All) {
            let calls = by_id(conn, rest, size).await?;
            let next = calls.last().filter(|_| calls.len() >= size).map(|last| Cursor::Id(last.id.0));
            return Ok(Chunk { calls, next });
        }
        let found = self.ids(conn, rest, size).await?;
        let next = found.last().filter(|_| found.len() >= size).copied().map(Cursor::Id);
        Ok(Chunk { calls: with_ids(conn, &found).await?, next })
    }

    /// Returns the newest `size` ids in a range, newest first.
    async fn ids(&self, conn: &mut Conn, range: IdRange, size: usize) -> Result<Vec<Uuid>> {
        let limit = i64::try_from(size).unwrap_or(i64::MAX);
        let mut found = BTreeSet::new();
        match self {
            Self::Few(few) => found.extend(few.range(range.first..=range.last).rev().take(size)),
            Self::Terms { terms, client_id } => {
                for term in terms {
                    found.extend(call_terms::newest(conn, term, *client_id, range, limit).await?);
                }
            }
            Self::Statuses { pairs, client_id } => {
                for &(status, outcome) in pairs {
                    found.extend(with_status(conn, status, outcome, Some(*client_id), Some(range), size).await?);
                }
                if pairs.len() > 1 && pairs.iter().all(|(_, outcome)| outcome.is_some()) {
                    let live = live(conn, None, Some(*client_id)).await?;
                    found.extend(live.range(range.first..=range.last).rev().take(size));
                }
            }
            Self::Queue { .. } | Self::All => {}
        }
        Ok(found.into_iter().rev().take(size).collect())
    }
}

/// Returns the terms that few calls share, of which a call must have one; None if nothing of the kind is searched for.
fn named(search: &CallSearch) -> Option<Vec<Term>> {
    let term = |kind, value: String| Term { kind, value };
    if let Some(action_id) = &search.action_id {
        return Some(vec![term(TermKind::ActionId, action_id.clone())]);
    }
    if search.channel_id.is_some() {
        let own = search.own_channel_ids().into_iter();
        return Some(own.map(|own| term(TermKind::ChannelId, own.to_owned())).collect());
    }
    let numbers = search.contact_numbers.as_ref()?;
    Some(numbers.iter().map(|number| term(TermKind::ContactNumber, number.to_string())).collect())
}

/// Returns the terms that more calls may share: the label, and among the calls of all clients the project.
fn labelled(search: &CallSearch) -> Option<Vec<Term>> {
    if let Some((key, value)) = &search.label {
        return Some(vec![Term { kind: TermKind::Label, value: labels::text(key, value) }]);
    }
    let has_other = search.client_id.is_some() || search.queue_id.is_some();
    let project = search.project.as_ref().filter(|_| !has_other)?;
    Some(vec![Term { kind: TermKind::Project, value: project.clone() }])
}

/// Returns the calls that have a live attempt. There are as many as Asterisk has channels for.
async fn live(conn: &mut Conn, status: Option<CallStatus>, client_id: Option<i64>) -> Result<BTreeSet<Uuid>> {
    let found: Vec<Id> = with_conn!(conn, |c| {
        let mut query = attempts::table
            .inner_join(calls::table)
            .filter(attempts::ended_at.is_null())
            .select(calls::id)
            .into_boxed();
        if let Some(status) = status {
            query = query.filter(calls::status.eq(status.code()));
        }
        if let Some(client_id) = client_id {
            query = query.filter(calls::client_id.eq(client_id));
        }
        query.load(c).await
    })?;
    Ok(found.into_iter().map(|id| id.0).collect())
}

/// Returns `size` calls with a status that is not live and an outcome: the newest of a client in a range, or any of all
/// clients.
async fn with_status(
    conn: &mut Conn,
    status: CallStatus,
    outcome: Option<Outcome>,
    client_id: Option<i64>,
    range: Option<IdRange>,
    size: usize,
) -> Result<Vec<Uuid>> {
    let limit = i64::try_from(size).unwrap_or(i64::MAX);
    let found: Vec<Id> = with_conn!(conn, |c| {
        let mut query = calls::table.filter(has_status(status)).limit(limit).select(calls::id).into_boxed();
        // As in the index.
        let code = outcome.map_or(0, |outcome| i32::from(outcome.code()));
        query = query.filter(sql::<Bool>("COALESCE(calls.outcome, 0) = ").bind::<Integer, _>(code));
        if let Some(client_id) = client_id {
            query = query.filter(calls::client_id.eq(client_id));
        }
        if let Some(IdRange { first, last }) = range {
            query = query.filter(calls::id.ge(Id(first)).and(calls::id.le(Id(last)))).order(calls::id.desc());
        }
        query.load(c).await
    })?;
    Ok(found.into_iter().map(|id| id.0).collect())
}

/// Reads the last calls of a queue before a position. The index by outcome or status is used, not both.
async fn of_queue(
    conn: &mut Conn,
    queue_id: i64,
    (status, outcome): (Option<CallStatus>, Option<Outcome>),
    below: i64,
    size: usize,
) -> Result<Vec<Call>> {
    let limit = i64::try_from(size).unwrap_or(i64::MAX);
    Ok(with_conn!(conn, |c| {
        let mut query = calls::table
            .filter(calls::queue_id.eq(queue_id).and(calls::position.lt(below)))
            .order(calls::position.desc())
            .limit(limit)
            .select(Call::as_select())
            .into_boxed();
        if let Some(outcome) = outcome {
            query = query.filter(calls::outcome.eq(outcome.code()));
        } else if let Some(status) = status {
            query = query.filter(has_status(status));
        }
        query.load(c).await
    })?)
}

/// Reads the newest calls in a range.
async fn by_id(conn: &mut Conn, range: IdRange, size: usize) -> Result<Vec<Call>> {
    let limit = i64::try_from(size).unwrap_or(i64::MAX);
    Ok(with_conn!(conn, |c| {
        calls::table
            .filter(calls::id.ge(Id(range.first)).and(calls::id.le(Id(range.last))))
            .order(calls::id.desc())
            .limit(limit)
            .select(Call::as_select())
            .load(c)
            .await
    })?)
}

/// Reads these calls, newest first.
async fn with_ids(conn: &mut Conn, found: &[Uuid]) -> Result<Vec<Call>> {
    let ids: Vec<Id> = found.iter().map(|id| Id(*id)).collect();
    let mut calls: Vec<Call> =
        with_conn!(conn, |c| calls::table.filter(calls::id.eq_any(&ids)).select(Call::as_select()).load(c).await)?;
    calls.sort_unstable_by_key(|call| std::cmp::Reverse(call.id.0));
    Ok(calls)
}
